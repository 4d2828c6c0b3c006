"""The task that relabels: what it makes, what it leaves, what it names, and how it goes on after a stop."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mseg_wizard.progress import Problem
from mseg_wizard.state.journal import TreeRecord
from mseg_wizard.tasks.relabel import relabel, relabel_missing
from mseg_wizard.tasks.remap import remap
from tests.golden_tree import GoldenTree, pixels_of, unpack
from tests.tasks.making import CALLS, opened, stamps, temporaries

RELABELS = [key for key in CALLS if "/relabel/" in key]
ADE, BDD, CITYSCAPES, COCO = (
    next(key for key in RELABELS if name in key) for name in ("ade20k", "bdd", "cityscapes", "coco")
)


@pytest.fixture(scope="module")
def remapped(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> GoldenTree:
    """The golden kit with every label map as it is before relabelling; nothing else is ever made there."""
    place = tmp_path_factory.mktemp("remapped")
    raw = unpack(golden, place / "mseg_dataset")
    for key, args in CALLS.items():
        if "/remap/" in key:
            with opened(place, raw, call=key) as ctx:
                list(remap(ctx, args))
    return raw


def folder_of(raw: GoldenTree, key: str) -> str:
    return raw.tree.root(CALLS[key].taxonomies[0]).split("/")[0]


def made_by(raw: GoldenTree, key: str) -> list[str]:
    return [path for taxonomy in CALLS[key].taxonomies for path in raw.listed(f"{taxonomy}-relabeled", "train", "val")]


def test_the_step_files_relabel_all_eight_taxonomies() -> None:
    assert sorted(taxonomy for key in RELABELS for taxonomy in CALLS[key].taxonomies) == [
        "ade20k-150",
        "bdd",
        "cityscapes-19",
        "cityscapes-34",
        "coco-panoptic-133",
        "idd-39",
        "mapillary-public65",
        "sunrgbd-37",
    ]


@pytest.mark.parametrize("key", RELABELS)
def test_each_call_of_the_step_files_makes_what_msegs_own_code_makes(
    remapped: GoldenTree, tmp_path: Path, key: str
) -> None:
    args = CALLS[key]
    with opened(tmp_path / "a b #1", remapped, folder_of(remapped, key), call=key) as ctx:
        made = made_by(remapped, key)
        assert set(relabel_missing(ctx, args)) == set(made)
        before = stamps(ctx.dataset_folder)
        list(relabel(ctx, args))
        assert relabel_missing(ctx, args) == []
        assert {path: pixels_of(ctx.dataset_folder / path) for path in made} == {
            path: remapped.expected[path] for path in made
        }
        after = stamps(ctx.dataset_folder)
        assert {path for path in after if before.get(path) != after[path]} == set(made), "something else was touched"
        assert temporaries(ctx.dataset_folder) == []


def test_only_what_is_missing_is_made_in_each_of_two_taxonomies(remapped: GoldenTree, tmp_path: Path) -> None:
    args = CALLS[CITYSCAPES]
    with opened(tmp_path / "d", remapped, "Cityscapes", call=CITYSCAPES) as ctx:
        list(relabel(ctx, args))
        before = stamps(ctx.dataset_folder)
        lost = {made_by(remapped, CITYSCAPES)[0], made_by(remapped, CITYSCAPES)[-1]}
        for path in lost:
            (ctx.dataset_folder / path).unlink()
        assert set(relabel_missing(ctx, args)) == lost
        list(relabel(ctx, args))
        after = stamps(ctx.dataset_folder)
        assert {path for path in after if before[path] != after[path]} == lost
        assert [path for path in lost if pixels_of(ctx.dataset_folder / path) != remapped.expected[path]] == []


def test_a_stop_at_any_yield_leaves_whole_files_only(remapped: GoldenTree, tmp_path: Path) -> None:
    args = CALLS[BDD]
    with opened(tmp_path / "d", remapped, "BDD", call=BDD) as ctx:
        for stop in range(1, 40):
            task = relabel(ctx, args)
            for _ in range(stop):
                next(task, None)
            task.close()
            there = [path for path in made_by(remapped, BDD) if (ctx.dataset_folder / path).exists()]
            assert [path for path in there if pixels_of(ctx.dataset_folder / path) != remapped.expected[path]] == []
            if not relabel_missing(ctx, args):
                break
        assert relabel_missing(ctx, args) == []


def test_a_segment_that_its_mask_does_not_hold_is_named_and_the_other_images_are_made(
    remapped: GoldenTree, tmp_path: Path
) -> None:
    args = CALLS[ADE]
    with opened(tmp_path / "d", remapped, "ADE20K", call=ADE) as ctx:
        stem = "ADE_train_00016125"
        mask = next((ctx.dataset_folder / "ADE20K" / "ADE20K_2016_07_26").rglob(f"{stem}_seg.png"))
        other = next((ctx.dataset_folder / "ADE20K" / "ADE20K_2016_07_26").rglob("ADE_train_00014368_seg.png"))
        whole = mask.read_bytes()
        shutil.copy(other, mask)
        with pytest.raises(Problem, match="1 of 24 images") as caught:
            list(relabel(ctx, args))
        assert stem in caught.value.items[0]
        assert "has no pixels" in caught.value.items[0]
        missing = relabel_missing(ctx, args)
        assert [Path(path).stem for path in missing] == [stem]
        mask.write_bytes(whole)
        list(relabel(ctx, args))
        assert pixels_of(ctx.dataset_folder / missing[0]) == remapped.expected[missing[0]]


def test_a_mask_that_is_gone_is_named_with_its_path(remapped: GoldenTree, tmp_path: Path) -> None:
    with opened(tmp_path / "d", remapped, "ADE20K", "COCOPanoptic", call=ADE) as ctx:
        next((ctx.dataset_folder / "ADE20K" / "ADE20K_2016_07_26").rglob("ADE_train_00016125_seg.png")).unlink()
        with pytest.raises(Problem) as caught:
            list(relabel(ctx, CALLS[ADE]))
        assert [item for item in caught.value.items if "ADE_train_00016125" in item]
        assert len(caught.value.items) == 1
        ctx.call, ctx.foreign = COCO, True
        gone = ctx.dataset_folder / "COCOPanoptic" / "annotations" / "panoptic_train2017" / "000000091349.png"
        gone.unlink()
        with pytest.raises(Problem) as caught:
            list(relabel(ctx, CALLS[COCO]))
        assert [item for item in caught.value.items if str(gone) in item and "missing" in item]


def test_a_label_of_another_size_than_its_mask_is_named(remapped: GoldenTree, tmp_path: Path) -> None:
    with opened(tmp_path / "d", remapped, "COCOPanoptic", call=COCO) as ctx:
        annotations = ctx.dataset_folder / "COCOPanoptic" / "annotations" / "panoptic_train2017"
        shutil.copy(annotations / "000000016509.png", annotations / "000000091349.png")
        with pytest.raises(Problem) as caught:
            list(relabel(ctx, CALLS[COCO]))
        assert "000000091349" in caught.value.items[0]
        assert relabel_missing(ctx, CALLS[COCO]) == ["COCOPanoptic/semantic_relabeled133/train2017/000000091349.png"]


def test_records_that_fit_no_image_stop_it_before_anything_is_written(remapped: GoldenTree, tmp_path: Path) -> None:
    shutil.copytree(remapped.tree.path, tmp_path / "tree")
    file = tmp_path / "tree" / "mseg" / "relabeled_data" / "bdd_rider" / "bdd_val_bdd_rider_to_bicyclist.txt"
    file.write_text(file.read_text().rstrip("\n") + "\nnowhere_12.jpg\n")
    with opened(tmp_path / "d", remapped, "BDD", call=BDD) as ctx:
        ctx.store.keep_tree(TreeRecord(folder=str(tmp_path / "tree"), pinned=False))
        with pytest.raises(
            Problem, match=r"bdd_val_bdd_rider_to_bicyclist\.txt, line \d+: val/nowhere is not in the val list"
        ):
            list(relabel(ctx, CALLS[BDD]))
        assert relabel_missing(ctx, CALLS[BDD]) == made_by(remapped, BDD)


def test_the_count_of_segments_is_the_same_after_every_stop_and_repair(remapped: GoldenTree, tmp_path: Path) -> None:
    args = CALLS[ADE]
    with opened(tmp_path / "d", remapped, folder_of(remapped, ADE).split("/")[0], call=ADE) as ctx:
        outputs = relabel_missing(ctx, args)
        list(relabel(ctx, args))
        (whole,) = ctx.notes
        assert " 0 segments" not in whole
        for lost in (outputs[:1], outputs[1:], []):
            for output in lost:
                (ctx.dataset_folder / output).unlink()
            ctx.notes.clear()
            list(relabel(ctx, args))
            assert ctx.notes == [whole]
