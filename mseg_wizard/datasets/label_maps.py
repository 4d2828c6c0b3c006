"""Making label files in the workers: what is missing is made, what fails is named.

What the files mean is not known here.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

from mseg_wizard.context import Consent, Context
from mseg_wizard.core.background import LOOK_JOIN, Job, background
from mseg_wizard.core.files import FilesToSync, sync_files
from mseg_wizard.datasets.inventory import FolderListings
from mseg_wizard.progress import Meter, Problem, Progress
from mseg_wizard.workers.batches import with_wait
from mseg_wizard.workers.pool import each


class ItemWithOutputs(Protocol):
    """An item of the work."""

    @property
    def outputs(self) -> Sequence[str | None]:
        """Paths of the files that become of it; None where there is nothing to write."""


LabelItem = TypeVar("LabelItem", bound=ItemWithOutputs)
Result = TypeVar("Result")

SYNCED_AT_ONCE = 256
FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))
"""What the system says where every further image would fail too."""


Outputs: TypeAlias = Callable[[], Iterable[str]]
"""Paths of what a call makes, below mseg_dataset/ or the folder that is named: gone through anew at each call of it,
for half a million paths would take 60 MB.
"""


def missing_outputs(ctx: Context, outputs: Iterable[str], top: Path | None = None) -> list[str]:
    """Those of `outputs`, paths below `top` (mseg_dataset/, where none is named, here and below), that aren't there."""
    folders = FolderListings(top or ctx.dataset_folder)
    return [output for output in outputs if not folders.has(output)]


def outputs_to_make(ctx: Context, outputs: Outputs, job: Job, top: Path | None = None) -> Callable[[str], bool]:
    """Tells which of them the running call has to make, as they are now; sweeps what a killed run left half written.
    `job`: whose thread this is.

    After a power cut all of them: a renamed file may be empty. Where something else made some, all of them too, once
    the user agreed (raises Consent until then): label maps of other programs are never taken on trust.
    """
    top = top or ctx.dataset_folder
    there = FolderListings(top)
    found, example = 0, ""
    for output in outputs():
        if there.has(output):
            found, example = found + 1, example or output
    job.check()
    key = f"remake:{ctx.call}"
    if ctx.foreign and found and key not in ctx.consents:
        raise Consent(
            f"{found:,} label maps, such as {example}, were not made by this wizard.",
            f"They can't be trusted. Allow that they are made again (--allow {key}), or move them away.",
            key,
        )
    foreign = ctx.foreign and found > 0
    if ctx.foreign and not foreign:
        ctx.adopt()
    for folder in there.folders:
        (top / folder).mkdir(parents=True, exist_ok=True)
    job.check()
    _sweep(top, there.folders)
    return (lambda output: True) if foreign or ctx.distrust else (lambda output: not there.had(output))


def make_label_maps(
    ctx: Context,
    doing: str,
    work: Callable[[LabelItem], Result],
    items: Iterable[LabelItem],
    total: int,
    name: Callable[[LabelItem], str],
    found: Callable[[LabelItem, Result], None] = lambda item, result: None,
) -> Generator[Progress, None, None]:
    """Run `work` on every item, of which there are `total`; `found` is given each result as it comes.

    Raises Problem at the end that names each item that failed, by `name`.
    """
    faults: list[str] = []
    made = 0
    newest: LabelItem | None = None
    meter = Meter()
    yield Progress(doing, 0, total, "images")
    for outcomes in each(ctx.pool(), work, items, total):
        for outcome in outcomes:
            if any(words in outcome.fault for words in FULL):
                raise Problem(
                    f"The disk of {ctx.dataset_folder} is full.",
                    "Make room, then start again: only what is missing is made.",
                )
            if outcome.fault:
                subject = name(outcome.item)
                faults.append(outcome.fault if subject in outcome.fault else f"{subject}: {outcome.fault}")
            elif outcome.result is not None:
                found(outcome.item, outcome.result)
                made += 1
                newest = outcome.item
        done = made + len(faults)
        yield with_wait(ctx.pool(), Progress(doing, done, total, "images", meter.rate(done), made=_made(ctx, newest)))
    if faults:
        raise Problem(
            f"{len(faults):,} of {total:,} images could not be made into label maps; the others are done.",
            "Mend what is named, then start again: only what is missing is made.",
            faults,
        )


def sync_outputs(ctx: Context, outputs: Outputs, top: Path | None = None) -> Generator[Progress, None, None]:
    """Have the disk hold all outputs and their folders, so that "complete" survives a power cut. Raises OSError."""
    top = top or ctx.dataset_folder
    counting = Progress("making sure that the disk has them", unit="files")
    folders: Counter[str] = yield from background(
        lambda _: Counter(output.rpartition("/")[0] for output in outputs()), counting, join=LOOK_JOIN
    )
    count = folders.total()
    yield from _sync_all(ctx, top, outputs(), count, "files")
    # A worker that was killed in this very run leaves its temporary as well.
    yield from background(lambda _: _sweep(top, folders), Progress("looking for what killed workers left"))
    yield from _sync_all(ctx, top, sorted(folders), len(folders), "folders")
    # The last word of the work is what it made, not which folders were synced.
    yield Progress("making sure that the disk has them", count, count, "label maps")


def _sync_all(ctx: Context, top: Path, paths: Iterable[str], total: int, unit: str) -> Generator[Progress, None, None]:
    """By the workers: a sync costs a processor more than all else that this process does for a label map."""
    done, left = 0, iter(paths)
    batches = iter(lambda: FilesToSync(str(top), tuple(islice(left, SYNCED_AT_ONCE))), FilesToSync(str(top), ()))
    for outcomes in each(ctx.pool(), sync_files, batches, ceil(total / SYNCED_AT_ONCE)):
        for outcome in outcomes:
            if outcome.result is None:
                raise OSError(errno.EIO, f"{os.strerror(errno.EIO)} ({outcome.fault})", outcome.item.top)
            if outcome.result.errno:
                raise OSError(outcome.result.errno, os.strerror(outcome.result.errno), outcome.result.path)
            done += len(outcome.item.paths)
        yield with_wait(ctx.pool(), Progress("making sure that the disk has them", done, total, unit))


def _made(ctx: Context, item: ItemWithOutputs | None) -> str:
    """The item's last output, below mseg_dataset/; none where its name is no proper text: it can't be told then."""
    made = next((output for output in reversed(item.outputs) if output), "") if item else ""
    return made.removeprefix(f"{ctx.dataset_folder}/") if made.isprintable() else ""


def _sweep(top: Path, folders: Iterable[str]) -> None:
    """Remove what killed workers left half written; none may be at work."""
    for folder in folders:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(top / folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") and entry.name.endswith(".tmp"):
                    Path(entry.path).unlink(missing_ok=True)
