"""Label files that nobody wrote: each reader returns what it promises
or raises a Problem, and no damage passes where there is a sum.
"""

from __future__ import annotations

import io
import json
import struct
import tempfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from mseg_wizard.labels.codec import (
    MAX_PIXELS,
    image_shape,
    read_colors,
    read_file_header,
    read_ids,
    read_made,
    read_rgb,
)
from mseg_wizard.labels.masks import segment_pixels
from mseg_wizard.labels.readers.colors import read_colored
from mseg_wizard.labels.readers.mat import read_mat
from mseg_wizard.labels.readers.panoptic import read_panoptic
from mseg_wizard.labels.readers.polygons import rasterize, read_polygons
from tests.fuzz.mutations import MEMORY, free, hostile, mutated, summed, tried
from tests.labels.annotated import all_annotations
from tests.labels.png_files import GREY, PALETTE, RGB, RGBA, chunk, png

PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)
COLORS = np.arange(36, dtype=np.uint8).reshape(12, 3)
GREYS = png(PIXELS, GREY, 8)
DEEP = png(PIXELS.astype(np.uint16) * 300, GREY, 16)
INDEXED = png(
    PIXELS,
    PALETTE,
    8,
    palette=COLORS,
    extra=chunk(b"tRNS", b"\0\1") + chunk(b"zTXt", b"a\0\0" + zlib.compress(b"b" * 50)),
)
FEW = png(PIXELS % 4, PALETTE, 2, palette=COLORS[:4])
COLORED = png(COLORS.reshape(3, 4, 3), RGB, 8, parts=2)
PNGS = (GREYS, DEEP, INDEXED, FEW, COLORED)
READERS = (read_ids, read_colors, read_rgb, read_file_header, image_shape)


def interlaced() -> bytes:
    out = bytearray(GREYS)
    out[28] = 1
    return summed(bytes(out))


def matlab(**more: object) -> bytes:
    out = io.BytesIO()
    savemat(out, {"LabelMap": PIXELS.astype(np.uint16), **more}, do_compression=True)
    return out.getvalue()


def plain_matlab() -> bytes:
    out = io.BytesIO()
    savemat(out, {"x": {"y": [1, "a"]}, "LabelMap": PIXELS.astype(np.uint16)}, do_compression=False)
    return out.getvalue()


