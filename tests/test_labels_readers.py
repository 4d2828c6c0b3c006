"""Raw forms of labels: colours, panoptic PNGs, .mat files, polygons. Each against a plain restatement of its rule."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mseg_wizard.labels import mat, packed
from mseg_wizard.labels.colors import read_colored
from mseg_wizard.labels.mat import read_mat
from mseg_wizard.labels.panoptic import read_annotations, read_panoptic
from mseg_wizard.labels.polygons import rasterize
from mseg_wizard.progress import Problem
from tests.labels_png import PALETTE, RGB, write_png

CLASSES = np.array([[64, 128, 64], [192, 0, 128], [0, 128, 192], [0, 0, 0]], np.uint8)


# Packed pixels


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 99), st.booleans())
def test_every_pixel_is_looked_up_by_all_of_its_colour(height: int, width: int, seed: int, mirrored: bool) -> None:
    random = np.random.default_rng(seed)
    rgb = random.integers(0, 256, (height, width, 3), dtype=np.uint8)[:, :: -1 if mirrored else 1]
    table = random.integers(0, 256, packed.ENTRIES, dtype=np.uint8)
    numbers = rgb[..., 0].astype(np.int64) + 256 * rgb[..., 1].astype(np.int64) + 65536 * rgb[..., 2].astype(np.int64)
    assert np.array_equal(packed.lookup(rgb, table), table[numbers])


def test_images_larger_than_a_block_are_looked_up_whole() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (3, packed.BLOCK + 1, 3), dtype=np.uint8)
    table = np.arange(packed.ENTRIES).astype(np.uint8)  # the lowest byte: red
    assert np.array_equal(packed.lookup(rgb, table), rgb[..., 0])


# Colours


def naive_colors(rgb: NDArray[np.uint8], classes: NDArray[np.uint8]) -> tuple[NDArray[np.int64], int]:
    """One pass per class, as the rule says it."""
    ids = np.full(rgb.shape[:2], -1)
    for id_, color in enumerate(classes):
        ids[(rgb == color).all(axis=2)] = id_
    return np.where(ids < 0, 0, ids), int((ids < 0).sum())


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_colours_become_their_classes_and_unknown_ones_the_first(tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject) -> None:
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
            "segments_info": [{"id": id_, "category_id": category, "iscrowd": 1, "bbox": [0, 0, 1, 1]} for id_, category in pairs],
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
    numbers = draw.draw(st.lists(st.one_of(st.integers(1, 300), st.integers(1, 2**24 - 1)), min_size=1, max_size=12, unique=True))
    shape = draw.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    ids = np.array([0, *numbers])[np.random.default_rng(draw.draw(st.integers(0, 9))).integers(0, len(numbers) + 1, shape)]
    present = sorted(set(ids.ravel().tolist()) - {0})
    named = [(id_, draw.draw(st.integers(0, 254))) for id_ in present if draw.draw(st.booleans())]
    again = [(id_, draw.draw(st.integers(0, 254))) for id_, _ in named[:2]]  # the same segment twice: the later entry counts
    folder = tmp_path_factory.mktemp("panoptic")
    panoptic_png(folder / "x.png", ids)
    segments = read_annotations(annotate(folder / "a.json", {"other.png": [(5, 5)], "x.png": [*named, *again]}))
    assert np.array_equal(read_panoptic(folder / "x.png", segments["x.png"]), naive_panoptic(ids, [*named, *again]))


def test_one_image_leaves_nothing_behind_for_the_next(tmp_path: Path) -> None:
    segments = read_annotations(annotate(tmp_path / "a.json", {"a.png": [(70000, 3)], "b.png": [(8, 4)]}))
    panoptic_png(tmp_path / "a.png", np.array([[70000, 8]]))
    panoptic_png(tmp_path / "b.png", np.array([[70000, 8]]))
    assert read_panoptic(tmp_path / "a.png", segments["a.png"]).tolist() == [[3, 255]]
    assert read_panoptic(tmp_path / "b.png", segments["b.png"]).tolist() == [[255, 4]]


def test_images_with_more_segments_than_a_byte_counts_are_read(tmp_path: Path) -> None:
    ids = np.arange(1, 901).reshape(30, 30) * 1000
    pairs = [(int(id_), number % 200) for number, id_ in enumerate(ids.ravel())]
    panoptic_png(tmp_path / "x.png", ids)
    segments = read_annotations(annotate(tmp_path / "a.json", {"x.png": pairs}))["x.png"]
    assert np.array_equal(read_panoptic(tmp_path / "x.png", segments), naive_panoptic(ids, pairs))


@pytest.mark.parametrize("missing", [2, 2**24, 2**31])
def test_a_segment_without_pixels_is_a_fault_with_its_id(tmp_path: Path, missing: int) -> None:
    panoptic_png(tmp_path / "x.png", np.array([[1, 3]]))
    segments = read_annotations(annotate(tmp_path / "a.json", {"x.png": [(1, 7), (missing, 7), (3, 7)]}))["x.png"]
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
        read_annotations(tmp_path / "a.json")
    assert caught.value.do


# .mat


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


def matlab(ids: NDArray[np.generic], name: str = "LabelMap", stored: str = "<u2", class_: int = 11) -> bytes:
    """A version 5 file as MATLAB's `save` writes it, uncompressed."""
    kind = {"u1": 2, "<u2": 4, "<f8": 9}[stored]
    content = b"".join([
        element(6, struct.pack("<II", class_, 0)),
        element(5, struct.pack(f"<{ids.ndim}i", *ids.shape)),
        element(1, name.encode()),
        element(kind, ids.astype(stored).tobytes("F")),
    ])  # fmt: skip
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + element(14, content)


