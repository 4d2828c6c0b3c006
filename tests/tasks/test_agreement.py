"""Masks of another release against MSeg's records: they count, are asked about, or are refused, with the figure."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mseg_wizard.context import Consent, Context, Options
from mseg_wizard.labels.agreement import ImageToCompare, disagreeing
from mseg_wizard.labels.codec import read_rgb, write_ids
from mseg_wizard.labels.records import updates
from mseg_wizard.labels.relabel import relabel_recipe
from mseg_wizard.labels.taxonomy import MsegApiTree
from mseg_wizard.progress import Problem
from mseg_wizard.state.journal import TreeRecord
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.arguments import AgreementArguments
from mseg_wizard.tasks.registry import TASKS, load_steps
from mseg_wizard.vault import Vault
from tests.conftest import ROOT
from tests.labels.relabelings import RELABELINGS
from tests.repackaged import ADE, ade_2021

CALLS = ("ADE20K_2016_07_26.zip", "ADEChallengeData2016.zip")
PERSONS = {
    "ADE_train_00016869": (30, 140, 150, 155, 160, 200, 205, 220, 255),
    "ADE_train_00016900": (113, 120, 128, 210),
}
"""Segments that MSeg's records name in two images of the release of 2021."""


def prepared(golden: Path, folder: Path, archives: Path) -> Context:
    """A destination with ADE20K unpacked and remapped, its masks from `archives`."""
    vault = Vault("test", backend=None, environment={})
    ctx = Context(load_steps(), Store(folder / "d"), vault, Options(mirror=str(archives), workers=2))
    ctx.store.keep_tree(TreeRecord(folder=str(golden / "mirror/mseg-api"), source="the golden kit"))
    ctx.remember(ctx.step("prepare"), {"accept_modified_tree": True})
    for call in (call for step in ctx.steps for call in step.calls):
        if (call.archive and call.archive.file in CALLS) or call.needs == ("ade20k-151",):
            for _ in TASKS[call.task].run(ctx.during(call.key, foreign=True, distrust=False), *call.given):
                pass
    return ctx


def repackaged(golden: Path, folder: Path, masks: Callable[[str, NDArray[np.uint8]], NDArray[np.uint8]]) -> Path:
    mirror = folder / "mirror"
    mirror.mkdir()
    (mirror / CALLS[1]).symlink_to(golden / "mirror" / CALLS[1])
    ade_2021(golden / "mirror", mirror, masks)
    return mirror


def compare(ctx: Context) -> list[str]:
    """Run the comparison; its notes."""
    ctx.notes.clear()
    for _ in TASKS["agreement"].run(ctx, AgreementArguments(taxonomy="ade20k-150")):
        pass
    return ctx.notes


def missing(ctx: Context) -> list[str]:
    return TASKS["agreement"].missing(ctx, AgreementArguments(taxonomy="ade20k-150"))


