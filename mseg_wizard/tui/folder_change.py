"""From one destination to another within a sitting: the answers move along, and a folder that came of a slip goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mseg_wizard.answers.fields import HOME, kind_of, secret_fields
from mseg_wizard.context import Context
from mseg_wizard.standing.snapshot import ASKED
from mseg_wizard.state.journal import Journal
from mseg_wizard.state.store import remove_made
from mseg_wizard.step import Step


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


def asked_days(journal: Journal, steps: Sequence[Step]) -> dict[str, str]:
    """Step → the day on which its licence was asked for."""
    days = {step.id: journal.answer(step.id, ASKED) for step in steps}
    return {step: str(day) for step, day in days.items() if day}


def remove_folder(ctx: Context, made: tuple[Path, ...]) -> None:
    """Take back what answering had made at a destination that is closed by now: folders `made`, and the secrets."""
    ctx.vault.wipe(secret_fields(ctx.steps))
    remove_made(ctx.own, made)
