"""A raw form of labels is one object: it is remapped in workers, resumed and verified with no other code."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mseg_wizard.datasets.dataset import datasets_in
from mseg_wizard.labels.readers import READERS
from mseg_wizard.labels.readers.mat import read_mat
from mseg_wizard.step import Call
from mseg_wizard.tasks.remap import remap, remap_missing
from mseg_wizard.verification.checks import check
from mseg_wizard.verification.plan import make_plan, rules_of
from tests.golden_tree import GoldenTree, pixels_of
from tests.labels.npy_form import NPY
from tests.tasks.making import CALLS, opened

MAT = next(key for key in CALLS if "pascal" in key and "/remap/" in key)


def test_a_new_form_is_one_object_and_verification_knows_it(
    golden_tree: GoldenTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(READERS, "npy", "tests.labels.npy_form:NPY")
    how = dataclasses.replace(CALLS[MAT], reader=NPY.name, raw="trainval/{}.npy", consumes="")
    with opened(tmp_path / "d", golden_tree, "PASCAL_Context") as ctx:
        for mat in (ctx.dataset_folder / "PASCAL_Context" / "trainval").glob("*.mat"):
            np.save(mat.with_suffix(".npy"), read_mat(mat))
            mat.unlink()
        for made in (ctx.dataset_folder / "PASCAL_Context").glob(
            "Segmentation_GT_*"
        ):  # by another test, in the kit's tree
            shutil.rmtree(made)
        missing = remap_missing(ctx, how)
        list(remap(ctx, how))
        assert remap_missing(ctx, how) == []
        assert {path: pixels_of(ctx.dataset_folder / path) for path in missing} == {
            path: golden_tree.expected[path] for path in missing
        }
        # One pixel of one map is changed: verification reads the raw label anew and finds it.
        spoilt = ctx.dataset_folder / missing[0]
        pixels = np.array(Image.open(spoilt))
        pixels[0, 0] = pixels[0, 0] ^ 1
        Image.fromarray(pixels).save(spoilt)
        dataset = next(one for one in datasets_in(ctx.steps) if one.raw == how.source)
        dataset = type(dataset)(
            dataset.title, dataset.raw, Call("new", "remap", "", how), dataset.relabels, dataset.brings
        )
        plan, rules = make_plan(ctx, dataset), rules_of(ctx, dataset)
        found = {
            plan.file(item.key, where): what for item in plan.items(ctx) for where, what in check(rules, item).faults
        }
        assert set(found) == {missing[0]}