def anew(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same segments, numbered from the other end."""
    changed = pixels.copy()
    changed[..., 2] = 255 - changed[..., 2]
    return changed


def test_masks_that_are_numbered_anew_are_refused_with_the_figure(golden: Path, tmp_path: Path) -> None:
    with closing(prepared(golden, tmp_path, repackaged(golden, tmp_path, lambda stem, pixels: anew(pixels)))) as ctx:
        with pytest.raises(Problem, match=r"numbers its segments differently: only \d+ of 163 records \(\d+") as caught:
            compare(ctx)
        assert not isinstance(caught.value, Consent)
        assert "Remove" in caught.value.do
        assert "ADE20K_2016_07_26" in caught.value.do
        assert missing(ctx)
        # It was not taken for the published archive because its record went.
        assert ctx.store.archive(ADE) is None
        with pytest.raises(Problem, match="numbers its segments differently"):
            compare(ctx)


def test_nine_tenths_are_the_users_to_decide_and_named(golden: Path, tmp_path: Path) -> None:
    records = updates(MsegApiTree(golden / "mirror/mseg-api"), RELABELINGS["ade20k-150"], "ade20k-150")
    rest, turned = 15, set()
    for place, rows in sorted(records.items(), key=lambda item: -len(item[1])):
        if len(rows) <= rest:
            rest -= len(rows)
            turned.add(place.stem)
    masks = repackaged(golden, tmp_path, lambda stem, pixels: anew(pixels) if stem in turned else pixels)
    with closing(prepared(golden, tmp_path, masks)) as ctx:
        with pytest.raises(Consent) as caught:
            compare(ctx)
        assert caught.value.key == "agreement:ade20k-150"
        assert any(item.startswith(f"{next(iter(turned))}_seg.png: segments ") for item in caught.value.items)
        assert missing(ctx), "asking is no answer"
        ctx.consents.add(caught.value.key)
        assert any("you allowed ADE20K's release of 2021 with" in note for note in compare(ctx))
        assert missing(ctx) == []


def test_a_renumbering_within_a_class_is_not_seen_and_the_words_say_so(golden: Path, tmp_path: Path) -> None:
    records = updates(MsegApiTree(golden / "mirror/mseg-api"), RELABELINGS["ade20k-150"], "ade20k-150")
    first, second, swapped = next(
        (a.segment, b.segment, place.stem)
        for place, rows in records.items()
        for a in rows
        for b in rows
        if a.segment < b.segment and a.old == b.old
    )

    def masks(stem: str, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if stem != swapped:
            return pixels
        changed = pixels.copy()
        changed[..., 2][pixels[..., 2] == first] = second
        changed[..., 2][pixels[..., 2] == second] = first
        return changed

    with closing(prepared(golden, tmp_path, repackaged(golden, tmp_path, masks))) as ctx:
        (note,) = compare(ctx)
        assert note.startswith("160 of 163 records (98.2 %)")
        assert "renumbering within one class can't be seen" in note
        assert missing(ctx) == []


def test_of_the_published_archive_it_is_a_note_and_a_stopped_comparison_goes_on(golden: Path, tmp_path: Path) -> None:
    with closing(prepared(golden, tmp_path, golden / "mirror")) as ctx:
        assert compare(ctx) == [f"160 of 163 records (98.2 %) lie where {ADE} has their class"]
        path = ctx.own / "agreement-ade20k-150.json"
        kept = json.loads(path.read_text())
        assert kept["accepted"]
        # As if it had been stopped: one image is known, with a result that only the file can have said.
        label = next(label for label, bad in kept["images"].items() if not bad)
        path.write_text(json.dumps({"of": kept["of"], "images": {label: [1, 2]}}))
        assert missing(ctx)
        assert compare(ctx)[0].startswith("158 of 163")
        # What was known of other masks is not used.
        path.write_text(json.dumps({"of": "others", "images": {label: [1, 2]}}))
        assert compare(ctx)[0].startswith("160 of 163")


@pytest.mark.parametrize("stem", PERSONS)
def test_msegs_numbers_are_those_of_the_real_release_of_2021(stem: str, full_tree: Path, tmp_path: Path) -> None:
    mask = ROOT / "../shared/real" / f"{stem}_seg.png"
    if not mask.is_file():
        pytest.skip("no real masks beside the checkout")
    pixels = read_rgb(str(mask)).astype(int)
    persons = (pixels[..., 0] // 10) * 256 + pixels[..., 1] == 1831
    label, other = tmp_path / "label.png", tmp_path / "other.png"
    write_ids(str(label), np.where(persons, 12, 3).astype(np.uint8))
    write_ids(str(other), np.where(persons, 3, 12).astype(np.uint8))
    recipe = relabel_recipe(MsegApiTree(full_tree), RELABELINGS["ade20k-150"], ["ade20k-150"])
    table = recipe.tables[0]
    expected = [(segment, table[12]) for segment in PERSONS[stem]]
    assert disagreeing(recipe, ImageToCompare(str(label), str(mask), expected)) == []
    assert disagreeing(recipe, ImageToCompare(str(other), str(mask), expected)) == list(PERSONS[stem])
    blue = pixels[..., 2][persons]
    assert set(np.unique(blue).tolist()) == set(PERSONS[stem])
