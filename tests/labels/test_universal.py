"""The table of the universal classes: total, each class in one row, and whatever else is wrong with it named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mseg_wizard.labels.taxonomy import MsegApiTree
from mseg_wizard.labels.universal import MASTER, mapped_classes, universal_classes, universal_names, universal_table
from mseg_wizard.progress import Problem

TAXONOMY = "bdd-relabeled"


def tree_with(folder: Path, names: list[str], rows: list[str], *, header: str = "", end: str = "\n") -> MsegApiTree:
    """A tree whose table has, below the header, `cell<TAB>universal` in each row."""
    lists = folder / "mseg" / "dataset_lists" / TAXONOMY
    lists.mkdir(parents=True)
    (lists / f"{TAXONOMY}_names.txt").write_text("\n".join(names))
    table = folder / MASTER
    table.parent.mkdir(parents=True)
    table.write_bytes((end.join([header or f"{TAXONOMY}\tuniversal\tWordNet 3.1 Synset\tDefn", *rows]) + end).encode())
    return MsegApiTree(folder)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_class_becomes_the_row_that_names_it_and_all_else_is_unlabeled(tmp_path: Path, end: str) -> None:
    rows = ["{sky}\tsky\tsky.n.01\tabove", "\tnobody", "{crt screen,  tv set}\tscreen", "road\troad", "\tunlabeled"]
    tree = tree_with(tmp_path, ["road", "tv set", "sky", "crt screen"], rows, end=end)
    table = np.frombuffer(universal_table(tree, TAXONOMY), np.uint8)
    assert table[:4].tolist() == [3, 2, 0, 2]
    assert (table[4:] == 255).all()
    assert len(table) == 256
    classes = universal_classes(tree)
    assert universal_names(classes) == ("sky", "nobody", "screen", "road")
    assert (classes[0].synset, classes[0].definition, classes[-1].id) == ("sky.n.01", "above", 255)
    assert mapped_classes(tree, TAXONOMY) == {0: ("sky",), 2: ("crt screen", "tv set"), 3: ("road",)}


def test_a_class_may_be_called_unlabeled_or_become_it(tmp_path: Path) -> None:
    tree = tree_with(tmp_path, ["unlabeled", "road", "ego car"], ["road\troad", "{unlabeled, ego car}\tunlabeled"])
    assert list(universal_table(tree, TAXONOMY)[:3]) == [255, 0, 255]


def test_a_name_may_hold_a_comma(tmp_path: Path) -> None:
    tree = tree_with(tmp_path, ["salt, pepper", "road"], ["salt, pepper\tspice", "{road}\troad"])
    assert list(universal_table(tree, TAXONOMY)[:2]) == [0, 1]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["road\troad", "\tsky"], "'sky' of bdd-relabeled"),
        (["road\troad", "{sky, road}\tsky"], "'road' of bdd-relabeled is 'road' in line 2 already"),
        (["road\troad", "sky\tsky", "sky\tunlabeled"], "'sky' of bdd-relabeled is 'sky' in line 3 already"),
        (["road\troad", "{sky, moon}\tsky"], "line 3: bdd-relabeled has no class 'moon'"),
        (["road\troad", "sky\t"], "line 3: the universal class has no name"),
        ([*(f"\tclass {number}" for number in range(255)), "{road, sky}\tone too many"], "no number for class 255"),
        ([], "is empty"),
    ],
)
def test_what_is_wrong_with_the_table_is_named(tmp_path: Path, rows: list[str], said: str) -> None:
    tree = tree_with(tmp_path, ["road", "sky"], rows)
    with pytest.raises(Problem, match=r"MSeg_master\.tsv") as caught:
        universal_table(tree, TAXONOMY)
    assert said in caught.value.what


def test_a_table_without_the_column_or_the_file_is_named(tmp_path: Path) -> None:
    tree = tree_with(tmp_path, ["road"], ["road\troad"], header="other\tuniversal")
    with pytest.raises(Problem, match="no column 'bdd-relabeled'"):
        universal_table(tree, TAXONOMY)
    (tmp_path / MASTER).write_text(f"{TAXONOMY}\tname\nroad\troad\n")
    with pytest.raises(Problem, match="no column is called 'universal'"):
        universal_table(MsegApiTree(tmp_path), TAXONOMY)
    (tmp_path / MASTER).unlink()
    with pytest.raises(Problem, match="is missing"):
        universal_table(MsegApiTree(tmp_path), TAXONOMY)


def test_the_published_table_has_194_classes_and_is_total(full_tree: Path) -> None:
    tree = MsegApiTree(full_tree)
    assert len(universal_names(universal_classes(tree))) == 194
    for taxonomy in ("ade20k-150", "bdd", "cityscapes-19", "coco-panoptic-133", "idd-39", "mapillary-public65"):
        names = tree.names(f"{taxonomy}-relabeled")
        assert max(universal_table(tree, f"{taxonomy}-relabeled")[: len(names)]) < 194
