"""Label maps as PNG files: stored ids in and out, palettes kept apart from colours; and the size of images.

What ids mean is not known here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mseg_wizard.core.files import write_atomically
from mseg_wizard.labels import png
from mseg_wizard.labels.png import GREY, GREY_ALPHA, PALETTE, RGB, RGB_ALPHA, Header, Ids, Png
from mseg_wizard.progress import Problem, printable

MAX_PIXELS = 100_000_000
"""The largest label maps of MSeg have 24 million pixels; a file
that claims more than this is damaged or made to fill the memory.
"""

KINDS = {
    GREY: "greyscale",
    RGB: "RGB",
    PALETTE: "palette",
    GREY_ALPHA: "greyscale with alpha",
    RGB_ALPHA: "RGB with alpha",
}
FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
"""What lists name. Pillow would try others too, and start other programs for some of them."""
ENDS = {"JPEG": b"\xff\xd9", "PNG": b"\x60\x82"}
"""Last bytes of a whole image. Some have other bytes after them: decoding decides then."""

REPAIR = "It is damaged or not the published one: remove it and start again: it is brought back."
GONE = "If it is on another disk, see that this is mounted. Else start again: what is missing is brought back."


def read_ids(path: Path | str) -> Ids:
    """The stored ids, (H, W): of a palette file the indices, never
    what the palette makes of them; 8 or 16 bit as stored.
    """
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


def read_file_header(path: Path | str) -> Header:
    """Size and kind of a PNG, from the first bytes of the file."""
    try:
        with Path(path).open("rb") as file:
            return png.read_header(file.read(33))
    except (OSError, ValueError) as error:
        raise unreadable_label(path, error) from None


def write_ids(path: Path | str, ids: Ids) -> None:
    """Write ids, (H, W), as a greyscale PNG of their depth: whole
    or not at all, and not synced, see `core.files.sync`.
    """
    write_atomically(path, png.encode(ids), durable=False, mode=0o666)


def read_made(path: str, depth: int) -> Ids:
    """The ids of a made map, (H, W); a file of another kind is refused, however right its pixels are.

    Raises Problem.
    """
    try:
        found = _parsed(path)
        if (found.header.color, found.header.depth) != (GREY, depth):
            raise ValueError(f"is stored as {_kind(found.header)} instead of {depth}-bit greyscale")
        return png.samples(found)
    except OSError as error:
        raise Problem(f"{path} can't be read: {error.strerror}.") from None
    except ValueError as error:
        raise Problem(f"{path} {error}.") from None


def image_shape(path: str) -> tuple[int, int]:
    """Height and width, from an image's header; one whose end is not where it should be is decoded. Raises Problem."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - per image
            if file.seek(0, 2) < 2:
                raise Problem(f"{path} is empty.")
            file.seek(-2, 2)
            end = file.read()
            file.seek(0)
            with Image.open(file, formats=FORMATS) as image:
                if end != ENDS.get(image.format or "", end):
                    image.load()
                return image.height, image.width
    except UnidentifiedImageError:
        raise Problem(f"{path} is no image.") from None
    except Problem:
        raise
    except Exception as error:  # Pillow raises whatever it stumbles over: a damaged file is the one reason
        raise Problem(f"{path} is damaged: {getattr(error, 'strerror', None) or printable(str(error), 200)}.") from None


def _parsed(path: Path | str) -> Png:
    """The file's container, its sums checked. Raises OSError, ValueError whose words follow the file's name."""
    with open(path, "rb") as file:  # noqa: PTH123 - per image
        data = file.read()
    header = png.read_header(data)
    if not 0 < header.width * header.height <= MAX_PIXELS:
        raise ValueError(f"claims to be {header.width:,} × {header.height:,} pixels")
    return png.parse(data)


def _read(path: Path | str) -> Png:
    try:
        return _parsed(path)
    except (OSError, ValueError) as error:
        raise unreadable_label(path, error) from None


def _samples(path: Path | str, found: Png) -> NDArray[np.uint8]:
    try:
        return png.samples(found)
    except ValueError as error:
        raise unreadable_label(path, error) from None


def unreadable_label(path: Path | str, error: OSError | ValueError) -> Problem:
    """What to tell of a raw file that could not be read."""
    if isinstance(error, FileNotFoundError):
        return Problem(f"{path} is missing.", GONE)
    if isinstance(error, OSError):
        return Problem(f"{path} can't be read: {error.strerror}.", "Make it readable for you.")
    return Problem(f"{path} {error}.", REPAIR)


def _no_label(path: Path | str, header: Header) -> Problem:
    return Problem(f"{path} is no label map of the expected kind: it is {_kind(header)}.", REPAIR)


def _kind(header: Header) -> str:
    return f"{header.depth}-bit {KINDS.get(header.color, 'of an unknown kind')}"
