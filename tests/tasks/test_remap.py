"""The task that remaps: what it makes, what it leaves, what it says, and how it goes on after a stop."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mseg_wizard.context import Consent
from mseg_wizard.progress import Problem
from mseg_wizard.state.journal import TreeRecord
from mseg_wizard.tasks.remap import remap, remap_missing
from tests.golden_tree import GoldenTree, pixels_of, unpack
from tests.tasks.making import CALLS, opened, stamps, temporaries

REMAPS = [key for key in CALLS if "/remap/" in key]
CAMVID, COCO, PASCAL, SUN = (
    next(key for key in REMAPS if name in key) for name in ("camvid", "coco", "pascal", "sunrgbd")
)


@pytest.fixture(scope="module")
def raw(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> GoldenTree:
    """The golden kit's raw files; nothing is ever made there."""
    return unpack(golden, tmp_path_factory.mktemp("raw") / "mseg_dataset")


def folder_of(raw: GoldenTree, key: str) -> str:
    return raw.tree.root(CALLS[key].source).split("/")[0]


@pytest.mark.parametrize("key", REMAPS)
def test_each_call_of_the_step_files_makes_what_msegs_own_code_makes(raw: GoldenTree, tmp_path: Path, key: str) -> None:
    args, folder = CALLS[key], folder_of(raw, key)
    with opened(tmp_path / "a b #1", raw, folder) as ctx:
        expected = {
            path: pixels
            for path, pixels in raw.expected.items()
            if path.startswith(f"{folder}/") and "relabeled" not in path
        }
        assert set(expected) <= set(remap_missing(ctx, args))
        progress = list(remap(ctx, args))
        assert remap_missing(ctx, args) == []
        assert {path: pixels_of(ctx.dataset_folder / path) for path in expected} == expected
        assert any(step.unit == "images" and step.total and step.done == step.total for step in progress)
        assert temporaries(ctx.dataset_folder) == []


def test_camvids_test_labels_are_made_too(raw: GoldenTree, tmp_path: Path) -> None:
    with opened(tmp_path / "d", raw, "Camvid") as ctx:
        list(remap(ctx, CALLS[CAMVID]))
        for row in raw.tree.rows("camvid-11", "test"):
            assert int(np.asarray(Image.open(ctx.dataset_folder / "Camvid" / str(row.label))).max()) in (
                *range(11),
                255,
            )


def test_what_the_taxonomy_does_not_foresee_is_counted_in_one_note(raw: GoldenTree, tmp_path: Path) -> None:
    with opened(tmp_path / "d", raw, "Camvid", "SUNRGBD", call=SUN) as ctx:
        list(remap(ctx, CALLS[SUN]))
        ctx.foreign = True
        ctx.call = CAMVID
        list(remap(ctx, CALLS[CAMVID]))
        assert len(ctx.notes) == 2
        assert ctx.notes[0].startswith("sunrgbd-38: 1,493 pixels have an id that no class has")
        assert "camvid-32: " in ctx.notes[1]
        assert "a colour that no class has" in ctx.notes[1]


def test_a_count_is_of_all_sittings_and_what_is_made_again_counts_once(raw: GoldenTree, tmp_path: Path) -> None:
    args = CALLS[SUN]
    with opened(tmp_path / "d", raw, "SUNRGBD", call=SUN) as ctx:
        outputs = remap_missing(ctx, args)
        list(remap(ctx, args))
        (whole,) = ctx.notes
        for lost in (outputs[:1], outputs[1:], outputs):
            for output in lost:
                (ctx.dataset_folder / output).unlink()
            ctx.notes.clear()
            list(remap(ctx, args))
            assert ctx.notes == [whole]


def test_only_what_is_missing_is_made(raw: GoldenTree, tmp_path: Path) -> None:
    args = CALLS[SUN]
    with opened(tmp_path / "d", raw, "SUNRGBD", call=SUN) as ctx:
        list(remap(ctx, args))
        before = stamps(ctx.dataset_folder)
        lost = "SUNRGBD/semseg-label37/train/00000001.png"
        (ctx.dataset_folder / lost).unlink()
        assert remap_missing(ctx, args) == [lost]
        list(remap(ctx, args))
        after = stamps(ctx.dataset_folder)
        assert pixels_of(ctx.dataset_folder / lost) == raw.expected[lost]
        assert {path for path in before if before[path] != after[path]} == {lost}


