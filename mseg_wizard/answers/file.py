"""The answers file: read whole and checked before a destination is opened; and written, of what was typed elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mseg_wizard.answers.fields import HOME, check_answer, kind_of, may_hold_secrets
from mseg_wizard.answers.links import UnusableAnswer
from mseg_wizard.core.files import parse_toml, write_atomically
from mseg_wizard.progress import Problem, Usage
from mseg_wizard.step import Step
from mseg_wizard.vault import Secret, variable

Answers = Mapping[str, Mapping[str, Any]]
"""Step id → field name → value."""


def read_answers(path: Path, steps: tuple[Step, ...]) -> Answers:
    """An answers file: TOML, one table per step id, one key per field.

    Raises Usage where it can't be read, names unknown steps or fields, has an answer that can't be right, or holds
    secrets while others may read it: all of that before a destination is opened.
    """
    try:
        table = parse_toml(path.read_text("utf-8-sig"))
        mode = path.stat().st_mode
    except OSError as error:
        raise Usage(f"{path} can't be read: {error.strerror}.", "Name a file that you may read.") from None
    except UnicodeDecodeError:
        raise Usage(f"{path} can't be read: it is not UTF-8.", "Save it as UTF-8.") from None
    except ValueError as error:
        raise Usage(f"{path} is not valid TOML: {error}.", "Correct that line.") from None
    by_id = {step.id: step for step in steps}
    for name, answers in table.items():
        if name not in by_id or not isinstance(answers, dict):
            raise Usage(f"{path}: {name!r} is not a step.", f"Use one table per step: {', '.join(by_id)}.")
        fields = {item.name: item for item in by_id[name].fields}
        for key, value in answers.items():
            if key not in fields:
                raise Usage(
                    f"{path}: step {name} has no field {key!r}.", f"Its fields are: {', '.join(fields) or 'none'}."
                )
            if fields[key].secret and mode & 0o077:
                raise Usage(
                    f"{path} holds a secret ({name}.{key}) and others may read it.",
                    f"Make it yours alone: chmod 600 {path}",
                )
            try:
                check_answer(by_id[name], fields[key], value)
            except UnusableAnswer:
                continue
            except Problem as problem:
                raise Usage(f"{path}, {name}.{key}: {problem.what}", problem.do) from None
    return table


def write_answers(path: Path, steps: Sequence[Step], answers: Answers) -> None:
    """An answers file of these, for its owner alone; without secrets, and without the destination: that is --dest.

    Raises OSError.
    """
    write_atomically(path, in_toml(steps, answers).encode(), mode=0o600)


def in_toml(steps: Sequence[Step], answers: Answers) -> str:
    """The answers by steps; where a secret would stand, where a run takes it from."""
    parts = []
    for step in steps:
        given = answers.get(step.id, {})
        lines = []
        for item in step.fields:
            value = given.get(item.name)
            if may_hold_secrets(item) and not isinstance(value, list | tuple):
                if item.secret:
                    lines.append(f"# {item.name}: from the system keyring or {variable(step.id, item.name)}")
            elif kind_of(item).rows:
                rows = [row for row in value or () if not isinstance(row, Secret)]
                lines += ["# links are kept in the system keyring"] if len(rows) < len(value or ()) else []
                lines += [f"{item.name} = {_toml(rows)}"] if rows else []
            elif value is not None and (step.id, item.name) != HOME:
                lines.append(f"{item.name} = {_toml(value)}")
        if lines:
            parts.append("\n".join([f"[{step.id}]", *lines, ""]))
    return "\n".join(parts)


def _toml(value: Any) -> str:
    """JSON is TOML for truths, whole numbers, text and lists of text, but for one control character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