def compressed(data: bytes) -> bytes:
    content = zlib.compress(data[128:])
    return data[:128] + struct.pack("<II", 15, len(content)) + content


FORMS: dict[str, Callable[[NDArray[np.uint16]], bytes]] = {
    "as published": lambda ids: compressed(matlab(ids)),
    "uncompressed": matlab,
    "small ids stored as bytes": lambda ids: compressed(matlab(ids % 256, stored="u1")),
    "another variable first": lambda ids: compressed(matlab(ids, "Other")) + compressed(matlab(ids))[128:],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(3, 5), (1, 4), (4, 1), (1, 1)])
def test_every_form_of_mat_file_gives_what_scipy_gives(tmp_path: Path, form: str, shape: tuple[int, int]) -> None:
    ids = np.random.default_rng(2).integers(0, 460, shape).astype(np.uint16)
    (tmp_path / "x.mat").write_bytes(FORMS[form](ids))
    found = read_mat(tmp_path / "x.mat")
    assert found.dtype == np.uint16
    assert found.flags.c_contiguous
    assert np.array_equal(found, scipy.io.loadmat(tmp_path / "x.mat")["LabelMap"])


@pytest.mark.parametrize(("compress", "version"), [(False, "5"), (True, "5"), (False, "4")])
def test_files_that_scipy_wrote_are_read(tmp_path: Path, compress: bool, version: str) -> None:
    ids = np.arange(12, dtype=np.uint16).reshape(3, 4)
    scipy.io.savemat(tmp_path / "x.mat", {"LabelMap": ids}, do_compression=compress, format=version)
    assert np.array_equal(read_mat(tmp_path / "x.mat"), ids)


def test_published_files_are_read_without_scipy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.arange(12, dtype=np.uint16).reshape(3, 4)
    (tmp_path / "x.mat").write_bytes(FORMS["as published"](ids))
    monkeypatch.setattr(mat, "_with_scipy", None)
    assert np.array_equal(read_mat(tmp_path / "x.mat"), ids)


BAD_MATS: dict[str, bytes] = {
    "empty": b"",
    "a page": b"<html>" * 60,
    "no LabelMap": compressed(matlab(np.ones((2, 2), np.uint16), "Other")),
    "fractions": compressed(matlab(np.full((2, 2), 0.5), stored="<f8", class_=6)),
    "three dimensions": matlab(np.ones((1, 2, 3), np.uint16)),
    "absurd size": compressed(matlab(np.ones((2, 2), np.uint16)).replace(struct.pack("<ii", 2, 2), struct.pack("<ii", 2**20, 2**20))),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_MATS)
def test_what_is_no_label_map_is_named_and_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.mat").write_bytes(BAD_MATS[name])
    with pytest.raises(Problem, match=r"x\.mat") as caught:
        read_mat(tmp_path / "x.mat")
    assert caught.value.do