def test_a_stop_at_any_yield_leaves_whole_files_only_and_the_next_start_goes_on(
    raw: GoldenTree, tmp_path: Path
) -> None:
    args = CALLS[COCO]
    stops = 0
    with opened(tmp_path / "d", raw, "COCOPanoptic", call=COCO) as ctx:
        while remap_missing(ctx, args):
            stops += 1
            task = remap(ctx, args)
            for _ in range(stops):
                next(task, None)
            task.close()
            there = [
                path for path in raw.listed("coco-panoptic-201", "train", "val") if (ctx.dataset_folder / path).exists()
            ]
            assert [path for path in there if pixels_of(ctx.dataset_folder / path) != raw.expected[path]] == []
            if stops == 30:
                list(remap(ctx, args))
        made = [*raw.listed("coco-panoptic-201", "train", "val"), *raw.listed("coco-panoptic-133", "train", "val")]
        assert [path for path in made if pixels_of(ctx.dataset_folder / path) != raw.expected[path]] == []
    assert stops > 3


def test_what_a_killed_run_left_half_written_is_swept(raw: GoldenTree, tmp_path: Path) -> None:
    with opened(tmp_path / "d", raw, "Camvid", call=CAMVID) as ctx:
        folder = ctx.dataset_folder / "Camvid" / "semseg11"
        folder.mkdir()
        (folder / ".0001TP_007770_L.png.4711.tmp").write_bytes(b"half")
        list(remap(ctx, CALLS[CAMVID]))
        assert temporaries(ctx.dataset_folder) == []


def test_a_damaged_label_is_named_the_others_are_made_and_mended_it_is_made_too(
    raw: GoldenTree, tmp_path: Path
) -> None:
    args = CALLS[SUN]
    bad = "SUNRGBD/label38/train/00000001.png"
    with opened(tmp_path / "d", raw, "SUNRGBD", call=SUN) as ctx:
        whole = (ctx.dataset_folder / bad).read_bytes()
        (ctx.dataset_folder / bad).write_bytes(whole[:-30])
        with pytest.raises(Problem, match="1 of 25 images") as caught:
            list(remap(ctx, args))
        assert len(caught.value.items) == 1
        assert bad in caught.value.items[0]
        assert caught.value.items[0].count(bad) == 1
        assert caught.value.do
        assert remap_missing(ctx, args) == ["SUNRGBD/semseg-label37/train/00000001.png"]
        (ctx.dataset_folder / bad).write_bytes(whole)
        list(remap(ctx, args))
        assert remap_missing(ctx, args) == []


def test_every_mat_file_is_dumped_and_only_listed_ones_become_60_classes(raw: GoldenTree, tmp_path: Path) -> None:
    with opened(tmp_path / "d", raw, "PASCAL_Context") as ctx:
        top = ctx.dataset_folder / "PASCAL_Context"
        mats = {path.stem for path in (top / "trainval").iterdir()}
        list(remap(ctx, CALLS[PASCAL]))
        listed = {Path(path).stem for path in raw.listed("pascal-context-60", "train", "val")}
        assert {path.stem for path in (top / "Segmentation_GT_460cls").iterdir()} == mats
        assert {path.stem for path in (top / "Segmentation_GT_60cls").iterdir()} == listed
        assert listed < mats


def test_mat_files_stay_until_every_output_is_there(raw: GoldenTree, tmp_path: Path) -> None:
    args = CALLS[PASCAL]
    with opened(tmp_path / "d", raw, "PASCAL_Context", call=PASCAL) as ctx:
        top = ctx.dataset_folder / "PASCAL_Context"
        bad = top / "trainval" / "2009_999999.mat"  # in no list: even so
        whole = bad.read_bytes()
        bad.write_bytes(b"not a mat file")
        with pytest.raises(Problem, match="1 of 11 images"):
            list(remap(ctx, args))
        assert len(list((top / "trainval").iterdir())) == 11
        bad.write_bytes(whole)
        list(remap(ctx, args))
        assert not (top / "trainval").exists()
        assert remap_missing(ctx, args) == []


