"""One label, one or several targets: what a worker does with one image.

Which images there are, and how often, is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mseg_wizard.labels.codec import REPAIR, write_ids
from mseg_wizard.labels.png import Ids
from mseg_wizard.labels.readers import reader_named
from mseg_wizard.labels.readers.label_reader import LabelToRemap, RemapRecipe
from mseg_wizard.labels.taxonomy import IGNORED, MsegApiTree
from mseg_wizard.progress import Problem


class UnexpectedPixels(NamedTuple):
    """Pixels that the taxonomy does not foresee: they became the first class, as in MSeg's label maps."""

    unnamed: int = 0
    """Ids that no class has."""
    uncolored: int = 0
    """Colours that no class has."""


def remap_recipe(tree: MsegApiTree, reader: str, source: str, targets: Sequence[str]) -> RemapRecipe:
    """The recipe of one dataset. What the reader makes is `source` itself or, for a raw form, the first target."""
    form = reader_named(reader)
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
