"""Labels told by colour: one colour a class, or one a segment. Each reader against a plain restatement of its rule."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mseg_wizard.labels import rgb_lookup
from mseg_wizard.labels.readers.colors import read_colored
from mseg_wizard.labels.readers.panoptic import read_panoptic
from mseg_wizard.progress import Problem
from tests.labels.annotated import all_annotations
from tests.labels.png_files import PALETTE, RGB, write_png

CLASSES = np.array([[64, 128, 64], [192, 0, 128], [0, 128, 192], [0, 0, 0]], np.uint8)


# Packed pixels


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 99), st.booleans())
def test_every_pixel_is_looked_up_by_all_of_its_colour(height: int, width: int, seed: int, mirrored: bool) -> None:
    random = np.random.default_rng(seed)
    rgb = random.integers(0, 256, (height, width, 3), dtype=np.uint8)[:, :: -1 if mirrored else 1]
    table = random.integers(0, 256, rgb_lookup.ENTRIES, dtype=np.uint8)
    numbers = rgb[..., 0].astype(np.int64) + 256 * rgb[..., 1].astype(np.int64) + 65536 * rgb[..., 2].astype(np.int64)
    assert np.array_equal(rgb_lookup.lookup(rgb, table), table[numbers])


def test_images_larger_than_a_block_are_looked_up_whole() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (3, rgb_lookup.BLOCK + 1, 3), dtype=np.uint8)
    table = np.arange(rgb_lookup.ENTRIES).astype(np.uint8)  # the lowest byte: red
    assert np.array_equal(rgb_lookup.lookup(rgb, table), rgb[..., 0])


# Colours


def naive_colors(rgb: NDArray[np.uint8], classes: NDArray[np.uint8]) -> tuple[NDArray[np.int64], int]:
    """One pass per class, as the rule says it."""
    ids = np.full(rgb.shape[:2], -1)
    for id_, color in enumerate(classes):
        ids[(rgb == color).all(axis=2)] = id_
    return np.where(ids < 0, 0, ids), int((ids < 0).sum())


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_colours_become_their_classes_and_unknown_ones_the_first(
    tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
) -> None:
    color = st.tuples(*[st.sampled_from([0, 1, 64, 128, 255])] * 3)
    palette = np.array(draw.draw(st.lists(color, min_size=1, max_size=16, unique=True)), np.uint8)
    known = st.one_of(st.sampled_from(palette.tolist()).map(tuple), color)
    classes = np.array(draw.draw(st.lists(known, min_size=1, unique=True)), np.uint8)
    shape = draw.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    indices = np.random.default_rng(draw.draw(st.integers(0, 9))).integers(0, len(palette), shape)
    folder = tmp_path_factory.mktemp("colors")
    expected, unknown = naive_colors(palette[indices], classes)
    for path in (
        write_png(folder / "palette.png", indices, PALETTE, palette=palette),
        write_png(folder / "small palette.png", indices, PALETTE, 4, palette=palette),
        write_png(folder / "rgb.png", palette[indices], RGB),
    ):
        ids, count = read_colored(path, classes.tobytes())
        assert ids.dtype == np.uint8
        assert np.array_equal(ids, expected)
        assert count == unknown


def test_palette_indices_are_not_class_ids(tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", np.array([[0, 1, 2, 3]]), PALETTE, palette=CLASSES[::-1].copy())
    assert read_colored(tmp_path / "x.png", CLASSES.tobytes())[0].tolist() == [[3, 2, 1, 0]]


def test_the_table_of_one_taxonomy_is_not_used_for_another(tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", CLASSES[None], RGB)
    for classes in (CLASSES, CLASSES[::-1].copy(), CLASSES):
        ids, _ = read_colored(tmp_path / "x.png", classes.tobytes())
        assert np.array_equal(classes[ids], CLASSES[None])


# Panoptic


def panoptic_png(path: Path, ids: NDArray[np.int64]) -> Path:
    return write_png(path, np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=2), RGB)


def annotate(path: Path, images: dict[str, Sequence[tuple[int, int]]]) -> Path:
    """An annotation file with everything else that COCO's has."""
    rows = [
        {
            "segments_info": [
                {"id": id_, "category_id": category, "iscrowd": 1, "bbox": [0, 0, 1, 1]} for id_, category in pairs
            ],
            "file_name": name,
            "image_id": 9,
        }
        for name, pairs in images.items()
    ]
    path.write_text(json.dumps({"info": {"year": 2018}, "images": [{"id": 9}], "annotations": rows, "categories": []}))
    return path


