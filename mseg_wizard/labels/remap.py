"""One label, one or several targets: what a worker does with one image.

Which images there are, and how often, is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mseg_wizard.labels.codec import REPAIR, write_ids
from mseg_wizard.labels.png import Ids
from mseg_wizard.labels.readers.colors import COLORS
from mseg_wizard.labels.readers.ids import IDS
from mseg_wizard.labels.readers.label_reader import LabelReader, LabelToRemap, RemapRecipe
from mseg_wizard.labels.readers.mat import MAT
from mseg_wizard.labels.readers.panoptic import PANOPTIC
from mseg_wizard.labels.readers.polygons import POLYGONS
from mseg_wizard.labels.renamed import renamed
from mseg_wizard.labels.taxonomy import IGNORED, LISTS, SPLITS, MsegApiTree
from mseg_wizard.progress import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Remapping:
    """What a step file says of a remap: one label, one or several targets."""

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


@dataclass(frozen=True, slots=True)
class UnexpectedPixels:
    """Pixels that the taxonomy does not foresee: they became the first class, as in MSeg's label maps."""

    unnamed: int = 0
    """Ids that no class has."""
    uncolored: int = 0
    """Colours that no class has."""


def remap_recipe(tree: MsegApiTree, reader: str, source: str, targets: Sequence[str]) -> RemapRecipe:
    """The recipe of one dataset. What the reader makes is `source` itself or, for a raw form, the first target."""
    if reader not in READERS:
        raise Problem(f"There is no reader {reader!r}.", f"Known are: {', '.join(READERS)}.")
    form = READERS[reader]
    read = targets[0] if form.dump else source
    tables = tuple(None if target == read else tree.table(read, target).values.tobytes() for target in targets)
    return RemapRecipe(form, tree.names(read), tree.colors(source).tobytes() if form.colored else b"", tables)


def remap_label(recipe: RemapRecipe, item: LabelToRemap) -> UnexpectedPixels:
    """Read one label, write its results; raises Problem that names the file."""
    ids, uncolored = recipe.reader.read(recipe, item)
    for table, output in zip(recipe.tables, item.outputs, strict=True):
        if output is not None:
            try:
                write_ids(output, ids if table is None else apply_table(ids, table, item.source))
            except OSError as error:
                raise Problem(
                    f"{output} can't be written: {error.strerror}.", "Make room or make its folder writable."
                ) from None
    return UnexpectedPixels(count_unnamed(ids, len(recipe.names)), uncolored)


def apply_table(ids: Ids, table: bytes, source: str) -> NDArray[np.uint8]:
    """What a table of 256 or more entries makes of the ids. An id beyond the table is a Problem with `source`."""
    if ids.dtype == np.uint8:
        return np.frombuffer(ids.tobytes().translate(table[:256]), np.uint8).reshape(ids.shape)
    if (largest := int(ids.max())) >= len(table):
        raise Problem(f"{source} holds the id {largest}, beyond the {len(table)} ids of its taxonomy.", REPAIR)
    return np.take(np.frombuffer(table, np.uint8), ids, mode="clip")


def count_unnamed(ids: Ids, classes: int) -> int:
    """Pixels whose id is neither one of `classes` nor 255."""
    if int(ids.max()) < classes:
        return 0
    if classes >= IGNORED:
        return int(np.count_nonzero(ids >= max(classes, IGNORED + 1)))
    if ids.dtype != np.uint8:
        return int(np.count_nonzero((ids >= classes) & (ids != IGNORED)))
    # Moved down by the number of classes, with what was below wrapping around: one comparison instead of three.
    return int(np.count_nonzero(np.subtract(ids, np.uint8(classes)) < np.uint8(IGNORED - classes)))


READERS: dict[str, LabelReader] = {form.name: form for form in (IDS, COLORS, PANOPTIC, MAT, POLYGONS)}
"""The raw forms that step files may name."""
