"""Where every step stands, from the journal and the run's newest snapshot: one answer for `status`, the screen and viewers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mseg_wizard.progress import Waiting
from mseg_wizard.snapshot import Snapshot
from mseg_wizard.step import Step
from mseg_wizard.store import Journal

STATES = ("done", "running", "waiting", "failed", "pending")
MARKS = {"done": "[x]", "running": "[>]", "waiting": "[?]", "failed": "[!]", "pending": "[ ]"}
"""Read without colour."""


@dataclass(frozen=True)
class StepState:
    """One step's line."""

    id: str
    state: str
    waits_for: tuple[str, ...] = ()
    """Names of the fields that are lacking."""
    done: int = 0
    total: int | None = None
    unit: str = "tasks"
    """Of the running task while it runs, else the step's finished tasks."""


def overview(steps: Sequence[Step], journal: Journal, now: Snapshot, lacks: Callable[[Step], Sequence[str]]) -> list[StepState]:
    """The state of each step; `now` is where the run stands, or stood last, and `lacks` tells the missing answers."""
    states = []
    first_open = True
    waiting = isinstance(now.problem, Waiting)
    for step in steps:
        finished = sum(call.key in journal.finished for call in step.calls)
        here = now.call in {call.key for call in step.calls}
        missing = tuple(lacks(step)) if finished < len(step.calls) else ()
        if here and isinstance(now.problem, Waiting):  # for what only showed while it worked: a link that was refused, a file to upload
            missing = missing or (now.problem.lacks if now.problem.step else ())
        if finished == len(step.calls):
            state = "done"
        elif now.running and here:
            state = "waiting" if now.awaits else "running"
        elif first_open and (now.problem or now.crash) and here and not waiting:
            state = "failed"
        elif first_open and missing:
            state = "waiting"
        else:
            state = "pending"
        progress = now.progress.get(now.call)
        if state == "running" and progress and progress.unit:
            states.append(StepState(step.id, state, missing, progress.done, progress.total, progress.unit))
        else:
            states.append(StepState(step.id, state, missing, finished, len(step.calls)))
        first_open = first_open and state == "done"
    return states
