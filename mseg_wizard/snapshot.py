"""Where everything stands: the run, each step, what is worth knowing; one
truth for all channels, and the file through which others learn it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from mseg_wizard.answers.fields import answered_by
from mseg_wizard.core.files import write_json
from mseg_wizard.core.log import redacted
from mseg_wizard.progress import Problem, Progress, Waiting, amount
from mseg_wizard.step import Archive, Equivalent, Field, Step
from mseg_wizard.store import OWN, Journal, working

FILE = "now.json"

STATES = ("done", "running", "waiting", "failed", "pending")
MARKS = {"done": "[x]", "running": "[>]", "waiting": "[?]", "failed": "[!]", "pending": "[ ]", "filled": "[+]"}
"""Read without colour; `filled` is what people are told of a pending step, see `with_filled`."""


ASKED = "asked"
"""Kept beside a step's answers though no form has it: the day (ISO 8601) on which the user asked for its licence."""


@dataclass(frozen=True)
class Snapshot:
    """Where the run stands: what screens show and `status` prints.

    Never changes; the newest replaces the one before.
    """

    running: bool = False
    calls: tuple[str, ...] = ()
    """Keys of the calls under way: one, or one of the network and
    one of the processors; at the end the one that it ended with.
    """
    progress: Mapping[str, Progress] = field(default_factory=dict)
    """Newest progress of each call that ran in this run."""
    problem: Problem | None = None
    """Why it stopped; a Waiting where it needs the user; None
    while it runs, when it was stopped and when all is complete.
    """
    crash: BaseException | None = None
    """A bug of ours: anything that is no Problem."""
    complete: bool = False

    @property
    def call(self) -> str:
        """The first of `calls`."""
        return self.calls[0] if self.calls else ""

    @property
    def awaits(self) -> str:
        """Key of the call that waits for the user while it runs, if one does."""
        return next(
            (key for key in self.calls if self.running and key in self.progress and self.progress[key].waiting), ""
        )


def publish(snapshot: Snapshot, own: Path) -> None:
    """Write what is being done right now into the wizard's own folder `own`. Raises OSError."""
    problem = snapshot.problem or (Problem(str(snapshot.crash)) if snapshot.crash else None)
    table: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "running": snapshot.running,
        "complete": snapshot.complete,
        "calls": [asdict(snapshot.progress[key]) for key in snapshot.calls if key in snapshot.progress],
    }
    if problem:
        table["problem"] = {"what": problem.what, "do": problem.do}
    if isinstance(problem, Waiting):
        table["waits"] = {"step": problem.step, "lacks": list(problem.lacks) if problem.step else []}
    write_json(own / FILE, redacted(table), durable=False)


