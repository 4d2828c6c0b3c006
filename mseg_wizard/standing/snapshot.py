"""Where the run stands, in one object that is published beside the data; and that in words, for every channel."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from mseg_wizard.core import host
from mseg_wizard.core.files import write_json
from mseg_wizard.core.log import redacted
from mseg_wizard.progress import Problem, Progress, Waiting, amount
from mseg_wizard.state.journal import OWN
from mseg_wizard.state.lock import holder
from mseg_wizard.step import Step

FILE = "now.json"
STATES = ("done", "running", "stopped", "waiting", "failed", "pending", "aside")
MARKS = {
    "done": "[x]", "running": "[>]", "stopped": "[=]", "waiting": "[?]", "failed": "[!]", "pending": "[ ]",
    "aside": "[-]", "filled": "[+]",
}  # fmt: skip
"""Read without colour; `filled` is what people are told of a pending step, see `with_filled`."""
ASKED = "asked"
"""Kept beside a step's answers though no form has it: the day (ISO 8601) on which the user asked for its licence."""
WORKS = "works"
SILENT = 60.0
"""Seconds without a sign of life before that is told: there should be one every second."""


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
    """All of `scope` is done."""
    aside: tuple[str, ...] = ()
    """Titles of steps that were set aside: all else of `scope` is done, and so it is not complete."""
    scope: str = ""
    """What was asked for, where that was not every step: `up to step 8, KITTI`."""
    at: str = ""
    """The newest sign of life of the wizard that it is read from (UTC, ISO 8601)."""
    owner: host.Process | None = None
    """The process that it is read from."""
    killed: bool = False
    """It ended without a word: killed, or its machine went down."""

    @property
    def call(self) -> str:
        """The first of `calls`."""
        return self.calls[0] if self.calls else ""

    @property
    def ahead(self) -> tuple[str, ...]:
        """Keys of the downloads that are under way before their turn."""
        fetched = (key for key, progress in self.progress.items() if progress.ahead == "fetching")
        return tuple(fetched) if self.running else ()

    @property
    def refused(self) -> tuple[str, ...]:
        """Keys of the downloads that were refused before their turn, and wait for the user; nothing else waits."""
        refused = (key for key, said in self.progress.items() if said.ahead == "refused" and said.waiting)
        return tuple(refused) if self.running else ()

    @property
    def awaits(self) -> str:
        """Key of the call that waits for the user while it runs, if one does."""
        return next(
            (key for key in self.calls if self.running and key in self.progress and self.progress[key].waiting), ""
        )


@dataclass(frozen=True)
class Standing:
    """How it stands, as every channel says it."""

    state: str
    """One of STATES."""
    words: str
    """How the run stands; goes on after `mseg-wizard`; a problem is told in its own words."""
    brief: str
    """The same in a few words."""
    text: str = ""
    """The one sentence that a person wants to know first: what is wanted of them or, where nothing is, what goes on."""
    step: str = ""
    """Id of the step that it is about."""
    field: str = ""
    """Name of the field that is wanted."""

    @property
    def sentence(self) -> str:
        """The words at the beginning of a line."""
        return self.words[:1].upper() + self.words[1:]


def standing(now: Snapshot, steps: Sequence[Step] = (), states: Sequence[StepState] = (), faults: int = 0) -> Standing:
    """The one place where it is decided how it stands: screen, title, `status`, messages and exit codes go by it.

    Without `steps` that is of the run alone. With them and their states (`overview`), what is done and wanted in the
    destination counts too. `faults`: files in which the last verification found something wrong.
    """
    run = _of_run(now)
    return _of_destination(run, steps, states, now, faults) if steps else run


def _of_run(now: Snapshot) -> Standing:
    if awaits := now.awaits:
        return Standing("waiting", f"waits for you: {now.progress[awaits].doing}", "waits for you")
    if now.running:
        silent = f"; no sign of life since {clock(now.at)}" if now.at and _age(now.at) > SILENT else ""
        return Standing("running", f"{WORKS}{silent}", "")
    if isinstance(now.problem, Waiting):
        return Standing("waiting", f"waits for you: {now.problem}", "waits for you")
    if now.problem:
        return Standing("failed", f"stopped by a problem: {now.problem}", "a problem")
    if now.crash:
        bug = type(now.crash).__name__
        return Standing("failed", f"stopped by a bug of its own, {bug}; the log has the details", "a problem")
    if now.aside:
        words = f"complete{f' {now.scope},' if now.scope else ''} but for {' and '.join(now.aside)}"
        return Standing("aside", f"{words}, which is set aside", words)
    if now.complete:
        return Standing("done", f"complete {now.scope}" if now.scope else "complete: every step is done", "complete")
    if now.killed:
        return Standing("stopped", f"stopped (killed) at {clock(now.at)}", "stopped")
    if now.call:
        return Standing("stopped", f"stopped{f' at {clock(now.at)}' if now.at else ''}", "stopped")
    return Standing("pending", "has not begun", "")


