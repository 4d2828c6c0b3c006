"""The mseg-api tree: what is read from it, what is complained about, and how it is known to be the right one."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mseg_wizard.labels.taxonomy import PINNED, PINNED_RECORDS, RECORDS_FILE, MsegApiTree, blob_id, identity
from mseg_wizard.labels.tree_files import ListRow
from mseg_wizard.progress import Problem
from tests.labels.trees import lists_folder, make_tree, write_lines

FULL_SIZE_ROWS = {
    "ade20k-151": (20210, 2000),
    "bdd": (7000, 1000),
    "camvid-32": (367, 101),
    "cityscapes-34": (2975, 500),
    "idd-40": (6993, 981),
    "kitti-34": (150, 50),
    "mapillary-public66": (18000, 2000),
    "pascal-context-460": (4998, 5105),
    "scannet-41": (19466, 5436),
    "sunrgbd-38": (5285, 475),
    "voc2012": (10582, 1449),
    "wilddash-34": (70, 70),
}


@pytest.mark.parametrize("folder", ["mseg/class_remapping_files", "mseg/relabeled_data"])
def test_msegs_own_data_are_known_by_their_pinned_identity(full_tree: Path, folder: str) -> None:
    files, sum_ = PINNED[folder]
    assert sum(1 for path in (full_tree / folder).rglob("*") if path.is_file()) == files
    assert identity(full_tree, folder) == sum_


def test_the_full_lists_have_the_published_number_of_rows(full_tree: Path) -> None:
    tree = MsegApiTree(full_tree)
    for taxonomy, counts in FULL_SIZE_ROWS.items():
        assert tuple(len(tree.unique_rows(taxonomy, split)) for split in ("train", "val")) == counts, taxonomy
    assert len(tree.rows("wilddash-34", "train")) == 1120


@pytest.mark.slow
def test_every_list_names_and_table_of_the_full_tree_can_be_read(full_tree: Path) -> None:
    tree = MsegApiTree(full_tree)
    for folder in (full_tree / "mseg" / "dataset_lists").iterdir():
        assert tree.names(folder.name)
        assert all(tree.rows(folder.name, split) for split in tree.splits(folder.name))
    tables = [file.stem.split("_to_") for file in (full_tree / "mseg" / "class_remapping_files").glob("*_to_*.tsv")]
    assert len(tables) == 19
    for source, target in tables:
        assert tree.table(source, target).values.size == max(256, len(tree.names(source)))


def test_an_identity_is_what_git_says_of_the_same_files(tmp_path: Path) -> None:
    top = tmp_path / "tree"
    for name, content in {"b/ä.txt": b"x\r\n", "b.txt": b"", "a/deep/file": bytes(range(256)), "b/B": b"1"}.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)
    (top / "link").symlink_to("b/B")
    git = ["git", "-C", str(top), "-c", "core.autocrlf=false", "-c", "core.quotePath=false"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    staged = subprocess.run([*git, "ls-files", "-s", "-z"], check=True, capture_output=True).stdout
    rows = [entry.split(b"\t", 1) for entry in staged.split(b"\0") if entry]
    lines = sorted((path, facts.split()[1]) for facts, path in rows)
    expected = hashlib.sha256(b"".join(blob + b" " + path + b"\n" for path, blob in lines)).hexdigest()
    assert len(lines) == 5
    assert identity(top) == expected
    (top / "b" / "B").chmod(0o755)
    assert identity(top) == expected
    (top / "b" / "B").write_bytes(b"2")
    assert identity(top) != expected


def test_a_part_of_a_tree_is_identified_with_its_paths_from_the_top(tmp_path: Path) -> None:
    (tmp_path / "mseg" / "data").mkdir(parents=True)
    (tmp_path / "mseg" / "data" / "x").write_bytes(b"hello\n")
    line = b"ce013625030ba8dba906f756967f9e9ca394464a mseg/data/x\n"  # the id that `git hash-object` prints
    assert identity(tmp_path, "mseg/data") == hashlib.sha256(line).hexdigest()
    assert blob_id(b"hello\n") == line[:40].decode()


def test_rewritten_records_are_not_the_pinned_ones(golden: Path) -> None:
    assert blob_id((golden / "mirror" / "mseg-api" / RECORDS_FILE).read_bytes()) != PINNED_RECORDS


def test_line_ends_missing_last_newlines_and_byte_order_marks_do_not_matter(tmp_path: Path) -> None:
    for number, content in enumerate([b"a\nb c\n", b"a\r\nb c\r\n", b"a\nb c", b"a\r\nb c", b"\xef\xbb\xbfa\nb c\n\n"]):
        folder = lists_folder(tmp_path / str(number), "bdd")
        folder.mkdir(parents=True)
        (folder / "bdd_names.txt").write_bytes(content)
        assert MsegApiTree(tmp_path / str(number)).names("bdd") == ("a", "b c")


def test_paths_may_hold_blanks_and_number_signs(tmp_path: Path) -> None:
    lines = ["my images/a #1.jpg my labels/a #1.png", "b.JPG\tb.png", "only an image.png"]
    tree = make_tree(tmp_path, {"bdd": ["road"]}, lists={("bdd", "train"): lines})
    assert tree.rows("bdd", "train") == (
        ListRow("my images/a #1.jpg", "my labels/a #1.png"),
        ListRow("b.JPG", "b.png"),
        ListRow("only an image.png", None),
    )


def test_a_list_of_one_row_is_a_list(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"bdd": ["road"]}, lists={("bdd", "val"): ["a.jpg a.png"]})
    assert tree.splits("bdd") == ("val",)
    assert [*tree.rows("bdd", "val")] == [ListRow("a.jpg", "a.png")]


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_list_that_is_longer_than_what_is_read_at_once_is_whole_and_in_order(tmp_path: Path, end: str) -> None:
    lines = [f"images/{number:06}.jpg labels/{number:06}.png" for number in range(10_000)]
    lines[5_000] = "images/no label.png".replace(" ", "_")
    file = lists_folder(tmp_path, "bdd") / "list" / "train.txt"
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(lines) + end)
    rows = MsegApiTree(tmp_path).rows("bdd", "train")
    assert len(rows) == len(lines)
    for _ in range(2):
        assert [f"{row.image} {row.label}" if row.label else row.image for row in rows] == lines
    assert rows[-1] == ListRow("images/009999.jpg", "labels/009999.png")
    assert rows[5_000] == ListRow("images/no_label.png", None)


@pytest.mark.parametrize("odd", ["b.jpg  b.png", "b.jpg b.png ", "b.jpg b.png\r", "b.jpg\tb.png", "\xa0b.jpg b.png"])
def test_a_list_with_an_odd_line_has_the_same_rows(tmp_path: Path, odd: str) -> None:
    tree = make_tree(tmp_path, {"bdd": ["road"]}, lists={("bdd", "train"): ["a.jpg a.png", odd, "", "c.jpg c.png"]})
    assert [*tree.rows("bdd", "train")] == [ListRow(f"{name}.jpg", f"{name}.png") for name in "abc"]


def test_repeated_rows_are_kept_in_order_and_can_be_had_once(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"bdd": ["road"]}, lists={("bdd", "train"): ["b.png 1", "a.png 2", "b.png 1"]})
    assert [row.image for row in tree.rows("bdd", "train")] == ["b.png", "a.png", "b.png"]
    assert [row.image for row in tree.unique_rows("bdd", "train")] == ["b.png", "a.png"]


@pytest.mark.parametrize("path", ["/etc/a.png", "../a.png", "x/../../a.png", "~/a.png", "x\\a.png"])
def test_a_list_that_leads_out_of_the_dataset_is_refused(tmp_path: Path, path: str) -> None:
    tree = make_tree(tmp_path, {"bdd": ["road"]}, lists={("bdd", "train"): ["fine.png fine.png", f"a.png {path}"]})
    with pytest.raises(Problem, match=r"train\.txt, line 2: .*out of the dataset"):
        tree.rows("bdd", "train")


def test_colours_may_be_separated_by_tabs_or_several_blanks(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"camvid-32": ["x", "y"]})
    write_lines(lists_folder(tmp_path, "camvid-32") / "camvid-32_colors.txt", ["165  42  42", "0\t192\t0"], "\r\n")
    assert tree.colors("camvid-32").tolist() == [[165, 42, 42], [0, 192, 0]]
    assert tree.colors("camvid-32").dtype == np.uint8


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("names", b"a\n\nb\n", "line 2: an empty line"),
        ("names", b"a\nb\na\n", "line 3: 'a' is already named in line 1"),
        ("names", b"\xff\xfe\n", "not UTF-8"),
        ("names", b" \n", "is empty"),
        ("names", None, "is missing"),
        ("colors", b"1 2 3\n1 2 256\n", "line 2: .* is no colour"),
        ("colors", b"1 2 3\n", "1 colours for 2 classes"),
        ("list", b"a.png b.png\nnothing here\n", "line 2: .* does not start with the path of an image"),
        ("table", b"a\tb\nx\ty\n", "line 1: the header is not"),
        ("table", b"bdd\tbdd-relabeled\r\nx\r\n", "line 2: there are not two class names"),
        ("table", b"bdd\tbdd-relabeled\r\nx\tz\r\n", "does not say what 'y' becomes"),
        ("table", b"bdd\tbdd-relabeled\r\nx\tz\r\ny\tcloud\r\n", "line 3: bdd-relabeled has no class 'cloud'"),
    ],
)
def test_a_malformed_file_is_named_with_its_line_and_a_remedy(
    tmp_path: Path, file: str, content: bytes | None, says: str
) -> None:
    tree = make_tree(tmp_path, {"bdd": ["x", "y"], "bdd-relabeled": ["z"]})
    path = {
        "names": lists_folder(tmp_path, "bdd") / "bdd_names.txt",
        "colors": lists_folder(tmp_path, "bdd") / "bdd_colors.txt",
        "list": lists_folder(tmp_path, "bdd") / "list" / "train.txt",
        "table": tmp_path / "mseg" / "class_remapping_files" / "bdd_to_bdd-relabeled.tsv",
    }[file]
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)
    reads: dict[str, Callable[[], object]] = {
        "names": lambda: tree.names("bdd"),
        "colors": lambda: tree.colors("bdd"),
        "list": lambda: tree.rows("bdd", "train"),
        "table": lambda: tree.table("bdd", "bdd-relabeled"),
    }
    with pytest.raises(Problem, match=says) as caught:
        reads[file]()
    assert str(path) in caught.value.what
    assert caught.value.do


def test_an_unknown_taxonomy_has_no_data_root(tmp_path: Path) -> None:
    tree = MsegApiTree(tmp_path, {"idd-40": "IDD/IDD_Segmentation"})
    assert tree.root("idd-40") == "IDD/IDD_Segmentation"
    with pytest.raises(Problem, match="nyudepth"):
        tree.root("nyudepthv2-37")


def test_ids_that_nothing_names_become_the_first_class_and_are_marked(tmp_path: Path) -> None:
    pairs = [("road", "way"), ("sky", "unlabeled"), ("never", "heard of")]
    tree = make_tree(
        tmp_path, {"bdd": ["sky", "road"], "bdd-relabeled": ["zero", "way"]}, tables={("bdd", "bdd-relabeled"): pairs}
    )
    table = tree.table("bdd", "bdd-relabeled")
    assert table.values.tolist() == [255, 1, *[0] * 253, 255]
    assert np.flatnonzero(~table.unnamed).tolist() == [0, 1, 255]


def test_a_later_line_of_a_table_wins(tmp_path: Path) -> None:
    pairs = [("road", "sky"), ("road", "way")]
    tree = make_tree(
        tmp_path, {"bdd": ["road"], "bdd-relabeled": ["sky", "way"]}, tables={("bdd", "bdd-relabeled"): pairs}
    )
    assert tree.table("bdd", "bdd-relabeled").values[0] == 1


def test_many_ids_may_be_called_unlabeled(tmp_path: Path) -> None:
    names = {"coco-panoptic-201": ["unlabeled", "cat", "unlabeled"], "coco-panoptic-133": ["cat"]}
    pairs = [("unlabeled", "unlabeled"), ("cat", "cat")]
    tree = make_tree(tmp_path, names, tables={("coco-panoptic-201", "coco-panoptic-133"): pairs})
    assert tree.table("coco-panoptic-201", "coco-panoptic-133").values[[0, 1, 2, 255]].tolist() == [255, 0, 255, 255]


def test_with_more_than_255_classes_255_is_a_class_and_nothing_stays_unlabeled(tmp_path: Path) -> None:
    source = ["unlabeled", *(f"c{number}" for number in range(1, 460))]
    names = {"pascal-context-460": source, "pascal-context-60": ["background", "thing"]}
    pairs = [("unlabeled", "background"), *((name, "thing") for name in source[1:])]
    tree = make_tree(tmp_path, names, tables={("pascal-context-460", "pascal-context-60"): pairs})
    table = tree.table("pascal-context-460", "pascal-context-60")
    assert table.values.tolist() == [0, *[1] * 459]
    assert not table.unnamed.any()


words = st.lists(
    st.text("abcdefg ", min_size=1, max_size=3).map(str.strip).filter(bool), min_size=1, max_size=300, unique=True
)


@settings(max_examples=30, deadline=None)
@given(words, words.filter(lambda names: len(names) <= 200), st.randoms(), st.sampled_from(["\n", "\r\n"]))
def test_tables_say_what_a_plain_restatement_says(
    tmp_path_factory: pytest.TempPathFactory, source: list[str], target: list[str], random: Random, end: str
) -> None:
    choices = target if len(source) > 255 else [*target, "unlabeled"]
    pairs = [(name, random.choice(choices)) for name in [*source, *source[:5]]]
    top = tmp_path_factory.mktemp("tree")
    tree = make_tree(top, {"bdd": source, "bdd-relabeled": target}, tables={("bdd", "bdd-relabeled"): pairs}, end=end)
    table = tree.table("bdd", "bdd-relabeled")
    becomes = dict(pairs)
    for id_, value in enumerate(table.values.tolist()):
        if id_ < len(source):
            name = becomes[source[id_]]
            assert value == (target.index(name) if name in target else 255)
        else:
            assert value == (255 if id_ == 255 else 0)
    assert table.values.size == max(256, len(source))
