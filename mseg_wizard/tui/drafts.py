"""Answers that nothing keeps yet: what may be secret in them is a Secret, and they are checked before that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mseg_wizard.answers.fields import check_answer, kind_of
from mseg_wizard.answers.pasted import is_link
from mseg_wizard.progress import Problem
from mseg_wizard.step import Field, Step
from mseg_wizard.vault import Secret


def concealed(item: Field, value: Any) -> Any:
    """An answer with what may be secret in it as Secrets."""
    if kind_of(item).rows:
        rows = value.splitlines() if isinstance(value, str) else value
        return [Secret(row) if isinstance(row, str) and is_link(row) else row for row in rows]
    return Secret(value) if item.secret and isinstance(value, str) else value


def revealed(value: Any) -> Any:
    """An answer with its secrets in clear, to be checked."""
    if isinstance(value, Secret):
        return value.reveal()
    return [revealed(row) for row in value] if isinstance(value, list | tuple) else value


def sifted(
    step: Step, name: str, rows: Sequence[str | Secret]
) -> tuple[list[str | Secret], list[tuple[str | Secret, Problem]]]:
    """The rows of a sources field that can be kept, and the others, each with what is wrong with it."""
    right: list[str | Secret] = []
    wrong = []
    for row in rows:
        try:
            # A row by itself may have any name: so it has company, unless it is the only one.
            check_answer(step, step.field(name), [revealed(row)] + ["/"] * (len(rows) > 1))
            right.append(row)
        except Problem as problem:
            wrong.append((row, problem))
    return right, wrong
