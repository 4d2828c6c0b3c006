"""Pictures of one image and its labels, and counts of pixels: what the workers do for the report.

Which images is not decided here.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mseg_wizard.core.files import write_atomically
from mseg_wizard.labels.codec import FORMATS, MAX_PIXELS, read_ids
from mseg_wizard.labels.taxonomy import IGNORED
from mseg_wizard.progress import Problem, printable

WIDEST, HIGHEST = 512, 384
"""Pixels of a picture: large enough to judge by eye, small enough that a report with 400 of them can be copied home."""
TINT = 0.55
"""How much of a class's colour lies over the image."""
NAMED = 10
"""Regions that carry their class's name, at most."""
SMALLEST = 0.004
"""Part of the picture that a region must take up to be named."""
FONT_SIZE = 13
BLOCK = 1 << 20
LONGEST = 24


@dataclass(frozen=True, slots=True)
class LabelStyle:
    """How the labels of one taxonomy are drawn."""

    taxonomy: str
    names: tuple[str, ...]
    palette: bytes
    """256 × RGB."""


@dataclass(frozen=True, slots=True)
class PictureJob:
    """One image to be drawn with the labels of one taxonomy."""

    image: str
    label: str
    brush: LabelStyle
    photo: str
    """The pictures, below the report's folder: the image alone, the labels over it, the labels alone."""
    overlay: str
    plain: str
    first: bool
    """No other shot draws the image alone."""


class Sample(NamedTuple):
    """One label map to be counted."""

    taxonomy: str
    label: str


@dataclass(frozen=True, slots=True)
class PictureResult:
    """What is to be seen in the pictures of one image."""

    width: int = 0
    height: int = 0
    """Of the pictures."""
    shares: tuple[tuple[int, float], ...] = ()
    """Id and part of the label map's pixels, the largest first."""
    fault: str = ""
    """Why there are none."""


def draw_pictures(folder: Path, shot: PictureJob) -> PictureResult:
    """Write the pictures of one image into `folder`. An image or label that can't be read is told, not raised."""
    try:
        photo = read_photo(shot.image)
        if shot.first:
            _write_photo(folder / shot.photo, photo)
        ids = read_labels(shot.label)
    except Problem as problem:
        return PictureResult(fault=problem.what)
    counts = _histogram(ids)
    small = scaled(ids, photo.width, photo.height)
    palette = np.frombuffer(shot.brush.palette, np.uint8).reshape(-1, 3)
    _write_photo(folder / shot.overlay, _overlay(photo, small, palette, shot.brush.names))
    plain = Image.fromarray(small)
    plain.putpalette(shot.brush.palette)  # a palette file: what it stores are the ids
    _write(folder / shot.plain, plain, "PNG", optimize=True)
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda id_: (-counts[id_], id_))
    return PictureResult(photo.width, photo.height, tuple((id_, float(counts[id_] / ids.size)) for id_ in order))


def count_pixels(sample: Sample) -> bytes:
    """How many of its pixels have each id from 0 to 255: 256 numbers of 64 bits.

    Raises Problem where it can't be read.
    """
    return _histogram(read_labels(sample.label)).tobytes()


def read_labels(path: str) -> NDArray[np.uint8]:
    """The ids of a label map of 8 bits, (H, W). Raises Problem."""
    ids = read_ids(path)
    if ids.dtype != np.uint8:
        raise Problem(f"{path} is no label map of 8 bits.")
    return ids.astype(np.uint8, copy=False)


def read_photo(path: str, size: tuple[int, int] | None = None, most: int = MAX_PIXELS) -> Image.Image:
    """The image as RGB, made small: to `size`, (width, height), else that of a picture.

    Raises Problem, also beyond `most` pixels.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > most:
                raise ValueError(f"it claims to be {image.width:,} × {image.height:,} pixels")
            scale = min(1.0, WIDEST / image.width, HIGHEST / image.height)
            fit = size or (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            image.draft("RGB", fit)  # a JPEG is decoded at about the size that is wanted
            return image.convert("RGB").resize(fit, Image.Resampling.LANCZOS)
    except Exception as error:  # Pillow raises whatever it stumbles over: a damaged file is the one reason
        raise Problem(f"{path} can't be read: {printable(str(error), 200)}.") from None


def scaled(ids: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Labels, (H, W), in another size: each is that of the nearest pixel, for there is nothing between two classes."""
    return ids[_central_rows(ids.shape[0], height)[:, None], _central_rows(ids.shape[1], width)]


