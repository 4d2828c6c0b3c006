"""How a destination is opened: its store, its secrets, its log, and the answers that come from a file."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mseg_wizard.answers import NotNow
from mseg_wizard.context import Context, Options, check_answer
from mseg_wizard.core.files import parse_toml
from mseg_wizard.core.log import log_to, redact
from mseg_wizard.core.preferences import prefer, remember_id
from mseg_wizard.progress import Problem, printable
from mseg_wizard.step import Step
from mseg_wizard.store import Store
from mseg_wizard.vault import Vault

log = logging.getLogger("mseg_wizard")


class Usage(Problem):
    """The command line or a file that it names is wrong."""


Answers = Mapping[str, Mapping[str, Any]]
"""Step id → field name → value."""


def open_context(
    steps: tuple[Step, ...],
    destination: Path,
    options: Options,
    *,
    take_over: bool = False,
    vault: Vault | None = None,
    remember: bool = True,
) -> Context:
    """Open a destination for work, under its lock; raises Locked where another wizard has it.

    `vault` replaces the usual one (practice keeps its secrets to itself); `remember`: offer this destination at the next start.
    """
    destination = destination.expanduser().absolute()
    if not str(destination).isprintable():  # surrogates stand for bytes that are no UTF-8, which JSON and MSeg's code can't hold
        raise Problem("The destination's name has characters that can't be printed.", "Choose another folder.")
    store = Store(destination, take_over=take_over)
    try:
        log_to(store.own)
        if vault is None:
            vault = Vault(store.journal.id)
        ctx = Context(steps, store, vault, options, set(options.consents))
        ctx.store.answer("prepare", "destination", str(destination))
    except BaseException:
        store.close()
        raise
    if remember:
        prefer("destination", str(destination))
        remember_id(store.journal.id)
    return ctx


def started_with(arguments: Sequence[str]) -> None:
    """Note the command line of this process, for `resume_command`."""
    _command[:] = arguments


def resume_command(destination: Path | None) -> str:
    """What to type to go on where this run stops: the same options again, because a mirror or a route is part of them."""
    if _command[:1] == ["practice"]:
        return "mseg-wizard practice   (it begins anew)"
    named = any(word.partition("=")[0] == "--dest" for word in _command)
    there = ["--dest", str(destination)] if destination and not named else []
    # What a mirror's address holds besides its place is shown nowhere: who gave it knows what stands where the … is.
    return shlex.join(["mseg-wizard", *(printable(redact(word), 1000) for word in (*_without_form(_command), *there))])


def fleeting() -> bool:
    """Is this practice, whose folder goes when the wizard ends?"""
    return _command[:1] == ["practice"] and "--keep" not in _command


def to_go_on(destination: Path | None, before: str = " ") -> str:
    """What becomes of the work that stops here, and the command that goes on with it; `before`: what stands before the command."""
    if _command[:1] == ["practice"]:
        return f"Practice begins anew each time:{before}mseg-wizard practice"
    return f"What is done stays; start again to go on:{before}{resume_command(destination)}"


def _without_form(words: Sequence[str]) -> list[str]:
    """What was asked first is answered by now."""
    return [word for before, word in zip(["", *words], words, strict=False) if before != "--form" and word.partition("=")[0] != "--form"]


_command: list[str] = []


def read_answers(path: Path, steps: tuple[Step, ...]) -> Answers:
    """An answers file: TOML, one table per step id, one key per field.

    Raises Usage where it can't be read, names unknown steps or fields, has an answer that can't be right, or holds secrets while others
    may read it: all of that before a destination is opened.
    """
    try:
        table = parse_toml(path.read_text("utf-8"))
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
                raise Usage(f"{path}: step {name} has no field {key!r}.", f"Its fields are: {', '.join(fields) or 'none'}.")
            if fields[key].secret and mode & 0o077:
                raise Usage(f"{path} holds a secret ({name}.{key}) and others may read it.", f"Make it yours alone: chmod 600 {path}")
            try:
                check_answer(by_id[name], fields[key], value)
            except NotNow:
                continue
            except Problem as problem:
                raise Usage(f"{path}, {name}.{key}: {problem.what}", problem.do) from None
    return table


def give_answers(ctx: Context, answers: Answers) -> None:
    """Remember every answer; raises Usage that names the first that is wrong.

    What is only of no use any more (a link that has expired since, an archive that was tidied away) stops nothing before it is needed.
    """
    for name, table in answers.items():
        step = ctx.step(name)
        for key, value in table.items():
            if (name, key) == ("prepare", "destination"):
                continue
            try:
                ctx.remember(step, {key: value})
            except NotNow as problem:
                log.warning("%s", problem)
                if rows := _usable(step, key, value):
                    ctx.remember(step, {key: rows})
                ctx.refuse(name, problem.what, {key: None})
            except Problem as problem:
                raise Usage(f"{name}.{key}: {problem.what}", problem.do) from None


def _usable(step: Step, key: str, value: Any) -> list[Any]:
    """The rows of a sources field without those that are of no use now."""
    rows = []
    if step.field(key).kind == "sources":
        for row in value.splitlines() if isinstance(value, str) else value:
            with suppress(NotNow):
                rows += check_answer(step, step.field(key), [row])
    return rows
