"""universal: one training set's relabelled label maps in MSeg's universal classes, and their comparison.

What the manifest says of them is in tasks.manifest.
"""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterator, Sequence, Set
from dataclasses import dataclass, replace

from mseg_wizard.context import Context
from mseg_wizard.core.background import Job, background
from mseg_wizard.datasets.disk_space import free_space
from mseg_wizard.datasets.inventory import FolderListings
from mseg_wizard.datasets.label_maps import make_label_maps, missing_outputs, outputs_to_make, sync_outputs
from mseg_wizard.datasets.universal import (
    FOLDER,
    UniversalRow,
    keep_record,
    made_of,
    manifest_of,
    read_record,
    training_sets,
    universal_rows,
)
from mseg_wizard.labels.readers.ids import IDS
from mseg_wizard.labels.readers.label_reader import LabelToRemap, RemapRecipe
from mseg_wizard.labels.remap import remap_label
from mseg_wizard.labels.taxonomy import SPLITS
from mseg_wizard.labels.universal import NAME, universal_classes, universal_names, universal_table
from mseg_wizard.progress import Meter, Problem, Progress, Waiting, amount, duration, size
from mseg_wizard.tasks.arguments import UniversalArguments
from mseg_wizard.tasks.manifest import manifest_files
from mseg_wizard.verification.checks import RAW, ImageToCheck, Rules, check
from mseg_wizard.verification.map_faults import MadeMap
from mseg_wizard.verification.verified import Verified, digest_of, unchanged_images
from mseg_wizard.workers.batches import with_wait
from mseg_wizard.workers.pool import each

COMPARED = "compared"
"""In the record: what the last comparison without a fault was about."""


@dataclass(frozen=True)
class Estimate:
    """What is still to be made, and what that takes."""

    maps: int
    missing: int
    bytes: int
    seconds: float
    """As long as relabelling took here for as many, which does more; 0 where that is not known."""

    @property
    def words(self) -> str:
        if not self.missing:
            return f"All {amount(self.maps, 'universal label maps')} are there."
        time = f", at most about {duration(self.seconds)} (relabelling took that long)" if self.seconds >= 1 else ""
        return (
            f"Universal label maps to make: {self.missing:,} of {self.maps:,}, "
            f"about {size(self.bytes)} in as many files{time}."
        )


def universal(ctx: Context, args: UniversalArguments) -> Generator[Progress, None, None]:
    """Make the universal label maps of one taxonomy that are missing; all, where what they were made of changed."""
    taxonomy = args.taxonomy
    yield Progress("looking for what is missing", unit="images")
    rows = _rows(ctx, taxonomy)
    outputs = [row.label for row in rows]
    table, top = universal_table(ctx.tree, taxonomy), ctx.universal_folder
    of = made_of(ctx, taxonomy)

    def begin(job: Job) -> list[LabelToRemap]:
        if read_record(ctx).get(taxonomy) != of:
            _forget(ctx, outputs, job)
            keep_record(ctx, taxonomy, of)
        wanted, below = outputs_to_make(ctx, lambda: outputs, job, top), f"{ctx.dataset_folder}/"
        items = [LabelToRemap(f"{below}{row.source}", (f"{top}/{row.label}",)) for row in rows if wanted(row.label)]
        if items:
            keep_record(ctx, COMPARED, "")
        return items

    items = yield from background(begin, Progress("looking for what is missing", unit="images"))
    work = functools.partial(remap_label, RemapRecipe(IDS, ctx.tree.names(taxonomy), b"", (table,)))
    yield from make_label_maps(ctx, f"writing {taxonomy} in universal classes", work, items, len(items), _source)
    yield from sync_outputs(ctx, lambda: outputs, top)


def universal_missing(ctx: Context, args: UniversalArguments) -> list[str]:
    taxonomy = args.taxonomy
    if read_record(ctx).get(taxonomy) != made_of(ctx, taxonomy):
        return [f"universal label maps of {taxonomy} as it is now"]
    return missing_outputs(ctx, (row.label for row in _rows(ctx, taxonomy)), ctx.universal_folder)


def compare(ctx: Context) -> Generator[Progress, None, None]:
    """Look at each universal label map: it has its image's size, and each pixel the class that the table gives.

    Raises Problem that names those that don't; they are removed, to be made again.
    """
    keep_record(ctx, COMPARED, "")
    sets = [(one, _rows(ctx, one.taxonomy)) for one in training_sets(ctx.steps)]
    total, done = sum(len(rows) for _, rows in sets), 0
    faults: list[str] = []
    names = universal_names(universal_classes(ctx.tree))
    record = Verified(ctx)
    try:
        for one, rows in sets:
            made = MadeMap(f"the {NAME} taxonomy", names, universal_table(ctx.tree, one.taxonomy))
            before = Progress(f"comparing {one.taxonomy} with its universal labels", done, total, "images")
            yield from _compare(ctx, one.taxonomy, made, rows, record, faults, before)
            done += len(rows)
    finally:
        record.close()
    if faults:
        raise Problem(
            f"{len(faults):,} files are not as they must be; universal label maps among them were removed.",
            "Start again: what was removed is made anew. What is named in mseg_dataset is for "
            "`mseg-wizard verify --repair`.",
            faults,
        )
    keep_record(ctx, COMPARED, manifest_of(ctx))
    ctx.note(f"{total:,} universal label maps compared, pixel by pixel, with the relabelled ones: no fault")


