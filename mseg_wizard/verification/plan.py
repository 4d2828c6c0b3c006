"""What is to be looked at, one dataset at a time: every listed
file, what belongs to which image, and what is missing.
"""

from __future__ import annotations

import posixpath
from array import array
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import AnyStr, Generic

from mseg_wizard.context import Context
from mseg_wizard.core.background import looked, looking_through
from mseg_wizard.datasets.dataset import Dataset
from mseg_wizard.datasets.inventory import FolderListings
from mseg_wizard.datasets.label_paths import mask_files
from mseg_wizard.labels.readers.label_reader import Annotation
from mseg_wizard.labels.records import Update, image_key, updates
from mseg_wizard.labels.relabeling import LABEL_ITSELF, Relabeling
from mseg_wizard.labels.remap import remap_recipe
from mseg_wizard.labels.taxonomy import IGNORED, LISTS, SPLITS, UNLABELED, MsegApiTree
from mseg_wizard.progress import Problem
from mseg_wizard.step import Call
from mseg_wizard.verification.checks import IMAGE, MASK, RAW, ImageToCheck, PixelToCheck, Rules, short
from mseg_wizard.verification.map_faults import MadeMap
from mseg_wizard.verification.verdict import MISSING, Fault


class Packed(Generic[AnyStr]):
    """Texts or bytes by number, None where there is none: kept as one, as a hundred thousand objects take three times
    the memory.
    """

    def __init__(self, values: Iterable[AnyStr | None], empty: AnyStr) -> None:
        starts, lengths, at = array("Q"), array("q"), 0
        kept: list[AnyStr] = []
        for value in values:
            starts.append(at)
            lengths.append(-1 if value is None else len(value))
            if value:
                kept.append(value)
                at += len(value)
        self._starts, self._lengths = starts, lengths
        self._all: AnyStr = empty.join(kept)

    def __getitem__(self, number: int) -> AnyStr | None:
        if number >= len(self._lengths) or (length := self._lengths[number]) < 0:
            return None
        start = self._starts[number]
        return self._all[start : start + length]


