"""relabel: the relabelled label maps of one dataset, every image written once, in all its taxonomies in one pass."""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import NamedTuple

from mseg_wizard.context import Context
from mseg_wizard.core.background import Job, background
from mseg_wizard.datasets.label_maps import make_label_maps, missing_outputs, outputs_to_make, sync_outputs
from mseg_wizard.datasets.label_paths import mask_files
from mseg_wizard.labels.records import ImageKey, Update, image_keys, updates
from mseg_wizard.labels.relabel import ImageToRelabel, relabel_image, relabel_recipe
from mseg_wizard.labels.relabeling import Relabeling
from mseg_wizard.labels.taxonomy import SPLITS, MsegApiTree
from mseg_wizard.progress import Problem, Progress


class RelabelRow(NamedTuple):
    """One image of the lists; paths are below the dataset's root."""

    place: ImageKey
    image: str
    labels: tuple[str, ...]
    outputs: tuple[str, ...]


def relabel(ctx: Context, how: Relabeling) -> Generator[Progress, None, None]:
    """Make the relabelled maps of the taxonomies, which share images
    and records; images that no record names are written too.
    """
    taxonomies = how.taxonomies
    looking = Progress("looking for what is missing", unit="images")
    yield looking
    root = ctx.tree.root(taxonomies[0])

    def look(job: Job) -> tuple[list[ImageToRelabel], list[str], str]:
        rows = list(_rows(ctx.tree, taxonomies))
        job.check()
        outputs = [f"{root}/{output}" for row in rows for output in row.outputs]
        wanted = outputs_to_make(ctx, outputs, job)

        def told(done: int, total: int) -> None:
            job.say(Progress("reading the relabelling records", done, total, "records"))

        changes = [updates(ctx.tree, how, taxonomy, told) for taxonomy in taxonomies]
        # Of all images, whichever sitting or repair made them: each has every segment of its records, or was refused.
        segments = sum(len(change.get(row.place, ())) for change in changes for row in rows)
        written = f"{' and '.join(taxonomies)}: {segments:,} segments written in {len(rows):,} images"
        todo = [row for row in rows if any(f"{root}/{output}" in wanted for output in row.outputs)]
        return list(_items(ctx, how, todo, changes, wanted)), outputs, written

    items, outputs, written = yield from background(look, looking)
    work = functools.partial(relabel_image, relabel_recipe(ctx.tree, how, taxonomies))
    yield from make_label_maps(ctx, f"relabelling {' and '.join(taxonomies)}", work, items, lambda item: item.labels[0])
    ctx.note(written)
    yield from sync_outputs(ctx, outputs)


def relabel_missing(ctx: Context, how: Relabeling) -> list[str]:
    root = ctx.tree.root(how.taxonomies[0])
    lists = [ctx.tree.rows(taxonomy, split) for taxonomy in how.makes for split in SPLITS]
    return missing_outputs(ctx, dict.fromkeys(f"{root}/{row.label or ''}" for rows in lists for row in rows))


def _rows(tree: MsegApiTree, taxonomies: Sequence[str]) -> Iterator[RelabelRow]:
    """Each image once: line i of a taxonomy's list pairs with line
    i of its relabelled one and of the other taxonomies.
    """
    seen = set()
    for split in SPLITS:
        before = [tree.rows(taxonomy, split) for taxonomy in taxonomies]
        after = [tree.rows(f"{taxonomy}-relabeled", split) for taxonomy in taxonomies]
        if len({len(rows) for rows in (*before, *after)}) > 1:
            what = f"The {split} lists of {', '.join(taxonomies)} and of what they become have different lengths."
            raise Problem(what, "Take the mseg-api tree from its source again.")
        labels, outputs = ([[row.label or "" for row in rows] for rows in lists] for lists in (before, after))
        images = (row.image for row in after[0])
        places = image_keys(tree, f"{taxonomies[0]}-relabeled", split)
        for found in map(RelabelRow, places, images, zip(*labels, strict=True), zip(*outputs, strict=True)):
            if found.outputs not in seen:
                seen.add(found.outputs)
                yield found


def _items(
    ctx: Context,
    how: Relabeling,
    rows: Sequence[RelabelRow],
    changes: Sequence[Mapping[ImageKey, Sequence[Update]]],
    wanted: frozenset[str],
) -> Iterator[ImageToRelabel]:
    root = ctx.tree.root(how.taxonomies[0])
    folder = f"{ctx.dataset_folder}/{root}"
    mask_of = mask_files(ctx, how) if rows else how.mask_of
    for row in rows:
        mask = mask_of(row.image)
        yield ImageToRelabel(
            tuple(f"{folder}/{label}" for label in row.labels),
            tuple(f"{folder}/{output}" if f"{root}/{output}" in wanted else None for output in row.outputs),
            f"{folder}/{mask}" if mask else "",
            tuple(tuple(change.get(row.place, ())) for change in changes),
        )
