"""What a step file says of a relabelling: how segments are listed, which image a line means, where the pixels are."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mseg_wizard.labels.records import ImageKey
from mseg_wizard.labels.renamed import HOLE, renamed
from mseg_wizard.labels.taxonomy import SPLITS
from mseg_wizard.progress import Problem

LABEL_ITSELF = "class"
"""The form of masks in which no file is needed beside the label map."""
FORMS = ("blue", LABEL_ITSELF, "instance", "panoptic", "polygon")
"""How a dataset can tell its segments apart: how each is read is in `labels.masks`."""
PARTS: Mapping[str, str] = {
    "{folder}": "(?P<folder>[^_]+)",
    "{stem}": "(?P<stem>.+)",
    "{segment}": "(?P<segment>[0-9]{1,10})",
}
"""What `lines` is made of → what it matches; all else stands for itself."""
_PART = re.compile(r"(\{[^{}]*\})")


@functools.cache
def _pattern(lines: str) -> re.Pattern[str]:
    return re.compile("".join(PARTS.get(part) or re.escape(part) for part in _PART.split(lines)))


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPixel:
    """One pixel of a relabelled map whose class is known beforehand: a fact, independent of all our code."""

    split: str
    folder: str
    """Of the label."""
    stem: str
    """Of the image."""
    segment: int
    """The relabelled segment that it lies in."""
    row: int
    column: int
    name: str
    """Of the class that it must show, in the relabelled taxonomy."""

    @property
    def place(self) -> ImageKey:
        return ImageKey(self.split, self.folder, self.stem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relabeling:
    """A [[tasks]] row of kind `relabel`."""

    taxonomies: tuple[str, ...]
    """Named as before relabelling; they share images and records."""
    records: str
    """The list in the records file of mseg-api."""
    lines: str
    """How a line of a record names a segment, without what follows the last dot: `{stem}` of the image, `{segment}`,
    and `{folder}`, of the label, without `_`."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """Where lines name no folder: list → name of the folder that holds its labels."""
    masks: str
    """Where the pixels of a segment are: one of FORMS."""
    strict: bool = False
    """Every pixel of a segment must hold the record's old class."""
    fewest: int = 1
    """A segment of fewer pixels is a fault."""
    image: str = ""
    """How the lists name an image; each `{}` stands for the same text in `mask`."""
    mask: str = ""
    """The file of the image's masks. Both are empty where the label map tells segments apart, or where an archive
    holds a file for each image that records name."""

    pixels: tuple[KnownPixel, ...] = ()
    """Of the first taxonomy: verification looks at each."""

    def __post_init__(self) -> None:
        if not self.taxonomies:
            raise Problem("taxonomies is empty.", "Name the taxonomies that are relabelled.")
        if self.masks not in FORMS:
            raise Problem(f"masks is {self.masks!r}.", f"Use one of {', '.join(FORMS)}.")
        parts = _PART.findall(self.lines)
        wanted = ["{segment}", "{stem}"] if self.folders else ["{folder}", "{segment}", "{stem}"]
        if sorted(parts) != wanted:
            either = "or give the folders of each list in folders" if not self.folders else "as folders names those"
            raise Problem(f"lines is {self.lines!r}.", f"Write each of {', '.join(wanted)} once, {either}.")
        if self.folders and set(self.folders) != set(SPLITS):
            raise Problem(f"folders is for {', '.join(self.folders)}.", f"Name one for each of {', '.join(SPLITS)}.")
        if self.fewest < 1:
            raise Problem(f"fewest is {self.fewest}.", "Write 1 or more.")
        if self.image.count(HOLE) != self.mask.count(HOLE) or bool(self.image) != bool(self.mask):
            raise Problem(
                f"image is {self.image!r}, mask {self.mask!r}.",
                "Write both paths, with as many {} in each: they stand, in order, for the same.",
            )
        if self.masks == LABEL_ITSELF and self.mask:
            raise Problem(
                f"mask is {self.mask!r}.", f"Leave it out: with masks = {LABEL_ITSELF!r} the label map tells."
            )

    @property
    def needs(self) -> tuple[str, ...]:
        return self.taxonomies

    @property
    def makes(self) -> tuple[str, ...]:
        return tuple(f"{taxonomy}-relabeled" for taxonomy in self.taxonomies)

    def named_by(self, line: str, split: str) -> tuple[str, str, int] | None:
        """Folder of the label, stem of the image, and segment; None where the line names no segment."""
        found = _pattern(self.lines).fullmatch(line.rpartition(".")[0])
        if not found:
            return None
        return self.folders.get(split) or found["folder"], found["stem"], int(found["segment"])

    def mask_of(self, image: str) -> str:
        """The file that tells an image's segments apart, by the patterns; empty where they don't fit or are none."""
        mask = renamed(image, self.image, self.mask)
        return "" if mask == image else mask