def test_no_flipped_bit_of_a_mat_file_changes_a_pixel_unseen(tmp_path: Path) -> None:
    ids = np.random.default_rng(0).integers(0, 460, (5, 5)).astype(np.uint16)
    data = bytearray(FORMS["as published"](ids))
    path = tmp_path / "x.mat"
    raised = 0
    for bit in range(128 * 8, len(data) * 8):
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        data[bit // 8] ^= 1 << bit % 8
        try:
            assert np.array_equal(read_mat(path), ids), f"bit {bit % 8} of byte {bit // 8}"
        except Problem:
            raised += 1
    assert raised > (len(data) - 130) * 8  # the last byte before the sum may have bits to spare


def test_a_mat_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    data = FORMS["as published"](np.random.default_rng(0).integers(0, 460, (9, 9)).astype(np.uint16))
    for length in range(len(data)):
        (tmp_path / "x.mat").write_bytes(data[:length])
        with pytest.raises(Problem, match=r"x\.mat"):
            read_mat(tmp_path / "x.mat")


# Polygons

NAMES = {"road": 0, "pole": 5, "polegroup": 6, "car": 7, "unlabeled": 35}


def write_scene(path: Path, objects: Sequence[dict[str, Any]], size: tuple[int, int] = (20, 30)) -> Path:
    path.write_text(json.dumps({"imgHeight": size[0], "imgWidth": size[1], "objects": objects}))
    return path


def shape(label: str, *points: tuple[float, float], **more: Any) -> dict[str, Any]:
    return {"label": label, "polygon": [list(point) for point in points], "date": "11-Nov-2017", "draw": True, **more}


BOX = ((2, 2), (10, 2), (10, 8), (2, 8))


def classes_in(path: Path) -> list[int]:
    return [int(id_) for id_ in np.unique(rasterize(path, NAMES, 35))]


def test_nothing_drawn_is_unlabeled(tmp_path: Path) -> None:
    pixels = rasterize(write_scene(tmp_path / "x.json", []), NAMES, 35)
    assert pixels.shape == (20, 30)
    assert pixels.dtype == np.uint8
    assert (pixels == 35).all()


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (shape("car", *BOX), [7, 35]),
        (shape("car", *BOX, deleted=0), [7, 35]),
        (shape("car", *BOX, deleted=1), [35]),
        (shape("car", *BOX, deleted=True), [35]),
        (shape("car", *BOX[:2]), [35]),
        (shape("car"), [35]),
        (shape("cargroup", *BOX), [7, 35]),
        (shape("polegroup", *BOX), [6, 35]),
        (shape("cargroupgroup", *BOX), [35]),
        (shape("group", *BOX), [35]),
        (shape("spaceship", *BOX), [35]),
    ],
)
def test_which_objects_are_drawn(tmp_path: Path, item: dict[str, Any], found: list[int]) -> None:
    assert classes_in(write_scene(tmp_path / "x.json", [item])) == found


def test_later_objects_cover_earlier_ones(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "x.json", [shape("car", *BOX), shape("road", *BOX)])
    assert classes_in(path) == [0, 35]


points = st.lists(st.tuples(*[st.one_of(st.integers(-40, 60), st.floats(-40, 60, width=32))] * 2), max_size=9)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(NAMES)), points), max_size=6), st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_polygons_are_filled_as_pillow_fills_them(
    tmp_path_factory: pytest.TempPathFactory, objects: list[tuple[str, list[tuple[float, float]]]], size: tuple[int, int]
) -> None:
    path = write_scene(tmp_path_factory.mktemp("scene") / "x.json", [shape(label, *outline) for label, outline in objects], size)
    image = Image.new("L", size[::-1], 35)
    for label, outline in objects:
        if len(outline) > 2:
            ImageDraw.Draw(image).polygon(outline, fill=NAMES[label])
    assert np.array_equal(rasterize(path, NAMES, 35), np.asarray(image))


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", '{"imgHeight": 5, "objects": []}', '{"imgHeight": 0, "imgWidth": 5, "objects": []}',
        '{"imgHeight": 99999, "imgWidth": 99999, "objects": []}', '{"imgHeight": 5, "imgWidth": 5, "objects": [{"label": "car"}]}',
        '{"imgHeight": 5, "imgWidth": 5, "objects": [{"label": "car", "polygon": [[1]]}]}',
        '{"imgHeight": 5, "imgWidth": 5, "objects": [{"label": "car", "polygon": [[1, 1e999], [0, 0], [1, 1]]}]}',
    ],
)  # fmt: skip
def test_what_is_no_polygon_annotation_is_named_and_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(Problem, match=r"x\.json") as caught:
        rasterize(tmp_path / "x.json", NAMES, 35)
    assert caught.value.do
