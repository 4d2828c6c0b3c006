"""The state of each step, from what the journal holds and where the run stands."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from typing import Any

from mseg_wizard.answers.fields import answered_by
from mseg_wizard.progress import Waiting
from mseg_wizard.standing.snapshot import (
    Snapshot,
    StepState,
)
from mseg_wizard.state.journal import Journal
from mseg_wizard.step import Call, Field, Step


def aside_archives(step: Step, journal: Journal) -> list[str]:
    """Names of the step's archives that were set aside."""
    return [archive.file for archive in step.archives if archive.file in journal.aside]


def calls_left(step: Step, journal: Journal) -> list[Call]:
    """What is still to be done in a step: neither done, nor without what it needs because that was set aside."""
    gone = step.without(aside_archives(step, journal))
    return [call for call in step.calls if not journal.done(call.key) and call.key not in gone]


def overview(
    steps: Sequence[Step], journal: Journal, now: Snapshot, lacks: Callable[[Step], Sequence[str]]
) -> list[StepState]:
    """The state of each step; `now` is where the run stands, or stood last, and `lacks` tells the missing answers."""
    states = []
    first_open = True
    waiting = isinstance(now.problem, Waiting)
    for step in steps:
        finished = sum(journal.done(call.key) for call in step.calls)
        left = calls_left(step, journal)
        here = now.call in {call.key for call in step.calls}
        missing = tuple(lacks(step)) if left else ()
        # For what only showed while it worked: a link that was refused, a file to upload.
        if here and isinstance(now.problem, Waiting):
            missing = missing or (now.problem.lacks if now.problem.step else ())
        if here and now.awaits:
            missing = missing or now.progress[now.awaits].lacks
        if finished == len(step.calls):
            state = "done"
        elif now.running and here:
            state = "waiting" if now.awaits else "running"
        elif first_open and (now.problem or now.crash) and here and not waiting:
            state = "failed"
        elif not left:
            state = "waiting" if here and waiting else "aside"
        elif first_open and (missing or (here and waiting and not now.running)):
            state = "waiting"
        elif first_open and here and not now.running and not now.problem and not now.complete:
            state = "stopped"
        else:
            state = "pending"
        progress = now.progress.get(now.call)
        if state == "running" and progress and progress.unit:
            states.append(StepState(step.id, state, missing, progress.done, progress.total, progress.unit))
        else:
            states.append(StepState(step.id, state, missing, finished, len(step.calls)))
        first_open = first_open and states[-1].past
    return states


def with_filled(states: Sequence[StepState], filled: Container[str]) -> list[StepState]:
    """The states as people are told them: `filled` where a pending
    step, not the next one, has its form complete by now.
    """
    first = next((state.id for state in states if not state.past), "")
    untouched = {state.id for state in states if state.state == "pending" and not state.done} - {first}
    return [
        replace(state, state="filled") if state.id in untouched and state.id in filled else state for state in states
    ]


def filled(steps: Sequence[Step], journal: Journal) -> frozenset[str]:
    """Ids of the steps whose form the journal knows to be complete: of secrets it knows those that the keyring took."""
    return frozenset(
        step.id
        for step in steps
        if asks(step) and all(_answered(step, item, journal) for item in step.fields if item.required)
    )


def lacking(step: Step, journal: Journal) -> list[str]:
    """Names of the required answers that the journal does not have.

    A secret is none of them: whether the environment has it, or this user's keyring, is not asked here.
    """
    return [item.name for item in step.fields if item.required and _answered(step, item, journal) is False]


def unknown(step: Step, journal: Journal) -> list[str]:
    """Names of the required secrets of which only keyring and environment could tell whether they are there."""
    return [item.name for item in step.fields if item.required and _answered(step, item, journal) is None]


def _answered(step: Step, item: Field, journal: Journal) -> bool | None:
    """What the journal knows of an answer; None where only keyring and environment could tell."""
    kept = f"{step.id}.{item.name}" in journal.kept
    if item.secret:
        return True if kept else None
    return kept or answered_by(item, _answer(journal, step, item))


def _answer(journal: Journal, step: Step, item: Field) -> Any:
    """The answer or its default."""
    given = journal.answer(step.id, item.name)
    return item.default if given is None else given


def asks(step: Step) -> bool:
    """Does the step need an answer?"""
    return any(item.required for item in step.fields)
