"""Do segments lie where their records say? One image's masks held against its label map. Nothing is written here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mseg_wizard.labels.codec import read_ids
from mseg_wizard.labels.masks import segment_pixels
from mseg_wizard.labels.relabel import RelabelRecipe
from mseg_wizard.labels.remap import apply_table


@dataclass(frozen=True, slots=True)
class ImageToCompare:
    """One image and the segments that records name in it."""

    label: str
    """Its label map before relabelling."""
    mask: str
    """The file that tells its segments apart."""
    expected: Sequence[tuple[int, int]]
    """(segment, class before relabelling) as the records have it, in ids of the relabelled taxonomy."""


def disagreeing(recipe: RelabelRecipe, item: ImageToCompare) -> list[int]:
    """Segments whose most frequent class in the label map, after the recipe's first table, is not their record's.

    A vote, as MSeg's own reading of masks takes one; of classes that share the first place each will do. A segment
    without pixels disagrees. Raises Problem where a file can't be read.
    """
    ids = apply_table(read_ids(item.label), recipe.tables[0], item.label)
    found = segment_pixels(recipe.mask, item.mask, ids, [segment for segment, _ in item.expected])
    return [
        segment
        for segment, old in item.expected
        if segment not in found or not _leads(np.bincount(ids[found[segment]], minlength=256), old)
    ]


def _leads(votes: NDArray[np.intp], class_: int) -> bool:
    return bool(votes[class_] == votes.max())
