"""The kinds of form fields, a row each: how an answer is read, checked and shown, and when there is one.

How a kind is edited on the screen is only named here; the screen has a widget for each name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mseg_wizard.answers.base_url import check_base_url, wants_more
from mseg_wizard.answers.brought import has
from mseg_wizard.answers.links import check_email, check_link, check_sources, check_tree
from mseg_wizard.answers.pasted import clean_path, is_link, one_line, remark_on, remarks_on, rows_of
from mseg_wizard.answers.pasted_commands import command_in
from mseg_wizard.progress import Problem
from mseg_wizard.step import Field, Step

HOME = ("prepare", "destination")
"""The field that names the destination: everything else waits for it."""
YES = ("y", "yes", "true")
NO = ("n", "no", "false", "")
"""The empty one is Enter at a question that says [y/N]."""


def _yes_or_no(item: Field, value: Any) -> bool:
    word = value.strip().lower() if isinstance(value, str) else value
    if isinstance(word, bool):
        return word
    if word in YES or word in NO:
        return word in YES
    raise _unlike(item, value, "Write true or false; to a question, yes or no.")


def _whole_number(item: Field, value: Any) -> int:
    digits = str(value).strip()
    if isinstance(value, bool) or not digits.isdecimal() or len(digits) > 9:
        raise _unlike(item, value, "Write a whole number, 0 or more.")
    return int(digits)


def _rows(item: Field, value: Any) -> list[str]:
    rows = rows_of(value) if isinstance(value, str) else value
    if not isinstance(rows, list | tuple) or not all(isinstance(row, str) for row in rows):
        raise _unlike(item, value, "Give a folder, a file or a link, or a list of these.")
    return [row.strip() for row in rows if row.strip()]


def _text(item: Field, value: Any) -> str:
    """As it came, for checks that read several lines."""
    if not isinstance(value, str):
        raise _unlike(item, value, "Write it as text, in quotes.")
    return value


def _line(item: Field, value: Any) -> str:
    return one_line(_text(item, value))


def _word(item: Field, value: Any) -> str:
    """A password, blanks at its ends included."""
    return _text(item, value).strip("\r\n")


def _path(item: Field, value: Any) -> str:
    return clean_path(_text(item, value))


def _one_of(item: Field, value: Any) -> str:
    text = _line(item, value)
    text = text if text in item.choices else clean_path(text)
    if text not in item.choices and not item.free:
        raise _unlike(item, value, f"Choose one of: {', '.join(item.choices)}.")
    return text


def _unlike(item: Field, value: Any, do: str) -> Problem:
    return Problem(f"“{item.label}” is {'that' if item.secret else repr(value)[:80]}.", do)


def _as_read(step: Step, item: Field, value: Any) -> Any:
    return value


def _as_typed(step: Step, typed: Any, kept: Any) -> str:
    return ""


def _taken(step: Step, typed: Any, kept: Any) -> str:
    return remark_on(typed, kept)


def _rows_taken(step: Step, typed: Any, kept: Any) -> str:
    cleaned = remarks_on(rows_of(typed) if isinstance(typed, str) else typed, kept)
    folders = (has(path, step.archives) for row in kept if not is_link(row) and (path := Path(row)).is_dir())
    return "; ".join(text for text in (cleaned, *folders) if text)


def _one_is_all(lines: Sequence[str]) -> bool:
    return lines[-1].rstrip().endswith("\\") and bool(command_in(lines[0]))


def _something(item: Field, value: Any) -> bool:
    """Nothing is an answer only where it is a choice."""
    return value is not None and (value != "" or "" in item.choices)


def _no_flaw(item: Field) -> tuple[str, str] | None:
    return None


def _open_password(item: Field) -> tuple[str, str] | None:
    if item.secret:
        return None
    return "a password that is not secret would end up in the journal.", "Add secret = true."


def _no_choices(item: Field) -> tuple[str, str] | None:
    return None if item.choices else ("a choice without choices.", "Add choices = [ … ].")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldKind:
    """Everything that is particular to one kind of field."""

    written: str
    """What an answers file says in its place: "true or false"."""
    editor: str
    """Name of what edits it on the screen, see EDITORS there; a secret is always typed into a masked line."""
    parse: Callable[[Field, Any], Any] = _line
    """What was typed, pasted or written, as a value of the kind's type; raises Problem that quotes no secret."""
    check: Callable[[Step, Field, Any], Any] = _as_read
    """A parsed value as it is kept; raises Problem where it can't be right."""
    answered: Callable[[Field, Any], bool] = _something
    """Does a value that is kept count as an answer?"""
    shown: Callable[[Any], str] = str
    """A value that is kept, as text for people."""
    remark: Callable[[Step, Any, Any], str] = _as_typed
    """What was made of what was typed, from it and what is kept; empty where that needs no word."""
    goes_on: Callable[[Sequence[str]], bool] = _one_is_all
    """After these lines of an answer that is pasted to a question: does it have more?"""
    yes_no: bool = False
    """A no is an answer, but not the one that is needed: it isn't asked again, and the step can't begin."""
    hidden: bool = False
    """Not even its length is shown while it is typed."""
    seen: bool = False
    """A user's name: kept where secrets are, but shown to who types it, who can't tell from dots what went wrong."""
    rows: bool = False
    """Several values: links among them are kept like passwords, the rest in the journal."""
    flaw: Callable[[Field], tuple[str, str] | None] = _no_flaw
    """What is wrong with a step file's field of this kind, and what to do about it; None where nothing is."""


