"""One label, one or several targets: what a worker does with one image.

Which images there are, and how often, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mseg_wizard.labels.codec import REPAIR, read_ids, write_ids
from mseg_wizard.labels.png import Ids
from mseg_wizard.labels.readers.colors import read_colored
from mseg_wizard.labels.readers.mat import read_mat
from mseg_wizard.labels.readers.panoptic import SegmentTable, read_panoptic
from mseg_wizard.labels.readers.polygons import rasterize
from mseg_wizard.labels.taxonomy import IGNORED, UNLABELED, MsegApiTree
from mseg_wizard.progress import Problem


@dataclass(frozen=True, slots=True)
class RemapRecipe:
    """How the labels of one dataset are read and what becomes of their ids: all that a worker needs to know, 2 KB."""

    reader: str
    names: tuple[str, ...]
    """Classes of the ids that the reader returns."""
    colors: bytes
    """Three bytes a class, where labels are colours."""
    tables: tuple[bytes | None, ...]
    """For each target what every id becomes; None where the ids are written as they are read."""


@dataclass(frozen=True, slots=True)
class LabelToRemap:
    """One label to read and where the results go."""

    source: str
    outputs: tuple[str | None, ...]
    """One for each target; None where there is nothing to write."""
    segments: SegmentTable | None = None
    """COCO: the annotation of this image; None where it has none."""


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
    read = targets[0] if reader in DUMPS else source
    tables = tuple(None if target == read else tree.table(read, target).values.tobytes() for target in targets)
    return RemapRecipe(reader, tree.names(read), tree.colors(source).tobytes() if reader == "colors" else b"", tables)


def remap_label(recipe: RemapRecipe, item: LabelToRemap) -> UnexpectedPixels:
    """Read one label, write its results; raises Problem that names the file."""
    ids, uncolored = READERS[recipe.reader](recipe, item)
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


def _ids(recipe: RemapRecipe, item: LabelToRemap) -> tuple[Ids, int]:
    return read_ids(item.source), 0


def _colors(recipe: RemapRecipe, item: LabelToRemap) -> tuple[Ids, int]:
    return read_colored(item.source, recipe.colors)


def _panoptic(recipe: RemapRecipe, item: LabelToRemap) -> tuple[Ids, int]:
    if item.segments is None:
        raise Problem(
            f"{item.source} is not in the panoptic annotations.", "Unpack panoptic_annotations_trainval2017.zip again."
        )
    return read_panoptic(item.source, item.segments), 0


def _mat(recipe: RemapRecipe, item: LabelToRemap) -> tuple[Ids, int]:
    return read_mat(item.source), 0


def _polygons(recipe: RemapRecipe, item: LabelToRemap) -> tuple[Ids, int]:
    ids = {name: id_ for id_, name in enumerate(recipe.names)}
    return rasterize(item.source, ids, ids[UNLABELED]), 0


READERS: Mapping[str, Callable[[RemapRecipe, LabelToRemap], tuple[Ids, int]]] = {
    "ids": _ids,
    "colors": _colors,
    "panoptic": _panoptic,
    "mat": _mat,
    "polygons": _polygons,
}
"""What a label is stored as → its ids, and how many of its pixels have a colour that no class has."""

DUMPS = ("panoptic", "mat", "polygons")
"""Readers of raw forms: their first target is what they read, written as a label map."""
