"""One image relabelled: its table, then its segments, written once. Which images there are is not known here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mseg_wizard.labels.codec import read_ids, write_ids
from mseg_wizard.labels.masks import segment_pixels, write_updates
from mseg_wizard.labels.records import Update
from mseg_wizard.labels.relabeling import Relabeling
from mseg_wizard.labels.remap import apply_table
from mseg_wizard.labels.taxonomy import MsegApiTree
from mseg_wizard.progress import Problem


@dataclass(frozen=True, slots=True)
class RelabelRecipe:
    """How the images of one dataset are relabelled, in one or
    several taxonomies at once: all that a worker needs to know.
    """

    mask: str
    """Where the pixels of a segment are, by the names that `labels.masks` knows."""
    strict: bool
    tables: tuple[bytes, ...]
    """For each taxonomy, what every id of its label map becomes before the segments."""
    fewest: int = 1
    """A segment of fewer pixels is a fault."""


class ImageToRelabel(NamedTuple):
    """One image."""

    labels: tuple[str, ...]
    """Label maps before relabelling, one for each taxonomy."""
    outputs: tuple[str | None, ...]
    """None where there is nothing to write."""
    mask: str
    """The file that tells where segments are."""
    updates: tuple[tuple[Update, ...], ...]
    """For each taxonomy; the same segments, with the ids of its classes."""


def relabel_recipe(tree: MsegApiTree, how: Relabeling, taxonomies: Sequence[str]) -> RelabelRecipe:
    """The recipe of some of its taxonomies."""
    tables = tuple(tree.table(taxonomy, f"{taxonomy}-relabeled").values.tobytes() for taxonomy in taxonomies)
    return RelabelRecipe(how.masks, how.strict, tables, how.fewest)


def relabel_image(recipe: RelabelRecipe, item: ImageToRelabel) -> int:
    """Make an image's outputs; returns the number of segments written.

    Raises Problem, and writes nothing, where a segment is at fault.
    """
    first = read_ids(item.labels[0])
    segments = [update.segment for update in item.updates[0]]
    found = segment_pixels(recipe.mask, item.mask, first, segments) if segments else {}
    results = []
    for number, (label, output, updates) in enumerate(zip(item.labels, item.outputs, item.updates, strict=True)):
        if output is None:
            continue
        ids = first if number == 0 else read_ids(label)
        if ids.shape != first.shape:
            raise Problem(f"{label} has another size than {item.labels[0]}.", "Make both again.")
        relabeled = apply_table(ids, recipe.tables[number], label).copy()
        if faults := write_updates(relabeled, updates, found, strict=recipe.strict, fewest=recipe.fewest):
            what = f"{item.mask or label}: {'; '.join(faults)}."
            raise Problem(what, "Records and data don't belong together: give the published archive.")
        results.append((output, relabeled))
    for output, relabeled in results:
        write_ids(output, relabeled)
    return len(segments) * len(results)
