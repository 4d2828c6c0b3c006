"""remap: the label maps of one dataset in semseg form, made from its raw labels in one pass over each image."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from mseg_wizard.context import Context
from mseg_wizard.core.background import Job, background, looking_through
from mseg_wizard.core.files import remove_leftover
from mseg_wizard.datasets.annotations import AnnotationReader, annotations_of
from mseg_wizard.datasets.label_maps import Outputs, make_label_maps, missing_outputs, outputs_to_make, sync_outputs
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

RawWithOutputs: TypeAlias = tuple[str, tuple[str | None, ...]]
"""A raw label and its outputs, one for each target; all below mseg_dataset/."""


@dataclass(frozen=True, slots=True)
class _Due:
    """What is to be made."""

    wanted: Callable[[str], bool]
    """Whether an output is."""
    total: int
    """Raw labels of which something is."""
    folders: tuple[str, ...]
    """That these lie in."""
    dumps: Mapping[str, str]
    """Raw labels that were consumed → what they were dumped to: whatever else is to be made is made from that."""


def remap(ctx: Context, how: Remapping) -> Generator[Progress, None, None]:
    """Make the label maps of the targets from those of the source; an image's failure is named and the others go on.

    Raw labels that are consumed are removed once every output was checked.
    """
    looking = Progress("looking for what is missing", unit="images")
    yield looking

    outputs = functools.partial(_outputs, ctx, how)
    due = yield from background(lambda job: _due(ctx, how, outputs, job), looking)
    read = reader_named(how.reader).annotations
    segments = (yield from _segments(ctx, how, read, due.folders)) if read else {}
    work = functools.partial(remap_label, remap_recipe(ctx.tree, how.reader, how.source, how.targets))
    top, known = f"{ctx.dataset_folder}/", ctx.store.journal.odd_labels(ctx.call)
    found: dict[str, tuple[int, int]] = {}

    def note(item: LabelToRemap, odd: UnexpectedPixels) -> None:
        label = item.source.removeprefix(top)
        if odd != UnexpectedPixels() or label in known:
            found[label] = odd.unnamed, odd.uncolored

    try:
        items = _items(ctx, how, due, segments)
        yield from make_label_maps(ctx, f"remapping {how.source}", work, items, due.total - len(due.dumps), _name, note)
        if due.dumps:
            yield from _from_dumps(ctx, how, due, note)
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
    if how.consumes and not missing_outputs(ctx, outputs()):
        doomed = ctx.dataset_folder / ctx.tree.root(how.source) / how.consumes
        yield from background(lambda job: _consume(doomed, job), Progress("removing the raw labels", unit="files"))


def _due(ctx: Context, how: Remapping, outputs: Outputs, job: Job) -> _Due:
    wanted = outputs_to_make(ctx, outputs, job)
    total, folders, dumps = 0, set(), {}
    for raw, row in looking_through(_rows(ctx, how)):
        if any(output and wanted(output) for output in row):
            total += 1
            folders.add(raw.rpartition("/")[0])
            dump = row[0] if how.consumes else None
            if dump and not (ctx.dataset_folder / raw).exists() and (ctx.dataset_folder / dump).exists():
                dumps[raw] = dump
    return _Due(wanted, total, tuple(sorted(folders)), dumps)


def _items(
    ctx: Context, how: Remapping, due: _Due, segments: Mapping[str, Mapping[str, Annotation]]
) -> Iterator[LabelToRemap]:
    """What the workers are given: one after the other, for all of COCO's would take 70 MB."""
    top = f"{ctx.dataset_folder}/"
    for raw, row in _rows(ctx, how):
        todo = tuple([f"{top}{output}" if output and due.wanted(output) else None for output in row])
        if any(todo) and raw not in due.dumps:
            folder, _, name = raw.rpartition("/")
            yield LabelToRemap(f"{top}{raw}", todo, segments[folder].get(name) if folder in segments else None)


def _from_dumps(
    ctx: Context, how: Remapping, due: _Due, found: Callable[[LabelToRemap, UnexpectedPixels], None]
) -> Generator[Progress, None, None]:
    """What is to be made of labels that were consumed."""
    top, first, rest = f"{ctx.dataset_folder}/", how.targets[0], how.targets[1:]
    items = [
        LabelToRemap(f"{top}{due.dumps[raw]}", todo)
        for raw, row in _rows(ctx, how)
        if raw in due.dumps
        and any(todo := tuple(f"{top}{output}" if output and due.wanted(output) else None for output in row[1:]))
    ]
    work = functools.partial(remap_label, remap_recipe(ctx.tree, "ids", first, rest))
    yield from make_label_maps(ctx, f"remapping {first}", work, items, len(items), _name, found)


def remap_missing(ctx: Context, how: Remapping) -> list[str]:
    lacks = missing_outputs(ctx, _outputs(ctx, how))
    if how.consumes and not lacks:
        doomed = _doomed(ctx.dataset_folder / ctx.tree.root(how.source) / how.consumes)
        return [f"the end of {doomed}"] if doomed.exists() else []
    return lacks


def _outputs(ctx: Context, how: Remapping) -> Iterator[str]:
    for _, row in _rows(ctx, how):
        yield from filter(None, row)


def _rows(ctx: Context, how: Remapping) -> Iterator[RawWithOutputs]:
    """Which raw label gives which outputs: line i of the source's list
    pairs with line i of each target's; repeated lines count once.
    """
    root, taxonomies = ctx.tree.root(how.source), (how.source, *how.targets)
    seen: set[int] = set()
    for split in how.splits:
        lists = [ctx.tree.rows(taxonomy, split) for taxonomy in taxonomies]
        if len({len(rows) for rows in lists}) > 1:
            lengths = ", ".join(f"{name} {len(rows)}" for name, rows in zip(taxonomies, lists, strict=True))
            raise Problem(
                f"The {split} lists have different lengths: {lengths}.", "Take the mseg-api tree from its source again."
            )
        for first, *others in zip(*lists, strict=True):
            if first.label is None:
                continue
            raw = f"{root}/{how.raw_of(first.label)}"
            # Of a hundred thousand paths only their hashes: a tenth of the memory.
            if (mark := hash(raw)) not in seen:
                seen.add(mark)
                yield raw, tuple([f"{root}/{row.label}" if row.label is not None else None for row in others])
    yield from ((raw, outputs) for raw, outputs in unlisted_labels(ctx, how, root) if hash(raw) not in seen)


def _segments(
    ctx: Context, how: Remapping, read: AnnotationReader, folders: Sequence[str]
) -> Generator[Progress, None, dict[str, Mapping[str, Annotation]]]:
    """As for COCO: the annotation of each panoptic PNG, by folder and name; `annotations/panoptic_train2017/x.png`
    is described in `….json` beside that folder.
    """
    files = {f"{ctx.dataset_folder}/{folder}.json": folder for folder in folders}
    segments: dict[str, Mapping[str, Annotation]] = {}
    reading = Progress("reading the panoptic annotations", unit="images")
    for file, read_of in (yield from annotations_of(ctx, read, files, reading)).items():
        if read_of.lost:
            do = f"Start again: what is done stays. If it happens again, look into {OWN}/{WORKERS_LOG}."
            raise Problem(f"{file} could not be read: {read_of.fault}.", do)
        if read_of.fault:
            raise Problem(read_of.fault, f"Unpack {_brings(ctx, how)} again.")
        segments[files[file]] = read_of.annotations
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