def published(destination: Path) -> Snapshot:
    """What the wizard of a destination published last; not running where
    none holds the lock any more, empty where nothing can be read.
    """
    try:
        table = json.loads((destination / OWN / FILE).read_text("utf-8"))
        progress = {row.call: row for row in msgspec.convert(table["calls"], list[Progress])}
        problem = Problem(**msgspec.convert(table["problem"], dict[str, str])) if "problem" in table else None
        if problem and "waits" in table:
            problem = Waiting(
                problem.what,
                problem.do,
                str(table["waits"]["step"]),
                msgspec.convert(table["waits"]["lacks"], list[str]),
            )
        running = bool(table["running"]) and working(destination)
        return Snapshot(running, tuple(progress), progress, problem, complete=bool(table["complete"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return Snapshot()


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


def overview(
    steps: Sequence[Step], journal: Journal, now: Snapshot, lacks: Callable[[Step], Sequence[str]]
) -> list[StepState]:
    """The state of each step; `now` is where the run stands, or stood last, and `lacks` tells the missing answers."""
    states = []
    first_open = True
    waiting = isinstance(now.problem, Waiting)
    for step in steps:
        finished = sum(journal.done(call.key) for call in step.calls)
        here = now.call in {call.key for call in step.calls}
        missing = tuple(lacks(step)) if finished < len(step.calls) else ()
        # For what only showed while it worked: a link that was refused, a file to upload.
        if here and isinstance(now.problem, Waiting):
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


def with_filled(states: Sequence[StepState], filled: Container[str]) -> list[StepState]:
    """The states as people are told them: `filled` where a pending
    step, not the next one, has its form complete by now.
    """
    first = next((state.id for state in states if state.state != "done"), "")
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


@dataclass(frozen=True)
class Standing:
    """The one sentence: what is wanted of the user or, where nothing is, what the wizard is doing."""

    state: str
    """One of STATES."""
    text: str
    step: str = ""
    """Id of the step that it is about."""
    field: str = ""
    """Name of the field that is wanted."""


def standing(steps: Sequence[Step], states: Sequence[StepState], now: Snapshot, faults: int = 0) -> Standing:
    """What a person wants to know first, in the words that every channel says.

    `faults`: files in which the last verification found something wrong.
    """
    at = next((step for step in steps if now.call in {call.key for call in step.calls}), None)
    here = at.id if at else ""
    if now.awaits and at:
        wants = next((item.name for item in at.fields if item.kind == "sources"), "")
        return Standing("waiting", f"Next from you: {named(at)}: {now.progress[now.awaits].doing}", here, wants)
    if isinstance(now.problem, Waiting):
        lacks = now.problem.lacks if now.problem.step else ()
        return Standing("waiting", now.problem.what, now.problem.step or here, next(iter(lacks), ""))
    if now.problem and not now.running:
        return Standing("failed", now.problem.what, here)
    if now.crash and not now.running:
        return Standing("failed", "A bug of the wizard's own stopped the work; what is done stays.", here)
    if all(state.state == "done" for state in states):
        return Standing("done", "Every step is complete.", steps[-1].id)
    if faults and not now.running:
        files = amount(faults, "files")
        return Standing("failed", f"Verification found something wrong in {files}: `verify --repair` makes them again.")
    wanted = next((state for state in states if state.waits_for and state.state != "done"), None)
    if wanted:
        step = next(step for step in steps if step.id == wanted.id)
        return Standing(
            "running" if now.running else "waiting",
            f"Next from you: {named(step)}: {step.field(wanted.waits_for[0]).label}.",
            step.id,
            wanted.waits_for[0],
        )
    if now.running and at:
        return Standing("running", f"Nothing is wanted from you. At work: {named(at)}.", here)
    first = next(state.id for state in states if state.state != "done")
    return Standing("pending", "Nothing is wanted from you: the work can begin.", first)


def named(step: Step) -> str:
    """A step by number and title."""
    return f"step {step.number}, {step.title}"


def modified(journal: Journal) -> bool:
    """Is the accepted mseg-api tree another one than MSeg's?"""
    return journal.tree is not None and not journal.tree.pinned


def unpublished(journal: Journal) -> list[str]:
    """Archives that are not the published ones."""
    return [file for file, record in journal.archives.items() if not record.as_published]


def equivalents_used(steps: Sequence[Step], journal: Journal) -> list[tuple[Archive, Equivalent]]:
    """The archives that something stood in for, and what."""
    return [
        (archive, known)
        for step in steps
        for archive in step.archives
        for known in archive.equivalents
        if (record := journal.archives.get(archive.file)) and record.equivalent == known.title
    ]


def doubtful(journal: Journal) -> list[str]:
    """Archives whose servers did not say how long they are, with what is known instead."""
    return [f"{file}: {record.doubt}" for file, record in journal.archives.items() if record.doubt]


def oddities(steps: Sequence[Step], journal: Journal) -> list[str]:
    """What verification remarked on the data, before it ran what remapping did; how masks agree with records."""
    found = {
        task: [note for step in steps for call in step.calls if call.task == task for note in journal.remarks(call.key)]
        for task in ("verify", "remap", "agreement")
    }
    return found["agreement"] + (found["verify"] or found["remap"])


def notes_of(steps: Sequence[Step], journal: Journal) -> list[str]:
    """A line for each."""
    tree = (
        ["the mseg-api tree is a modified one: MSeg's class tables or lists were changed"] if modified(journal) else []
    )
    archives = [f"{file} is not the published archive" for file in unpublished(journal)]
    archives += [known.in_words(archive.file) for archive, known in equivalents_used(steps, journal)]
    return [*tree, *archives, *doubtful(journal), *oddities(steps, journal)]


def notes_summary(steps: Sequence[Step], journal: Journal, destination: Path) -> str:
    """All of it in one sentence with where to read on; empty where there is nothing to tell."""
    parts = ["a modified mseg-api tree"] if modified(journal) else []
    if files := unpublished(journal):
        parts.append(f"{amount(len(files), 'archives')} not as published")
    if used := equivalents_used(steps, journal):
        parts.append(f"{amount(len(used), 'archives')} that another stands in for")
    if doubts := doubtful(journal):
        parts.append(f"{amount(len(doubts), 'archives')} that no length proves whole")
    if notes := oddities(steps, journal):
        parts.append(f"{amount(len(notes), 'notes')} on the data")
    if not parts:
        return ""
    return f"Worth knowing: {', '.join(parts)}. To read them: mseg-wizard status --dest {shlex.quote(str(destination))}"
