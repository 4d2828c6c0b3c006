"""verify: every listed file, every label, every relabelled segment
looked at once, what is unchanged since then not again; ends with one verdict, never at the first fault.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path, PurePath

from mseg_wizard.archives.member import TEMPORARY
from mseg_wizard.context import Context
from mseg_wizard.core.background import LOOK_JOIN, Job, background
from mseg_wizard.core.files import remove_leftover
from mseg_wizard.datasets.annotations import AnnotationReader, annotations_of
from mseg_wizard.datasets.dataset import Dataset, datasets_in
from mseg_wizard.datasets.mseg_api import identify_tree
from mseg_wizard.labels.readers.label_reader import Annotation
from mseg_wizard.labels.remapping import Remapping
from mseg_wizard.progress import Meter, Problem, Progress, Waiting
from mseg_wizard.standing.step_states import calls_left
from mseg_wizard.step import Step
from mseg_wizard.verification.checks import check
from mseg_wizard.verification.extracted_files import compare_extracted, notes_on
from mseg_wizard.verification.foreign_files import foreign_files, note_on, unknown_folders
from mseg_wizard.verification.pace import VerificationPace
from mseg_wizard.verification.plan import Plan, count_images, make_plan, rules_of
from mseg_wizard.verification.repair import FAULTY
from mseg_wizard.verification.results import Results
from mseg_wizard.verification.verdict import (
    Fault,
    Faulty,
    Verdict,
    by_step,
    fault_lines,
    forget_verdict,
    read_verdict,
    subject,
    write_verdict,
)
from mseg_wizard.verification.verified import Verified, digest_of, unchanged_images
from mseg_wizard.workers.batches import with_wait
from mseg_wizard.workers.pool import each

_TEMPORARY = re.compile(rf"\..+({re.escape(TEMPORARY)}|\.[0-9a-f]{{8}}\.tmp)")
"""What archives.atomic_tree and core.files write before it gets its name."""
DOING = "working out what is to be looked at"


def verify(ctx: Context) -> Generator[Progress, None, None]:
    """Look at everything and keep the verdict.

    Raises Problem with every fault; Waiting where steps before this one are not complete.
    """
    yield Progress(DOING, unit="images")
    forget_verdict(ctx)
    unfinished = unfinished_steps(ctx)
    if not ctx.store.journal.tree:
        raise Waiting(
            f"There is nothing to verify yet: step {ctx.step('prepare').named} is not complete.",
            "Start with `mseg-wizard`.",
        )
    yield from _same_tree(ctx)
    ctx.tree.forget_lists()  # each plan reads its own, one at a time
    yield from background(lambda job: _sweep(ctx, job), Progress("looking for what killed runs left", unit="files"))
    calls = [call for step in ctx.steps for call in step.calls if call.task == "extract"]
    compared = yield from compare_extracted(ctx, calls)
    right = compared.files - len(compared.differing)
    datasets = datasets_in(ctx.steps)
    total = yield from background(lambda job: _count(ctx, datasets, job.check), Progress(DOING, unit="images"))
    found = Results(sum(len(dataset.relabeling.pixels) for dataset in datasets if dataset.relabeling))
    record, pace = Verified(ctx), VerificationPace(datasets)
    foreign = unknown_folders(ctx, {archive.dataset for step in ctx.steps for archive in step.archives})
    try:
        for dataset in datasets:
            plan = yield from _dataset(ctx, dataset, found, record, pace, total, compared.differing)
            looking = Progress(f"looking for foreign files in {dataset.title}", found.images, total, "images")
            foreign += yield from background(functools.partial(foreign_files, ctx, plan), looking, join=LOOK_JOIN)
    finally:
        record.close()
    also = _also(ctx)
    found.also(fault for fault in compared.differing.values() if fault.file in also)
    unlisted = [fault for fault in compared.differing.values() if fault.file not in also]
    found.counts["files as they came out of their archives"] = right
    notes = [*found.notes, *notes_on(compared, unlisted), *note_on(foreign)]
    for note in notes:
        ctx.note(note)
    verdict = Verdict(
        subject(ctx),
        datetime.now(UTC).isoformat(timespec="seconds"),
        _tree(ctx),
        tuple(step.id for step in unfinished),
        tuple(record.in_words(file) for file, record in ctx.store.journal.aside.items()),
        dict(found.counts),
        tuple(found.faults),
        tuple(notes),
    )
    place = yield from background(
        lambda _: write_verdict(ctx, verdict), Progress("writing the verdict", total, total, "images")
    )
    if verdict.faults:
        raise Faulty(
            f"Not everything is as it must be. Faults: {len(verdict.faults):,} ({by_step(verdict.faults)}).",
            f"`mseg-wizard verify --repair` has just these files made again. All are listed in {place}.",
            fault_lines(ctx.dataset_folder, verdict.faults),
        )
    if unfinished:
        titles = ", ".join(f"{step.number} ({step.title})" for step in unfinished)
        raise Waiting(
            f"What is there is as it must be, but these steps are not complete: {titles}.",
            "Go on with `mseg-wizard run`.",
        )
    shutil.rmtree(ctx.own / FAULTY, ignore_errors=True)


def _dataset(
    ctx: Context,
    dataset: Dataset,
    found: Results,
    record: Verified,
    pace: VerificationPace,
    total: int,
    differing: dict[str, Fault],
) -> Generator[Progress, None, Plan]:
    """Look at one dataset; what was to be looked at."""
    doing = f"checking {dataset.title}"
    listing = Progress(f"{doing}: listing", found.images, total, "images")
    plan = yield from background(lambda _: make_plan(ctx, dataset), listing)
    if dataset.form.annotations:
        yield from _describe(ctx, plan, dataset.form.annotations, listing)
    found.begin(plan)
    if differing:
        found.also(differing.pop(path) for path in dict.fromkeys(plan.files()) if path in differing)
    rules = rules_of(ctx, dataset)
    known = record.begin(digest_of(ctx, dataset.title, rules))
    same = yield from unchanged_images(lambda: plan.items(ctx), known, listing)
    for key in same:
        found.add_unchanged(known[key].seen)
    known.clear()
    # Afresh for each: while folders were listed no image was looked at, and the next ones are of another size.
    meter, before = Meter(), found.images
    pace.begin(dataset, len(plan.images), len(same))
    due = len(plan.images) - len(same)
    for outcomes in each(ctx.pool(), functools.partial(check, rules), plan.items(ctx, same), due):
        for outcome in outcomes:
            found.add(plan, outcome)
            if outcome.result is not None and not outcome.result.faults:
                record.add(outcome.item, outcome.result)
        checking = Progress(doing, found.images, total, "images", meter.rate(found.images))
        yield with_wait(ctx.pool(), replace(checking, left=pace.left(found.images - before)))
    pace.end()
    found.end(plan)
    plan.forget_checks()
    return plan


def _describe(ctx: Context, plan: Plan, read: AnnotationReader, listing: Progress) -> Generator[Progress, None, None]:
    """Read what describes the raw labels."""
    files = plan.annotation_files()
    doing = replace(listing, doing=f"{listing.doing.removesuffix('listing')}reading its annotations")
    paths = {f"{ctx.dataset_folder}/{file}": file for file in files}
    read_of: dict[str, Mapping[str, Annotation]] = {}
    for path, found in (yield from annotations_of(ctx, read, paths, doing)).items():
        file = paths[path]
        if found.fault:
            plan.undescribed(ctx, file, files[file], found.fault)
        else:
            read_of[file] = found.annotations
    plan.describe(files, read_of)


def _same_tree(ctx: Context) -> Generator[Progress, None, None]:
    """Read the class tables, lists and records, whatever their sizes and times say: they decide what is right."""
    record = ctx.store.journal.tree
    doing = Progress("checking every file of mseg-api")
    is_ = yield from background(lambda _: identify_tree(ctx.tree_folder), doing)
    if record and is_.sha256 != record.sha256:
        ctx.store.keep_tree(replace(record, stamp=""))  # so that step 1 looks at it again
        ctx.store.reopen(*(call.key for step in ctx.steps for call in step.calls if call.task == "tree"))
        raise Problem(
            f"The mseg-api tree in {record.folder} is not the one that was accepted: {is_.words}.",
            "Start `mseg-wizard run`: it has the accepted one again, keeps this one beside it, and verifies by that. "
            f"If the changes are yours: name the folder in {ctx.step('prepare').form} (mseg_api) and accept it there.",
        )


def _sweep(ctx: Context, job: Job) -> None:
    """Remove temporaries of ours: none is in use while this runs. Raises Problem where one stays."""
    remappings = [call.args for step in ctx.steps for call in step.calls if isinstance(call.args, Remapping)]
    consumed = {PurePath(how.consumes).name for how in remappings if how.consumes}
    seen = 0
    for folder, folders, names in os.walk(ctx.dataset_folder):
        job.say(Progress("looking for what killed runs left", seen, unit="files"))
        seen += len(names)
        ours = [name for name in names if name.startswith(".") and _TEMPORARY.fullmatch(name)]
        for name in (*ours, *(name for name in folders if name.startswith(".") and name[1:-4] in consumed)):
            remove_leftover(Path(folder, name))


def _also(ctx: Context) -> set[str]:
    """What archives must have brought beside what lists name."""
    return {f"{archive.dataset}/{name}" for step in ctx.steps for archive in step.archives for name in archive.also}


def verify_missing(ctx: Context) -> list[str]:
    """Nothing, while a clean verdict on what is there now is on record."""
    verdict = read_verdict(ctx.own)
    if verdict is None or verdict.of != subject(ctx):
        return ["a verdict on the present state"]
    return [str(fault) for fault in verdict.faults] or [f"step {step}" for step in verdict.unfinished]


def unfinished_steps(ctx: Context) -> list[Step]:
    """The steps before verification with something left to do, by the journal."""
    before = takewhile(lambda step: not step.has("verify"), ctx.steps)
    return [step for step in before if calls_left(step, ctx.store.journal)]


def _count(ctx: Context, datasets: Sequence[Dataset], stop: Callable[[], None]) -> int:
    total = 0
    for dataset in datasets:
        stop()
        total += count_images(ctx, dataset)
    return total


def _tree(ctx: Context) -> str:
    record = ctx.store.journal.tree
    return f"{record.source if record else ''} ({'as published' if ctx.tree_is_pinned else 'a modified tree'})"
