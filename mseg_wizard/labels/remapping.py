"""What a step file says of a remap: which taxonomy becomes which, and how its raw labels are read and named."""

from __future__ import annotations

from dataclasses import dataclass

from mseg_wizard.labels.readers import READERS
from mseg_wizard.labels.renamed import renamed
from mseg_wizard.labels.taxonomy import LISTS, SPLITS
from mseg_wizard.progress import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Remapping:
    """A [[tasks]] row of kind `remap`: one label, one or several targets."""

    source: str
    """The taxonomy of the raw labels."""
    targets: tuple[str, ...]
    """The taxonomies that are made of them; where the raw form is no label map, the first is what it holds."""
    reader: str
    splits: tuple[str, ...] = SPLITS
    """Lists whose labels are there."""
    consumes: str = ""
    """The folder of the raw labels, below the dataset's: removed once everything was made of it."""
    raw: str = ""
    """How the raw labels are named, below the dataset's root, where the lists name what is made of them; `{}` stands
    for the same text in `dump`."""
    dump: str = ""
    """How the lists name what a raw label holds."""

    def __post_init__(self) -> None:
        if self.reader not in READERS:
            raise Problem(f"reader is {self.reader!r}.", f"Use one of {', '.join(READERS)}.")
        if not self.targets:
            raise Problem("targets is empty.", "Name the taxonomies that it makes.")
        for name, pattern in (("raw", self.raw), ("dump", self.dump)):
            if (self.raw or self.dump) and pattern.count("{}") != 1:
                raise Problem(
                    f"{name} is {pattern!r}.",
                    "Write the path below the dataset's folder, with {} once where the names differ, in raw and dump.",
                )
        for split in self.splits:
            if split not in LISTS:
                raise Problem(f"splits names {split!r}.", f"Use some of {', '.join(LISTS)}.")

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.source,)

    @property
    def makes(self) -> tuple[str, ...]:
        return self.targets

    def raw_of(self, label: str) -> str:
        """The raw label of the path that the source's list names."""
        return renamed(label, self.dump, self.raw)