def test_without_the_mat_files_lost_maps_are_made_from_the_dumps(raw: GoldenTree, tmp_path: Path) -> None:
    args = CALLS[PASCAL]
    with opened(tmp_path / "d", raw, "PASCAL_Context", call=PASCAL) as ctx:
        list(remap(ctx, args))
        lost = raw.listed("pascal-context-60", "val")[0]
        (ctx.dataset_folder / lost).unlink()
        assert remap_missing(ctx, args) == [lost]
        list(remap(ctx, args))
        assert pixels_of(ctx.dataset_folder / lost) == raw.expected[lost]


def test_a_coco_image_that_no_annotation_describes_is_named_and_the_others_are_made(
    raw: GoldenTree, tmp_path: Path
) -> None:
    args = CALLS[COCO]
    with opened(tmp_path / "d", raw, "COCOPanoptic", call=COCO) as ctx:
        file = ctx.dataset_folder / "COCOPanoptic" / "annotations" / "panoptic_val2017.json"
        document = json.loads(file.read_text())
        gone = document["annotations"].pop()["file_name"]
        file.write_text(json.dumps(document))
        with pytest.raises(Problem, match="1 of 31 images") as caught:
            list(remap(ctx, args))
        assert gone in caught.value.items[0]
        assert len(remap_missing(ctx, args)) == 2
        shutil.copy(raw.dataset / "COCOPanoptic" / "annotations" / file.name, file)
        list(remap(ctx, args))
        assert remap_missing(ctx, args) == []


def test_annotations_that_cannot_be_read_are_named_and_nothing_is_made(raw: GoldenTree, tmp_path: Path) -> None:
    with opened(tmp_path / "d", raw, "COCOPanoptic", call=COCO) as ctx:
        (ctx.dataset_folder / "COCOPanoptic" / "annotations" / "panoptic_val2017.json").write_text('{"annotations": [')
        with pytest.raises(Problem, match=r"panoptic_val2017\.json is no panoptic annotation file") as caught:
            list(remap(ctx, CALLS[COCO]))
        assert caught.value.do
        assert not list((ctx.dataset_folder / "COCOPanoptic").glob("semantic*/*/*.png"))


def test_label_maps_of_another_program_are_made_again_once_the_user_agreed(raw: GoldenTree, tmp_path: Path) -> None:
    args = CALLS[SUN]
    foreign = "SUNRGBD/semseg-label37/train/00000001.png"
    with opened(tmp_path / "d", raw, "SUNRGBD", call=SUN) as ctx:
        (ctx.dataset_folder / foreign).parent.mkdir(parents=True)
        Image.new("L", (3, 3)).save(ctx.dataset_folder / foreign)
        with pytest.raises(
            Consent, match=r"1 label maps, such as SUNRGBD/semseg-label37/train/00000001\.png"
        ) as caught:
            list(remap(ctx, args))
        assert len(list((ctx.dataset_folder / foreign).parent.iterdir())) == 1
        ctx.consents.add(caught.value.key)
        list(remap(ctx, args))
        assert pixels_of(ctx.dataset_folder / foreign) == raw.expected[foreign]


def test_after_a_power_cut_empty_files_are_made_again(raw: GoldenTree, tmp_path: Path) -> None:
    args = CALLS[SUN]
    with opened(tmp_path / "d", raw, "SUNRGBD", call=SUN) as ctx:
        list(remap(ctx, args))
        empty = "SUNRGBD/semseg-label37/test/00000001.png"
        (ctx.dataset_folder / empty).write_bytes(b"")
        ctx.distrust = True
        list(remap(ctx, args))
        assert pixels_of(ctx.dataset_folder / empty) == raw.expected[empty]


def test_lists_of_different_lengths_are_refused(raw: GoldenTree, tmp_path: Path) -> None:
    shutil.copytree(raw.tree.path, tmp_path / "tree")
    file = tmp_path / "tree" / "mseg" / "dataset_lists" / "sunrgbd-37" / "list" / "train.txt"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    with opened(tmp_path / "d", raw, "SUNRGBD") as ctx:
        ctx.store.keep_tree(TreeRecord(folder=str(tmp_path / "tree"), pinned=False))
        with pytest.raises(Problem, match="train lists have different lengths: sunrgbd-38 16, sunrgbd-37 15"):
            list(remap(ctx, CALLS[SUN]))
