"""Label maps as PNG files: what is stored comes back, what is no label or is damaged is refused."""

from __future__ import annotations

import io
import os
import resource
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mseg_wizard.core.files import sync
from mseg_wizard.labels.codec import read_colors, read_file_header, read_ids, read_rgb, write_ids
from mseg_wizard.labels.png import Header, Ids
from mseg_wizard.progress import Problem
from tests.labels.png_files import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, chunk, png, write_png

TRANSPARENT = {GREY: chunk(b"tRNS", b"\0\1"), RGB: chunk(b"tRNS", b"\0\1\0\1\0\1"), PALETTE: chunk(b"tRNS", b"\0\x80")}
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
TEXT = chunk(b"tEXt", b"Comment\0tRNS IDAT")
COLORS = np.array([[0, 0, 0], [128, 64, 128], [255, 255, 255], [7, 8, 9]], np.uint8)


def random_ids(shape: tuple[int, int], top: int, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, top, shape)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3), (5, 4), (3, 257)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_written_is_read_back_by_us_and_by_pillow(
    tmp_path: Path, shape: tuple[int, int], dtype: type[np.uint8]
) -> None:
    ids = random_ids(shape, np.iinfo(dtype).max + 1).astype(dtype)
    write_ids(tmp_path / "a #1.png", ids)
    for back in (read_ids(tmp_path / "a #1.png"), np.asarray(Image.open(tmp_path / "a #1.png"))):
        assert back.dtype == dtype
        assert np.array_equal(back, ids)
    assert os.listdir(tmp_path) == ["a #1.png"]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 65536),
    st.sampled_from([np.uint8, np.uint16]),
    st.integers(0, 9),
)
def test_any_ids_survive_writing_and_reading(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, top: int, dtype: type[np.uint8], seed: int
) -> None:
    ids: Ids = random_ids((height, width), min(top, np.iinfo(dtype).max + 1), seed).astype(dtype)
    path = tmp_path_factory.mktemp("ids") / "x.png"
    write_ids(path, ids)
    assert np.array_equal(read_ids(path), ids)


def test_a_written_map_is_a_greyscale_png_about_as_small_as_pillows(tmp_path: Path) -> None:
    image = Image.new("L", (640, 480))
    for number, (x, y) in enumerate(random_ids((60, 2), 640)):
        ImageDraw.Draw(image).regular_polygon(
            (int(x), int(y), 10 + 150 // (1 + number // 6)), 3 + number % 9, fill=number
        )
    write_ids(tmp_path / "ours.png", np.asarray(image))
    image.save(tmp_path / "pillows.png")
    assert read_file_header(tmp_path / "ours.png") == Header(640, 480, 8, GREY, 0, 0, 0)
    assert (tmp_path / "ours.png").stat().st_size <= 1.05 * (tmp_path / "pillows.png").stat().st_size


def test_writing_replaces_a_file_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    write_ids(tmp_path / "x.png", np.zeros((2, 2), np.uint8))
    before = (tmp_path / "x.png").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))  # as on a disk that fills up
    try:
        with pytest.raises(OSError, match="too large"):
            write_ids(tmp_path / "x.png", np.random.default_rng(1).integers(0, 256, (60, 60), np.uint8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "x.png").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_files_and_folders_can_be_synced(tmp_path: Path) -> None:
    write_ids(tmp_path / "x.png", np.zeros((2, 2), np.uint8))
    sync(tmp_path / "x.png", tmp_path)
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "y.png")


@pytest.mark.parametrize(
    "extra", [b"", TEXT, TRANSPARENT[GREY], TEXT + TRANSPARENT[GREY], chunk(b"gAMA", struct.pack(">I", 22222))]
)
@pytest.mark.parametrize("depth", [8, 16])
def test_grey_ids_are_the_stored_samples_whatever_else_the_file_holds(tmp_path: Path, depth: int, extra: bytes) -> None:
    ids = random_ids((6, 7), 1 << depth)
    (tmp_path / "x.png").write_bytes(png(ids, GREY, depth, extra=extra, parts=3))
    back = read_ids(tmp_path / "x.png")
    assert back.dtype == (np.uint8 if depth == 8 else np.uint16)
    assert np.array_equal(back, ids)


