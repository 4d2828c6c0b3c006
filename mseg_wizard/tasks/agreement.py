"""agreement: what stands in for an archive of masks, held against every relabelling record before it counts.

What an image's masks say is worked out in `labels.agreement`; what stood in, and whether it did, in the journal.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from mseg_wizard.context import Consent, Context
from mseg_wizard.core.background import Job, background
from mseg_wizard.core.files import write_json
from mseg_wizard.datasets.dataset import relabeling_of
from mseg_wizard.datasets.label_paths import mask_files
from mseg_wizard.labels.agreement import ImageToCompare, disagreeing
from mseg_wizard.labels.records import image_keys, updates
from mseg_wizard.labels.relabel import relabel_recipe
from mseg_wizard.labels.relabeling import Relabeling
from mseg_wizard.labels.taxonomy import SPLITS
from mseg_wizard.progress import Meter, Problem, Progress
from mseg_wizard.state.journal import ArchiveRecord
from mseg_wizard.step import Archive
from mseg_wizard.tasks.arguments import AgreementArguments
from mseg_wizard.workers.batches import with_wait
from mseg_wizard.workers.pool import each

COUNTS, PLAUSIBLE = 0.95, 0.80
"""Shares of agreeing records from which an equivalent counts, and from which the user may decide that it does.

Masks of the release of 2016 itself reach 98 % on the pictures tried; neither share was calibrated on all of it.
"""
KEPT_EVERY = 3.0
"""Seconds between two times that what is known so far is put on the disk."""
UNSEEN = "a renumbering within one class can't be seen by it, so it is plausible rather than proven"


def agreement(ctx: Context, args: AgreementArguments) -> Generator[Progress, None, None]:
    """Compare all records with the masks; go on from where an earlier, stopped comparison was.

    Of the published archive the result is a note. Raises Consent where the user has to decide, Problem where what
    stands in numbers its segments differently.
    """
    doing = "comparing segments with MSeg's records"
    yield Progress(doing, unit="images")
    taxonomy = args.taxonomy
    path, of = _path(ctx, taxonomy), _subject(ctx, taxonomy)
    read = _read(path)
    known: dict[str, list[int]] = read["images"] if read.get("of") == of else {}
    items = yield from background(lambda job: _items(ctx, taxonomy, job), Progress(doing, unit="images"))
    todo = [item for item in items if item.label not in known]
    work, meter, kept = (
        functools.partial(disagreeing, relabel_recipe(ctx.tree, _how(ctx, taxonomy), [taxonomy])),
        Meter(),
        time.monotonic(),
    )
    for outcomes in each(ctx.pool(), work, todo):
        for outcome in outcomes:
            # What can't be read agrees with nothing here, and is named as a fault where it is relabelled.
            every = [segment for segment, _ in outcome.item.expected]
            known[outcome.item.label] = every if outcome.result is None else outcome.result
        if time.monotonic() - kept > KEPT_EVERY:
            kept = time.monotonic()
            write_json(path, {"of": of, "images": known})
        done = len(known)
        yield with_wait(ctx.pool(), Progress(doing, done, len(items), "images", meter.rate(done)))
    write_json(path, {"of": of, "images": known})
    _judge(ctx, taxonomy, items, known)
    write_json(path, {"of": of, "images": known, "accepted": True})


def agreement_missing(ctx: Context, args: AgreementArguments) -> list[str]:
    """Nothing, once these masks were compared and count."""
    taxonomy = args.taxonomy
    read = _read(_path(ctx, taxonomy))
    return [] if read.get("accepted") and read.get("of") == _subject(ctx, taxonomy) else [f"{taxonomy}: comparison"]


def _judge(ctx: Context, taxonomy: str, items: list[ImageToCompare], known: Mapping[str, list[int]]) -> None:
    total = sum(len(item.expected) for item in items)
    bad = {item: known[item.label] for item in items if known[item.label]}
    agree = total - sum(len(segments) for segments in bad.values())
    share = agree / total if total else 1.0
    archive, record = _archive(ctx, taxonomy)
    title = record.equivalent if record else ""
    what = title or (archive.file if record else f"What is there of {archive.file}")
    figure = f"{agree:,} of {total:,} records ({100 * share:.1f} %) lie where {what} has their class"
    ctx.note(f"{figure}; {UNSEEN}" if title else figure)
    if (record and not title) or share >= COUNTS:
        return
    named = [f"{Path(item.mask).name}: segments {', '.join(map(str, segments))}" for item, segments in bad.items()]
    folder = ctx.dataset_folder / archive.dataset / next(iter(archive.take.values()))
    if share < PLAUSIBLE:
        ctx.store.keep_archive(archive.file, None)
        raise Problem(
            f"{what} numbers its segments differently: only {figure}.",
            f"Remove {folder}, and give another archive in {ctx.step_of(archive).form}; the present one was forgotten.",
            named,
        )
    key = f"agreement:{taxonomy}"
    if key not in ctx.consents:
        raise Consent(
            f"Only {figure}. The others are named in the log; MSeg's relabelling would give them their new class all "
            "the same.",
            f"If that will do, allow it (--allow {key}). If not, remove {folder}, and give another archive in "
            f"{ctx.step_of(archive).form}.",
            key,
            items=named,
        )
    ctx.note(f"you allowed {what} with {total - agree:,} records that do not agree; the log names them")


def _items(ctx: Context, taxonomy: str, job: Job) -> list[ImageToCompare]:
    tree, folder = ctx.tree, f"{ctx.dataset_folder}/{ctx.tree.root(taxonomy)}"
    how = _how(ctx, taxonomy)
    changes, mask_of = updates(tree, how, taxonomy), mask_files(ctx, how)
    found: dict[str, ImageToCompare] = {}
    for split in SPLITS:
        job.check()
        keys = image_keys(tree, f"{taxonomy}-relabeled", split)
        for key, row in zip(keys, tree.rows(taxonomy, split), strict=True):
            if key in changes and row.label:
                expected = tuple((update.segment, update.old) for update in changes[key])
                found[row.label] = ImageToCompare(f"{folder}/{row.label}", f"{folder}/{mask_of(row.image)}", expected)
    return list(found.values())


def _how(ctx: Context, taxonomy: str) -> Relabeling:
    how = relabeling_of(ctx.steps, taxonomy)
    if how is None:
        raise Problem(f"No step relabels {taxonomy}.", 'Add a [[tasks]] row with task = "relabel" for it.')
    return how


def _archive(ctx: Context, taxonomy: str) -> tuple[Archive, ArchiveRecord | None]:
    """The archive that brings the taxonomy's masks, and what is known of the file that was taken for it."""
    archive = next(
        archive
        for step in ctx.steps
        for archive in step.archives
        if any(expected.column == "records" and expected.taxonomy == taxonomy for expected in archive.holds)
    )
    return archive, ctx.store.archive(archive.file)


def _subject(ctx: Context, taxonomy: str) -> str:
    """What was compared with what: masks of another archive or records of another tree are looked at anew."""
    _, record = _archive(ctx, taxonomy)
    known = [record.path, record.mtime_ns, record.sha256, record.equivalent] if record else []
    tree = ctx.store.journal.tree
    words = [*known, tree.stamp if tree else ""]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def _path(ctx: Context, taxonomy: str) -> Path:
    return ctx.own / f"agreement-{taxonomy}.json"


def _read(path: Path) -> dict[str, Any]:
    """What is known so far; nothing where it can't be read, for it is quickly found again."""
    try:
        found = json.loads(path.read_bytes())
        valid = isinstance(found, dict) and isinstance(found.get("images"), dict)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if valid else {}
