"""Segments that get a new class: where their pixels are, in which order they are written, and what is a fault."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mseg_wizard.labels.masks import MASK_READERS, PixelsBySegment, opencv_rows, segment_pixels, write_updates
from mseg_wizard.labels.records import Update, image_keys, updates
from mseg_wizard.labels.relabel import ImageToRelabel, relabel_image, relabel_recipe
from mseg_wizard.labels.relabeling import FORMS
from mseg_wizard.labels.remap import remap_label, remap_recipe
from mseg_wizard.progress import Problem
from tests.golden_tree import GoldenTree
from tests.labels.png_files import RGB, write_png
from tests.labels.relabelings import RELABELINGS
from tests.labels.test_remap import FAMILIES, items_of
from tests.labels.trees import make_tree

# The golden kit

BEFORE = ("ADE20K", "COCO", "SUN RGB-D", "Cityscapes", "IDD", "Mapillary")


@pytest.fixture(scope="module")
def remapped(golden_tree: GoldenTree) -> GoldenTree:
    """The golden kit's label maps as they are before relabelling."""
    for family in BEFORE:
        reader, source, targets = FAMILIES[family]
        how = remap_recipe(golden_tree.tree, reader, source, targets)
        for item in items_of(golden_tree, reader, source, targets):
            for output in item.outputs:
                Path(str(output)).parent.mkdir(parents=True, exist_ok=True)
            remap_label(how, item)
    return golden_tree


@pytest.mark.parametrize("taxonomy", RELABELINGS)
def test_every_relabelled_golden_map_is_pixel_identical(remapped: GoldenTree, taxonomy: str) -> None:
    tree, root = remapped.tree, remapped.dataset / remapped.tree.root(taxonomy)
    how, changes = (
        relabel_recipe(tree, RELABELINGS[taxonomy], [taxonomy]),
        updates(tree, RELABELINGS[taxonomy], taxonomy),
    )
    written = 0
    for split in ("train", "val"):
        after = tree.rows(f"{taxonomy}-relabeled", split)
        for place, before, row in zip(
            image_keys(tree, f"{taxonomy}-relabeled", split), tree.rows(taxonomy, split), after, strict=True
        ):
            output = root / str(row.label)
            output.parent.mkdir(parents=True, exist_ok=True)
            if how.mask == "blue":
                mask = next(
                    (root.parent / "ADE20K_2016_07_26").rglob(f"{Path(row.image).stem}_seg.png"), root / "nowhere"
                ).as_posix()
            else:
                mask = str(root / RELABELINGS[taxonomy].mask_of(row.image))
            written += relabel_image(
                how,
                ImageToRelabel(
                    (str(root / str(before.label)),), (str(output),), mask, (tuple(changes.get(place, ())),)
                ),
            )
    assert written == sum(map(len, changes.values())) > 0
    assert remapped.differences(remapped.listed(f"{taxonomy}-relabeled", "train", "val")) == []


# Where a segment's pixels are: each form against a full-size mask


def as_masks(found: PixelsBySegment, shape: tuple[int, int]) -> dict[int, NDArray[np.bool_]]:
    masks = {}
    for segment, region in found.items():
        masks[segment] = np.zeros(shape, np.bool_)
        masks[segment][region] = True
    return masks


def assert_masks(found: PixelsBySegment, expected: dict[int, NDArray[np.bool_]], shape: tuple[int, int]) -> None:
    """Found are exactly the masks that have pixels."""
    masks = as_masks(found, shape)
    expected = {segment: mask for segment, mask in expected.items() if mask.any()}
    assert {segment for segment, mask in masks.items() if mask.any()} == set(expected)
    for segment, mask in expected.items():
        assert np.array_equal(masks[segment], mask), segment


sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))


@settings(max_examples=40, deadline=None)
@given(sizes, st.lists(st.integers(0, 260), unique=True, max_size=300), st.integers(0, 9))
def test_classes_are_segments_of_the_label_itself(shape: tuple[int, int], segments: list[int], seed: int) -> None:
    label = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    assert_masks(segment_pixels("class", "", label, segments), {s: label == s for s in segments}, shape)


@settings(max_examples=40, deadline=None)
@given(sizes, st.data())
def test_instances_and_panoptic_ids_are_segments(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, int], draw: st.DataObject
) -> None:
    folder, label = tmp_path_factory.mktemp("masks"), np.zeros(shape, np.uint8)
    for kind, top in (("instance", 1 << 16), ("panoptic", 1 << 24)):
        numbers = draw.draw(st.lists(st.integers(1, top - 1), min_size=1, max_size=9, unique=True))
        ids = np.array(numbers)[np.random.default_rng(draw.draw(st.integers(0, 9))).integers(0, len(numbers), shape)]
        if kind == "instance":
            mask = write_png(folder / "i.png", ids, depth=16)
        else:
            mask = write_png(folder / "p.png", np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=2), RGB)
        segments = [*numbers, 77, top, top + 5]
        assert_masks(segment_pixels(kind, str(mask), label, segments), {s: ids == s for s in segments}, shape)


