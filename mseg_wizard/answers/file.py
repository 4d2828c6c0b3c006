"""The answers file: read whole and checked before a destination is opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mseg_wizard.answers.fields import check_answer
from mseg_wizard.answers.links import UnusableAnswer
from mseg_wizard.core.files import parse_toml
from mseg_wizard.progress import Problem, Usage
from mseg_wizard.step import Step

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
