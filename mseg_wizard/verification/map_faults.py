"""What is wrong with a made label map, in words that go on after its name. Files are not opened here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from mseg_wizard.labels.masks import PixelsBySegment
from mseg_wizard.labels.png import Ids
from mseg_wizard.labels.records import Update
from mseg_wizard.labels.remap import count_unnamed
from mseg_wizard.labels.taxonomy import IGNORED, UNLABELED

SHOWN = 3
"""Ids and segments that are named one by one."""

Shape: TypeAlias = tuple[int, ...]
"""Height and width."""


@dataclass(frozen=True, slots=True)
class MadeMap:
    """One label map that every image of a dataset has."""

    taxonomy: str
    names: tuple[str, ...]
    table: bytes | None = None
    """What becomes of every id of the map that it is made from; None where they are written as they are read."""
    ignores: bool = True
    """255 may occur."""
    depth: int = 8
    masks: str = ""
    """Relabelled: where the pixels of a segment are, by the names that `labels.masks` knows."""
    strict: bool = False
    """Relabelled: the pixels of a segment must hold the record's old class before."""
    fewest: int = 1
    """Relabelled: a segment of fewer pixels is a fault."""


def faults_of(
    made: MadeMap, ids: Ids, due: Ids | None, shape: Shape | None, updates: Sequence[Update], found: PixelsBySegment
) -> str:
    """What is wrong with the ids of a made map; empty where nothing is.

    `due`: what they must be, `shape`: of the image, each None where it is not known. `found`: the pixels of the
    segments of `updates`.
    """
    for other, of in ((shape, "image"), (due.shape if due is not None else None, "label")):
        if other is not None and ids.shape != other:
            return f"is {size_words(ids.shape)} pixels, its {of} {size_words(other)}"
    # A table only gives ids that are legal; what is written as it is read may not be.
    if due is not None and made.table is not None and np.array_equal(ids, due):
        return ""
    what = []
    if illegal := _illegal(made, ids):
        what.append(f"holds ids that no class of {made.taxonomy} has: {illegal}")
    if due is not None and (differ := ids != due).any():
        shown, count = _unshown(made, ids, due, updates, found)
        what += shown
        if (differing := int(np.count_nonzero(differ))) > count:
            row, column = (int(index) for index in np.unravel_index(int(differ.argmax()), ids.shape))
            first = f"{class_of(made, int(ids[row, column]))} instead of {class_of(made, int(due[row, column]))}"
            what.append(
                f"{pixel_count(differing)} not as its label gives them, first row {row}, column {column}: {first}"
            )
    return "; ".join(what)


def class_of(made: MadeMap, id_: int) -> str:
    """A class by its name; an id that has none as a number."""
    if id_ < len(made.names):
        return made.names[id_]
    return UNLABELED if id_ == IGNORED and made.ignores else f"id {id_}"


def size_words(shape: Shape) -> str:
    """As people say it: width first."""
    height, width = shape
    return f"{width:,} × {height:,}"


def pixel_count(count: int) -> str:
    return f"{count:,} pixel{'s' if count != 1 else ''}"


def _illegal(made: MadeMap, ids: Ids) -> str:
    """The ids that a made map must not hold, with their pixels; empty where there are none."""
    classes = len(made.names)
    if not count_unnamed(ids, classes) and (made.ignores or classes > IGNORED or not (ids == IGNORED).any()):
        return ""
    values, counts = np.unique(ids, return_counts=True)
    bad = [
        f"{value} ({pixel_count(count)})"
        for value, count in zip(values.tolist(), counts.tolist(), strict=True)
        if value >= classes and not (value == IGNORED and made.ignores)
    ]
    return ", ".join(bad[:SHOWN]) + (f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else "")


def _unshown(
    made: MadeMap, ids: Ids, due: Ids, updates: Sequence[Update], found: PixelsBySegment
) -> tuple[list[str], int]:
    """Segments whose pixels don't show their new class, as far as
    no later segment covers them; and how many pixels that are.
    """
    what, total = [], 0
    for update in updates:
        region = found.get(update.segment)
        if region is not None and (
            count := int(np.count_nonzero((ids[region] != update.new) & (due[region] == update.new)))
        ):
            what.append(
                f"segment {update.segment}: {count:,} of {pixel_count(len(region[0]))} not {class_of(made, update.new)}"
            )
            total += count
    return what[:SHOWN] + ([f"{len(what) - SHOWN} more segments likewise"] if len(what) > SHOWN else []), total
