"""Where a run stands, as screens, `status` and wizards that only view know it, and the file through which these learn it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from mseg_wizard.core.files import write_json
from mseg_wizard.core.log import redact
from mseg_wizard.progress import Problem, Progress, Waiting
from mseg_wizard.store import OWN, working

FILE = "now.json"


@dataclass(frozen=True)
class Snapshot:
    """Where the run stands: what screens show and `status` prints. Never changes; the newest replaces the one before."""

    running: bool = False
    calls: tuple[str, ...] = ()
    """Keys of the calls under way: one, or one of the network and one of the processors; at the end the one that it ended with."""
    progress: Mapping[str, Progress] = field(default_factory=dict)
    """Newest progress of each call that ran in this run."""
    problem: Problem | None = None
    """Why it stopped; a Waiting where it needs the user; None while it runs, when it was stopped and when all is complete."""
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
        return next((key for key in self.calls if self.running and key in self.progress and self.progress[key].waiting), "")


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
        table["problem"] = {"what": redact(problem.what), "do": redact(problem.do)}
    if isinstance(problem, Waiting):
        table["waits"] = {"step": problem.step, "lacks": list(problem.lacks) if problem.step else []}
    write_json(own / FILE, table, durable=False)


def published(destination: Path) -> Snapshot:
    """What the wizard of a destination published last; not running where none holds the lock any more, empty where nothing can be read."""
    try:
        table = json.loads((destination / OWN / FILE).read_text("utf-8"))
        progress = {row.call: row for row in msgspec.convert(table["calls"], list[Progress])}
        problem = Problem(**msgspec.convert(table["problem"], dict[str, str])) if "problem" in table else None
        if problem and "waits" in table:
            problem = Waiting(problem.what, problem.do, str(table["waits"]["step"]), msgspec.convert(table["waits"]["lacks"], list[str]))
        running = bool(table["running"]) and working(destination)
        return Snapshot(running, tuple(progress), progress, problem, complete=bool(table["complete"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return Snapshot()
