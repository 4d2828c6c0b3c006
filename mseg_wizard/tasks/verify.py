"""verify: every listed file, every label, every relabelled segment
looked at once, what is unchanged since then not again; ends with one verdict, never at the first fault.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

from mseg_wizard.context import Context
from mseg_wizard.core.background import Job, background
from mseg_wizard.datasets.dataset import Dataset, datasets_in
from mseg_wizard.labels.readers.label_reader import Annotation
from mseg_wizard.progress import Meter, Progress, Waiting
from mseg_wizard.step import Step
from mseg_wizard.tasks.task import Task
from mseg_wizard.verification.checks import check
from mseg_wizard.verification.plan import Plan, count_images, make_plan, rules_of
from mseg_wizard.verification.repair import ASIDE
from mseg_wizard.verification.results import Results
from mseg_wizard.verification.verdict import (
    Faulty,
    Verdict,
    by_step,
    forget_verdict,
    read_verdict,
    subject,
    write_verdict,
)
from mseg_wizard.verification.verified import Verified, digest_of, unchanged_images
from mseg_wizard.workers.batches import with_wait
from mseg_wizard.workers.pool import each

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
    datasets = datasets_in(ctx.steps)
    total = yield from background(lambda job: _count(ctx, datasets, job.check), Progress(DOING, unit="images"))
    found = Results()
    record = Verified(ctx)
    try:
        for dataset in datasets:
            yield from _dataset(ctx, dataset, found, record, total)
    finally:
        record.close()
    for note in found.notes:
        ctx.note(note)
    verdict = Verdict(
        subject(ctx),
        datetime.now(UTC).isoformat(timespec="seconds"),
        _tree(ctx),
        tuple(step.id for step in unfinished),
        dict(found.counts),
        tuple(found.faults),
        tuple(found.notes),
    )
    place = yield from background(
        lambda _: write_verdict(ctx, verdict), Progress("writing the verdict", total, total, "images")
    )
    if verdict.faults:
        raise Faulty(
            f"Not everything is as it must be. Faults: {len(verdict.faults):,} ({by_step(verdict.faults)}).",
            f"`mseg-wizard verify --repair` has just these files made again. All are listed in {place}.",
            map(str, verdict.faults),
        )
    if unfinished:
        titles = ", ".join(f"{step.number} ({step.title})" for step in unfinished)
        raise Waiting(
            f"What is there is as it must be, but these steps are not complete: {titles}.",
            "Go on with `mseg-wizard run`.",
        )
    shutil.rmtree(ctx.own / ASIDE, ignore_errors=True)


def _dataset(
    ctx: Context, dataset: Dataset, found: Results, record: Verified, total: int
) -> Generator[Progress, None, None]:
    doing = f"checking {dataset.title}"
    listing = Progress(f"{doing}: listing", found.images, total, "images")
    plan = yield from background(functools.partial(_plan, ctx, dataset), listing)
    if dataset.form.annotations:
        yield from _describe(ctx, plan, dataset.form.annotations, listing)
    found.begin(plan)
    rules = rules_of(ctx, dataset)
    known = record.begin(digest_of(ctx, dataset.title, rules))
    same = yield from unchanged_images(lambda: plan.items(ctx), known, listing)
    for key in same:
        found.add_unchanged(known[key].seen)
    known.clear()
    # Afresh for each: while folders were listed no image was looked at, and the next ones are of another size.
    meter = Meter()
    for outcomes in each(ctx.pool(), functools.partial(check, rules), plan.items(ctx, same)):
        for outcome in outcomes:
            found.add(plan, outcome)
            if outcome.result is not None and not outcome.result.faults:
                record.add(outcome.item, outcome.result)
        yield with_wait(ctx.pool(), Progress(doing, found.images, total, "images", meter.rate(found.images)))
    found.end(plan)


def _describe(
    ctx: Context, plan: Plan, read: Callable[[Path | str], Mapping[str, Annotation]], listing: Progress
) -> Generator[Progress, None, None]:
    """Have workers read what describes the raw labels: seconds of decoding, in a process that may take the memory."""
    files = plan.annotation_files()
    doing = replace(listing, doing=f"{listing.doing.removesuffix('listing')}reading its annotations")
    for outcomes in each(ctx.pool(), read, [f"{ctx.dataset_folder}/{file}" for file in files]):
        for outcome in outcomes:
            file = str(outcome.item).removeprefix(f"{ctx.dataset_folder}/")
            if outcome.fault:
                plan.undescribed(ctx, file, files[file], outcome.fault)
            else:
                plan.describe(files[file], outcome.result or {})
        yield with_wait(ctx.pool(), doing)


def verify_missing(ctx: Context) -> list[str]:
    """Nothing, while a clean verdict on what is there now is on record."""
    verdict = read_verdict(ctx)
    if verdict is None or verdict.of != subject(ctx):
        return ["a verdict on the present state"]
    return [str(fault) for fault in verdict.faults] or [f"step {step}" for step in verdict.unfinished]


def unfinished_steps(ctx: Context) -> list[Step]:
    """The steps before verification that are not complete, by the journal."""
    before = takewhile(lambda step: not step.has("verify"), ctx.steps)
    return [step for step in before if not all(ctx.store.journal.done(call.key) for call in step.calls)]


def _count(ctx: Context, datasets: Sequence[Dataset], stop: Callable[[], None]) -> int:
    total = 0
    for dataset in datasets:
        stop()
        total += count_images(ctx, dataset)
    return total


def _plan(ctx: Context, dataset: Dataset, job: Job) -> Plan:
    return make_plan(ctx, dataset, job.check)


def _tree(ctx: Context) -> str:
    record = ctx.store.journal.tree
    return f"{record.source if record else ''} ({'as published' if ctx.tree_is_pinned else 'a modified tree'})"


VERIFY = Task(verify, verify_missing)
