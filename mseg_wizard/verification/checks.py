"""One image with all its labels: which of its files are at fault.

Which images there are, and what is missing, is not known here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from mseg_wizard.labels.codec import image_shape, read_made
from mseg_wizard.labels.masks import PixelsBySegment, segment_pixels, write_updates
from mseg_wizard.labels.png import Ids
from mseg_wizard.labels.readers.label_reader import LabelToRemap, RemapRecipe
from mseg_wizard.labels.readers.panoptic import SegmentTable
from mseg_wizard.labels.records import Update
from mseg_wizard.labels.relabeling import LABEL_ITSELF
from mseg_wizard.labels.remap import apply_table, count_unnamed
from mseg_wizard.progress import Problem
from mseg_wizard.verification.map_faults import MadeMap, Shape, class_of, faults_of, size_words

IMAGE, RAW, MASK = -3, -2, -1
"""Stand for the files that are no made label map, where those are told by their position."""

Faults: TypeAlias = dict[int, list[str]]
"""Position of a made map, or IMAGE, RAW, MASK → what is wrong with it; goes on after the file's name."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How the labels of one dataset are checked: all that a worker needs to know."""

    recipe: RemapRecipe | None
    """How raw labels are read; None where they are gone."""
    made: tuple[MadeMap, ...]
    of: tuple[int | None, ...]
    """For each made map the position of that which it is made from, an earlier one or RAW; None where that is gone."""


class PixelToCheck(NamedTuple):
    """A pixel of a made map that must show a class."""

    position: int
    segment: int
    row: int
    column: int
    name: str


class ImageToCheck(NamedTuple):
    """One image; None for each file that is not there or not asked for."""

    key: str
    """Names the image."""
    image: str | None
    raw: str | None = None
    maps: tuple[str | None, ...] = ()
    """One for each of the rules' made maps."""
    segments: SegmentTable = b""
    """COCO: the annotation of this image."""
    masks: str | None = None
    """The file that tells where segments are, where that is not the label map itself."""
    updates: Mapping[int, tuple[Update, ...]] = {}
    """Position of a relabelled map → its updates."""
    pixels: tuple[PixelToCheck, ...] = ()


class CheckedImage(NamedTuple):
    """What became of one image."""

    faults: tuple[tuple[int, str], ...] = ()
    """As in `Faults`, one line a file."""
    raw: int = 0
    maps: int = 0
    """Labels that were decoded."""
    segments: int = 0
    """Segments that were compared, once for each map that shows them."""
    pixels: int = 0
    unnamed: int = 0
    """Pixels of the raw label whose id no class has."""
    uncolored: int = 0
    """The same for colours."""
    odd_size: bool = False
    """A label that stays as it came has another size than its image."""
    image: bool = False
    """There is a photograph."""
    stamps: tuple[int, ...] = ()
    """Of its files, before any was read."""


def stamps(item: ImageToCheck) -> tuple[int, ...]:
    """Size and time of change (ns) of photograph, raw label, maps and mask; -1 twice for each that isn't there."""
    found: list[int] = []
    for path in (item.image, item.raw, *item.maps, item.masks):
        try:
            if path is None:
                found += (-1, -1)
                continue
            state = os.stat(path)  # noqa: PTH116 - a million times
            found += (state.st_size, state.st_mtime_ns)
        except OSError:
            found += (-1, -1)
    return tuple(found)


def check(rules: Rules, item: ImageToCheck) -> CheckedImage:
    """Read every label of one image once and compare: each made map with what the raw label gives, pixel by pixel."""
    faults: Faults = {}
    before = stamps(item)
    shape = _image(item, faults)
    raw, uncolored = _raw(rules, item, faults)
    seen_raw = int(raw is not None)
    unnamed = count_unnamed(raw, len(rules.recipe.names)) if raw is not None and rules.recipe else 0
    stored = _maps(rules, item, faults)
    odd_size = raw is not None and shape is not None and raw.shape != shape
    if raw is not None and shape is not None and odd_size and rules.made:
        raw, shape = _size_mismatch(raw, shape, stored, faults)
    due: dict[int, Ids] = {}
    masks: dict[str, PixelsBySegment] = {}
    segments = 0
    for position, made in enumerate(rules.made):
        of, updates = rules.of[position], item.updates.get(position, ())
        # What was computed from the raw label; a stored map only where the raw label is gone, and only a faultless one.
        source = raw if of == RAW else due.get(of, None if of in faults else stored.get(of)) if of is not None else None
        if source is not None and (wanted := _due(made, item, source, updates, masks, faults)) is not None:
            due[position] = wanted
        if position in stored:
            found = masks.get(made.masks, {}) if position in due else {}
            if what := faults_of(made, stored[position], due.get(position), shape, updates, found):
                faults[position] = [what]
            segments += len(found)
    pixels = _pixels(rules, item, stored, faults)
    lines = tuple((position, "; ".join(dict.fromkeys(what))) for position, what in sorted(faults.items()))
    odd_size = odd_size and not rules.made
    there = item.image is not None
    return CheckedImage(lines, seen_raw, len(stored), segments, pixels, unnamed, uncolored, odd_size, there, before)


