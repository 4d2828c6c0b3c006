"""report: one page that says what was made, from what, how well, and shows it.

What the page says and shows is in reporting.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np

from mseg_wizard import __version__
from mseg_wizard.context import Context
from mseg_wizard.core.background import LOOK_JOIN, Job, background
from mseg_wizard.core.files import swap_folder, sync
from mseg_wizard.datasets.universal import read_record
from mseg_wizard.labels.taxonomy import IGNORED
from mseg_wizard.progress import Meter, Problem, Progress, printable
from mseg_wizard.reporting import page
from mseg_wizard.reporting.catalog import PICTURES, DatasetSummary, shared_classes, survey
from mseg_wizard.reporting.classes import Tally
from mseg_wizard.reporting.facts import gather
from mseg_wizard.reporting.pictures import PictureResult, Sample, count_pixels, draw_pictures
from mseg_wizard.verification.verdict import FILE, subject
from mseg_wizard.workers.batches import with_wait
from mseg_wizard.workers.pool import each

SYNCED_AT_ONCE = 32
"""Files between two looks whether it should stop."""
VERSION = 2
"""Of the page: a report that an older wizard wrote is written again."""


def report(ctx: Context) -> Generator[Progress, None, None]:
    """Write the report into a folder beside its place, then put it there. Raises Problem where it can't be written."""
    yield Progress("looking at what there is", unit="images")
    of = _subject(ctx)
    beside, before = ctx.own / ".report.tmp", ctx.own / ".report.before.tmp"
    yield from background(lambda _: _sweep(beside, before), Progress("clearing the last report's remains"))
    try:
        for folder in (beside, beside / PICTURES):
            folder.mkdir(mode=0o700)
        doing = Progress("looking at what there is", unit="images")
        facts, datasets = yield from background(lambda _: (gather(ctx), survey(ctx)), doing, join=LOOK_JOIN)
        drawn, tallies = yield from _pictures(ctx, beside, datasets)

        def finish(job: Job) -> None:
            page.write(beside, of, facts, datasets, shared_classes(ctx.tree), drawn, tallies)
            files = [*beside.rglob("*"), beside]
            for number in range(0, len(files), SYNCED_AT_ONCE):
                job.say(Progress("making sure that the disk has it", number, len(files), "files"))
                sync(*files[number : number + SYNCED_AT_ONCE])

        yield from background(finish, Progress("writing the page", len(drawn), len(drawn), "images"))
        swap_folder(beside, ctx.report_page.parent, before)
    except OSError as error:
        raise Problem(f"The report can't be made: {error}.", "Make room or mend that, then start again.") from None
    finally:
        _sweep(beside, before)
    if unseen := sum(bool(found.fault) for found in drawn.values()):
        ctx.note(f"{unseen} of the pictures could not be drawn; the report says why")
    ctx.note(f"The report is {ctx.report_page}. Open it in a browser; it also says what comes next")
    yield Progress(f"the report is {ctx.report_page}", len(drawn), len(drawn), "images")


def report_missing(ctx: Context) -> list[str]:
    """Nothing, while there is a page about the present state."""
    return [] if page.subject_of(ctx.report_page.parent) == _subject(ctx) else ["a report on the present state"]


def _subject(ctx: Context) -> str:
    """What a report written now is about: what was made, from which archives, and the verdict on it."""
    try:
        verdict = (ctx.own / FILE).read_bytes()
    except OSError:
        verdict = b""
    archives = [[file, record.sha256, record.source] for file, record in sorted(ctx.store.journal.archives.items())]
    universal = sorted(read_record(ctx).items())
    state = [VERSION, __version__, universal, subject(ctx), hashlib.sha256(verdict).hexdigest(), archives]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def _sweep(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _pictures(
    ctx: Context, folder: Path, datasets: Sequence[DatasetSummary]
) -> Generator[Progress, None, tuple[dict[str, PictureResult], dict[str, Tally]]]:
    """Draw and count, in the workers; what can't be read is told in the results."""
    shown = [taxonomy for dataset in datasets for taxonomy in dataset.taxonomies if taxonomy.drawn]
    shots = [shot for taxonomy in shown for split in taxonomy.splits for shot in split.shots]
    samples = [Sample(taxonomy.name, path) for taxonomy in shown for path in taxonomy.sample]
    total, meter = len(shots) + len(samples), Meter()
    drawn: dict[str, PictureResult] = {}
    faults: list[str] = []
    for pictures in each(ctx.pool(), functools.partial(draw_pictures, folder), shots):
        for picture in pictures:
            drawn[picture.item.plain] = picture.result or PictureResult(fault=picture.fault)
            if picture.fault:
                faults.append(printable(f"{picture.item.image}: {picture.fault}"))
        yield with_wait(ctx.pool(), Progress("drawing pictures", len(drawn), total, "images", meter.rate(len(drawn))))
    if faults:
        what = f"{len(faults)} pictures of the report could not be written."
        raise Problem(what, "Make room or mend what is named, then start again.", faults)
    tallies = {taxonomy.name: Tally(np.zeros(IGNORED + 1, np.int64)) for taxonomy in shown}
    done = len(drawn)
    for counts in each(ctx.pool(), count_pixels, samples):
        for counted in counts:
            tally = tallies[counted.item.taxonomy]
            if counted.result is None:
                tally.unreadable += 1
            else:
                tally.maps += 1
                tally.pixels += np.frombuffer(counted.result, np.int64)
        done += len(counts)
        yield with_wait(ctx.pool(), Progress("counting pixels", done, total, "images", meter.rate(done)))
    return drawn, tallies