def naive_panoptic(ids: NDArray[np.int64], pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """One mask per entry, as the rule says it."""
    found = np.full(ids.shape, 255)
    for id_, category in pairs:
        found[ids == id_] = category
    return found


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_panoptic_ids_become_categories(tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject) -> None:
    numbers = draw.draw(
        st.lists(st.one_of(st.integers(1, 300), st.integers(1, 2**24 - 1)), min_size=1, max_size=12, unique=True)
    )
    shape = draw.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    ids = np.array([0, *numbers])[
        np.random.default_rng(draw.draw(st.integers(0, 9))).integers(0, len(numbers) + 1, shape)
    ]
    present = sorted(set(ids.ravel().tolist()) - {0})
    named = [(id_, draw.draw(st.integers(0, 254))) for id_ in present if draw.draw(st.booleans())]
    # The same segment twice: the later entry counts.
    again = [(id_, draw.draw(st.integers(0, 254))) for id_, _ in named[:2]]
    folder = tmp_path_factory.mktemp("panoptic")
    panoptic_png(folder / "x.png", ids)
    segments = all_annotations(annotate(folder / "a.json", {"other.png": [(5, 5)], "x.png": [*named, *again]}))
    assert np.array_equal(read_panoptic(folder / "x.png", segments["x.png"]), naive_panoptic(ids, [*named, *again]))


def test_one_image_leaves_nothing_behind_for_the_next(tmp_path: Path) -> None:
    segments = all_annotations(annotate(tmp_path / "a.json", {"a.png": [(70000, 3)], "b.png": [(8, 4)]}))
    panoptic_png(tmp_path / "a.png", np.array([[70000, 8]]))
    panoptic_png(tmp_path / "b.png", np.array([[70000, 8]]))
    assert read_panoptic(tmp_path / "a.png", segments["a.png"]).tolist() == [[3, 255]]
    assert read_panoptic(tmp_path / "b.png", segments["b.png"]).tolist() == [[255, 4]]


def test_images_with_more_segments_than_a_byte_counts_are_read(tmp_path: Path) -> None:
    ids = np.arange(1, 901).reshape(30, 30) * 1000
    pairs = [(int(id_), number % 200) for number, id_ in enumerate(ids.ravel())]
    panoptic_png(tmp_path / "x.png", ids)
    segments = all_annotations(annotate(tmp_path / "a.json", {"x.png": pairs}))["x.png"]
    assert np.array_equal(read_panoptic(tmp_path / "x.png", segments), naive_panoptic(ids, pairs))


@pytest.mark.parametrize("missing", [2, 2**24, 2**31])
def test_a_segment_without_pixels_is_a_fault_with_its_id(tmp_path: Path, missing: int) -> None:
    panoptic_png(tmp_path / "x.png", np.array([[1, 3]]))
    segments = all_annotations(annotate(tmp_path / "a.json", {"x.png": [(1, 7), (missing, 7), (3, 7)]}))["x.png"]
    with pytest.raises(Problem, match=rf"x\.png: segment {missing} .* has no pixels"):
        read_panoptic(tmp_path / "x.png", segments)


@pytest.mark.parametrize(
    "content",
    [
        "", "{}", '{"annotations": 3}', '{"annotations": [{"file_name": "x"}]}', '{"annotations": [',
        '{"annotations": [{"file_name": "x", "segments_info": [{"id": -1, "category_id": 1}]}]}',
    ],
)  # fmt: skip
def test_what_is_no_annotation_file_is_named_and_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(Problem, match=r"a\.json") as caught:
        all_annotations(tmp_path / "a.json")
    assert caught.value.do
