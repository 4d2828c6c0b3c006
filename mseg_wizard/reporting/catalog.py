"""The datasets and their sets of classes: what is listed, what is there, and which images are shown and counted.

Nothing is drawn here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from mseg_wizard.context import Context
from mseg_wizard.datasets.dataset import Dataset, datasets_in
from mseg_wizard.datasets.inventory import FolderListings
from mseg_wizard.labels.taxonomy import IGNORED, LISTS, SPLITS, UNLABELED, MsegApiTree
from mseg_wizard.labels.universal import UniversalClass, universal_classes, universal_ids
from mseg_wizard.progress import Problem
from mseg_wizard.reporting.palette import NOTHING, Colors, colors_of, palette_of
from mseg_wizard.reporting.pictures import LabelStyle, PictureJob

PICTURES = "pictures"
"""Folder of the pictures, beside the page."""
SHOWN = 5
"""Images of each list that are drawn."""
COUNTED = 500
"""Label maps of each taxonomy whose pixels are counted, at most: a
minute or two for all of MSeg, and enough for what is not rare.
"""
T = TypeVar("T")


@dataclass(frozen=True)
class SplitSummary:
    """One list, each row once."""

    name: str
    images: int
    images_there: int
    labels: int
    """0 where the list names images only."""
    labels_there: int
    shots: tuple[PictureJob, ...] = ()

    @property
    def words(self) -> str:
        """For a table: how many, and how many of them are there."""
        there, listed = (self.labels_there, self.labels) if self.labels else (self.images_there, self.images)
        return (f"{listed:,}" if there == listed else f"{there:,} of {listed:,}") + ("" if self.labels else " images")


@dataclass(frozen=True)
class TaxonomySummary:
    """One set of classes with its label maps."""

    name: str
    meaning: str
    use: str
    """What MSeg reads it for; empty where it is a step on the way."""
    root: str
    """Below mseg_dataset/."""
    example: str
    """A label map, below the root."""
    names: tuple[str, ...]
    colors: Colors
    universal: tuple[tuple[int, ...], ...]
    """For each class the universal ids that it has part in."""
    splits: tuple[SplitSummary, ...]
    drawn: bool
    """Its label maps are shown."""
    sample: tuple[str, ...] = ()
    """Label maps whose pixels are counted."""
    labels_there: int = 0
    """Label maps of all train and val lists that are there."""

    @property
    def classes(self) -> list[tuple[int, str, str]]:
        """(id, name, colour as #rrggbb); 255, where it stands for no class, comes last."""
        rows = [
            (id_, name, f"#{bytes(color).hex()}")
            for id_, (name, color) in enumerate(zip(self.names, self.colors, strict=True))
        ]
        return rows if len(self.names) > IGNORED else [*rows, (IGNORED, UNLABELED, f"#{bytes(NOTHING).hex()}")]

    def counts(self, split: str) -> SplitSummary | None:
        return next((row for row in self.splits if row.name == split), None)


@dataclass(frozen=True)
class DatasetSummary:
    """One dataset with its sets of classes, those on the way first."""

    title: str
    use: str
    """"training" or "testing"."""
    taxonomies: tuple[TaxonomySummary, ...]


def survey(ctx: Context) -> tuple[DatasetSummary, ...]:
    """Go through all lists and folders: seconds on the full data."""
    return tuple(_Survey(ctx, dataset).summary() for dataset in datasets_in(ctx.steps))


def shared_classes(tree: MsegApiTree) -> tuple[UniversalClass, ...]:
    """The classes that all training sets share; none where the tree has no table of them that can serve."""
    try:
        return universal_classes(tree)
    except Problem:
        return ()


def meaning(dataset: Dataset, name: str) -> str:
    """What the name of a set of classes means."""
    if name.endswith("-relabeled"):
        return "with MSeg's relabelled segments"
    if dataset.targets and name == dataset.targets[0] and dataset.form.dump:
        return "class numbers out of the dataset's own form"
    if name == dataset.raw:
        return "as the dataset brings it"
    return "class numbers as MSeg's code wants them"


def chain_of(dataset: Dataset, name: str) -> list[str]:
    """The taxonomies that `name` was made from, one after the other, and itself."""
    before = name.removesuffix("-relabeled")
    made = [dataset.raw, *dataset.targets]
    chain = made[: made.index(before) + 1] if before in made else made
    return list(dict.fromkeys([*chain, name]))


class _Survey:
    """One dataset while its lists are gone through."""

    def __init__(self, ctx: Context, dataset: Dataset) -> None:
        self.ctx, self.dataset = ctx, dataset
        self.root = ctx.tree.root(dataset.raw)
        self.folders = FolderListings(ctx.dataset_folder)
        self.photos: dict[str, str] = {}
        """Image → file of its picture, which all its labels share."""

    def summary(self) -> DatasetSummary:
        relabeled = [taxonomy for taxonomy, _ in self.dataset.relabels]
        final = [f"{taxonomy}-relabeled" for taxonomy in relabeled] or [self._usual]
        use = "training" if relabeled else "testing"
        names = dict.fromkeys([self.dataset.raw, *self.dataset.targets, *relabeled, *final])
        drawn = {*relabeled, *final}
        return DatasetSummary(
            self.dataset.title,
            use,
            tuple(self._taxonomy(name, use if name in final else "", name in drawn) for name in names),
        )

    @property
    def _usual(self) -> str:
        """The taxonomy that is used where nothing is relabelled."""
        return self.dataset.targets[-1] if self.dataset.targets else self.dataset.raw

    def _taxonomy(self, name: str, use: str, drawn: bool) -> TaxonomySummary:
        tree = self.ctx.tree
        colors, names = colors_of(tree, chain_of(self.dataset, self._same(tree, name))), tree.names(name)
        brush = LabelStyle(name, names, palette_of(colors).tobytes()) if drawn else None
        splits = tuple(self._split(tree, name, split, brush) for split in LISTS if split in tree.splits(name))
        rows = [
            row.label
            for split in splits
            if split.name in SPLITS
            for row in tree.unique_rows(name, split.name)
            if row.label
        ]
        there = [
            f"{self.ctx.dataset_folder}/{self.root}/{label}"
            for label in dict.fromkeys(rows)
            if drawn and self._has(label)
        ]
        return TaxonomySummary(
            name, meaning(self.dataset, name), use, self.root, rows[0] if rows else "", names, colors,
            self._universal(tree, name), splits, drawn,
            tuple(_spread(there, COUNTED)), len(there),
        )  # fmt: skip

    def _same(self, tree: MsegApiTree, name: str) -> str:
        """The taxonomy that has the same classes and says more of them: a raw form, as COCO's, is in no table."""
        following = self.dataset.targets[:1] if name == self.dataset.raw and self.dataset.form.dump else ()
        return next((other for other in following if tree.names(other) == tree.names(name)), name)

    def _universal(self, tree: MsegApiTree, name: str) -> tuple[tuple[int, ...], ...]:
        try:
            return universal_ids(tree, self._same(tree, name))
        except Problem:
            return tuple(() for _ in tree.names(name))

    def _split(self, tree: MsegApiTree, taxonomy: str, split: str, brush: LabelStyle | None) -> SplitSummary:
        rows = tree.unique_rows(taxonomy, split)
        images = {row.image: self._has(row.image) for row in rows}
        labels = {row.label: self._has(row.label) for row in rows if row.label is not None}
        shots: tuple[PictureJob, ...] = ()
        if brush and split in SPLITS:
            whole = [(row.image, row.label) for row in rows if row.label and labels[row.label] and images[row.image]]
            shots = tuple(
                self._shot(f"{taxonomy}-{split}-{number}", *row, brush)
                for number, row in enumerate(_spread(whole, SHOWN), 1)
            )
        return SplitSummary(split, len(images), sum(images.values()), len(labels), sum(labels.values()), shots)

    def _has(self, path: str) -> bool:
        return self.folders.has(f"{self.root}/{path}")

    def _shot(self, stem: str, image: str, label: str, brush: LabelStyle) -> PictureJob:
        first = image not in self.photos
        photo = self.photos.setdefault(image, f"{PICTURES}/{stem}-image.jpg")
        top, beside = f"{self.ctx.dataset_folder}/{self.root}", f"{PICTURES}/{stem}"
        return PictureJob(
            f"{top}/{image}", f"{top}/{label}", brush, photo, f"{beside}-overlay.jpg", f"{beside}-labels.png", first
        )


def _spread(rows: Sequence[T], count: int) -> list[T]:
    """`count` of the rows, evenly spaced; all where there are fewer."""
    count = min(count, len(rows))
    return [rows[(2 * number + 1) * len(rows) // (2 * count)] for number in range(count)]
