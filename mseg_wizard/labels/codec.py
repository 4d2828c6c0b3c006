"""Label maps as PNG files: stored ids in and out, palettes kept apart from colours. What the ids mean is not known here."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mseg_wizard.labels import png
from mseg_wizard.labels.png import GREY, PALETTE, RGB, Header, Ids, Png
from mseg_wizard.progress import Problem

MAX_PIXELS = 100_000_000
"""The largest label maps of MSeg have 24 million pixels; a file that claims more than this is damaged or made to fill the memory."""

REPAIR = "It is damaged or not the published one: remove it and start again: it is brought back."
GONE = "If it is on another disk, see that this is mounted. Else start again: what is missing is brought back."


def read_ids(path: Path | str) -> Ids:
    """The stored ids, (H, W): of a palette file the indices, never what the palette makes of them; 8 or 16 bit as stored."""
    found = _read(path)
    if (found.header.color, found.header.depth) not in ((GREY, 8), (GREY, 16)) and found.header.color != PALETTE:
        raise _no_label(path, found.header)
    return _samples(path, found)


def read_colors(path: Path | str) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """A colour-coded label: indices (H, W) with their palette (n, 3), or RGB (H, W, 3) with None.

    With a palette, looking up its few colours replaces looking up every pixel.
    """
    found = _read(path)
    if found.header.color == PALETTE:
        pixels, palette = _samples(path, found), np.frombuffer(found.palette, np.uint8)
        if palette.size % 3 or palette.size > 3 * 256 or int(pixels.max()) >= palette.size // 3:
            raise Problem(f"{path} has pixels beyond its palette of {palette.size // 3} colours.", REPAIR)
        return pixels, palette.reshape(-1, 3)
    if (found.header.color, found.header.depth) not in ((GREY, 8), (RGB, 8)):
        raise _no_label(path, found.header)
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    return _samples(path, found), greys if found.header.color == GREY else None


def read_rgb(path: Path | str) -> NDArray[np.uint8]:
    """A colour-coded label as RGB, (H, W, 3); palettes are applied."""
    pixels, palette = read_colors(path)
    return pixels if palette is None else palette[pixels]


def read_header(path: Path | str) -> Header:
    """Size and kind of a PNG, from the first bytes of the file."""
    try:
        with Path(path).open("rb") as file:
            return png.read_header(file.read(33))
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def write_ids(path: Path | str, ids: Ids) -> None:
    """Write ids, (H, W), as a greyscale PNG of their depth: beside its place, then renamed. Nothing is synced, see `sync`."""
    folder, name = os.path.split(path)
    # By chance, for workers of several hosts may have one number. Pathlib would cost as much as the rename.
    beside = os.path.join(folder, f".{name}.{os.urandom(4).hex()}.tmp")  # noqa: PTH118
    data = png.encode(ids)
    try:
        with open(beside, "wb", buffering=0) as file:  # noqa: PTH123
            rest = memoryview(data)
            while rest:  # a disk that fills up takes a part first, and complains about the next only
                rest = rest[file.write(rest) :]
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


def _read(path: Path | str) -> Png:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - per image
            data = file.read()
        header = png.read_header(data)
        if not 0 < header.width * header.height <= MAX_PIXELS:
            raise ValueError(f"claims to be {header.width:,} × {header.height:,} pixels")
        return png.parse(data)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def _samples(path: Path | str, found: Png) -> NDArray[np.uint8]:
    try:
        return png.samples(found)
    except ValueError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path | str, error: OSError | ValueError) -> Problem:
    """What to tell of a raw file that could not be read."""
    if isinstance(error, FileNotFoundError):
        return Problem(f"{path} is missing.", GONE)
    if isinstance(error, OSError):
        return Problem(f"{path} can't be read: {error.strerror}.", "Make it readable for you.")
    return Problem(f"{path} {error}.", REPAIR)


def _no_label(path: Path | str, header: Header) -> Problem:
    kinds = {0: "greyscale", 2: "RGB", 3: "palette", 4: "greyscale with alpha", 6: "RGB with alpha"}
    what = f"{path} is no label map of the expected kind: it is {header.depth}-bit {kinds.get(header.color, 'of an unknown kind')}."
    return Problem(what, REPAIR)
