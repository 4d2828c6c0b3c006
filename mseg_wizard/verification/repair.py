"""What verification found faulty is set aside, and its call is due again.

Making it anew is the engine's normal work, not done here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mseg_wizard.context import Context
from mseg_wizard.datasets.locations import local_source
from mseg_wizard.progress import Problem, size
from mseg_wizard.step import Archive, Call
from mseg_wizard.verification.verdict import Fault, Verdict, write_verdict

FAULTY = "faulty"
"""Folder among the wizard's own things: faulty files wait there,
under their own paths, until a verification finds no fault.
"""


@dataclass(frozen=True)
class Repair:
    """What the repair asks of one call."""

    call: Call
    files: int
    archive: Archive | None
    """Has to be unpacked again."""
    at_hand: bool = True
    """The archive is on this machine."""

    def __str__(self) -> str:
        if self.archive is None:
            return f"{self.call.title}: label maps to make again: {self.files:,}"
        where = "on this machine" if self.at_hand else f"to be fetched again, {size(self.archive.size)}"
        return f"{self.call.title}: files to unpack again: {self.files:,}, from {self.archive.file} ({where})"


def repairs(ctx: Context, faults: Iterable[Fault]) -> list[Repair]:
    """What it takes to repair them, in the order of the work."""
    files: dict[str, set[str]] = {}
    for fault in faults:
        files.setdefault(fault.call, set()).add(fault.file)
    calls = [call for step in ctx.steps for call in step.calls if call.key in files]
    return [Repair(call, len(files[call.key]), call.archive, _at_hand(ctx, call.archive)) for call in calls]


def set_aside(ctx: Context, verdict: Verdict) -> Verdict:
    """Move every faulty file away and have its call not finished;
    returns the verdict, now on record as being repaired.
    """
    verdict = replace(verdict, repairing=tuple(dict.fromkeys(fault.step for fault in verdict.faults if fault.call)))
    # On record first: a kill in the middle leaves files that are missing, and whoever goes on knows why.
    write_verdict(ctx, verdict)
    for fault in verdict.faults:
        if not fault.call:
            continue
        place, aside = ctx.dataset_folder / fault.file, ctx.own / FAULTY / fault.file
        try:
            if place.is_file() or place.is_symlink():
                aside.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(place, aside)
        except OSError as error:
            raise Problem(
                f"{place} can't be moved away: {error.strerror}.", "Make its folder writable for you."
            ) from None
    ctx.store.reopen(*(fault.call for fault in verdict.faults))
    return verdict


def _at_hand(ctx: Context, archive: Archive | None) -> bool:
    if archive is None:
        return True
    record = ctx.store.archive(archive.file)
    return bool(record and record.present) or local_source(ctx, archive) is not None