@dataclass
class Plan:
    """One dataset's images and all that belongs to each. Of COCO's 120,000 it takes some 90 MB."""

    dataset: Dataset
    root: str
    """Below mseg_dataset/."""
    images: dict[str, int] = field(default_factory=dict)
    """Image, as its path below the dataset's root → its number, in the order of the lists."""
    splits: bytearray = field(default_factory=bytearray)
    """By number: the first list that names it, as its place in LISTS."""
    labels: list[Packed[str]] = field(default_factory=list)
    """By number: the raw label; then for each made map, in the dataset's order, that; below the dataset's root."""
    updates: dict[int, dict[str, tuple[Update, ...]]] = field(default_factory=dict)
    """Position of a relabelled map → image → its updates."""
    pixels: dict[str, list[PixelToCheck]] = field(default_factory=dict)
    segments: Packed[Annotation] = field(default_factory=lambda: Packed((), b""))
    """By number: the annotation, where the raw form has such."""
    mask_of: Callable[[str], str] | None = None
    """Finds the file that tells the segments of an image apart; None where that is the label map itself."""
    gone: set[str] = field(default_factory=set)
    """Files that are not there."""
    faults: list[Fault] = field(default_factory=list)
    """Found without reading any image: what is missing although its call was finished."""
    absent: int = 0
    """Rows of test lists whose files no archive brings."""

    def items(self, ctx: Context, without: Container[str] = ()) -> Iterator[ImageToCheck]:
        """What the workers are given, image by image; leaves out those whose names are in `without`."""
        top, annotated = f"{ctx.dataset_folder}/", self.dataset.form.annotations is not None
        for image, number in self.images.items():
            if image in without:
                continue
            files = [f"{top}{path}" if path and path not in self.gone else None for path in self.files_of(image)]
            photo, raw, mask, *maps = files
            segments = self.segments[number]
            if annotated and segments is None:
                raw = None
            updates = {position: found[image] for position, found in self.updates.items() if image in found}
            pixels = tuple(self.pixels.get(image, ()))
            if photo or raw or any(maps):
                yield ImageToCheck(image, photo, raw, tuple(maps), segments or b"", mask, updates, pixels)

    def files_of(self, image: str) -> tuple[str | None, ...]:
        """Paths below mseg_dataset/ of photograph, raw label, masks and made maps; None where there is none."""
        return tuple([self.file(image, position) for position in self.positions])

    @property
    def positions(self) -> range:
        """Of an image's files, in that order."""
        return range(IMAGE, len(self.labels) - 1)

    def file(self, image: str, position: int) -> str | None:
        """One of them; masks only of an image with updates."""
        number = self.images[image]
        if position == IMAGE:
            return f"{self.root}/{image}"
        if position == RAW:
            return self._raw(number)
        if position == MASK:
            return self._mask(image)
        label = self.labels[1 + position][number]
        return label and f"{self.root}/{label}"

    def _raw(self, number: int) -> str | None:
        label = self.labels[0][number]
        return None if label is None or self.dataset.consumed else f"{self.root}/{self.dataset.raw_of(label)}"

    def _mask(self, image: str) -> str | None:
        if self.mask_of is None or not any(image in found for found in self.updates.values()):
            return None
        mask = self.mask_of(image)
        # Some are looked up at any depth; a name for one that was not found.
        return posixpath.normpath(f"{self.root}/{mask}") if mask else self.dataset.masks_named(image)

    def files(self) -> Iterator[str]:
        """All of them but the made maps, and what describes the raw labels of a folder."""
        described = set()
        for image in self.images:
            photo, raw, mask, *_ = self.files_of(image)
            yield from filter(None, (photo, raw, mask))
            if raw and self.dataset.form.annotations:
                described.add(f"{raw.rpartition('/')[0]}.json")
        yield from described

    def call(self, image: str, position: int) -> Call | None:
        """What brings or makes that file."""
        number = self.images[image]
        split = LISTS[self.splits[number]]
        if position >= 0:
            return self.dataset.made[position][2]
        if position == IMAGE:
            return self.dataset.bringer("image", image, split)
        masks = self.dataset.bringer("records", "", split) if position == MASK else None
        return masks or self.dataset.bringer("label", self.labels[0][number] or "", split)

    def annotation_files(self) -> dict[str, list[str]]:
        """What describes the raw labels of a folder, below mseg_dataset/ → the images whose labels it describes."""
        files: dict[str, list[str]] = {}
        for image, number in self.images.items():
            if raw := self._raw(number):
                files.setdefault(f"{raw.rpartition('/')[0]}.json", []).append(image)
        return files

    def describe(self, files: Mapping[str, Sequence[str]], found: Mapping[str, Mapping[str, Annotation]]) -> None:
        """Take what such files say: each one's path → name of a raw label → its annotation. `files`: as above."""
        segments: list[Annotation | None] = [None] * len(self.images)
        for file, described in found.items():
            for image in files[file] if described else ():
                number = self.images[image]
                name = (self._raw(number) or "").rpartition("/")[2]
                segments[number] = annotation = described.get(name)
                if annotation is None:
                    self.faults.append(self.fault(image, RAW, "is not described by its annotation file"))
        self.segments = Packed(segments, b"")

    def undescribed(self, ctx: Context, file: str, images: Sequence[str], why: str) -> None:
        """Such a file can't be read: that is one fault, and what it describes is checked without it."""
        call = self.call(images[0], RAW)
        if call is None or ctx.store.journal.done(call.key):
            what = short(Problem(why), f"{ctx.dataset_folder}/{file}")
            self.faults.append(Fault(file, what, call.key if call else ""))

    def forget_checks(self) -> None:
        """Let go of what only the checks of its images need, 35 MB of COCO's 90: which files there are stays known."""
        self.updates, self.segments = {}, Packed((), b"")

    def fault(self, image: str, position: int, what: str) -> Fault:
        """The fault of one of an image's files; masks that lie in no file of their own are the raw label's."""
        file = self.file(image, position) or self.file(image, RAW) or self.file(image, IMAGE) or ""
        call = self.call(image, position)
        return Fault(file, what, call.key if call else "")


def make_plan(ctx: Context, dataset: Dataset) -> Plan:
    """Read the lists and records, list the folders. Takes seconds for the largest dataset."""
    made = Plan(dataset, ctx.tree.root(dataset.raw))
    for column, (taxonomy, before) in enumerate(
        [(dataset.raw, ""), *((name, before) for name, before, _ in dataset.made)]
    ):
        looked(0)
        # A tree of its own for each: the lists are let go once they were gone through.
        tree = MsegApiTree(ctx.tree_folder)
        _read_lists(made, tree, taxonomy, column)
        if before and made.dataset.relabeling:
            _read_records(made, tree, made.dataset.relabeling, before, column - 1)
    looked(0)
    how = dataset.relabeling
    if made.updates and how and how.masks != LABEL_ITSELF:
        made.mask_of = mask_files(ctx, how)
    _find_missing(ctx, made)
    return made


