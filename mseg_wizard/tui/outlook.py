"""How much work is left, in seconds: what each task would take on an ordinary machine, corrected by what this one took so far."""

from __future__ import annotations

from collections.abc import Sequence

from mseg_wizard.engine import Snapshot
from mseg_wizard.step import Call, Step
from mseg_wizard.store import Journal

DOWNLOAD, DISK = 15e6, 120e6
"""Bytes per second that the public servers give to one connection, and that an archive is unpacked with."""
OTHER = 120.0
"""Seconds for a task whose size the step file does not tell."""
SURE = 20.0
"""Seconds of work after which a kind of task counts as measured."""


def left(steps: Sequence[Step], journal: Journal, snapshot: Snapshot) -> float | None:
    """Seconds of work left in all steps; None until something was measured, and when all is done. Waiting for people is not in it."""
    calls = [call for step in steps for call in step.calls]
    spent: dict[str, float] = {}
    usual: dict[str, float] = {}
    todo: dict[str, float] = {}
    for call in calls:
        share = _share(call, journal, snapshot)
        seconds = journal.seconds.get(call.key, 0.0)
        progress = snapshot.progress.get(call.key)
        if call.key == snapshot.call and progress and progress.rate and progress.eta is not None:
            todo["now"] = progress.eta
            usual[call.task] = usual.get(call.task, 0.0) + usually(call) * share
            spent[call.task] = spent.get(call.task, 0.0) + progress.done / progress.rate
            continue
        if seconds and share == 1.0:
            usual[call.task] = usual.get(call.task, 0.0) + usually(call)
            spent[call.task] = spent.get(call.task, 0.0) + seconds
        todo[call.task] = todo.get(call.task, 0.0) + usually(call) * (1.0 - share)
    if sum(spent.values()) < SURE or not any(todo.values()):
        return None
    factor = {task: spent[task] / usual[task] for task in spent if spent[task] >= SURE and usual[task] > 0}
    return sum(seconds * factor.get(task, 1.0) for task, seconds in todo.items())


def usually(call: Call) -> float:
    """Seconds that a task takes on an ordinary machine with an ordinary line."""
    archive = call.archive
    if archive is None or not archive.size:
        return OTHER
    return archive.size / DOWNLOAD if call.task == "download" else archive.size * archive.expands / DISK


def _share(call: Call, journal: Journal, snapshot: Snapshot) -> float:
    if call.key in journal.finished:
        return 1.0
    progress = snapshot.progress.get(call.key)
    return min(1.0, progress.done / progress.total) if progress and progress.total else 0.0
