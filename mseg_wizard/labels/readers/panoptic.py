"""COCO's panoptic PNGs → category ids, and the annotations that name their segments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from mseg_wizard.labels import rgb_lookup
from mseg_wizard.labels.codec import read_rgb
from mseg_wizard.labels.png import Ids
from mseg_wizard.labels.readers.json_stream import Position, values_in
from mseg_wizard.labels.readers.label_reader import (
    Annotation,
    AnnotationFile,
    AnnotationPart,
    LabelReader,
    LabelToRemap,
    RemapRecipe,
)
from mseg_wizard.labels.taxonomy import IGNORED
from mseg_wizard.progress import Problem, printable

SegmentTable: TypeAlias = Annotation
"""Pairs of segment id and category id, little-endian uint32:
small to keep for 118,287 images and to hand to workers.
"""

_AGAIN = "Extract the annotations' archive again."
PART = 16 << 20
"""Bytes that are read in one go: some 0.2 s, so that it can be told how far it is."""
_GROUP = 254
"""Segments told apart in one pass; no image of COCO has more."""


class _Segment(msgspec.Struct):
    id: int
    category_id: int


class _Annotation(msgspec.Struct):
    file_name: str
    segments_info: list[_Segment]


_ANNOTATIONS = msgspec.json.Decoder(list[_Annotation])


def read_annotations(file: AnnotationFile) -> AnnotationPart:
    """The next PART bytes: name of the panoptic PNG → its segments.

    Everything else in the file (360 MB for COCO's training images) is skipped. Raises Problem where it is no such file.
    """
    segments: dict[str, SegmentTable] = {}
    listed = file.listed
    try:
        with Path(file.path).open("rb") as stream:
            for key, values, (at, inside) in values_in(stream, Position(file.at, file.key)):
                if key == "annotations":
                    listed = True
                    segments.update(_tables(values))
                if at - file.at >= PART:
                    return AnnotationPart(segments, AnnotationFile(file.path, at, inside, listed))
    except OSError as error:
        raise Problem(f"{file.path} can't be read: {error.strerror}.", _AGAIN) from None
    except (ValueError, RecursionError) as error:
        raise Problem(f"{file.path} is no panoptic annotation file: {error}.", _AGAIN) from None
    if not listed:
        raise Problem(f"{file.path} is no panoptic annotation file: it lists no annotations.", _AGAIN)
    return AnnotationPart(segments, None)


def _tables(values: bytes) -> Iterator[tuple[str, SegmentTable]]:
    for image in _ANNOTATIONS.decode(b"[" + values + b"]"):
        pairs = [(segment.id, segment.category_id) for segment in image.segments_info]
        # NumPy 1 would take them, cut to fit.
        if any(not 0 <= number < 1 << 32 for pair in pairs for number in pair):
            raise ValueError(f"{printable(image.file_name, 200)} has ids that no pixel can hold")
        yield image.file_name, np.array(pairs, "<u4").tobytes()


def read_panoptic(path: Path | str, segments: SegmentTable) -> NDArray[np.uint8]:
    """Category ids, (H, W): 255 where no segment is. Raises Problem where a segment has no pixels."""
    rgb = read_rgb(path)
    categories = {int(id_): int(category) for id_, category in np.frombuffer(segments, "<u4").reshape(-1, 2)}
    categories.pop(0, None)  # void
    if bad := [category for category in categories.values() if category >= IGNORED]:
        raise Problem(f"{path}: category {bad[0]} doesn't fit into a label map.", _AGAIN)
    found = np.full(rgb.shape[:2], IGNORED, np.uint8)
    ids = list(categories)
    empty = []
    for start in range(0, len(ids), _GROUP):
        group = ids[start : start + _GROUP]
        raw = segment_numbers(rgb, group).tobytes()
        # Searching for a byte is the fastest way to learn that it occurs: most are found within the first rows.
        empty += [id_ for number, id_ in enumerate(group) if raw.find(number) < 0]
        values = raw.translate(bytes(categories[id_] for id_ in group).ljust(256, b"\xff"))
        np.minimum(found, np.frombuffer(values, np.uint8).reshape(found.shape), out=found)
    if empty:
        what = f"{path}: segment {empty[0]} of the annotations has no pixels" + (
            f" ({len(empty)} such)." if len(empty) > 1 else "."
        )
        raise Problem(what, "Images and annotations don't belong together: extract both archives again.")
    return found


def segment_numbers(rgb: NDArray[np.uint8], ids: Sequence[int]) -> NDArray[np.uint8]:
    """The position in `ids` of every pixel's id, 255 where it is none of them."""
    table = _table()
    places = [(id_, number) for number, id_ in enumerate(ids) if id_ < rgb_lookup.ENTRIES]
    try:
        for id_, number in places:
            table[id_] = number
        return rgb_lookup.lookup(rgb, table)
    finally:
        for id_, _ in places:
            table[id_] = IGNORED


@cache
def _table() -> NDArray[np.uint8]:
    """16 MiB, once per worker; every image fills the entries of its segments and empties them again."""
    return np.full(rgb_lookup.ENTRIES, IGNORED, np.uint8)


def _read(recipe: RemapRecipe, item: LabelToRemap) -> tuple[Ids, int]:
    if item.segments is None:
        raise Problem(
            f"{item.source} is not in the panoptic annotations.", "Unpack the archive that brings them again."
        )
    return read_panoptic(item.source, item.segments), 0


PANOPTIC = LabelReader("panoptic", _read, dump=True, partial=True, annotations=read_annotations)
