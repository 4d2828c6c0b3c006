"""What is to be looked at, one dataset at a time: every listed
file, what belongs to which image, and what is missing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mseg_wizard.context import Context
from mseg_wizard.core.background import looked, looking_through
from mseg_wizard.datasets.dataset import Dataset
from mseg_wizard.datasets.inventory import FolderListings
from mseg_wizard.datasets.label_paths import mask_files
from mseg_wizard.labels.readers.label_reader import Annotation
from mseg_wizard.labels.records import Update, image_keys, updates
from mseg_wizard.labels.relabeling import LABEL_ITSELF, Relabeling
from mseg_wizard.labels.remap import remap_recipe
from mseg_wizard.labels.taxonomy import IGNORED, LISTS, SPLITS, UNLABELED, MsegApiTree
from mseg_wizard.progress import Problem
from mseg_wizard.step import Call
from mseg_wizard.verification.checks import IMAGE, MASK, RAW, ImageToCheck, PixelToCheck, Rules, short
from mseg_wizard.verification.map_faults import MadeMap
from mseg_wizard.verification.verdict import MISSING, Fault


@dataclass(slots=True)
class ListedImage:
    """What the lists say of one image; paths are below the dataset's root."""

    split: str
    """The first list that names it."""
    labels: list[str | None]
    """The raw label, then the made maps in the dataset's order."""


@dataclass
class Plan:
    """One dataset's images and all that belongs to each."""

    dataset: Dataset
    root: str
    """Below mseg_dataset/."""
    images: dict[str, ListedImage] = field(default_factory=dict)
    updates: dict[str, dict[int, tuple[Update, ...]]] = field(default_factory=dict)
    """Image → position of a relabelled map → its updates."""
    pixels: dict[str, list[PixelToCheck]] = field(default_factory=dict)
    segments: dict[str, Annotation] = field(default_factory=dict)
    """Image → its annotation, where the raw form has such."""
    masks: dict[str, str] = field(default_factory=dict)
    """Image with updates → the file that tells its segments apart, where that is not the label map itself."""
    gone: set[str] = field(default_factory=set)
    """Files that are not there."""
    faults: list[Fault] = field(default_factory=list)
    """Found without reading any image: what is missing although its call was finished."""
    absent: int = 0
    """Rows of test lists whose files no archive brings."""

    def items(self, ctx: Context, without: Container[str] = ()) -> Iterator[ImageToCheck]:
        """What the workers are given, image by image; leaves out those whose names are in `without`."""
        for image in self.images:
            if image in without:
                continue
            item = ImageToCheck(
                image,
                self._there(ctx, self.file(image, IMAGE)),
                self._there(ctx, self.file(image, RAW))
                if image in self.segments or not self.dataset.form.annotations
                else None,
                tuple(self._there(ctx, self.file(image, position)) for position in range(len(self.dataset.made))),
                self.segments.get(image, b""),
                self._there(ctx, self.file(image, MASK)),
                self.updates.get(image, {}),
                tuple(self.pixels.get(image, ())),
            )
            if item.image or item.raw or any(item.maps):
                yield item

    def file(self, image: str, position: int) -> str | None:
        """Path below mseg_dataset/ of one of an image's files; None where there is none."""
        listed = self.images[image]
        if position == IMAGE:
            return f"{self.root}/{image}"
        if position == RAW:
            label = listed.labels[0]
            return None if label is None or self.dataset.consumed else f"{self.root}/{self.dataset.raw_of(label)}"
        if position == MASK:
            return self.masks.get(image)
        label = listed.labels[1 + position]
        return label and f"{self.root}/{label}"

    def files(self) -> Iterator[str]:
        """All of them, and what describes the raw labels of a folder."""
        described = set()
        for image in self.images:
            for position in (IMAGE, RAW, MASK):
                if path := self.file(image, position):
                    yield path
                    if position == RAW and self.dataset.form.annotations:
                        described.add(f"{path.rpartition('/')[0]}.json")
        yield from described

    def call(self, image: str, position: int) -> Call | None:
        """What brings or makes that file."""
        listed = self.images[image]
        if position >= 0:
            return self.dataset.made[position][2]
        if position == IMAGE:
            return self.dataset.bringer("image", image, listed.split)
        masks = self.dataset.bringer("records", "", listed.split) if position == MASK else None
        return masks or self.dataset.bringer("label", listed.labels[0] or "", listed.split)

    def annotation_files(self) -> dict[str, list[str]]:
        """What describes the raw labels of a folder, below mseg_dataset/ → the images whose labels it describes."""
        files: dict[str, list[str]] = {}
        for image in self.images:
            if raw := self.file(image, RAW):
                files.setdefault(f"{raw.rpartition('/')[0]}.json", []).append(image)
        return files

    def describe(self, images: Sequence[str], found: Mapping[str, Annotation]) -> None:
        """Take what such a file says: name of a raw label → its annotation."""
        for image in images:
            raw = self.file(image, RAW) or ""
            if (name := raw.rpartition("/")[2]) in found:
                self.segments[image] = found[name]
            elif found:
                self.faults.append(self.fault(image, RAW, "is not described by its annotation file"))

    def undescribed(self, ctx: Context, file: str, images: Sequence[str], why: str) -> None:
        """Such a file can't be read: that is one fault, and what it describes is checked without it."""
        call = self.call(images[0], RAW)
        if call is None or ctx.store.journal.done(call.key):
            what = short(Problem(why), f"{ctx.dataset_folder}/{file}")
            self.faults.append(Fault(file, what, call.key if call else ""))

    def fault(self, image: str, position: int, what: str) -> Fault:
        """The fault of one of an image's files; masks that lie in no file of their own are the raw label's."""
        file = self.file(image, position) or self.file(image, RAW) or self.file(image, IMAGE) or ""
        call = self.call(image, position)
        return Fault(file, what, call.key if call else "")

    def _there(self, ctx: Context, path: str | None) -> str | None:
        return f"{ctx.dataset_folder}/{path}" if path and path not in self.gone else None


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
    if made.updates:
        _find_masks(ctx, made)
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
    columns = 1 + len(made.dataset.made)
    for split in _splits(tree, taxonomy):
        labelled = split in made.dataset.splits
        for row in looking_through(tree.rows(taxonomy, split)):
            if not labelled and row.label is not None:
                made.absent += column == 0
                continue
            listed = made.images.get(row.image)
            if listed is None:
                listed = made.images[row.image] = ListedImage(split, [None] * columns)
            if labelled:
                listed.labels[column] = row.label


