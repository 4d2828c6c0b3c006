"""One label, one or several targets: what a worker does with one image, on small cases and on the golden kit."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from mseg_wizard.labels.png import Ids
from mseg_wizard.labels.readers.label_reader import LabelToRemap, RemapRecipe
from mseg_wizard.labels.remap import (
    UnexpectedPixels,
    apply_table,
    count_unnamed,
    remap_label,
    remap_recipe,
)
from mseg_wizard.labels.remapping import Remapping
from mseg_wizard.progress import Problem
from tests.golden_tree import GoldenTree, pixels_of
from tests.labels.annotated import all_annotations
from tests.labels.png_files import GREY, PALETTE, write_png
from tests.labels.test_readers import shape, write_scene
from tests.labels.trees import make_tree

FAMILIES = {
    "ADE20K": ("ids", "ade20k-151", ("ade20k-150",)),
    "Camvid": ("colors", "camvid-32", ("camvid-11",)),
    "COCO": ("panoptic", "coco-panoptic-inst-201", ("coco-panoptic-201", "coco-panoptic-133")),
    "PASCAL Context": ("mat", "pascal-context-460", ("pascal-context-460", "pascal-context-60")),
    "SUN RGB-D": ("ids", "sunrgbd-38", ("sunrgbd-37",)),
    "Cityscapes": ("ids", "cityscapes-34", ("cityscapes-19",)),
    "IDD": ("polygons", "idd-40", ("idd-40", "idd-39")),
    "KITTI": ("ids", "kitti-34", ("kitti-19",)),
    "Mapillary": ("colors", "mapillary-public66", ("mapillary-public65",)),
    "ScanNet": ("ids", "scannet-41", ("scannet-20",)),
    "WildDash": ("ids", "wilddash-34", ("wilddash-19",)),
}


def items_of(golden: GoldenTree, reader: str, source: str, targets: Sequence[str]) -> list[LabelToRemap]:
    """The listed labels of a family, and where their results go."""
    root = golden.dataset / golden.tree.root(source)
    items = {}
    for split in ("train", "val"):
        annotations = (
            all_annotations(root / "annotations" / f"panoptic_{split}2017.json") if reader == "panoptic" else {}
        )
        for position, row in enumerate(golden.tree.rows(source, split)):
            assert row.label is not None
            label = {
                "mat": f"trainval/{Path(row.label).stem}.mat",
                "polygons": row.label.replace("_labelids.png", "_polygons.json"),
            }.get(reader, row.label)
            outputs = tuple(str(root / str(golden.tree.rows(target, split)[position].label)) for target in targets)
            items[label] = LabelToRemap(str(root / label), outputs, annotations.get(Path(label).name, b""))
    return list(items.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_golden_label_map_is_pixel_identical(golden_tree: GoldenTree, family: str) -> None:
    reader, source, targets = FAMILIES[family]
    how = remap_recipe(golden_tree.tree, reader, source, targets)
    for item in items_of(golden_tree, reader, source, targets):
        for output in item.outputs:
            Path(str(output)).parent.mkdir(parents=True, exist_ok=True)
        remap_label(how, item)
    made = [path for target in targets for path in golden_tree.listed(target, "train", "val")]
    assert len(made) > 5
    assert golden_tree.differences(made) == []


def test_a_worker_process_needs_nothing_but_the_recipe_and_its_items(golden_tree: GoldenTree, tmp_path: Path) -> None:
    moved = []
    for family in ("COCO", "Mapillary", "IDD"):
        how = remap_recipe(golden_tree.tree, *FAMILIES[family])
        assert len(pickle.dumps(how)) < 6000
        for number, item in enumerate(items_of(golden_tree, *FAMILIES[family])[:2]):
            outputs = tuple(str(tmp_path / f"{family}-{number}-{target}.png") for target in range(len(item.outputs)))
            moved.append((how, LabelToRemap(item.source, outputs, item.segments), item.outputs))
    with get_context("spawn").Pool(1) as pool:
        pool.starmap(remap_label, [(how, item) for how, item, _ in moved])
    for _, item, places in moved:
        for output, place in zip(item.outputs, places, strict=True):
            expected = golden_tree.expected[str(place).removeprefix(f"{golden_tree.dataset}/")]
            assert pixels_of(Path(str(output))) == expected


TREE_NAMES = {
    "bdd": ["road", "sky", "car"], "bdd-relabeled": ["zero", "way", "above"], "idd-40": ["road", "unlabeled", "car"],
    "idd-39": ["car", "road"], "camvid-32": ["a", "b"], "camvid-11": ["first", "second"],
}  # fmt: skip
TABLES = {
    ("bdd", "bdd-relabeled"): [("road", "way"), ("sky", "above"), ("car", "unlabeled")],
    ("idd-40", "idd-39"): [("road", "road"), ("car", "car"), ("unlabeled", "unlabeled")],
    ("camvid-32", "camvid-11"): [("a", "second"), ("b", "unlabeled")],
}
COLORS = {"camvid-32": [(9, 9, 9), (1, 2, 3)]}


@pytest.fixture
def bdd(tmp_path: Path) -> RemapRecipe:
    return remap_recipe(make_tree(tmp_path, TREE_NAMES, tables=TABLES), "ids", "bdd", ["bdd-relabeled"])


def made(
    how: RemapRecipe, source: Path, *outputs: Path | None
) -> tuple[UnexpectedPixels, list[list[list[int]] | None]]:
    """What remap counts and writes."""
    oddities = remap_label(how, LabelToRemap(str(source), tuple(str(output) if output else None for output in outputs)))
    return oddities, [np.asarray(read(output)).tolist() if output else None for output in outputs]


def read(path: Path) -> NDArray[np.generic]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_ids_that_nobody_named_become_the_first_class_and_are_counted(tmp_path: Path, bdd: RemapRecipe) -> None:
    write_png(tmp_path / "x.png", np.array([[0, 1, 2], [3, 254, 255]]))
    assert made(bdd, tmp_path / "x.png", tmp_path / "y.png") == (
        UnexpectedPixels(unnamed=2),
        [[[1, 2, 255], [0, 0, 255]]],
    )


@pytest.mark.parametrize(("color", "depth"), [(GREY, 16), (PALETTE, 8), (PALETTE, 2)])
def test_sources_of_any_depth_give_8_bit_grey_results(tmp_path: Path, bdd: RemapRecipe, color: int, depth: int) -> None:
    write_png(
        tmp_path / "x.png",
        np.array([[0, 1, 2]]),
        color,
        depth,
        palette=np.full((3, 3), 7, np.uint8) if color == PALETTE else None,
    )
    assert made(bdd, tmp_path / "x.png", tmp_path / "y.png") == (UnexpectedPixels(), [[[1, 2, 255]]])
    assert read(tmp_path / "y.png").dtype == np.uint8


def test_an_id_beyond_the_table_is_a_fault_and_nothing_is_written(tmp_path: Path, bdd: RemapRecipe) -> None:
    write_png(tmp_path / "x.png", np.array([[0, 256]]), GREY, 16)
    with pytest.raises(Problem, match=r"x\.png holds the id 256"):
        made(bdd, tmp_path / "x.png", tmp_path / "y.png")
    assert not (tmp_path / "y.png").exists()


def test_unknown_colours_count_as_the_first_class_before_the_table(tmp_path: Path) -> None:
    how = remap_recipe(
        make_tree(tmp_path, TREE_NAMES, tables=TABLES, colors=COLORS), "colors", "camvid-32", ["camvid-11"]
    )
    write_png(
        tmp_path / "x.png",
        np.array([[0, 1, 2]]),
        PALETTE,
        palette=np.array([[9, 9, 9], [1, 2, 3], [3, 2, 1]], np.uint8),
    )
    assert made(how, tmp_path / "x.png", tmp_path / "y.png") == (UnexpectedPixels(uncolored=1), [[[1, 255, 1]]])


def test_a_raw_form_is_dumped_and_remapped_from_one_reading_and_only_what_is_asked_for_is_written(
    tmp_path: Path,
) -> None:
    how = remap_recipe(make_tree(tmp_path, TREE_NAMES, tables=TABLES), "polygons", "idd-40", ["idd-40", "idd-39"])
    scene = write_scene(tmp_path / "x.json", [shape("car", (0, 0), (9, 0), (9, 9), (0, 9))], (2, 2))
    dump, result = tmp_path / "40.png", tmp_path / "39.png"
    assert made(how, scene, dump, result)[1] == [[[2, 2], [2, 2]], [[0, 0], [0, 0]]]
    dump.unlink()
    result.unlink()
    made(how, scene, None, result)
    assert (dump.exists(), result.exists()) == (False, True)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, bdd: RemapRecipe) -> None:
    write_png(tmp_path / "x.png", np.zeros((2, 2)))
    with pytest.raises(Problem, match=r"nowhere/y\.png can't be written"):
        made(bdd, tmp_path / "x.png", tmp_path / "nowhere" / "y.png")


def test_an_unknown_reader_is_named() -> None:
    with pytest.raises(Problem, match="reader is 'guess'"):
        Remapping(source="bdd", targets=("bdd-relabeled",), reader="guess")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 600), st.booleans(), st.integers(0, 99))
def test_tables_and_counts_agree_with_a_pixel_by_pixel_restatement(classes: int, wide: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    length = max(classes, 256)
    table = random.integers(0, 256, length).astype(np.uint8)
    values = random.integers(0, length if wide else 256, (7, 8 + seed % 2))
    ids: Ids = values.astype(np.uint16) if wide else values.astype(np.uint8)
    assert apply_table(ids, table.tobytes(), "x").tolist() == [[int(table[id_]) for id_ in row] for row in ids.tolist()]
    counts = Counter(ids.ravel().tolist())
    assert count_unnamed(ids, classes) == sum(count for id_, count in counts.items() if id_ >= classes and id_ != 255)
