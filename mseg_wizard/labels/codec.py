"""Label maps as PNG files: stored ids in and out, palettes kept apart from colours. What the ids mean is not known here."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from mseg_wizard.progress import Problem

Ids: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]

MAX_PIXELS = 100_000_000
"""The largest label maps of MSeg have 24 million pixels; a file that claims more than this is damaged or made to fill the memory."""

GREY, RGB, PALETTE = 0, 2, 3
"""Colour types of a PNG's header; 4 and 6 have an alpha channel."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"IEND\xaeB`\x82"
_REPAIR = "The file is damaged or not the published one: extract its archive again."


class Header(NamedTuple):
    """What a PNG says about itself before any pixel."""

    width: int
    height: int
    depth: int
    """Bits per sample."""
    color: int


def read_ids(path: Path | str) -> Ids:
    """The stored ids, (H, W): of a palette file the indices, never what the palette makes of them; 8 or 16 bit as stored."""
    data = _read(path)
    header = _header(path, data)
    if header.color == PALETTE:
        return _indices(path, data, header)
    if header.color != GREY or header.depth not in (8, 16):
        raise _no_label(path, header)
    return _decode(path, _bare(path, data) if _has_transparency(data) else data, header)


def read_colors(path: Path | str) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """A colour-coded label: indices (H, W) with their palette (n, 3), or RGB (H, W, 3) with None.

    With a palette, looking up its few colours replaces looking up every pixel.
    """
    data = _read(path)
    header = _header(path, data)
    if header.color == PALETTE:
        indices, palette = _indices(path, data, header), _palette(path, data)
        if int(indices.max()) >= len(palette):
            raise Problem(f"{path} has pixels beyond its palette of {len(palette)} colours.", _REPAIR)
        return indices, palette
    if header.depth == 8 and header.color == GREY:
        return _decode(path, _bare(path, data), header), np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    if header.depth != 8 or header.color != RGB:
        raise _no_label(path, header)
    return _decode(path, _bare(path, data) if _has_transparency(data) else data, header), None


def read_rgb(path: Path | str) -> NDArray[np.uint8]:
    """A colour-coded label as RGB, (H, W, 3); palettes are applied."""
    pixels, palette = read_colors(path)
    return pixels if palette is None else palette[pixels]


def read_header(path: Path | str) -> Header:
    """The header alone, from the first bytes of the file."""
    with Path(path).open("rb") as file:
        return _header(path, file.read(33), whole=False)


def write_ids(path: Path | str, ids: Ids) -> None:
    """Write ids, (H, W), as a greyscale PNG of their depth: beside its place, then renamed. Nothing is synced, see `sync`.

    Level 1 with run lengths is 28 times as fast as Pillow's default on label maps and smaller; filters that mix rows and columns would slow
    every later reader.
    """
    data = imagecodecs.png_encode(ids, level=1, strategy=imagecodecs.PNG.STRATEGY.RLE, filter=imagecodecs.PNG.FILTER.UP)
    folder, name = os.path.split(path)
    beside = os.path.join(folder, f".{name}.{os.getpid()}.tmp")  # noqa: PTH118 - per image; pathlib costs as much as the rename
    try:
        with open(beside, "wb") as file:  # noqa: PTH123
            file.write(data)
        os.replace(beside, path)  # noqa: PTH105
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def sync(paths: Iterable[Path | str]) -> None:
    """Have the disk hold what was written: files, and the folders that they were renamed in."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(path: Path | str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - per image
            return file.read()
    except FileNotFoundError:
        raise Problem(f"{path} is missing.", _REPAIR) from None
    except OSError as error:
        raise Problem(f"{path} can't be read: {error.strerror}.", "Make it readable for you.") from None


def _header(path: Path | str, data: bytes, *, whole: bool = True) -> Header:
    if len(data) < 33 or data[:8] != _SIGNATURE or data[8:16] != b"\0\0\0\rIHDR":
        raise Problem(f"{path} is {'empty' if not data else 'no PNG image'}.", _REPAIR)
    if zlib.crc32(data[12:29]) != int.from_bytes(data[29:33], "big"):
        raise Problem(f"{path} is damaged in its header.", _REPAIR)
    header = Header(*struct.unpack_from(">IIBB", data, 16))
    if not 0 < header.width * header.height <= MAX_PIXELS:
        raise Problem(f"{path} claims to be {header.width:,} × {header.height:,} pixels.", _REPAIR)
    # The decoder accepts a file whose end is missing as long as the pixels are there.
    if whole and data.rfind(_END) < 0:
        raise Problem(f"{path} is cut short.", _REPAIR)
    return header


def _decode(path: Path | str, data: bytes, header: Header) -> NDArray[Any]:
    """The samples as the file stores them; libpng checks the sums of every part that is left."""
    try:
        pixels = imagecodecs.png_decode(data)
    except (imagecodecs.PngError, ValueError) as error:
        raise Problem(f"{path} is damaged: {error}.", _REPAIR) from None
    shape = (header.height, header.width, 3) if header.color == RGB else (header.height, header.width)
    if pixels.shape != shape:
        raise Problem(f"{path} is damaged: its pixels don't fit its header.", _REPAIR)
    return pixels


def _indices(path: Path | str, data: bytes, header: Header) -> NDArray[np.uint8]:
    """The indices of a palette file.

    As greyscale the same bytes mean the same numbers; given the palette the decoder would return colours. Fewer than 8 bits come out
    spread over 0 to 255.
    """
    pixels = _decode(path, _bare(path, data, color=GREY), header)
    return pixels if header.depth == 8 else pixels // (255 // (2**header.depth - 1))


def _bare(path: Path | str, data: bytes, color: int | None = None) -> bytes:
    """The file with nothing but header, pixels and end, and where `color` is given with that colour type."""
    head = data[12:29] if color is None else data[12:25] + bytes([color]) + data[26:29]
    parts = [_SIGNATURE, b"\0\0\0\r", head, zlib.crc32(head).to_bytes(4, "big")]
    parts += [data[start:end] for kind, start, end in _chunks(path, data) if kind in (b"IDAT", b"IEND")]
    return b"".join(parts)


def _palette(path: Path | str, data: bytes) -> NDArray[np.uint8]:
    for kind, start, end in _chunks(path, data):
        if kind == b"PLTE":
            entries = data[start + 8 : end - 4]
            if zlib.crc32(data[start + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big") and len(entries) % 3 == 0:
                return np.frombuffer(entries, np.uint8).reshape(-1, 3)
    raise Problem(f"{path} is damaged in its palette.", _REPAIR)


def _chunks(path: Path | str, data: bytes) -> list[tuple[bytes, int, int]]:
    """Kind, start and end of every chunk; pixels are checked later, what is left out is not."""
    chunks = []
    at = 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        chunks.append((kind, at, end))
        if kind == b"IEND":
            return chunks
        at = end
    raise Problem(f"{path} is damaged: its parts don't join.", _REPAIR)


def _has_transparency(data: bytes) -> bool:
    """Is there a tRNS chunk, which would make the decoder add a channel? It stands before the pixels."""
    return data.find(b"tRNS", 33, data.find(b"IDAT", 33)) >= 0


def _no_label(path: Path | str, header: Header) -> Problem:
    kinds = {0: "greyscale", 2: "RGB", 3: "palette", 4: "greyscale with alpha", 6: "RGB with alpha"}
    what = f"{path} is no label map of the expected kind: it is {header.depth}-bit {kinds.get(header.color, 'of an unknown kind')}."
    return Problem(what, _REPAIR)