@pytest.mark.parametrize(
    ("color", "dtype"), [(GREY, np.uint8), (RGB, np.uint8), (GREY, np.uint16), (PALETTE, np.uint8)]
)
@pytest.mark.parametrize("filtered", [True, False])
def test_rows_are_read_with_and_without_filters(
    tmp_path: Path, color: int, dtype: type[np.uint8], filtered: bool
) -> None:
    steps = random_ids((150, 50 * CHANNELS[color]), 4).cumsum(axis=0)
    pixels = (steps * 257).astype(dtype).repeat(12, axis=1).reshape(150, 600, CHANNELS[color]).squeeze()
    raw = png(pixels, color, pixels.itemsize * 8, palette=COLORS if color == PALETTE else None)
    if filtered:
        grey = io.BytesIO()
        Image.fromarray(pixels).save(grey, "PNG")
        content = b"".join(parts_of(grey.getvalue(), b"IDAT"))
        assert zlib.decompress(content)[:: pixels.nbytes // 150 + 1].strip(b"\0"), "this image proves nothing"
        raw = raw[: raw.index(b"IDAT") - 4] + chunk(b"IDAT", content) + chunk(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(raw)
    assert np.array_equal((read_rgb if color == RGB else read_ids)(tmp_path / "x.png"), pixels)


def parts_of(data: bytes, kind: bytes) -> list[bytes]:
    """The contents of all parts of one kind."""
    found, at = [], 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == kind:
            found.append(data[at + 8 : at + 8 + size])
        at += 12 + size
    return found


@pytest.mark.parametrize("color", [GREY, PALETTE])
@pytest.mark.parametrize("spoilt", ["a row is missing", "half a row is missing", "sum", "no sum", "filter"])
def test_damage_under_right_sums_of_the_file_is_refused(tmp_path: Path, color: int, spoilt: str) -> None:
    ids = random_ids((40, 50), 4)
    rows = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in ids)
    whole = zlib.compress(rows)
    pixels = {
        "a row is missing": zlib.compress(rows[:-51]),
        "half a row is missing": zlib.compress(rows[:-25]),
        "sum": whole[:-1] + bytes([whole[-1] ^ 1]),
        "no sum": whole[:-4],
        "filter": zlib.compress(b"\x09" + rows[1:]),
    }[spoilt]
    good = png(ids, color, 8, palette=COLORS if color == PALETTE else None)
    data = good[: good.index(b"IDAT") - 4] + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(Problem, match=r"x\.png is damaged"):
        read_ids(tmp_path / "x.png")


@pytest.mark.parametrize("color", [GREY, PALETTE])
def test_interlaced_files_are_read(tmp_path: Path, color: int) -> None:
    ids = random_ids((8, 8), 4)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b"".join(
        b"\0" + row.astype(np.uint8).tobytes() for y, x, down, right in passes for row in ids[y::down, x::right]
    )
    plain = png(ids, color, 8, palette=COLORS if color == PALETTE else None)
    header = struct.pack(">IIBBBBB", 8, 8, 8, color, 0, 0, 1)
    before = plain[33 : plain.index(b"IDAT") - 4]
    data = plain[:8] + chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(data)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "x.png")), ids)
    assert np.array_equal(read_ids(tmp_path / "x.png"), ids)


@pytest.mark.parametrize("extra", [b"", TEXT, TRANSPARENT[PALETTE]])
@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_palette_ids_are_the_indices_and_palette_colours_the_colours(tmp_path: Path, depth: int, extra: bytes) -> None:
    palette = COLORS[: 1 << depth]
    ids = random_ids((5, 11), len(palette))
    (tmp_path / "x.png").write_bytes(png(ids, PALETTE, depth, palette=palette, extra=extra, parts=2))
    assert np.array_equal(read_ids(tmp_path / "x.png"), ids)
    indices, found = read_colors(tmp_path / "x.png")
    assert np.array_equal(indices, ids)
    assert found is not None
    assert np.array_equal(found, palette)
    rgb = read_rgb(tmp_path / "x.png")
    assert np.array_equal(rgb, palette[ids])
    assert np.array_equal(rgb, np.asarray(Image.open(tmp_path / "x.png").convert("RGB")))


def test_a_grey_palette_is_a_palette(tmp_path: Path) -> None:
    palette = np.repeat(np.array([[9], [200], [7]], np.uint8), 3, axis=1)
    ids = random_ids((4, 4), 3)
    write_png(tmp_path / "x.png", ids, PALETTE, palette=palette)
    assert np.array_equal(read_ids(tmp_path / "x.png"), ids)
    assert np.array_equal(read_rgb(tmp_path / "x.png"), palette[ids])


@pytest.mark.parametrize("extra", [b"", TRANSPARENT[RGB]])
def test_rgb_is_read_as_stored(tmp_path: Path, extra: bytes) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (4, 5, 3))
    (tmp_path / "x.png").write_bytes(png(rgb, RGB, 8, extra=extra))
    pixels, palette = read_colors(tmp_path / "x.png")
    assert palette is None
    assert np.array_equal(pixels, rgb)
    assert np.array_equal(read_rgb(tmp_path / "x.png"), rgb)


def test_a_grey_file_is_a_colour_label_of_greys(tmp_path: Path) -> None:
    grey = random_ids((3, 3), 256)
    write_png(tmp_path / "x.png", grey)
    assert np.array_equal(read_rgb(tmp_path / "x.png"), np.repeat(grey[:, :, None], 3, axis=2))