def _histogram(ids: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels of each id from 0 to 255; in blocks, because numpy
    counts in 8 bytes a pixel, 200 MB for the largest label maps.
    """
    pixels, counts = ids.ravel(), np.zeros(IGNORED + 1, np.int64)
    for start in range(0, pixels.size, BLOCK):
        counts += np.bincount(pixels[start : start + BLOCK], minlength=IGNORED + 1)
    return counts


def _central_rows(source: int, target: int) -> NDArray[np.intp]:
    """Which of `source` rows stand for `target` rows: those in the middle of each."""
    return np.minimum(((np.arange(target) + 0.5) * (source / target)).astype(np.intp), source - 1)


def _overlay(
    photo: Image.Image, ids: NDArray[np.uint8], palette: NDArray[np.uint8], names: tuple[str, ...]
) -> Image.Image:
    """The labels' colours over the image, dark lines where they meet, and names on the largest regions."""
    pixels = np.asarray(photo).astype(np.float32)
    labelled = ids != IGNORED
    pixels[labelled] = (1 - TINT) * pixels[labelled] + TINT * palette[ids[labelled]]
    meet = np.zeros(ids.shape, np.bool_)
    meet[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    meet[1:] |= ids[1:] != ids[:-1]
    pixels[meet] *= 0.35
    image = Image.fromarray(pixels.astype(np.uint8))
    canvas = ImageDraw.Draw(image)
    font = ImageFont.load_default(FONT_SIZE)
    taken: list[tuple[float, float, float, float]] = []
    for id_, row, column in _regions(ids):
        text = printable(names[id_], LONGEST) if id_ < len(names) else f"id {id_}"
        left, top, right, bottom = canvas.textbbox((column, row), text, font, anchor="mm")
        box = (left - 3, top - 2, right + 3, bottom + 2)
        across = max(-box[0], 0) + min(image.width - box[2], 0)
        down = max(-box[1], 0) + min(image.height - box[3], 0)
        box = (box[0] + across, box[1] + down, box[2] + across, box[3] + down)
        if any(box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in taken):
            continue
        taken.append(box)
        canvas.rectangle(box, fill=(0, 0, 0))
        canvas.text((column + across, row + down), text, (255, 255, 255), font, anchor="mm")
    return image


def _regions(ids: NDArray[np.uint8]) -> list[tuple[int, int, int]]:
    """Id, row and column of the largest connected regions, one for
    each class, largest first; the place is deep inside the region.
    """
    from scipy import ndimage  # half a second that only the workers should pay

    counts = np.bincount(ids.ravel(), minlength=IGNORED + 1)
    counts[IGNORED] = 0
    found = []
    for id_ in np.argsort(-counts, kind="stable")[: 2 * NAMED]:
        if counts[id_] < SMALLEST * ids.size:
            break
        labels, _ = ndimage.label(ids == id_)
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        region = int(sizes.argmax())
        if sizes[region] >= SMALLEST * ids.size:
            found.append((int(sizes[region]), int(id_), labels == region))
    found.sort(key=lambda row: (-row[0], row[1]))
    return [(id_, *_deepest(region)) for _, id_, region in found[:NAMED]]


def _deepest(region: NDArray[np.bool_]) -> tuple[int, int]:
    """The place that is farthest from the region's border."""
    from scipy import ndimage

    ((rows, columns),) = ndimage.find_objects(region.astype(np.uint8))
    depth = ndimage.distance_transform_edt(np.pad(region[rows, columns], 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(row) + rows.start, int(column) + columns.start


def _write_photo(path: Path, image: Image.Image) -> None:
    _write(path, image, "JPEG", quality=85, subsampling=0, optimize=True)


def _write(path: Path, image: Image.Image, kind: str, **options: int) -> None:
    data = io.BytesIO()
    image.save(data, kind, **options)
    write_atomically(path, data.getvalue(), durable=False)
