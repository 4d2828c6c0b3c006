"""Giving segments their new class: where a segment's pixels are, in
each of the five forms that datasets have, and the updates in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from mseg_wizard.labels import rgb_lookup
from mseg_wizard.labels.codec import read_ids, read_rgb
from mseg_wizard.labels.png import Ids
from mseg_wizard.labels.readers.panoptic import segment_numbers
from mseg_wizard.labels.readers.polygons import Polygon, image_over, read_polygons
from mseg_wizard.labels.records import Update
from mseg_wizard.labels.relabeling import LABEL_ITSELF
from mseg_wizard.labels.taxonomy import IGNORED
from mseg_wizard.progress import Problem

SegmentPixels: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of a segment's pixels."""
PixelsBySegment: TypeAlias = Mapping[int, SegmentPixels]
"""Segment → its pixels."""

GROUP = 254
"""Segments told apart in one pass."""


def segment_pixels(kind: str, mask: str, label: Ids, segments: Sequence[int]) -> PixelsBySegment:
    """The pixels of each of `segments` that is there, read from the file `mask` in one go, however many they are.

    `label`, (H, W): the label map before relabelling; it gives the size, and for the kind "class" it is the mask
    itself. Raises Problem where the file can't be read or has another size.
    """
    return MASK_READERS[kind](mask, label, segments)


def write_updates(
    relabeled: NDArray[np.uint8], updates: Sequence[Update], found: PixelsBySegment, *, strict: bool, fewest: int = 1
) -> list[str]:
    """Write the new class of every update into `relabeled`, (H, W),
    in order; returns the faults, in words, and writes those not.

    Strict: every pixel of a segment must hold the record's old class before any update.
    """
    faults = []
    olds = (
        [relabeled[found[update.segment]] if update.segment in found else None for update in updates] if strict else []
    )
    for number, update in enumerate(updates):
        region = found.get(update.segment)
        count = 0 if region is None else len(region[0])
        if region is None or count == 0:
            faults.append(f"segment {update.segment} has no pixels")
        elif count < fewest:
            faults.append(f"segment {update.segment} has only {count} pixels")
        elif strict and (other := _other(olds[number], update.old)):
            faults.append(
                f"segment {update.segment} holds id {other[0]} on {other[1]:,} pixels, where its record says "
                f"{update.old}"
            )
        else:
            relabeled[region] = update.new
    return faults


def _other(held: NDArray[np.uint8] | None, old: int) -> tuple[int, int] | None:
    """An id that is held instead of `old`, and on how many pixels; None where there is none."""
    if held is None or not (different := held[held != old]).size:
        return None
    return int(different[0]), int(different.size)


def _by_number(numbers: NDArray[np.uint8], segments: Sequence[int]) -> dict[int, SegmentPixels]:
    """Pixels by the position in `segments` that `numbers` holds (255:
    none): one look at the image, then only at what was found.
    """
    # Over the flat array: finding rows and columns at once takes ten times as long.
    places = np.flatnonzero(numbers != IGNORED)
    held = numbers.reshape(-1)[places]
    rows, columns = np.divmod(places, numbers.shape[1])
    order = np.argsort(held, kind="stable")
    starts = np.searchsorted(held[order], np.arange(len(segments) + 1))
    found = {}
    for number, segment in enumerate(segments):
        part = order[starts[number] : starts[number + 1]]
        if part.size:
            found[segment] = (rows[part], columns[part])
    return found


def _class(mask: str, label: Ids, segments: Sequence[int]) -> PixelsBySegment:
    """A segment is a class id of the label itself."""
    return _looked_up(label, segments, 256)


def _instance(mask: str, label: Ids, segments: Sequence[int]) -> PixelsBySegment:
    """A 16-bit PNG holds class · 256 + instance."""
    return _looked_up(_sized(mask, read_ids(mask), label), segments, 1 << 16)


def _looked_up(ids: Ids, segments: Sequence[int], entries: int) -> PixelsBySegment:
    found: dict[int, SegmentPixels] = {}
    for start in range(0, len(segments), GROUP):
        group = segments[start : start + GROUP]
        table = np.full(entries, IGNORED, np.uint8)
        for number, segment in enumerate(group):
            if segment < entries:
                table[segment] = number
        found |= _by_number(np.take(table, ids, mode="clip"), group)
    return found


