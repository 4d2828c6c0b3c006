"""PNG files as samples: the container, its sums, and the fastest way to and from pixels.

What is a label is not known here.

libpng reads what decides about the pixels, and nothing else of a file. Writing does without libpng: what it saves in
size its zlib costs in time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import imagecodecs
import numpy as np
from numpy.typing import NDArray

Ids: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
"""Colour types of the header."""
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGB_ALPHA: (8, 16)}
"""Bits per sample that a colour type may have."""

LEVEL = 3
"""Of zlib-ng, for rows filtered by the one above: the fastest level whose label maps are as small as Pillow's.

5 would save 8 % and cost as much time as everything else in writing.
"""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2
"""The filter of rows that are stored as what is added to the row above."""


class Header(NamedTuple):
    """What a PNG says about itself before any pixel."""

    width: int
    height: int
    depth: int
    """Bits per sample."""
    color: int
    compression: int
    filter: int
    interlace: int


@dataclass(frozen=True, slots=True)
class Png:
    """A file whose sums are right."""

    header: Header
    palette: bytes
    """Three bytes a colour; empty where there is none."""
    pixels: bytes
    """A zlib stream of filtered rows."""


def read_header(data: bytes) -> Header:
    """The header, from at least the first 33 bytes of a file; raises ValueError that says what is wrong with it."""
    if not data:
        raise ValueError("is empty")
    if len(data) < 33 or data[:16] != _SIGNATURE + b"\0\0\0\rIHDR":
        raise ValueError("is no PNG image")
    _check(data, 8, 33)
    return Header(*struct.unpack_from(">IIBBBBB", data, 16))


def parse(data: bytes) -> Png:
    """The parts of a file that decide about its pixels; raises ValueError that says what is wrong with it.

    The sum of every such part is checked; comments, gamma, transparency and the like are passed over.
    """
    header = read_header(data)
    palette = b""
    pixels: list[bytes] = []
    at = 33
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if end > len(data):
            break
        if not kind[0] & 0x20:  # a capital: decides about the pixels
            _check(data, at, end)
            if kind == b"IEND":
                return Png(header, palette, b"".join(pixels))
            if kind == b"IDAT":
                pixels.append(data[at + 8 : end - 4])
            elif kind == b"PLTE":
                palette = data[at + 8 : end - 4]
            else:
                raise ValueError(f"has a part of the unknown kind {kind!r}")
        at = end
    raise ValueError("is cut short")


def samples(png: Png) -> NDArray[Any]:
    """The samples as stored, (H, W) or (H, W, channels), 8 or 16 bit: of a palette file the indices.

    Raises ValueError where they are damaged.
    """
    header = png.header
    if header.depth not in DEPTHS.get(header.color, ()):
        raise ValueError(f"has the impossible colour type {header.color} with {header.depth} bits")
    # libpng sees the header of few files only.
    if header.compression or header.filter or header.interlace > 1:
        raise ValueError("is stored by a method that no PNG has")
    # Palettes are stored without filters, as the standard advises: the inflated rows are the samples, in a third of the
    # time that libpng takes.
    if header.color == PALETTE and header.depth == 8 and not header.interlace:
        rows = _inflated(png)
        if not rows[:, 0].any():
            return np.ascontiguousarray(rows[:, 1:])
    # As greyscale the bytes of a palette file mean its indices; with its palette the decoder would return colours.
    plain = header._replace(color=GREY if header.color == PALETTE else header.color)
    try:
        found = imagecodecs.png_decode(_container(plain, png.pixels))
    except imagecodecs.PngError as error:
        raise ValueError(f"is damaged ({error})") from None
    channels = CHANNELS[header.color]
    found = found.reshape(header.height, header.width, *([channels] if channels > 1 else []))
    # Fewer than 8 bits come back spread over 0 to 255.
    return found if header.depth >= 8 else found // (255 // (2**header.depth - 1))


def encode(ids: Ids) -> bytes:
    """A greyscale PNG of ids, (H, W), of their depth."""
    height, width = ids.shape
    rows = ids if ids.dtype == np.uint8 else ids.astype(">u2").view(np.uint8)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    # Label maps are flat: what is left of a row without the one above is mostly zeros.
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return _container(
        Header(width, height, ids.itemsize * 8, GREY, 0, 0, 0),
        imagecodecs.zlibng_encode(filtered.tobytes(), level=LEVEL),
    )


def _inflated(png: Png) -> NDArray[np.uint8]:
    """The rows of an 8-bit file of one channel, each after the byte that says its filter."""
    height, width = png.header.height, png.header.width + 1
    try:
        raw = imagecodecs.deflate_decode(png.pixels, out=height * width)
    except imagecodecs.DeflateError as error:
        raise ValueError(f"is damaged ({error})") from None
    if len(raw) != height * width:
        raise ValueError("is damaged: rows are missing")
    return np.frombuffer(raw, np.uint8).reshape(height, width)


def _container(header: Header, pixels: bytes | bytearray) -> bytes:
    return b"".join(
        [_SIGNATURE, *_part(b"IHDR", struct.pack(">IIBBBBB", *header)), *_part(b"IDAT", pixels), *_part(b"IEND", b"")]
    )


def _part(kind: bytes, content: bytes | bytearray) -> tuple[bytes | bytearray, ...]:
    sum_ = imagecodecs.deflate_crc32(content, imagecodecs.deflate_crc32(kind))
    return len(content).to_bytes(4, "big"), kind, content, sum_.to_bytes(4, "big")


def _check(data: bytes, start: int, end: int) -> None:
    if imagecodecs.deflate_crc32(data[start + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
        kind = data[start + 4 : start + 8]
        raise ValueError(f"is damaged: the sum of its {kind.decode() if kind.isalpha() else kind!r} part is wrong")
