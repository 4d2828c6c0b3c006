"""The universal classes one by one: which classes of which datasets became each, how many pixels, the best examples.

How a page shows that is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mseg_wizard.labels.taxonomy import IGNORED
from mseg_wizard.labels.universal import UniversalClass, universal_names
from mseg_wizard.reporting.catalog import DatasetSummary, TaxonomySummary
from mseg_wizard.reporting.palette import color_text, universal_palette
from mseg_wizard.reporting.pictures import PictureJob, PictureResult

EXAMPLES = 6
"""Pictures of each class."""


@dataclass
class Tally:
    """Pixels counted so far in a sample of one taxonomy's label maps."""

    pixels: NDArray[np.int64]
    """For each id from 0 to 255."""
    maps: int = 0
    unreadable: int = 0


@dataclass(frozen=True)
class Example:
    """One picture in which the class is to be seen."""

    taxonomy: TaxonomySummary
    shot: PictureJob
    found: PictureResult
    share: float


@dataclass(frozen=True)
class ClassUse:
    """A class of one taxonomy that has part in a universal one."""

    dataset: DatasetSummary
    taxonomy: TaxonomySummary
    name: str
    others: int
    """Universal classes that have part in it besides."""
    pixels: int
    """In the label maps that were counted."""
    share: float
    """Of those maps' pixels."""
    maps: int


@dataclass(frozen=True)
class ClassFacts:
    """One universal class."""

    row: UniversalClass
    color: str
    uses: tuple[ClassUse, ...]
    examples: tuple[Example, ...]

    @property
    def file(self) -> str:
        return f"{self.row.id}.html"

    @property
    def trained(self) -> int:
        """Pixels in the sets for training, of those that were counted."""
        return sum(use.pixels for use in self.uses if use.taxonomy.use == "training")

    @property
    def words(self) -> str:
        """What a search finds it by."""
        names = " ".join(use.name for use in self.uses if not use.others)
        return f"{self.row.id} {self.row.name} {self.row.synset} {names}".lower()


def class_facts(
    datasets: Sequence[DatasetSummary],
    shared: Sequence[UniversalClass],
    drawn: Mapping[str, PictureResult],
    tallies: Mapping[str, Tally],
) -> list[ClassFacts]:
    """All of them by id; those that no dataset has here, too."""
    colors = universal_palette(len(universal_names(shared)))
    uses: dict[int, list[ClassUse]] = {}
    examples: dict[int, list[Example]] = {}
    for dataset in datasets:
        for taxonomy in dataset.taxonomies:
            if taxonomy.use:
                for id_, use in _uses(dataset, taxonomy, tallies.get(taxonomy.name)):
                    uses.setdefault(id_, []).append(use)
                for id_, example in _examples(taxonomy, drawn):
                    examples.setdefault(id_, []).append(example)
    return [
        ClassFacts(
            row,
            color_text(colors[row.id]),
            tuple(uses.get(row.id, ())),
            tuple(sorted(examples.get(row.id, ()), key=lambda example: -example.share)[:EXAMPLES]),
        )
        for row in shared
        if row.id != IGNORED
    ]


def opening(dataset: DatasetSummary, drawn: Mapping[str, PictureResult]) -> Example | None:
    """The picture that stands for a dataset: the one with most classes."""
    found = [
        Example(taxonomy, shot, drawn[shot.plain], 0.0)
        for taxonomy in dataset.taxonomies
        if taxonomy.use
        for split in taxonomy.splits
        for shot in split.shots
        if not drawn[shot.plain].fault
    ]
    return max(found, key=lambda example: len(example.found.shares), default=None)


def _uses(dataset: DatasetSummary, taxonomy: TaxonomySummary, tally: Tally | None) -> Iterator[tuple[int, ClassUse]]:
    whole = max(1, int(tally.pixels.sum())) if tally else 1
    for id_, (name, universal) in enumerate(zip(taxonomy.names, taxonomy.universal, strict=True)):
        pixels = int(tally.pixels[id_]) if tally and id_ <= IGNORED else 0
        for one in universal:
            maps = tally.maps if tally else 0
            yield one, ClassUse(dataset, taxonomy, name, len(universal) - 1, pixels, pixels / whole, maps)


def _examples(taxonomy: TaxonomySummary, drawn: Mapping[str, PictureResult]) -> Iterator[tuple[int, Example]]:
    for split in taxonomy.splits:
        for shot in split.shots:
            for id_, share in drawn[shot.plain].shares:
                universal = taxonomy.universal[id_] if id_ < len(taxonomy.universal) else ()
                if len(universal) == 1:
                    yield universal[0], Example(taxonomy, shot, drawn[shot.plain], share)