def picture(form: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(COLORS.reshape(3, 4, 3)).save(out, form)
    return out.getvalue()


OBJECTS = [
    {"label": "a", "polygon": [[1, 1], [5.5, 1], [3, 9e5]], "deleted": 0, "id": 4},
    {"label": "agroup", "polygon": [[0, 0], [2, 0], [2, 2]]},
]
SCENE = json.dumps({"imgHeight": 6, "imgWidth": 7, "objects": OBJECTS}).encode()
ANNOTATIONS = json.dumps(
    {
        "images": [{"id": 1}],
        "annotations": [{"file_name": "a.png", "segments_info": [{"id": 131328, "category_id": 3, "iscrowd": 0}]}],
    }
).encode()


@pytest.mark.slow
@given(mutated(*PNGS))
@tried(500)
def test_no_damage_to_a_png_passes(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=MEMORY) as file, hostile():
        file.write(data)
        file.flush()
        found = read_rgb(file.name) if b"PLTE" in data or data[25:26] == b"\2" else read_ids(file.name)
        right: list[NDArray[Any]] = [
            PIXELS,
            PIXELS.astype(np.uint16) * 300,
            PIXELS % 4,
            COLORS.reshape(3, 4, 3),
            COLORS[PIXELS % 4],
        ]
        assert any(np.array_equal(found, pixels) for pixels in right)


@pytest.mark.slow
@given(
    st.one_of(mutated(*PNGS, interlaced()).map(summed), free().map(lambda data: GREYS[:8] + data)),
    st.sampled_from(READERS),
)
@tried(900)
def test_a_png_whose_sums_are_right_is_read_or_refused(data: bytes, read: Callable[[str], Any]) -> None:
    with tempfile.NamedTemporaryFile(dir=MEMORY, suffix=".png") as file, hostile():
        file.write(data)
        file.flush()
        found = read(file.name)
        if read is read_ids:
            assert found.dtype in (np.uint8, np.uint16) and 0 < found.size <= MAX_PIXELS and found.ndim == 2
        if read is read_rgb:
            assert found.dtype == np.uint8 and found.shape[2] == 3


@given(mutated(*PNGS).map(summed))
@tried(200)
def test_coloured_made_and_panoptic_files_are_read_or_refused(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=MEMORY, suffix=".png") as file:
        file.write(data)
        file.flush()
        with hostile():
            ids, unknown = read_colored(file.name, COLORS.tobytes())
            assert ids.max() < len(COLORS) and 0 <= unknown <= ids.size
        with hostile():
            assert read_made(file.name, 8).dtype == np.uint8
        with hostile():
            assert read_panoptic(file.name, np.array([[131328, 3]], "<u4").tobytes()).dtype == np.uint8
        for kind in ("blue", "instance", "panoptic"):
            with hostile():
                segment_pixels(kind, file.name, PIXELS, [1, 300, 10**9])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Pillow's, about what it passes over
@given(
    mutated(
        *(picture(form) for form in ("JPEG", "PNG", "BMP", "TIFF")),
        GREYS,
        INDEXED,
        png(PIXELS[:, :, None].repeat(4, 2), RGBA, 8),
    )
)
@tried(400)
def test_an_image_has_a_size_or_is_refused(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=MEMORY, suffix=".jpg") as file, hostile():
        file.write(data)
        file.flush()
        height, width = image_shape(file.name)
        assert height > 0 and width > 0


@pytest.mark.slow
@given(st.one_of(mutated(matlab(), matlab(x=[1, 2], y={"a": "b"}), plain_matlab()), mutated(plain_matlab()[128:])))
@tried(500)
def test_a_matrix_is_read_or_refused(data: bytes) -> None:
    if len(data) > 4 and data[124:126] != b"\0\1":  # the content alone: compressed, so that its sum is right
        content = zlib.compress(data)
        data = plain_matlab()[:128] + struct.pack("<II", 15, len(content)) + content
    with tempfile.NamedTemporaryFile(dir=MEMORY, suffix=".mat") as file, hostile():
        file.write(data)
        file.flush()
        found = read_mat(file.name)
        assert found.dtype == np.uint16 and found.ndim == 2 and 0 < found.size <= MAX_PIXELS


@given(mutated(matlab()))
@tried(200)
def test_no_damage_to_a_compressed_matrix_passes(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=MEMORY, suffix=".mat") as file, hostile():
        file.write(data)
        file.flush()
        assert np.array_equal(read_mat(file.name), PIXELS)


@pytest.mark.slow
@given(st.one_of(mutated(SCENE), free()))
@tried(600)
def test_polygons_are_drawn_or_refused(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=MEMORY, suffix=".json") as file, hostile():
        file.write(data)
        file.flush()
        scene = read_polygons(file.name)
        if scene.imgHeight * scene.imgWidth > 1 << 20:
            return
        drawn = rasterize(file.name, {"a": 1}, 35)
        assert drawn.shape == (scene.imgHeight, scene.imgWidth) and set(np.unique(drawn)) <= {1, 35}
        segment_pixels("polygon", file.name, drawn, [0, 1, 4, 10**9])


@pytest.mark.slow
@given(st.one_of(mutated(ANNOTATIONS), free()))
@tried(400)
def test_cocos_annotations_are_read_or_refused(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=MEMORY, suffix=".json") as file, hostile():
        file.write(data)
        file.flush()
        for segments in all_annotations(file.name).values():
            assert len(segments) % 8 == 0