def _compare(
    ctx: Context,
    taxonomy: str,
    made: MadeMap,
    rows: Sequence[UniversalRow],
    record: Verified,
    faults: list[str],
    before: Progress,
) -> Generator[Progress, None, None]:
    """Those of one taxonomy, but for what was found right and has not changed since; appends to `faults`."""
    rules = Rules(RemapRecipe(IDS, ctx.tree.names(taxonomy), b"", ()), (made,), (RAW,))
    known = record.begin(digest_of(ctx, f"{NAME}: {taxonomy}", rules))
    same = yield from unchanged_images(
        lambda: _to_check(ctx, rows), known, replace(before, doing=f"{before.doing}: listing")
    )
    by_label = {row.label: row for row in rows}
    done, meter = before.done + len(same), Meter()
    for outcomes in each(ctx.pool(), functools.partial(check, rules), _to_check(ctx, rows, same)):
        for outcome in outcomes:
            row = by_label[outcome.item.key]
            found = outcome.result.faults if outcome.result else ((0, f"could not be checked: {outcome.fault}"),)
            for position, what in found:
                path = f"{FOLDER}/{row.label}" if position == 0 else f"mseg_dataset/{row.source}"
                faults.append(f"{path} {what}")
                if position == 0 and outcome.result:
                    (ctx.universal_folder / row.label).unlink(missing_ok=True)
            if outcome.result and not found:
                record.add(outcome.item, outcome.result)
        done += len(outcomes)
        yield with_wait(ctx.pool(), replace(before, done=done, rate=meter.rate(done)))


def compare_missing(ctx: Context) -> list[str]:
    return [] if compared(ctx) else ["a comparison of what is there now"]


def compared(ctx: Context) -> bool:
    """Was every universal label map that is there compared with what it was made of, and right?"""
    return read_record(ctx).get(COMPARED) == manifest_of(ctx)


def unrelabelled(ctx: Context) -> Waiting | None:
    """Why there can't be universal labels yet: relabelling is not complete. Lists folders."""
    sets = training_sets(ctx.steps)
    short = [
        one.title
        for one in sets
        if not ctx.store.journal.done(one.relabel.key)
        or missing_outputs(ctx, (row.source for row in _rows(ctx, one.taxonomy)))
    ]
    if not short:
        return None
    step = next(step for step in ctx.steps if sets[0].relabel in step.calls)
    return Waiting(
        f"Universal labels are made of relabelled ones, and step {step.number}, {step.title}, is not complete: "
        f"{', '.join(short)}.",
        "Go on with `mseg-wizard run` first, or with the screen.",
    )


def estimate(ctx: Context) -> Estimate:
    """Count what is missing; raises Problem where there is no room for it."""
    maps = missing = weight = 0
    seconds = 0.0
    folders = FolderListings(ctx.universal_folder)
    for one in training_sets(ctx.steps):
        rows = _rows(ctx, one.taxonomy)
        fresh = read_record(ctx).get(one.taxonomy) == made_of(ctx, one.taxonomy)
        due = sum(not (fresh and folders.has(row.label)) for row in rows)
        maps, missing, weight = maps + len(rows), missing + due, weight + due * one.relabel.each_bytes
        seconds += ctx.store.journal.worked(one.relabel.key) * due / max(1, len(rows))
    room = free_space(ctx.universal_folder)
    blocks = weight + missing * room.block // 2  # the last block of a file is half empty on average
    if blocks > room.bytes or (room.files is not None and missing > room.files):
        left = size(room.bytes) + ("" if room.files is None else f" and {room.files:,} files")
        raise Problem(
            f"There is not enough room: {size(blocks)} and {missing:,} files are needed in {ctx.universal_folder}, "
            f"{left} are free there.",
            f"Free some, or make {FOLDER} a link to a folder on another disk.",
        )
    return Estimate(maps, missing, weight, seconds)


def _rows(ctx: Context, taxonomy: str) -> list[UniversalRow]:
    """Of train and val, each label map once."""
    listed = (row for split in SPLITS for row in universal_rows(ctx.tree, taxonomy, split))
    return list({row.label: row for row in listed}.values())


def _source(item: LabelToRemap) -> str:
    return item.source


def _to_check(ctx: Context, rows: Sequence[UniversalRow], same: Set[str] = frozenset()) -> Iterator[ImageToCheck]:
    """All but those named `same`."""
    data = ctx.dataset_folder
    for row in rows:
        if row.label not in same:
            yield ImageToCheck(
                row.label, f"{data}/{row.image}", f"{data}/{row.source}", (f"{ctx.universal_folder}/{row.label}",)
            )


def _forget(ctx: Context, outputs: Sequence[str], job: Job) -> None:
    """Remove the label maps that this wizard made of something else, and the lists that name them."""
    if ctx.foreign:  # what it did not make is not its to remove: its owner is asked
        return
    for path in manifest_files(ctx):
        path.unlink(missing_ok=True)
    for number, output in enumerate(outputs):
        if number % 1024 == 0:
            job.check()
        (ctx.universal_folder / output).unlink(missing_ok=True)