def short(problem: Problem, path: str) -> str:
    """What a problem says about the file at `path`, to go on after the file's name."""
    return problem.what.removeprefix(f"{path}: ").removeprefix(f"{path} ").rstrip(".")


def _image(item: ImageToCheck, faults: Faults) -> Shape | None:
    if item.image is not None:
        try:
            return image_shape(item.image)
        except Problem as problem:
            faults[IMAGE] = [short(problem, item.image)]
    return None


def _raw(rules: Rules, item: ImageToCheck, faults: Faults) -> tuple[Ids | None, int]:
    """The raw label's ids, and how many of its pixels have a colour that no class has."""
    if rules.recipe is not None and item.raw is not None:
        try:
            return rules.recipe.reader.read(rules.recipe, LabelToRemap(item.raw, (), item.segments))
        except Problem as problem:
            faults[RAW] = [short(problem, item.raw)]
    return None, 0


def _maps(rules: Rules, item: ImageToCheck, faults: Faults) -> dict[int, Ids]:
    """The made maps that can be read, by position."""
    stored = {}
    for position, path in enumerate(item.maps):
        if path is not None:
            try:
                stored[position] = read_made(path, rules.made[position].depth)
            except Problem as problem:
                faults[position] = [short(problem, path)]
    return stored


def _size_mismatch(raw: Ids, shape: Shape, stored: Mapping[int, Ids], faults: Faults) -> tuple[Ids | None, Shape]:
    """A raw label and its image differ in size: of the two, that one is at fault which no made map goes with."""
    if any(ids.shape == shape for ids in stored.values()):
        faults[RAW] = [f"is {size_words(raw.shape)} pixels, its image {size_words(shape)}"]
        return None, shape
    faults[IMAGE] = [f"is {size_words(shape)} pixels, its label {size_words(raw.shape)}"]
    return raw, raw.shape


def _due(
    made: MadeMap,
    item: ImageToCheck,
    source: Ids,
    updates: tuple[Update, ...],
    masks: dict[str, PixelsBySegment],
    faults: Faults,
) -> Ids | None:
    """What a made map must hold; None where that can't be told.

    `masks`: the segments' pixels, filled here once an image.
    """
    try:
        due = source if made.table is None else apply_table(source, made.table, "it")
    except Problem as problem:
        faults.setdefault(RAW, []).append(short(problem, ""))
        return None
    if not updates:
        return due
    if item.masks is None and made.masks != LABEL_ITSELF:
        return None
    try:
        if made.masks not in masks:
            masks[made.masks] = segment_pixels(
                made.masks, item.masks or "", source, [update.segment for update in updates]
            )
    except Problem as problem:
        faults.setdefault(MASK, []).append(short(problem, item.masks or ""))
        return None
    relabeled = np.array(due, np.uint8)
    if what := write_updates(relabeled, updates, masks[made.masks], strict=made.strict, fewest=made.fewest):
        faults.setdefault(MASK, []).extend(what)
    return relabeled


def _pixels(rules: Rules, item: ImageToCheck, stored: Mapping[int, Ids], faults: Faults) -> int:
    """Compare the targeted pixels; returns how many were looked at."""
    seen = 0
    for pixel in item.pixels:
        made, ids = rules.made[pixel.position], stored.get(pixel.position)
        if ids is None:
            continue
        seen += 1
        inside = pixel.row < ids.shape[0] and pixel.column < ids.shape[1]
        shown = class_of(made, int(ids[pixel.row, pixel.column])) if inside else "nothing"
        if shown != pixel.name:
            where = f"row {pixel.row}, column {pixel.column}, in segment {pixel.segment}"
            what = f"shows {shown} instead of {pixel.name} at a pixel that MSeg's authors looked at ({where})"
            faults.setdefault(pixel.position, []).append(what)
    return seen
