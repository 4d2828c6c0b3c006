"""relabel: the relabelled label maps of one dataset, every image written once, in all its taxonomies in one pass."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mseg_wizard.context import Context
from mseg_wizard.core.background import Job, background, looking_through
from mseg_wizard.datasets.label_maps import Outputs, make_label_maps, missing_outputs, outputs_to_make, sync_outputs
from mseg_wizard.datasets.label_paths import mask_files
from mseg_wizard.labels.records import ImageKey, Update, image_key, updates
from mseg_wizard.labels.relabel import ImageToRelabel, relabel_image, relabel_recipe
from mseg_wizard.labels.relabeling import Relabeling
from mseg_wizard.labels.taxonomy import SPLITS, MsegApiTree
from mseg_wizard.labels.tree_files import ListRow
from mseg_wizard.progress import Problem, Progress


class RelabelRow(NamedTuple):
    """One image of the lists; paths are below the dataset's root."""

    split: str
    image: str
    labels: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def place(self) -> ImageKey:
        """Not kept: of five times that the rows are gone through, two look at it, and it is a third of the time."""
        return image_key(self.split, ListRow(self.image, self.outputs[0]))


@dataclass(frozen=True, slots=True)
class _Due:
    """What is to be made."""

    wanted: Callable[[str], bool]
    """Whether an output is."""
    changes: Sequence[Mapping[ImageKey, tuple[Update, ...]]]
    """For each taxonomy."""
    total: int
    """Images of which something is."""
    mask_of: Callable[[str], str]
    written: str
    """What the outputs hold, whichever sitting or repair made them, in words."""


def relabel(ctx: Context, how: Relabeling) -> Generator[Progress, None, None]:
    """Make the relabelled maps of the taxonomies, which share images
    and records; images that no record names are written too.
    """
    taxonomies = how.taxonomies
    looking = Progress("looking for what is missing", unit="images")
    yield looking
    outputs = functools.partial(_outputs, ctx.tree, taxonomies)
    due = yield from background(lambda job: _due(ctx, how, outputs, job), looking)
    work = functools.partial(relabel_image, relabel_recipe(ctx.tree, how, taxonomies))
    doing = f"relabelling {' and '.join(taxonomies)}"
    yield from make_label_maps(ctx, doing, work, _items(ctx, how, due), due.total, lambda item: item.labels[0])
    ctx.note(due.written)
    yield from sync_outputs(ctx, outputs)


def relabel_missing(ctx: Context, how: Relabeling) -> list[str]:
    root = ctx.tree.root(how.taxonomies[0])
    lists = (ctx.tree.rows(taxonomy, split) for taxonomy in how.makes for split in SPLITS)
    lacks = missing_outputs(ctx, (f"{root}/{row.label or ''}" for rows in lists for row in rows))
    return list(dict.fromkeys(lacks))


def _rows(tree: MsegApiTree, taxonomies: Sequence[str]) -> Iterator[RelabelRow]:
    """Each image once: line i of a taxonomy's list pairs with line
    i of its relabelled one and of the other taxonomies.
    """
    seen: set[int] = set()
    for split in SPLITS:
        before = [tree.rows(taxonomy, split) for taxonomy in taxonomies]
        after = [tree.rows(f"{taxonomy}-relabeled", split) for taxonomy in taxonomies]
        if len({len(rows) for rows in (*before, *after)}) > 1:
            what = f"The {split} lists of {', '.join(taxonomies)} and of what they become have different lengths."
            raise Problem(what, "Take the mseg-api tree from its source again.")
        for labelled, made in zip(zip(*before, strict=True), zip(*after, strict=True), strict=True):
            outputs = tuple([row.label or "" for row in made])
            # Of a hundred thousand paths only their hashes: a tenth of the memory.
            if (mark := hash(outputs)) not in seen:
                seen.add(mark)
                labels = tuple([row.label or "" for row in labelled])
                yield RelabelRow(split, made[0].image, labels, outputs)


def _outputs(tree: MsegApiTree, taxonomies: Sequence[str]) -> Iterator[str]:
    root = tree.root(taxonomies[0])
    return (f"{root}/{output}" for row in _rows(tree, taxonomies) for output in row.outputs)


def _due(ctx: Context, how: Relabeling, outputs: Outputs, job: Job) -> _Due:
    wanted, root = outputs_to_make(ctx, outputs, job), ctx.tree.root(how.taxonomies[0])

    def told(done: int, total: int) -> None:
        job.say(Progress("reading the relabelling records", done, total, "records"))

    changes = [updates(ctx.tree, how, taxonomy, told) for taxonomy in how.taxonomies]
    images = total = segments = 0
    for row in looking_through(_rows(ctx.tree, how.taxonomies)):
        images += 1
        total += any(wanted(f"{root}/{output}") for output in row.outputs)
        # Each image has every segment of its records, or was refused.
        place = row.place
        segments += sum(len(change.get(place, ())) for change in changes)
    written = f"{' and '.join(how.taxonomies)}: {segments:,} segments written in {images:,} images"
    return _Due(wanted, changes, total, mask_files(ctx, how) if total else how.mask_of, written)


def _items(ctx: Context, how: Relabeling, due: _Due) -> Iterator[ImageToRelabel]:
    """What the workers are given, one after the other: all of COCO's would take 70 MB."""
    root = ctx.tree.root(how.taxonomies[0])
    folder = f"{ctx.dataset_folder}/{root}"
    for row in _rows(ctx.tree, how.taxonomies):
        todo = tuple([f"{folder}/{output}" if due.wanted(f"{root}/{output}") else None for output in row.outputs])
        if any(todo):
            place = row.place
            changes = tuple([change.get(place, ()) for change in due.changes])
            mask = due.mask_of(row.image) if any(changes) else ""
            labels = tuple([f"{folder}/{label}" for label in row.labels])
            yield ImageToRelabel(labels, todo, f"{folder}/{mask}" if mask else "", changes)
