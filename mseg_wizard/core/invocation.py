"""The command line that this process was started with, and what to type to go on where it stops."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from mseg_wizard.core.log import redact
from mseg_wizard.progress import printable

_command: list[str] = []


def note_command_line(arguments: Sequence[str]) -> None:
    """Note the command line of this process, for `resume_command`."""
    _command[:] = arguments


def resume_command(destination: Path | None) -> str:
    """What to type to go on where this run stops: the same options
    again, because a mirror or a route is part of them.
    """
    if _command[:1] == ["practice"]:
        return "mseg-wizard practice   (it begins anew)"
    named = any(word.partition("=")[0] == "--dest" for word in _command)
    there = ["--dest", str(destination)] if destination and not named else []
    # What a mirror's address holds besides its place is shown nowhere: who gave it knows what stands where the … is.
    return shlex.join(["mseg-wizard", *(printable(redact(word), 1000) for word in (*_without_form(_command), *there))])


def is_temporary() -> bool:
    """Is this practice, whose folder goes when the wizard ends?"""
    return _command[:1] == ["practice"] and "--keep" not in _command


def resume_hint(destination: Path | None, before: str = " ") -> str:
    """What becomes of the work that stops here, and the command that
    goes on with it; `before`: what stands before the command.
    """
    if _command[:1] == ["practice"]:
        return f"Practice begins anew each time:{before}mseg-wizard practice"
    return f"What is done stays; start again to go on:{before}{resume_command(destination)}"


def _without_form(words: Sequence[str]) -> list[str]:
    """What was asked first is answered by now."""
    return [
        word
        for before, word in zip(["", *words], words, strict=False)
        if before != "--form" and word.partition("=")[0] != "--form"
    ]
