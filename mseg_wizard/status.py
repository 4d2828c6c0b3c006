"""Where every step stands, from the journal and the run's newest snapshot: one answer for `status`, the screen and viewers."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace

from mseg_wizard.progress import Waiting
from mseg_wizard.snapshot import Snapshot
from mseg_wizard.step import Field, Step
from mseg_wizard.store import Journal

STATES = ("done", "running", "waiting", "failed", "pending")
MARKS = {"done": "[x]", "running": "[>]", "waiting": "[?]", "failed": "[!]", "pending": "[ ]", "filled": "[+]"}
"""Read without colour; `filled` is what people are told of a pending step, see `ahead`."""


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


def ahead(states: Sequence[StepState], filled: Container[str]) -> list[StepState]:
    """The states as people are told them: `filled` where a pending step, not the next one, has its form complete by now."""
    first = next((state.id for state in states if state.state != "done"), "")
    untouched = {state.id for state in states if state.state == "pending" and not state.done} - {first}
    return [replace(state, state="filled") if state.id in untouched and state.id in filled else state for state in states]


def filled(steps: Sequence[Step], journal: Journal) -> frozenset[str]:
    """Ids of the steps whose form the journal knows to be complete: of secrets it knows those that the keyring took."""

    def given(step: Step, item: Field) -> bool:
        answer = journal.answers.get(step.id, {}).get(item.name, item.default)
        if item.secret:
            return f"{step.id}.{item.name}" in journal.kept
        return answer is True if item.kind == "acknowledge" else answer is not None and (answer != "" or "" in item.choices)

    return frozenset(step.id for step in steps if asks(step) and all(given(step, item) for item in step.fields if item.required))


def asks(step: Step) -> bool:
    """Does the step need an answer?"""
    return any(item.required for item in step.fields)