def _panoptic(mask: str, label: Ids, segments: Sequence[int]) -> PixelsBySegment:
    """An RGB PNG holds R + 256 G + 65536 B."""
    rgb = _sized(mask, read_rgb(mask), label)
    found: dict[int, SegmentPixels] = {}
    for start in range(0, len(segments), GROUP):
        group = segments[start : start + GROUP]
        found |= _by_number(segment_numbers(rgb, [id_ if id_ < rgb_lookup.ENTRIES else 0 for id_ in group]), group)
    return found


def _blue(mask: str, label: Ids, segments: Sequence[int]) -> PixelsBySegment:
    """ADE20K: the blue channel of a PNG of another size, resized to the label's by nearest neighbour."""
    blue = read_rgb(mask)[:, :, 2]
    height, width = label.shape
    return _looked_up(
        blue[opencv_rows(height, blue.shape[0])[:, None], opencv_rows(width, blue.shape[1])], segments, 256
    )


def opencv_rows(target: int, source: int) -> NDArray[np.intp]:
    """For each of `target` rows the row of `source` that OpenCV's nearest neighbour takes.

    In doubles and in this order: whole-number arithmetic gives other rows for some sizes.
    """
    scale = 1.0 / (target / source)
    rows: NDArray[np.intp] = np.floor(np.arange(target) * scale).astype(np.intp)
    return np.minimum(rows, source - 1, out=rows)


def _polygon(mask: str, label: Ids, segments: Sequence[int]) -> PixelsBySegment:
    """A polygon of an annotation file: the first object whose id, or index where it has none, is the segment's."""
    scene = read_polygons(mask)
    if (scene.imgHeight, scene.imgWidth) != label.shape:
        raise _misfit(mask, (scene.imgHeight, scene.imgWidth), label)
    first: dict[int, Polygon] = {}
    for index, item in enumerate(scene.objects):
        first.setdefault(index if item.id is None else item.id, item)
    canvas = np.zeros(label.shape, np.uint8)
    draw = ImageDraw.Draw(image_over(canvas))
    found = {}
    for segment in segments:
        if segment in first and first[segment].polygon:
            found[segment] = _drawn(canvas, draw, first[segment].polygon)
    return found


def _drawn(canvas: NDArray[np.uint8], draw: ImageDraw.ImageDraw, polygon: list[tuple[float, float]]) -> SegmentPixels:
    """The pixels of one polygon, outline included.

    The canvas is empty before and after; only the polygon's box of it is looked at.
    """
    if len({y for _, y in polygon}) == 1:
        draw.line(polygon, fill=1)
    else:
        draw.polygon(polygon, fill=1, outline=1)
    height, width = canvas.shape
    left, right = _span([x for x, _ in polygon], width)
    top, bottom = _span([y for _, y in polygon], height)
    box = canvas[top:bottom, left:right]
    rows, columns = np.nonzero(box)
    box[:] = 0
    return rows + top, columns + left


def _span(values: Sequence[float], size: int) -> tuple[int, int]:
    """The rows or columns that a shape may touch, with one to spare on each side."""
    return max(0, min(size, int(min(values)) - 2)), max(0, min(size, int(max(values)) + 3))


def _sized(mask: str, pixels: NDArray[np.uint8] | Ids, label: Ids) -> NDArray[np.uint8]:
    if pixels.shape[:2] != label.shape:
        raise _misfit(mask, pixels.shape[:2], label)
    return pixels  # type: ignore[return-value]


def _misfit(mask: str, size: tuple[int, ...], label: Ids) -> Problem:
    there, here = (f"{width:,} × {height:,}" for height, width in (size, label.shape))
    return Problem(
        f"{mask} is {there} pixels, its label map {here}.", "Remove both and start again: they are brought back."
    )


MASK_READERS: Mapping[str, Callable[[str, Ids, Sequence[int]], PixelsBySegment]] = {
    "blue": _blue,
    LABEL_ITSELF: _class,
    "instance": _instance,
    "panoptic": _panoptic,
    "polygon": _polygon,
}
"""What step files call a form → how it is read."""
