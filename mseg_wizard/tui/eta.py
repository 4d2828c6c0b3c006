"""How much work is left, in seconds: what each task would take on
an ordinary machine, corrected by what this one took so far.
"""

from __future__ import annotations

from collections.abc import Sequence

from mseg_wizard.progress import Progress
from mseg_wizard.standing.snapshot import Snapshot
from mseg_wizard.standing.step_states import calls_left
from mseg_wizard.state.journal import Journal
from mseg_wizard.step import Call, Step
from mseg_wizard.tasks.registry import TASKS

DOWNLOAD, DISK = 15e6, 120e6
"""Bytes per second that the public servers give to one connection, and that an archive is unpacked with."""
OTHER = 120.0
"""Seconds for a task whose size the step file does not tell."""
SURE = 20.0
"""Seconds of work, or of one task under way, before anything is said."""
GUESSED = 0.5
"""Part of the rest that may lie in kinds of tasks that this machine has done none of: more would be a guess."""

ALMOST = 0.99
"""What is not complete is never told as 100%."""


def seconds_left(steps: Sequence[Step], journal: Journal, snapshot: Snapshot) -> float | None:
    """Seconds of work left in all steps; None until enough was measured, and when all is done.

    Waiting for people is not in it.
    """
    spent: dict[str, float] = {}
    usual: dict[str, float] = {}
    for step in steps:
        for call in step.calls:
            part, seconds = _share(call, journal, snapshot), journal.worked(call.key)
            if now := _under_way(call, snapshot):
                seconds = now.done / (now.rate or 1.0)
            if now or (seconds and part == 1.0):
                usual[call.task] = usual.get(call.task, 0.0) + usual_seconds(call) * part
                spent[call.task] = spent.get(call.task, 0.0) + seconds
    if sum(spent.values()) < SURE:
        return None
    # Finished tasks tell the truth however short they were: an archive of practice is a thousandth of the real one.
    factor = {task: spent[task] / usual[task] for task in spent if usual[task] > 0}
    total = guessed = 0.0
    for step in steps:
        # What the network brings and what the processors do run beside each other: the slower of the two counts.
        lanes = {True: 0.0, False: 0.0}
        for call in calls_left(step, journal):
            now = _under_way(call, snapshot)
            rest = usual_seconds(call) * (1.0 - _share(call, journal, snapshot)) * factor.get(call.task, 1.0)
            guessed += rest if not now and call.task not in factor else 0.0
            lanes[call.task in TASKS and TASKS[call.task].network] += (now.eta or 0.0) if now else rest
        total += max(lanes.values())
    return total if total and guessed <= GUESSED * total else None


def share_done(steps: Sequence[Step], journal: Journal, snapshot: Snapshot) -> float:
    """How much of the whole journey's work is done, 0 to 1, by what each task usually takes; 1 only when all is."""
    calls = [call for step in steps for call in step.calls]
    whole = sum(usual_seconds(call) for call in calls)
    shares = [_share(call, journal, snapshot) for call in calls]
    if whole and min(shares) == 1.0:
        return 1.0
    part = sum(usual_seconds(call) * share for call, share in zip(calls, shares, strict=True)) / whole if whole else 0.0
    return min(ALMOST, part)


def usual_seconds(call: Call) -> float:
    """Seconds that a task takes on an ordinary machine with an ordinary line."""
    archive = call.archive
    if archive is None or not archive.size:
        return OTHER
    return archive.size / DOWNLOAD if call.task == "download" else archive.size * archive.expands / DISK


def _share(call: Call, journal: Journal, snapshot: Snapshot) -> float:
    if journal.done(call.key):
        return 1.0
    progress = snapshot.progress.get(call.key)
    return min(1.0, progress.done / progress.total) if progress and progress.total else 0.0


def _under_way(call: Call, snapshot: Snapshot) -> Progress | None:
    """The progress of a call that runs at a known rate."""
    progress = (
        snapshot.progress.get(call.key) if snapshot.running and call.key in (*snapshot.calls, *snapshot.ahead) else None
    )
    return progress if progress and progress.rate and progress.eta is not None else None