def _of_destination(
    run: Standing, steps: Sequence[Step], states: Sequence[StepState], now: Snapshot, faults: int
) -> Standing:
    at = next((step for step in steps if now.call in {call.key for call in step.calls}), None)
    here = at.id if at else ""
    if now.awaits and at:
        said = now.progress[now.awaits]
        if said.lacks:
            return replace(run, text=said.doing, step=here, field=said.lacks[0])
        wants = next((item.name for item in at.fields if item.name == "archives"), "")
        return replace(run, text=wanted_in(at, said.doing), step=here, field=wants)
    if isinstance(now.problem, Waiting) and not now.running:
        lacks = now.problem.lacks if now.problem.step else ()
        return replace(run, text=now.problem.what, step=now.problem.step or here, field=next(iter(lacks), ""))
    if now.problem and not now.running:
        return replace(run, text=now.problem.what, step=here)
    if now.crash and not now.running:
        return replace(run, text="A bug of the wizard's own stopped the work; what is done stays.", step=here)
    if all(state.state == "done" for state in states):
        return replace(run, state="done", text="Every step is complete.", step=steps[-1].id)
    if not now.running and all(state.past for state in states):
        aside = [step for step, state in zip(steps, states, strict=True) if state.state == "aside"]
        names = " and ".join(step.title for step in aside)
        what = f"Complete but for {names}, which is set aside until somebody has a copy."
        wants = "archives" if "archives" in aside[0].field_names else ""
        return replace(run, state="aside", text=what, step=aside[0].id, field=wants)
    if faults and not now.running:
        files = amount(faults, "files")
        what = f"Verification found something wrong in {files}: `verify --repair` makes them again."
        return replace(run, state="failed", text=what)
    wanted = next((state for state in states if state.waits_for and state.state != "done"), None)
    if wanted:
        step = next(step for step in steps if step.id == wanted.id)
        return replace(
            run,
            state="running" if now.running else "waiting",
            text=f"{wanted_in(step, step.field(wanted.waits_for[0]).label)}.",
            step=step.id,
            field=wanted.waits_for[0],
        )
    if now.running and at:
        return replace(run, text=f"Nothing is wanted from you. At work: {named(at)}.", step=here)
    first = next((state.id for state in states if not state.past), steps[-1].id)
    if run.state == "stopped":
        return replace(run, text=f"Nothing is wanted from you. {run.sentence}; what is done stays.", step=first)
    return replace(run, state="pending", text="Nothing is wanted from you: the work can begin.", step=first)


def wanted_in(step: Step, what: str) -> str:
    """What is wanted of the user, and in which step; its title only where `what` doesn't say it."""
    return f"Next from you, {f'step {step.number}' if step.title in what else named(step)}: {what}"


def _age(at: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()


def clock(at: str) -> str:
    """A time as a clock here shows it, with the day where that is not today."""
    when = datetime.fromisoformat(at).astimezone()
    return f"{when:%H:%M}" if when.date() == datetime.now().astimezone().date() else f"{when:%Y-%m-%d %H:%M}"


def publish(snapshot: Snapshot, own: Path) -> None:
    """Write what is being done right now into the wizard's own folder `own`. Raises OSError."""
    problem = snapshot.problem or (Problem(str(snapshot.crash)) if snapshot.crash else None)
    table: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "owner": asdict(host.this_process()),
        "running": snapshot.running,
        "complete": snapshot.complete,
        "scope": snapshot.scope,
        "aside": snapshot.aside,
        "calls": [
            asdict(progress)
            for key, progress in snapshot.progress.items()
            if key in snapshot.calls or (progress.ahead and snapshot.running)
        ],
    }
    if problem:
        table["problem"] = {"what": problem.what, "do": problem.do}
    if isinstance(problem, Waiting):
        table["waits"] = {"step": problem.step, "lacks": list(problem.lacks) if problem.step else []}
    write_json(own / FILE, redacted(table), durable=False)


def published(destination: Path) -> Snapshot:
    """What the wizard of a destination published last; empty where nothing can be read.

    It runs while the process that signed it holds the lock, and dies with it: then it was killed.
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
        at = datetime.fromisoformat(str(table["at"])).astimezone(UTC).isoformat(timespec="seconds")
        running = bool(table["running"])
        owner = msgspec.convert(table.get("owner", {}), host.Process)
        alive = running and _lives(destination, owner, at)
        calls = tuple(key for key, said in progress.items() if not said.ahead)
        return Snapshot(
            alive, calls, progress, problem, complete=bool(table["complete"]),
            scope=str(table.get("scope", "")), aside=msgspec.convert(table.get("aside", ()), tuple[str, ...]),
            at=at, owner=owner, killed=running and not alive,
        )  # fmt: skip
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return Snapshot()


def _lives(destination: Path, owner: host.Process, at: str) -> bool:
    """Does who signed a snapshot still work here? Of another host's process only its signs of life are known."""
    return holder(destination) == owner and (owner.host == host.name() or _age(at) < SILENT)


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

    @property
    def past(self) -> bool:
        """Is nothing left to do in it, so that the next step's turn has come?"""
        return self.state in ("done", "aside")


def named(step: Step) -> str:
    """A step by number and title."""
    return f"step {step.number}, {step.title}"
