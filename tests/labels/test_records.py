"""Relabelling records: which segment of which image gets which class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mseg_wizard.labels.records import ImageKey, Update, read_records, recorded_stems, updates
from mseg_wizard.labels.relabeling import Relabeling
from mseg_wizard.labels.taxonomy import RECORDS_FILE, MsegApiTree
from mseg_wizard.progress import Problem
from tests.labels.relabelings import RELABELINGS
from tests.labels.trees import make_tree, write_lines

FULL_SIZE = {
    "ade20k-150": (89, 24683, 9385),
    "bdd": (16, 3197, 2950),
    "cityscapes-19": (12, 2363, 1278),
    "cityscapes-34": (12, 2363, 1278),
    "idd-39": (16, 32080, 6834),
    "mapillary-public65": (19, 911, 822),
    "sunrgbd-37": (38, 4472, 3949),
}
"""Records, segments and images of MSeg's own tables, as its paper's code has them."""


def tree_with(
    top: Path, taxonomy: str, lists: Mapping[str, Sequence[str]], files: Mapping[str, Sequence[str]], source: str = ""
) -> MsegApiTree:
    """A tree whose records of `taxonomy` are one per file: the
    class `a` becomes `b`; a file's name starts with its split.
    """
    variable = RELABELINGS[taxonomy].records
    calls = [
        f'    DatasetClassUpdateRecord("any", "{name.partition("_")[0]}", "a", "b", "x/{name}"),' for name in files
    ]
    write_lines(top / RECORDS_FILE, (source or "\n".join([f"{variable} = [", *calls, "]"])).splitlines())
    for name, lines in files.items():
        write_lines(top / "mseg" / "relabeled_data" / "x" / name, lines)
    rows = {(f"{taxonomy}-relabeled", split): lists.get(split, ()) for split in ("train", "val")}
    return make_tree(top, {f"{taxonomy}-relabeled": ["a", "b"]}, lists=rows)


@pytest.mark.slow
def test_the_full_records_name_as_many_segments_and_images_as_msegs_own(full_tree: Path) -> None:
    tree = MsegApiTree(full_tree)
    for taxonomy, (count, segments, images) in FULL_SIZE.items():
        found = updates(tree, RELABELINGS[taxonomy], taxonomy)
        assert len(read_records(tree, RELABELINGS[taxonomy].records)) == count, taxonomy
        assert (sum(map(len, found.values())), len(found)) == (segments, images), taxonomy
    assert len(read_records(tree, RELABELINGS["coco-panoptic-133"].records)) == 191
    assert len(recorded_stems(tree, RELABELINGS["coco-panoptic-133"])) == 56782


def test_the_records_file_is_read_and_never_run(tmp_path: Path) -> None:
    bomb = tmp_path / "ran"
    source = f'open({str(bomb)!r}, "w")\nbdd_update_records = [R("bdd", "val", "a", "b", "x/f.txt")]\n'
    tree = tree_with(tmp_path, "bdd", {"val": ["i/v/s.jpg l/val/s_train_id.png"]}, {"f.txt": ["s_12.jpg"]}, source)
    assert updates(tree, RELABELINGS["bdd"], "bdd") == {ImageKey("val", "val", "s"): (Update(12, 0, 1),)}
    assert not bomb.exists()


@pytest.mark.parametrize(
    ("taxonomy", "split", "row", "line", "segment"),
    [
        ("ade20k-150", "train", "i/ADE_train_1.jpg l/training/ADE_train_1.png", "ADE_train_1_182.png", 182),
        ("bdd", "val", "i/4d87-77fa.jpg l/val/4d87-77fa_train_id.png", "4d87-77fa_11.jpg", 11),
        (
            "cityscapes-19",
            "train",
            "i/ulm_1_2_leftImg8bit.png l/ulm/ulm_1_2_gtFine_labelIds.png",
            "sequlm_ulm_1_2_leftImg8bit_5.jpg",
            5,
        ),
        (
            "coco-panoptic-133",
            "val",
            "i/000000000139.jpg l/val2017/000000000139.png",
            "000000000139_3226956.png",
            3226956,
        ),
        (
            "idd-39",
            "train",
            "i/1/212186_leftImg8bit.png l/1/212186_gtFine_labelids.png",
            "seq1_212186_leftImg8bit_42.jpg",
            42,
        ),
        (
            "mapillary-public65",
            "val",
            "validation/images/WJ_Z-7.jpg v/labels/WJ_Z-7.png",
            "mapillary_WJ_Z-7_7936.jpg",
            7936,
        ),
        ("sunrgbd-37", "val", "image/test/img-000152.jpg l/test/00000152.png", "img-000152_34.jpg", 34),
    ],
)
def test_a_line_finds_its_image_by_folder_and_stem(
    tmp_path: Path, taxonomy: str, split: str, row: str, line: str, segment: int
) -> None:
    tree = tree_with(tmp_path, taxonomy, {split: [row]}, {f"{split}_1.txt": [line]})
    image, label = row.split()
    assert updates(tree, RELABELINGS[taxonomy], taxonomy) == {
        ImageKey(split, Path(label).parent.name, Path(image).stem): (Update(segment, 0, 1),)
    }


def test_frames_of_different_sequences_with_one_name_are_two_images(tmp_path: Path) -> None:
    rows = [f"i/{sequence}/7_leftImg8bit.png l/{sequence}/7_gtFine_labelids.png" for sequence in (1, 2)]
    tree = tree_with(tmp_path, "idd-39", {"train": rows}, {"train_1.txt": ["seq2_7_leftImg8bit_3.jpg"]})
    assert list(updates(tree, RELABELINGS["idd-39"], "idd-39")) == [ImageKey("train", "2", "7_leftImg8bit")]


def test_updates_keep_the_order_of_records_and_lines(tmp_path: Path) -> None:
    files = {"val_2.txt": ["s_9.jpg", "s_1.jpg"], "val_1.txt": ["s_4.jpg"]}
    tree = tree_with(tmp_path, "bdd", {"val": ["i/s.jpg l/val/s_train_id.png"]}, files)
    assert [update.segment for update in updates(tree, RELABELINGS["bdd"], "bdd")[ImageKey("val", "val", "s")]] == [
        9,
        1,
        4,
    ]


def test_a_record_file_that_names_nothing_is_no_fault(tmp_path: Path) -> None:
    assert updates(tree_with(tmp_path, "bdd", {}, {"val_1.txt": []}), RELABELINGS["bdd"], "bdd") == {}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["s_1.jpg", "t_1.jpg"], "line 2: val/t is not in the val list"),
        (["s_1.jpg", "s_1.png"], "line 2: segment 1 of val/s has a record already"),
        (["s.jpg"], "line 1: .* names no segment"),
        (["s_x.jpg"], "line 1: .* names no segment"),
    ],
)
def test_a_record_that_fits_no_image_is_a_fault_with_file_and_line(tmp_path: Path, lines: list[str], says: str) -> None:
    tree = tree_with(tmp_path, "bdd", {"val": ["i/s.jpg l/val/s_train_id.png"]}, {"val_1.txt": lines})
    with pytest.raises(Problem, match=rf"val_1\.txt.*{says}"):
        updates(tree, RELABELINGS["bdd"], "bdd")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("other = []", "has no list bdd_update_records"),
        ("bdd_update_records = make()", "has no list bdd_update_records"),
        ('bdd_update_records = [\n  R("bdd", "val", "a", "b", path + "x")]', "line 2: this is no record"),
        ('bdd_update_records = [R("bdd", "test", "a", "b", "c")]', "line 1: this is no record"),
        ("bdd_update_records = [", "is not Python"),
    ],
)
def test_a_records_file_of_another_form_is_refused(tmp_path: Path, source: str, says: str) -> None:
    with pytest.raises(Problem, match=says):
        read_records(tree_with(tmp_path, "bdd", {}, {}, source), "bdd_update_records")


def test_a_class_that_the_taxonomy_does_not_have_is_a_fault(tmp_path: Path) -> None:
    tree = tree_with(
        tmp_path,
        "bdd",
        {},
        {"val_1.txt": ["s_1.jpg"]},
        'bdd_update_records = [R("bdd", "val", "a", "cloud", "x/val_1.txt")]',
    )
    with pytest.raises(Problem, match="bdd-relabeled has no class 'cloud'"):
        updates(tree, RELABELINGS["bdd"], "bdd")


def test_the_stems_are_those_of_all_lines(tmp_path: Path) -> None:
    tree = tree_with(tmp_path, "bdd", {}, {"val_1.txt": ["s_1.jpg", "t_2.jpg"]})
    assert recorded_stems(tree, RELABELINGS["bdd"]) == {"s", "t"}


@pytest.mark.parametrize(
    ("lines", "folders", "line", "named"),
    [
        ("{stem}_{segment}", {"train": "t", "val": "v"}, "a_b_7.jpg", ("v", "a_b", 7)),
        ("seq{folder}_{stem}_{segment}", {}, "sequlm_a_b_7.jpg", ("ulm", "a_b", 7)),
        ("{segment} of {folder}/{stem}", {}, "7 of ulm/a.b.png", ("ulm", "a.b", 7)),
        ("frame.{stem}+{segment}", {"train": "t", "val": "v"}, "frame.a+7.txt", ("v", "a", 7)),
        ("frame.{stem}+{segment}", {"train": "t", "val": "v"}, "frame-a+7.txt", None),
        ("{stem}_{segment}", {"train": "t", "val": "v"}, f"a_{'9' * 11}.jpg", None),
    ],
)
def test_how_lines_name_segments_is_a_pattern(
    lines: str, folders: dict[str, str], line: str, named: tuple[str, str, int] | None
) -> None:
    how = Relabeling(taxonomies=("x",), records="r", lines=lines, folders=folders, masks="class")
    assert how.named_by(line, "val") == named