KINDS: dict[str, FieldKind] = {
    "acknowledge": FieldKind(
        written="true or false",
        editor="check box",
        parse=_yes_or_no,
        answered=lambda _, value: value is True,
        shown=lambda value: "yes" if value else "no",
        yes_no=True,
    ),
    "text": FieldKind(written="text", editor="line", seen=True),
    "number": FieldKind(written="a whole number", editor="line", parse=_whole_number),
    "path": FieldKind(written="a folder", editor="folder line", parse=_path, remark=_taken),
    "url": FieldKind(written="a link", editor="line", parse=_text, check=check_link, remark=_taken),
    "choice": FieldKind(written="text", editor="choice", parse=_one_of, remark=_taken, flaw=_no_choices),
    "password": FieldKind(written="text", editor="line", parse=_word, hidden=True, flaw=_open_password),
    "sources": FieldKind(
        written="a folder, a file or a link, or a list of these",
        editor="source list",
        parse=_rows,
        check=lambda step, _, rows: check_sources(step, rows),
        answered=lambda _, value: bool(value),
        shown=", ".join,
        remark=_rows_taken,
        rows=True,
    ),
    "email": FieldKind(written="an e-mail address", editor="line", check=check_email, seen=True),
    "tree": FieldKind(written="text", editor="tree line", parse=_text, check=check_tree, remark=_taken),
    "base_url": FieldKind(
        written="a link, or a script",
        editor="line",
        parse=_text,
        check=check_base_url,
        remark=_taken,
        goes_on=wants_more,
    ),
}
"""Kind of a field → its row. What a form can ask for is this and nothing else."""


def kind_of(item: Field) -> FieldKind:
    """The row of a field's kind."""
    return KINDS[item.kind]


def check_answer(step: Step, item: Field, value: Any) -> Any:
    """`value` as it is kept; raises Problem that names the field as its form does and never quotes a secret."""
    kind = kind_of(item)
    return kind.check(step, item, kind.parse(item, value))


def taken_as(step: Step, item: Field, value: Any) -> str:
    """What is made of an answer that was pasted or typed, for people; empty where it stays as it is."""
    with suppress(Problem):
        return kind_of(item).remark(step, value, check_answer(step, item, value))
    return ""


def answered_by(item: Field, value: object) -> bool:
    """Does this value count as an answer? Engine, `status`, screen and questions all ask here."""
    return kind_of(item).answered(item, value)


def may_hold_secrets(item: Field) -> bool:
    """Is it, or a row of it, kept in the vault?"""
    return item.secret or kind_of(item).rows


def secret_fields(steps: Iterable[Step]) -> list[tuple[str, str]]:
    """(step, field) of everything that may be in the vault."""
    return [(step.id, item.name) for step in steps for item in step.fields if may_hold_secrets(item)]


def check_field(where: str, item: Field) -> None:
    """Raise Problem where a step file's field is of no kind, or lacks what its kind wants."""
    if item.kind not in KINDS:
        raise Problem(f"{where}: kind {item.kind!r} is unknown.", f"Use one of {', '.join(KINDS)}.")
    if flaw := kind_of(item).flaw(item):
        raise Problem(f"{where}: {flaw[0]}", flaw[1])
