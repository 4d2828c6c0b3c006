"""Raw forms of labels that are no images: .mat files and polygons. Each against a plain restatement of its rule."""

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

from mseg_wizard.labels.readers import READERS, mat, reader_named
from mseg_wizard.labels.readers.mat import read_mat
from mseg_wizard.labels.readers.polygons import rasterize
from mseg_wizard.progress import Problem

# .mat


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


def matlab(ids: NDArray[np.generic], name: str = "LabelMap", stored: str = "<u2", class_: int = 11) -> bytes:
    """A version 5 file as MATLAB's `save` writes it, uncompressed."""
    kind = {"u1": 2, "<u2": 4, "<f8": 9}[stored]
    content = b"".join(
        [
            element(6, struct.pack("<II", class_, 0)),
            element(5, struct.pack(f"<{ids.ndim}i", *ids.shape)),
            element(1, name.encode()),
            element(kind, ids.astype(stored).tobytes("F")),
        ]
    )
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


@pytest.mark.parametrize("compress", [False, True])
def test_files_that_scipy_wrote_are_read(tmp_path: Path, compress: bool) -> None:
    ids = np.arange(12, dtype=np.uint16).reshape(3, 4)
    scipy.io.savemat(tmp_path / "x.mat", {"LabelMap": ids}, do_compression=compress)
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
    "absurd size": compressed(
        matlab(np.ones((2, 2), np.uint16)).replace(struct.pack("<ii", 2, 2), struct.pack("<ii", 2**20, 2**20))
    ),
}


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
@given(
    st.lists(st.tuples(st.sampled_from(sorted(NAMES)), points), max_size=6),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_polygons_are_filled_as_pillow_fills_them(
    tmp_path_factory: pytest.TempPathFactory,
    objects: list[tuple[str, list[tuple[float, float]]]],
    size: tuple[int, int],
) -> None:
    path = write_scene(
        tmp_path_factory.mktemp("scene") / "x.json", [shape(label, *outline) for label, outline in objects], size
    )
    image = Image.new("L", size[::-1], 35)
    for label, outline in objects:
        if len(outline) > 2:
            ImageDraw.Draw(image).polygon(outline, fill=NAMES[label])
    assert np.array_equal(rasterize(path, NAMES, 35), np.asarray(image))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"imgHeight": 5, "objects": []}',
        '{"imgHeight": 0, "imgWidth": 5, "objects": []}',
        '{"imgHeight": 99999, "imgWidth": 99999, "objects": []}',
        '{"imgHeight": 5, "imgWidth": 5, "objects": [{"label": "car"}]}',
        '{"imgHeight": 5, "imgWidth": 5, "objects": [{"label": "car", "polygon": [[1]]}]}',
        '{"imgHeight": 5, "imgWidth": 5, "objects": [{"label": "car", "polygon": [[1, 1e999], [0, 0], [1, 1]]}]}',
    ],
)
def test_what_is_no_polygon_annotation_is_named_and_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(Problem, match=r"x\.json") as caught:
        rasterize(tmp_path / "x.json", NAMES, 35)
    assert caught.value.do


@pytest.mark.parametrize("name", READERS)
def test_each_form_that_step_files_may_name_has_a_reader_of_that_name(name: str) -> None:
    assert reader_named(name).name == name