def test_more_segments_than_a_byte_counts_are_told_apart(tmp_path: Path) -> None:
    ids = np.arange(1, 901).reshape(30, 30) * 70
    mask = write_png(tmp_path / "x.png", ids, depth=16)
    segments = [int(id_) for id_ in ids.ravel()]
    assert_masks(
        segment_pixels("instance", str(mask), np.zeros((30, 30), np.uint8), segments),
        {s: ids == s for s in segments},
        (30, 30),
    )


def opencv_nearest(target: int, source: int) -> list[int]:
    """The rule as it is written down, one index at a time."""
    return [min(math.floor(i * (1.0 / (target / source))), source - 1) for i in range(target)]


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000))
def test_resizing_takes_the_rows_that_opencv_takes(target: int, source: int) -> None:
    assert opencv_rows(target, source).tolist() == opencv_nearest(target, source)


def test_whole_number_arithmetic_would_take_other_rows_in_some_sizes() -> None:
    """Or the test above would prove little."""
    assert any(opencv_nearest(t, s) != [i * s // t for i in range(t)] for t in range(90, 100) for s in range(1, 100))


@settings(max_examples=40, deadline=None)
@given(sizes, sizes, st.integers(0, 9))
def test_the_blue_channel_tells_segments_of_ade20k_apart(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, int], drawn: tuple[int, int], seed: int
) -> None:
    rgb = np.random.default_rng(seed).integers(0, 5, (*drawn, 3))
    mask = write_png(tmp_path_factory.mktemp("seg") / "x_seg.png", rgb, RGB)
    blue = rgb[:, :, 2][opencv_nearest(shape[0], drawn[0])][:, opencv_nearest(shape[1], drawn[1])]
    found = segment_pixels("blue", str(mask), np.zeros(shape, np.uint8), [*range(7), 300])
    assert_masks(found, {s: blue == s for s in [*range(7), 300]}, shape)


vertices = st.lists(st.tuples(*[st.one_of(st.integers(-20, 60), st.floats(-20, 60, width=32))] * 2), max_size=8)


def drawn_full_size(outline: list[tuple[float, float]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    image = Image.new("L", shape[::-1])
    if outline and all(y == outline[0][1] for _, y in outline):
        ImageDraw.Draw(image).line(outline, fill=1)
    elif outline:
        ImageDraw.Draw(image).polygon(outline, fill=1, outline=1)
    return np.asarray(image).astype(np.bool_)


@settings(max_examples=200, deadline=None)
@given(st.tuples(st.integers(1, 40), st.integers(1, 40)), st.lists(vertices, min_size=1, max_size=5))
def test_polygons_are_drawn_as_on_a_full_canvas(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, int], outlines: list[list[tuple[float, float]]]
) -> None:
    path = tmp_path_factory.mktemp("scene") / "x.json"
    objects = [{"label": "x", "polygon": [list(point) for point in outline]} for outline in outlines]
    path.write_text(json.dumps({"imgHeight": shape[0], "imgWidth": shape[1], "objects": objects}))
    found = segment_pixels("polygon", str(path), np.zeros(shape, np.uint8), range(len(outlines)))
    assert_masks(found, {index: drawn_full_size(outline, shape) for index, outline in enumerate(outlines)}, shape)


def test_a_polygon_is_the_first_object_with_its_id_or_index_whatever_its_label(tmp_path: Path) -> None:
    corners = [[[x, 0], [x + 1, 0], [x + 1, 3], [x, 3]] for x in (0, 4, 8, 12)]
    objects = [
        {"label": "rider", "polygon": corners[0], "id": 3},
        {"label": "no class", "polygon": corners[1], "deleted": 1},  # index 1
        {"label": "rider", "polygon": corners[2], "id": 1},  # too late
        {"label": "rider", "polygon": corners[3]},  # index 3, too late
    ]
    (tmp_path / "x.json").write_text(json.dumps({"imgHeight": 4, "imgWidth": 20, "objects": objects}))
    masks = as_masks(
        segment_pixels("polygon", str(tmp_path / "x.json"), np.zeros((4, 20), np.uint8), [0, 1, 2, 3]), (4, 20)
    )
    assert {segment: np.unique(np.nonzero(mask)[1]).tolist() for segment, mask in masks.items()} == {
        1: [4, 5],
        3: [0, 1],
    }


@pytest.mark.parametrize("kind", ["instance", "panoptic", "polygon"])
def test_a_mask_of_another_size_than_the_label_is_a_fault(tmp_path: Path, kind: str) -> None:
    if kind == "polygon":
        mask = tmp_path / "x.json"
        mask.write_text('{"imgHeight": 3, "imgWidth": 4, "objects": []}')
    else:
        samples = np.zeros((3, 4), np.int64) if kind == "instance" else np.zeros((3, 4, 3), np.int64)
        mask = write_png(tmp_path / "x.png", samples, *((0, 16) if kind == "instance" else (RGB, 8)))
    with pytest.raises(Problem, match=r"x\..* is 4 × 3 pixels, its label map 5 × 3"):
        segment_pixels(kind, str(mask), np.zeros((3, 5), np.uint8), [1])


# Updates in order


def region(*pixels: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, columns = zip(*pixels, strict=True)
    return np.array(rows, np.intp), np.array(columns, np.intp)


def test_the_last_update_of_a_pixel_wins() -> None:
    pixels = np.full((1, 3), 9, np.uint8)
    found = {1: region((0, 0), (0, 1)), 2: region((0, 1), (0, 2))}
    assert write_updates(pixels, [Update(1, 9, 5), Update(2, 9, 6)], found, strict=False) == []
    assert pixels.tolist() == [[5, 6, 6]]
    assert write_updates(pixels, [Update(2, 9, 6), Update(1, 9, 5)], found, strict=False) == []
    assert pixels.tolist() == [[5, 5, 6]]


def test_an_update_writes_its_class_whatever_the_pixels_held() -> None:
    pixels = np.array([[1, 255, 0]], np.uint8)
    assert write_updates(pixels, [Update(4, 3, 3)], {4: region((0, 0), (0, 1))}, strict=False) == []
    assert pixels.tolist() == [[3, 3, 0]]


def test_strict_segments_must_hold_the_old_class_everywhere() -> None:
    pixels = np.array([[1, 1, 2]], np.uint8)
    whole = {4: region((0, 0), (0, 1)), 5: region((0, 1), (0, 2))}
    assert write_updates(pixels, [Update(4, 1, 7)], whole, strict=True) == []
    pixels = np.array([[1, 1, 2]], np.uint8)
    faults = write_updates(pixels, [Update(5, 1, 7)], whole, strict=True)
    assert faults == ["segment 5 holds id 2 on 1 pixels, where its record says 1"]
    assert pixels.tolist() == [[1, 1, 2]]


def test_empty_and_missing_segments_are_faults() -> None:
    pixels = np.zeros((2, 2), np.uint8)
    empty = np.array([], np.intp)
    faults = write_updates(pixels, [Update(1, 0, 7), Update(2, 0, 7)], {2: (empty, empty)}, strict=False)
    assert faults == ["segment 1 has no pixels", "segment 2 has no pixels"]


# One image


NAMES = {
    "bdd": ["road", "person"],
    "bdd-relabeled": ["way", "human", "rider"],
    "ade20k-150": ["a"],
    "ade20k-150-relabeled": ["b", "c"],
}
TABLES = {
    ("bdd", "bdd-relabeled"): [("road", "way"), ("person", "human")],
    ("ade20k-150", "ade20k-150-relabeled"): [("a", "b")],
}


def test_a_faulty_image_is_named_and_not_written(tmp_path: Path) -> None:
    how = relabel_recipe(make_tree(tmp_path, NAMES, tables=TABLES), RELABELINGS["bdd"], ["bdd"])
    label, output = write_png(tmp_path / "x_train_id.png", np.array([[0, 1, 1]])), tmp_path / "y.png"
    with pytest.raises(Problem, match=r"x_train_id\.png: segment 7 has no pixels; segment 0 holds id 0") as caught:
        relabel_image(how, ImageToRelabel((str(label),), (str(output),), "", ((Update(7, 1, 2), Update(0, 1, 2)),)))
    assert caught.value.do
    assert not output.exists()
    assert relabel_image(how, ImageToRelabel((str(label),), (str(output),), "", ((Update(1, 1, 2),),))) == 1
    assert np.asarray(Image.open(output)).tolist() == [[0, 2, 2]]


def test_an_image_without_updates_gets_its_table(tmp_path: Path) -> None:
    how = relabel_recipe(make_tree(tmp_path, NAMES, tables=TABLES), RELABELINGS["bdd"], ["bdd"])
    label, output = write_png(tmp_path / "x.png", np.array([[1, 0, 255]])), tmp_path / "y.png"
    assert relabel_image(how, ImageToRelabel((str(label),), (str(output),), str(tmp_path / "no such mask"), ((),))) == 0
    assert np.asarray(Image.open(output)).tolist() == [[1, 0, 255]]


@pytest.mark.parametrize(("pixels", "fault"), [(10, ""), (9, "segment 3 has only 9 pixels")])
def test_ade20k_segments_have_ten_pixels_or_are_a_fault(tmp_path: Path, pixels: int, fault: str) -> None:
    how = relabel_recipe(make_tree(tmp_path, NAMES, tables=TABLES), RELABELINGS["ade20k-150"], ["ade20k-150"])
    rgb = np.zeros((4, 5, 3), np.int64)
    rgb.reshape(-1, 3)[:pixels, 2] = 3
    mask, label = write_png(tmp_path / "x_seg.png", rgb, RGB), write_png(tmp_path / "x.png", np.zeros((4, 5)))
    item = ImageToRelabel((str(label),), (str(tmp_path / "y.png"),), str(mask), ((Update(3, 0, 1),),))
    if fault:
        with pytest.raises(Problem, match=fault):
            relabel_image(how, item)
    else:
        relabel_image(how, item)
        assert int((np.asarray(Image.open(tmp_path / "y.png")) == 1).sum()) == pixels


def test_each_form_that_step_files_may_name_can_be_read() -> None:
    assert set(MASK_READERS) == set(FORMS)
