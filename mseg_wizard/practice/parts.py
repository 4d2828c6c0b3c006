"""What one dataset gives to the practice world, and the maker that all draw from.

The datasets are in datasets_open and datasets_registered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from mseg_wizard.practice.classes import CLASS_SEGMENTS, SUBCLASSES, relabeled
from mseg_wizard.practice.pixels import Scene, Thing, scene


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of an image that a record may give a new class."""

    table: str
    """Which records it belongs to: "ade20k" for ade20k_update_records."""
    split: str
    line: str
    """Its line in a file of relabeled_data."""
    old: str
    """Its class after the table X → X-relabeled."""


@dataclass
class DatasetContent:
    """One dataset: its archives' members, its lists' rows, its segments."""

    archives: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    rows: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    """(raw taxonomy, split) → rows of its list."""
    segments: list[Segment] = field(default_factory=list)


@dataclass(frozen=True)
class DatasetMaker:
    """The seed, how many images, and the classes."""

    seed: int
    images: int
    names: Mapping[str, Sequence[str]]

    def random(self, *what: object) -> Random:
        """Chance that depends on the seed and on what it is for, on nothing
        else: a dataset's pixels stay the same when another changes.
        """
        return Random("/".join(map(str, (self.seed, *what))))  # noqa: S311  (pixels, not keys)

    def numbers(self, split: str) -> range:
        """Running numbers of a split's images, from 1."""
        return range(1, 1 + {"train": self.images, "val": max(2, self.images // 2), "test": 2}[split])

    def scene(self, taxonomy: str, split: str, number: int) -> Scene:
        """An image's scene, in classes of a raw taxonomy."""
        words = [word for word in self.names[taxonomy] if word.lower() not in ("unlabeled", "background")]
        return scene(self.random(taxonomy, split, number), words, list(SUBCLASSES), number)

    def ids(self, taxonomy: str, things: Iterable[Thing]) -> list[int]:
        """The things' class ids."""
        place = {word: index for index, word in reversed(list(enumerate(self.names[taxonomy])))}
        return [place[thing.word] for thing in things]

    def to_relabel(self, taxonomy: str, seen: Scene) -> dict[int, str]:
        """The things of a scene that records may name (index → class
        after the table): big enough, of a class that is split.
        """
        known = set(self.names[taxonomy])
        return {
            index: relabeled(thing.word)
            for index, thing in seen.visible()
            if thing.word in known and thing.word.split()[-1] in SUBCLASSES
        }

    def class_segments(self, table: str, taxonomy: str, split: str, stem: str, seen: Scene) -> list[Segment]:
        """Segments where a class as a whole is one: each class of an image counts once."""
        places = CLASS_SEGMENTS[taxonomy]
        words = {seen.things[index].word: old for index, old in self.to_relabel(taxonomy, seen).items()}
        return [
            Segment(table, split, f"{stem}_{places[word]}.jpg", old) for word, old in words.items() if word in places
        ]