def count_images(ctx: Context, dataset: Dataset) -> int:
    """How many images the dataset's plan will have."""
    tree = MsegApiTree(ctx.tree_folder)
    found = set()
    for split in _splits(tree, dataset.raw):
        found |= {row.image for row in tree.rows(dataset.raw, split) if split in dataset.splits or row.label is None}
    return len(found)


def _splits(tree: MsegApiTree, taxonomy: str) -> list[str]:
    return [split for split in LISTS if split in tree.splits(taxonomy)]


def _read_lists(made: Plan, tree: MsegApiTree, taxonomy: str, column: int) -> None:
    labels: list[str | None] = [None] * len(made.images)
    for split in _splits(tree, taxonomy):
        labelled = split in made.dataset.splits
        for row in looking_through(tree.rows(taxonomy, split)):
            if not labelled and row.label is not None:
                made.absent += column == 0
                continue
            number = made.images.setdefault(row.image, len(labels))
            if number == len(labels):
                labels.append(None)
                made.splits.append(LISTS.index(split))
            if labelled:
                labels[number] = row.label
    made.labels.append(Packed(labels, ""))


def _read_records(made: Plan, tree: MsegApiTree, how: Relabeling, before: str, position: int) -> None:
    """The updates and targeted pixels of one relabelled taxonomy, by image."""
    found, relabeled = updates(tree, how, before, lambda done, total: looked(1)), f"{before}-relabeled"
    known_pixels = how.pixels if before == how.taxonomies[0] else ()
    targeted = [pixel for pixel in known_pixels if pixel.name in tree.names(relabeled)]
    known = {pixel.place for pixel in targeted}
    for split in SPLITS:
        for row in looking_through(tree.rows(relabeled, split)):
            place = image_key(split, row)
            if place in found:
                made.updates.setdefault(position, {})[row.image] = found[place]
            if place in known:
                made.pixels.setdefault(row.image, []).extend(
                    PixelToCheck(position, pixel.segment, pixel.row, pixel.column, pixel.name)
                    for pixel in targeted
                    if pixel.place == place
                )


def _find_missing(ctx: Context, made: Plan) -> None:
    """Which files are there. What its call has still to bring or make is not missed."""
    done = ctx.store.journal.done
    for position in made.positions:
        folders = FolderListings(ctx.dataset_folder)  # of COCO's five folders all names at once would take 60 MB
        for image in made.images:
            path = made.file(image, position)
            if path is None or path in made.gone or folders.has(path):
                continue
            made.gone.add(path)
            call = made.call(image, position)
            if call is None or done(call.key):
                made.faults.append(made.fault(image, position, MISSING))


def rules_of(ctx: Context, dataset: Dataset) -> Rules:
    """How the dataset's labels are checked."""
    tree, reader = ctx.tree, dataset.reader
    read = dataset.targets[0] if dataset.form.dump else dataset.raw
    positions = {dataset.raw: RAW} | {taxonomy: number for number, (taxonomy, _, _) in enumerate(dataset.made)}
    made: list[MadeMap] = []
    of: list[int | None] = []
    for target in dataset.targets:
        names = tree.names(target)
        if target == read:
            partial = dataset.form.partial or UNLABELED not in names
            made.append(MadeMap(target, names, None, partial, 16 if len(names) > IGNORED else 8))
            of.append(None if dataset.consumed else RAW)
        else:
            table = tree.table(read, target).values
            made.append(MadeMap(target, names, table.tobytes(), IGNORED in table))
            of.append(positions[read])
    for taxonomy, call in dataset.relabels:
        relabeled, how = f"{taxonomy}-relabeled", call.args
        table = tree.table(taxonomy, relabeled).values
        made.append(
            MadeMap(
                relabeled, tree.names(relabeled), table.tobytes(), masks=how.masks, strict=how.strict, fewest=how.fewest
            )
        )
        of.append(positions[taxonomy])
    return Rules(
        None if dataset.consumed else remap_recipe(tree, reader, dataset.raw, dataset.targets), tuple(made), tuple(of)
    )