@pytest.mark.parametrize(("color", "depth"), [(RGB, 8), (RGB, 16), (GREY_ALPHA, 8), (RGBA, 8), (GREY, 4), (GREY, 1)])
def test_what_holds_no_ids_is_refused_as_ids(tmp_path: Path, color: int, depth: int) -> None:
    write_png(tmp_path / "x.png", np.zeros((2, 2, CHANNELS[color]), np.int64), color, depth)
    with pytest.raises(Problem, match=r"x\.png is no label map of the expected kind"):
        read_ids(tmp_path / "x.png")


@pytest.mark.parametrize(("color", "depth"), [(RGB, 16), (GREY_ALPHA, 8), (RGBA, 8), (GREY, 16), (GREY, 2)])
def test_what_holds_no_colours_is_refused_as_colours(tmp_path: Path, color: int, depth: int) -> None:
    write_png(tmp_path / "x.png", np.zeros((2, 2, CHANNELS[color]), np.int64), color, depth)
    with pytest.raises(Problem, match=r"x\.png is no label map of the expected kind"):
        read_rgb(tmp_path / "x.png")


def test_other_files_are_named_and_refused(tmp_path: Path) -> None:
    jpeg = io.BytesIO()
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(jpeg, "JPEG")
    files = {
        "empty": b"",
        "jpeg": jpeg.getvalue(),
        "page": b"<!DOCTYPE html>" * 9,
        "signature": png(np.zeros((2, 2)), GREY, 8)[:8],
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Problem, match=name) as caught:
            read_ids(tmp_path / name)
        assert caught.value.do
    with pytest.raises(Problem, match="nowhere is missing"):
        read_ids(tmp_path / "nowhere")


def test_a_file_that_claims_absurd_dimensions_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    good = png(np.zeros((2, 2)), GREY, 8)
    for width, height in [(65536, 65536), (2**31 - 1, 2**31 - 1), (0, 5), (5, 0), (10**9, 1)]:
        head = struct.pack(">IIBBBBB", width, height, 8, GREY, 0, 0, 0)
        (tmp_path / "bomb.png").write_bytes(good[:8] + chunk(b"IHDR", head) + good[33:])
        with pytest.raises(Problem, match=r"bomb\.png claims to be"):
            read_ids(tmp_path / "bomb.png")


def test_pixels_beyond_the_palette_are_damage(tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", np.array([[0, 1], [2, 3]]), PALETTE, palette=COLORS[:3])
    with pytest.raises(Problem, match="beyond its palette of 3"):
        read_rgb(tmp_path / "x.png")


SMALL = random_ids((4, 5), 4, seed=5)
KINDS = {
    "grey": png(SMALL, GREY, 8, extra=TEXT),
    "grey in parts": png(SMALL, GREY, 8, parts=3),
    "16 bit": png(SMALL * 9999, GREY, 16),
    "grey with tRNS": png(SMALL, GREY, 8, extra=TRANSPARENT[GREY]),
    "palette": png(SMALL, PALETTE, 8, palette=COLORS, extra=TEXT),
    "4 bit palette": png(SMALL, PALETTE, 4, palette=COLORS, parts=2),
    "RGB": png(COLORS[SMALL], RGB, 8),
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_flipped_bit_changes_a_pixel_unseen(tmp_path: Path, kind: str) -> None:
    read = read_rgb if kind in ("RGB", "palette", "4 bit palette") else read_ids
    data = bytearray(KINDS[kind])
    path = tmp_path / "x.png"
    path.write_bytes(data)
    expected = read(path)
    raised = 0
    for bit in range(len(data) * 8):
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        data[bit // 8] ^= 1 << bit % 8
        try:
            pixels = read(path)
        except Problem:
            raised += 1
        else:  # a part that holds no pixels: a comment, the length of the end
            assert pixels.dtype == expected.dtype
            assert np.array_equal(pixels, expected), f"bit {bit % 8} of byte {bit // 8}"
    assert raised > 8 * (33 + 20) - 32  # header and pixels; of the end, its length may differ


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, kind: str) -> None:
    read = read_rgb if kind in ("RGB", "palette", "4 bit palette") else read_ids
    for length in range(len(KINDS[kind])):
        (tmp_path / "x.png").write_bytes(KINDS[kind][:length])
        with pytest.raises(Problem, match=r"x\.png"):
            read(tmp_path / "x.png")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_hostile_bytes_never_crash_the_reader(
    tmp_path_factory: pytest.TempPathFactory, kind: str, draw: st.DataObject
) -> None:
    data = KINDS[kind]
    start, end = sorted(draw.draw(st.tuples(st.integers(0, len(data)), st.integers(0, len(data)))))
    path = tmp_path_factory.mktemp("hostile") / "x.png"
    path.write_bytes(data[:start] + draw.draw(st.binary(max_size=40)) + data[end:])
    for read in (read_ids, read_rgb):
        try:
            pixels = read(path)
        except Problem as problem:
            assert "x.png" in problem.what
        else:
            assert pixels.size
