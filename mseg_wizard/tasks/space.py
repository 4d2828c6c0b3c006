"""space: is there room for all that is still to come? The sums are made in datasets.disk_space."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import count

from mseg_wizard.context import Context
from mseg_wizard.core.background import LOOK_JOIN, Job, background
from mseg_wizard.datasets import disk_space
from mseg_wizard.datasets.disk_space import DiskChange, SpaceNeed
from mseg_wizard.progress import Problem, Progress, size
from mseg_wizard.state.lock import can_lock

TIGHT = 1.1
"""Estimates are about this good: less room than this over the need is worth a word."""
SURELY = 0.9
"""At a later start only this part of what is to come must fit: what
was let through once is stopped only where it can't end well.
"""


def space(ctx: Context) -> Generator[Progress, None, None]:
    """Compare; raises Problem with a line for each step where it does not fit."""
    doing = "working out how much space is needed"
    total = sum(len(step.calls) for step in ctx.steps)

    def look(job: Job) -> list[DiskChange]:
        calls = count()
        return disk_space.still_to_come(ctx, lambda: job.say(Progress(doing, next(calls), total, "tasks")))

    changes = yield from background(look, Progress(doing), join=LOOK_JOIN)
    needs = disk_space.space_needs(changes)
    rows = disk_space.space_table(changes)
    if short := _short(needs, 1.0):
        raise Problem(
            f"There is not enough room: {'; '.join(short)}.",
            "Free some, or choose a destination on a larger disk (the folder of a dataset may also be a link to "
            "another disk). Archives that you name in a form, or a mirror on this machine, are read where they are "
            "and take none of it.",
            rows,
        )
    for row in rows:
        ctx.note(row)
    for need in needs:
        room = size(need.room.bytes) + ("" if need.room.files is None else f" and {need.room.files:,} files")
        ctx.note(
            f"In {need.place} that is up to {size(need.bytes)} and {need.files:,} files at once; there is room for "
            f"{room}"
        )
    if not can_lock(ctx.destination):
        ctx.note("This disk can't lock: see to it yourself that no second wizard works here")
    if tight := _short(needs, TIGHT):
        ctx.note(f"That is tight, and some sizes are estimates: {'; '.join(tight)}")


def space_missing(ctx: Context) -> list[str]:
    """What does not fit although it is still to come.

    Looked at on every start: others fill disks too, and better now than at night.
    """
    return _short(disk_space.space_needs(disk_space.still_to_come(ctx)), SURELY)


def _short(needs: Sequence[SpaceNeed], factor: float) -> list[str]:
    """In words, what is short at `factor` times the need."""
    found = []
    for need in needs:
        if need.bytes * factor > need.room.bytes:
            found.append(
                f"{size(need.bytes)} are needed at once in {need.place}, {size(need.room.bytes)} are free there"
            )
        if need.room.files is not None and need.files * factor > need.room.files:
            found.append(
                f"{need.files:,} files (inodes) are needed in {need.place}, {need.room.files:,} are free there"
            )
    return found
