"""What training code reads of a finished mseg_universal/: the pairs of files, the classes, each dataset's share.

Only Python's own library is loaded; pictures are opened by whoever trains.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import NamedTuple, overload

from mseg_wizard.progress import Problem, printable

UNLABELED_ID = 255
"""The value of pixels that count for nothing."""


class Pair(NamedTuple):
    """One image, its universal label map, and the relabelled taxonomy that its labels come from."""

    image: Path
    label: Path
    dataset: str


class ClassRow(NamedTuple):
    """One universal class."""

    id: int
    name: str
    color: tuple[int, int, int]
    """RGB."""
    synset: str
    definition: str


@dataclass(frozen=True)
class Mseg(Sequence[Pair]):
    """The pairs of one list, "train" or "val", in the order of the file.

    `destination` is the folder that holds mseg_dataset/ and mseg_universal/. Raises Problem where the lists are not
    there.
    """

    destination: Path | str
    split: str = "train"

    def __post_init__(self) -> None:
        _ = self._pairs

    @cached_property
    def classes(self) -> tuple[ClassRow, ...]:
        """By id, without that of unlabeled pixels."""
        rows = (row for row in self._rows("classes.csv") if int(row["id"]) != UNLABELED_ID)
        return tuple(
            ClassRow(int(row["id"]), row["name"], _color(row["color"]), row["synset"], row["definition"])
            for row in rows
        )

    @cached_property
    def counts(self) -> dict[str, int]:
        """Dataset → how many pairs it has here."""
        return dict(Counter(pair.dataset for pair in self._pairs))

    def to_test(self, taxonomy: str) -> list[int]:
        """What each of 256 universal ids is in a test set's taxonomy, such as voc2012; 255 where it is nothing."""
        found = [UNLABELED_ID] * 256
        for row in self._rows("test_mapping.csv"):
            if taxonomy not in row:
                known = ", ".join(name for name in list(row)[2::2])
                raise Problem(f"No test set has the taxonomy {printable(taxonomy)}.", f"There are {known}.")
            found[int(row["id"])] = int(row[taxonomy])
        return found

    def evenly(self, count: int, seed: int = 0) -> Iterator[Pair]:
        """`count` pairs as MSeg trains: each dataset in turn, whatever its size, and its pairs in random order."""
        chance = Random(seed)  # noqa: S311 - the order of pictures is no secret
        of = {name: [pair for pair in self._pairs if pair.dataset == name] for name in self.counts}
        left: dict[str, list[Pair]] = {name: [] for name in of}
        names = list(of)
        for number in range(count):
            name = names[number % len(names)]
            if not left[name]:
                left[name] = chance.sample(of[name], len(of[name]))
            yield left[name].pop()

    def __len__(self) -> int:
        return len(self._pairs)

    @overload
    def __getitem__(self, place: int) -> Pair: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Pair, ...]: ...
    def __getitem__(self, place: int | slice) -> Pair | tuple[Pair, ...]:
        return self._pairs[place]

    @cached_property
    def _pairs(self) -> tuple[Pair, ...]:
        top = Path(self.destination)
        rows = self._rows(f"{self.split}.csv")
        return tuple(Pair(top / row["image"], top / row["label"], row["dataset"]) for row in rows)

    def _rows(self, name: str) -> list[dict[str, str]]:
        path = Path(self.destination) / "mseg_universal" / name
        try:
            with path.open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))
        except OSError as error:
            raise Problem(f"{path} can't be read: {error.strerror}.", "`mseg-wizard universal` makes it.") from None


def _color(text: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue
