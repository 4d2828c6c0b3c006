"""remap: the label maps of one dataset in semseg form, made from its raw labels in one pass over each image."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Container, Generator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mseg_wizard.context import Context
from mseg_wizard.core.background import LOOK_JOIN, Job, background, looking_through
from mseg_wizard.core.files import remove_leftover
from mseg_wizard.datasets.annotations import AnnotationReader, annotations_of
from mseg_wizard.datasets.label_maps import make_label_maps, missing_outputs, outputs_to_make, sync_outputs
from mseg_wizard.datasets.label_paths import unlisted_labels
from mseg_wizard.labels.readers import reader_named
from mseg_wizard.labels.readers.label_reader import Annotation, LabelToRemap
from mseg_wizard.labels.remap import UnexpectedPixels, remap_label, remap_recipe
from mseg_wizard.labels.remapping import Remapping
from mseg_wizard.progress import Problem, Progress, printable
from mseg_wizard.state.journal import OWN
from mseg_wizard.state.store import WORKERS_LOG

REMOVED_AT_ONCE = 64
"""Files between two looks whether it should stop."""

OutputsByLabel = dict[str, tuple[str | None, ...]]
"""Raw label → outputs, one for each target; all below mseg_dataset/."""


def remap(ctx: Context, how: Remapping) -> Generator[Progress, None, None]:
    """Make the label maps of the targets from those of the source; an image's failure is named and the others go on.

    Raw labels that are consumed are removed once every output was checked.
    """
    looking = Progress("looking for what is missing", unit="images")
    yield looking

    def look(job: Job) -> tuple[list[str], OutputsByLabel, dict[str, str]]:
        plan = _plan(ctx, how)
        job.check()
        outputs = [output for row in plan.values() for output in row if output]
        wanted = outputs_to_make(ctx, outputs, job)
        job.check()
        rows = {raw: tuple(output if output in wanted else None for output in row) for raw, row in plan.items()}
        rows = {raw: row for raw, row in rows.items() if any(row)}
        return outputs, rows, _dumps(ctx, plan, rows) if how.consumes else {}

    outputs, rows, dumps = yield from background(look, looking)
    read = reader_named(how.reader).annotations
    items = yield from _items(ctx, rows, dumps, (yield from _segments(ctx, how, read, rows)) if read else {})
    rows = rows if dumps else {}  # COCO's take 40 MB
    work = functools.partial(remap_label, remap_recipe(ctx.tree, how.reader, how.source, how.targets))
    found: dict[str, tuple[int, int]] = {}

    def note(item: LabelToRemap, odd: UnexpectedPixels) -> None:
        label = item.source.removeprefix(f"{ctx.dataset_folder}/")
        if odd != UnexpectedPixels() or label in ctx.store.journal.odd_labels(ctx.call):
            found[label] = odd.unnamed, odd.uncolored

    try:
        yield from make_label_maps(ctx, f"remapping {how.source}", work, items, _name, note)
        if dumps:
            yield from _from_dumps(ctx, how.targets, rows, dumps, note)
    finally:
        with suppress(Problem):  # counts are not worth hiding why it ended
            ctx.store.odd_pixels(ctx.call, found)
    odd = ctx.store.journal.odd_labels(ctx.call).values()
    for what, count in (
        ("an id that no class has", sum(unnamed for unnamed, _ in odd)),
        ("a colour that no class has", sum(uncolored for _, uncolored in odd)),
    ):
        if count:
            ctx.note(f"{how.source}: {count:,} pixels have {what}; they are mapped as MSeg maps them")
    yield from sync_outputs(ctx, outputs)
    if how.consumes and not missing_outputs(ctx, outputs):
        doomed = ctx.dataset_folder / ctx.tree.root(how.source) / how.consumes
        yield from background(lambda job: _consume(doomed, job), Progress("removing the raw labels", unit="files"))


def _items(
    ctx: Context, rows: OutputsByLabel, dumps: Container[str], segments: Mapping[str, Annotation]
) -> Generator[Progress, None, list[LabelToRemap]]:
    top = f"{ctx.dataset_folder}/"

    def make() -> list[LabelToRemap]:
        return [
            LabelToRemap(f"{top}{raw}", tuple(output and f"{top}{output}" for output in row), segments.get(raw))
            for raw, row in rows.items()
            if raw not in dumps
        ]

    return (yield from background(lambda _: make(), Progress("listing what is to be made"), join=LOOK_JOIN))


def _from_dumps(
    ctx: Context,
    targets: Sequence[str],
    rows: OutputsByLabel,
    dumps: Mapping[str, str],
    found: Callable[[LabelToRemap, UnexpectedPixels], None],
) -> Generator[Progress, None, None]:
    """What is to be made of labels that were consumed."""
    items = [
        LabelToRemap(
            str(ctx.dataset_folder / dump),
            tuple(output and str(ctx.dataset_folder / output) for output in rows[raw][1:]),
        )
        for raw, dump in dumps.items()
        if any(rows[raw][1:])
    ]
    work = functools.partial(remap_label, remap_recipe(ctx.tree, "ids", targets[0], targets[1:]))
    yield from make_label_maps(ctx, f"remapping {targets[0]}", work, items, _name, found)


def remap_missing(ctx: Context, how: Remapping) -> list[str]:
    plan = _plan(ctx, how)
    lacks = missing_outputs(ctx, (output for row in plan.values() for output in row if output))
    if how.consumes and not lacks:
        doomed = _doomed(ctx.dataset_folder / ctx.tree.root(how.source) / how.consumes)
        return [f"the end of {doomed}"] if doomed.exists() else []
    return lacks


def _plan(ctx: Context, how: Remapping) -> OutputsByLabel:
    """Which raw label gives which outputs: line i of the source's list
    pairs with line i of each target's; repeated lines count once.
    """
    root, taxonomies = ctx.tree.root(how.source), (how.source, *how.targets)
    plan: OutputsByLabel = {}
    for split in how.splits:
        lists = [ctx.tree.rows(taxonomy, split) for taxonomy in taxonomies]
        if len({len(rows) for rows in lists}) > 1:
            lengths = ", ".join(f"{name} {len(rows)}" for name, rows in zip(taxonomies, lists, strict=True))
            raise Problem(
                f"The {split} lists have different lengths: {lengths}.", "Take the mseg-api tree from its source again."
            )
        for first, *others in looking_through(zip(*lists, strict=True)):
            if first.label is not None:
                outputs = tuple(f"{root}/{row.label}" if row.label is not None else None for row in others)
                plan[f"{root}/{how.raw_of(first.label)}"] = outputs
    return plan | {raw: outputs for raw, outputs in unlisted_labels(ctx, how, root) if raw not in plan}


def _segments(
    ctx: Context, how: Remapping, read: AnnotationReader, rows: Mapping[str, object]
) -> Generator[Progress, None, dict[str, Annotation]]:
    """As for COCO: the annotation of each panoptic PNG; `annotations/panoptic_train2017/x.png`
    is described in `….json` beside that folder.
    """
    folders = {
        f"{ctx.dataset_folder}/{folder}.json": folder for folder in sorted({raw.rpartition("/")[0] for raw in rows})
    }
    segments: dict[str, Annotation] = {}
    reading = Progress("reading the panoptic annotations", unit="images")
    for file, read_of in (yield from annotations_of(ctx, read, folders, reading)).items():
        if read_of.lost:
            do = f"Start again: what is done stays. If it happens again, look into {OWN}/{WORKERS_LOG}."
            raise Problem(f"{file} could not be read: {read_of.fault}.", do)
        if read_of.fault:
            raise Problem(read_of.fault, f"Unpack {_brings(ctx, how)} again.")
        segments |= {f"{folders[file]}/{name}": found for name, found in read_of.annotations.items()}
    return segments


def _brings(ctx: Context, how: Remapping) -> str:
    """The archives that bring the raw labels."""
    found = [
        archive.file
        for step in ctx.steps
        for archive in step.archives
        if any((held.taxonomy, held.column) == (how.source, "label") for held in archive.holds)
    ]
    return " and ".join(found) or f"what brings the labels of {how.source}"


def _dumps(ctx: Context, plan: OutputsByLabel, rows: Mapping[str, object]) -> dict[str, str]:
    """Raw labels that were consumed → what they were dumped to: whatever else is to be made is made from that."""
    found = {}
    for raw in rows:
        dump = plan[raw][0]
        if dump and not (ctx.dataset_folder / raw).exists() and (ctx.dataset_folder / dump).exists():
            found[raw] = dump
    return found


def _name(item: LabelToRemap) -> str:
    return printable(item.source)


def _consume(folder: Path, job: Job) -> None:
    """Remove a folder of raw labels: renamed first, so that a kill never leaves half of it under its name."""
    doomed = _doomed(folder)
    remove_leftover(doomed)
    if folder.is_dir():
        folder.rename(doomed)
        names = [name for name in os.listdir(doomed) if not (doomed / name).is_dir()]
        for number, name in enumerate(names):
            if number % REMOVED_AT_ONCE == 0:
                job.say(Progress("removing the raw labels", number, len(names), "files"))
            remove_leftover(doomed / name)
    remove_leftover(doomed)


def _doomed(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.tmp")
