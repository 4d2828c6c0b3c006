"""Where every step stands, from the journal and the running wizard's last sign: one answer for `status`, the screen and viewers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mseg_wizard.step import Step
from mseg_wizard.store import OWN, Journal, working

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


def overview(
    steps: Sequence[Step], journal: Journal, now: Mapping[str, Any], lacks: Callable[[Step], Sequence[str]]
) -> list[StepState]:
    """The state of each step; `now` is what the running wizard published last (see `last_sign`), `lacks` tells the missing answers."""
    states = []
    first_open = True
    for step in steps:
        finished = sum(call.key in journal.finished for call in step.calls)
        here = now.get("call") in {call.key for call in step.calls}
        missing = tuple(lacks(step)) if finished < len(step.calls) else ()
        if here and now.get("waiting"):  # for what only showed while it worked: a link that was refused, a file to upload
            missing = missing or tuple(now.get("lacks") or ())
        if finished == len(step.calls):
            state = "done"
        elif now.get("running") and here:
            state = "waiting" if now.get("awaits") else "running"
        elif first_open and now.get("problem") and here and not now.get("waiting"):
            state = "failed"
        elif first_open and missing:
            state = "waiting"
        else:
            state = "pending"
        if state == "running" and now.get("unit"):
            states.append(StepState(step.id, state, missing, int(now.get("done") or 0), now.get("total"), str(now["unit"])))
        else:
            states.append(StepState(step.id, state, missing, finished, len(step.calls)))
        first_open = first_open and state == "done"
    return states


def last_sign(destination: Path) -> dict[str, Any]:
    """What the wizard of this destination published last; `running` is false where none holds the lock any more."""
    try:
        table = json.loads((destination / OWN / "now.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(table, dict):
        return {}
    return table | {"running": bool(table.get("running")) and working(destination)}