def _read_records(made: Plan, tree: MsegApiTree, how: Relabeling, before: str, position: int) -> None:
    """The updates and targeted pixels of one relabelled taxonomy, by image."""
    found, relabeled = updates(tree, how, before, lambda done, total: looked(1)), f"{before}-relabeled"
    known_pixels = how.pixels if before == how.taxonomies[0] else ()
    targeted = [pixel for pixel in known_pixels if pixel.name in tree.names(relabeled)]
    known = {pixel.place for pixel in targeted}
    for split in SPLITS:
        rows = zip(tree.rows(relabeled, split), image_keys(tree, relabeled, split), strict=True)
        for row, place in looking_through(rows):
            if place in found:
                made.updates.setdefault(row.image, {})[position] = tuple(found[place])
            if place in known:
                made.pixels.setdefault(row.image, []).extend(
                    PixelToCheck(position, pixel.segment, pixel.row, pixel.column, pixel.name)
                    for pixel in targeted
                    if pixel.place == place
                )


def _find_masks(ctx: Context, made: Plan) -> None:
    how = made.dataset.relabeling
    if how is None or how.masks == LABEL_ITSELF:
        return
    mask_of = mask_files(ctx, how)
    for image in looking_through(made.updates):
        found = mask_of(image)
        # Some are looked up at any depth; a name for one that was not found.
        made.masks[image] = posixpath.normpath(f"{made.root}/{found}") if found else made.dataset.masks_named(image)


def _find_missing(ctx: Context, made: Plan) -> None:
    """Which files are there. What its call has still to bring or make is not missed."""
    folders = FolderListings(ctx.dataset_folder)
    done = ctx.store.journal.done
    positions = (IMAGE, RAW, MASK, *range(len(made.dataset.made)))
    for image in made.images:
        for position in positions:
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
