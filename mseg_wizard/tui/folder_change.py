"""From one destination to another within a sitting: the answers move along, and a folder that came of a slip goes."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from mseg_wizard.answers.fields import HOME, kind_of, secret_fields
from mseg_wizard.context import Context
from mseg_wizard.standing.snapshot import ASKED


def absent_folders(destination: Path) -> tuple[Path, ...]:
    """The folders that opening a destination will make, the innermost first."""
    return tuple(folder for folder in (destination, *destination.parents) if not folder.exists())


def answers_given(ctx: Context) -> dict[str, dict[str, Any]]:
    """All answers that were given here; what the environment gives is there in the next destination anyway."""
    found: dict[str, dict[str, Any]] = {}
    for step in ctx.steps:
        for item in step.fields:
            value: Any = None
            from_outside = bool(ctx.vault.variables(step.id, (item.name,)))
            if kind_of(item).rows:
                rows = ctx.sources(step.id)
                value = [row for row in rows if isinstance(row, str) or not from_outside] or None
            elif item.secret:
                value = None if from_outside else ctx.vault.get(step.id, item.name)
            elif (step.id, item.name) != HOME:
                value = ctx.store.journal.answer(step.id, item.name)
            if value is not None:
                found.setdefault(step.id, {})[item.name] = value
    return found


def asked_days(ctx: Context) -> dict[str, str]:
    """Step → the day on which its licence was asked for."""
    days = {step.id: ctx.store.journal.answer(step.id, ASKED) for step in ctx.steps}
    return {step: str(day) for step, day in days.items() if day}


def remove_folder(ctx: Context, made: tuple[Path, ...]) -> None:
    """Take back what answering had made at a destination that is closed by now: folders `made`, and the secrets."""
    ctx.vault.wipe(secret_fields(ctx.steps))
    shutil.rmtree(ctx.own, ignore_errors=True)
    for folder in made:
        with suppress(OSError):  # something else is in it
            folder.rmdir()
