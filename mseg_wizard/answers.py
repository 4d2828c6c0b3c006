"""What is pasted or typed into a form, held against what it must be: links, base URLs, addresses, files.

Nothing is asked of a server.

Each check returns the value as it is kept, or raises Problem in plain words that never quote it: most of these values
open doors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

from mseg_wizard.archives.layout import check_layout
from mseg_wizard.core.files import parse_toml
from mseg_wizard.http.addresses import expiry, web_address
from mseg_wizard.progress import Problem, Usage, printable
from mseg_wizard.step import Archive, Field, Step

LINK = ("http://", "https://")
SCHEME = re.compile("^https?://", re.IGNORECASE)
WANTED = "Give the path of a file or folder on this machine, or a link that begins with https:// or http://."
SCRIPT = 1 << 20
"""Bytes of a script that are read."""

Check = Callable[[Step, Field, str], str]

Answers = Mapping[str, Mapping[str, Any]]
"""Step id → field name → value."""


class UnusableAnswer(Problem):
    """Right in form and of no use at this time: a link that has expired, a file that is not there."""


def check_answer(step: Step, item: Field, value: Any) -> Any:
    """`value` as the field's kind; raises Problem that names the field as its form does and never quotes a secret."""
    where = f"“{item.label}”"
    shown = "that" if item.secret else repr(value)[:80]
    if item.kind == "acknowledge":
        if not isinstance(value, bool):
            raise Problem(f"{where} is {shown}.", "Write true or false.")
        return value
    if item.kind == "number":
        digits = str(value).strip()
        if isinstance(value, bool) or not digits.isdecimal() or len(digits) > 9:
            raise Problem(f"{where} is {shown}.", "Write a whole number, 0 or more.")
        return int(digits)
    if item.kind == "sources":
        rows = value.splitlines() if isinstance(value, str) else value
        if not isinstance(rows, list | tuple) or not all(isinstance(row, str) for row in rows):
            raise Problem(f"{where} is {shown}.", "Give a folder, a file or a link, or a list of these.")
        return check_sources(step, [row.strip() for row in rows if row.strip()])
    if not isinstance(value, str):
        raise Problem(f"{where} is {shown}.", "Write it as text, in quotes.")
    if check := check_of(step, item):
        return check(step, item, value)
    text = one_line(value) if item.kind != "password" else value.strip("\r\n")
    if item.kind == "choice" and text not in item.choices and not item.free:
        raise Problem(f"{where} is {shown}.", f"Choose one of: {', '.join(item.choices)}.")
    return text


def read_answers(path: Path, steps: tuple[Step, ...]) -> Answers:
    """An answers file: TOML, one table per step id, one key per field.

    Raises Usage where it can't be read, names unknown steps or fields, has an answer that can't be right, or holds
    secrets while others may read it: all of that before a destination is opened.
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


def one_line(text: str) -> str:
    """A pasted value: wrapped lines joined, blanks at the ends and control characters dropped."""
    return "".join(c for line in text.splitlines() for c in line.strip() if c.isprintable())


def is_link(text: str) -> bool:
    """Is this, or will this become, a link?

    However it is written, and whatever was pasted around it: links are kept like passwords.
    """
    return _unwrapped(text).startswith(LINK)


def check_of(step: Step, item: Field) -> Check | None:
    """The check for a field's text, where it has one of its own."""
    return FIELD_CHECKS.get(f"{step.id}.{item.name}") or (check_link if item.kind == "url" else None)


def check_link(step: Step, item: Field, value: str) -> str:
    """The link of the one archive that the field stands for, as it came
    by e-mail or from the browser; raises OfNoUseNow once expired.
    """
    archive = next((archive for archive in step.archives if archive.link_field == item.name), None)
    where = f"“{item.label}”"
    text = _unwrapped(value)
    url = _url(text, where)
    if archive and not _leads_to(url, archive):
        raise Problem(
            f"{where} does not lead to {archive.file}, but to another file or page.",
            f"Paste the link of {archive.file} itself. If you are sure of this one, give it as the step's archives "
            "instead.",
        )
    _not_expired(url, where)
    return text


def check_base_url(step: Step, item: Field, value: str) -> str:
    """The BASE_URL: typed itself, or taken from the script's text or from the script at a path on this machine."""
    archive = next((archive for archive in step.archives if archive.link_field == item.name), None)
    where = f"“{item.label}”"
    text = value.strip()
    found = _base_url(text)
    if not found and not _unwrapped(text).startswith(LINK):
        found = _base_url(_script(text, where))
        if not found:
            raise Problem(
                f"{where}: there is no line BASE_URL = '…' in that script.",
                "Give download-scannet.py as it came by e-mail.",
            )
    base = _unwrapped(found or text)
    if archive and base.rstrip("/").endswith("/" + archive.link_path):
        base = base.rstrip("/").removesuffix(archive.link_path)
    _url(base, where)
    return base


def check_email(step: Step, item: Field, value: str) -> str:
    """An e-mail address."""
    text = one_line(value)
    if not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", text):
        raise Problem(
            f"“{item.label}” is no e-mail address.", "The address that you registered with is the user name there."
        )
    return text


def check_tree_answer(step: Step, item: Field, value: str) -> str:
    """Where mseg-api is: no link, which may hold a token and would stand in the journal."""
    if is_link(value):
        what = f"“{item.label}” is a link; the tree is fetched from MSeg's own place, or from a mirror."
        raise Problem(what, "Write “fetch”, or the path of a folder or zip on this machine.")
    return one_line(value)


def check_sources(step: Step, rows: Sequence[str]) -> list[str]:
    """The rows of a step's `archives`: folders, files of the right
    inner layout, links that lead to one of its archives.

    Paths come back absolute. Raises OfNoUseNow where one is not there or a link has expired.
    """
    alone = len(step.archives) == 1 and len(rows) == 1
    return [_source_link(step, row, alone) if is_link(row) else _source_path(step, row, alone) for row in rows]


FIELD_CHECKS: dict[str, Check] = {
    "scannet.base_url": check_base_url,
    "wilddash.username": check_email,
    "prepare.mseg_api": check_tree_answer,
}
"""`step.field` → its own check; fields of kind `url` have check_link."""


def _source_link(step: Step, row: str, alone: bool) -> str:
    where = "What you gave"
    text = _unwrapped(row)
    url = _url(text, where)
    if not alone and not any(_leads_to(url, archive) for archive in step.archives):
        raise Problem("A link that you gave does not lead to any archive of this step.", f"They are: {_names(step)}.")
    _not_expired(url, where)
    return text


def _source_path(step: Step, row: str, alone: bool) -> str:
    """Absolute, so that the next start may happen in another folder."""
    # What looks like a link that lost its beginning may open doors too.
    where = "What you gave" if "?" in row else printable(row, 200)
    try:
        path = Path(row).expanduser().absolute()
        folder, file = path.is_dir(), path.is_file()
    except (OSError, RuntimeError, ValueError):
        raise Problem(f"{where} is no path that can be used.", WANTED) from None
    if folder:
        return str(path)
    if not file:
        raise UnusableAnswer(f"{where} is not there, or you may not read it.", WANTED)
    archive = next(
        (archive for archive in step.archives if archive.file == path.name), step.archives[0] if alone else None
    )
    if archive is None:
        raise Problem(f"{where} has the name of none of this step's archives.", f"They are: {_names(step)}.")
    if problem := check_layout(path, archive.layout, archive.wrong):
        raise Problem(f"{where}: {problem.what}", problem.do)
    return str(path)


def _names(step: Step) -> str:
    return ", ".join(archive.file for archive in step.archives)


def _unwrapped(text: str) -> str:
    """A link without what mail programs, shells and consoles put around and into it."""
    bare = "".join(one_line(text).split()).strip("<>\"'`").replace("&amp;", "&")
    return SCHEME.sub(lambda found: found[0].lower(), bare)


def _url(text: str, where: str) -> httpx.URL:
    if url := web_address(text):
        return url
    raise Problem(f"{where} is no link.", "Paste an address that begins with https:// or http://.")


def _leads_to(url: httpx.URL, archive: Archive) -> bool:
    """By the last part of the path, or by the name that the link asks the server to give the file."""
    asked = re.search(
        r"filename\*?=\s*(?:UTF-8'')?\"?([^\";]+)", url.params.get("response-content-disposition", ""), re.IGNORECASE
    )
    names = {unquote(url.path.rstrip("/").rsplit("/", 1)[-1]), unquote(asked[1]).strip() if asked else ""}
    return bool(names & {archive.file, *archive.other_names})


def _not_expired(url: httpx.URL, where: str) -> None:
    ends = expiry(url)
    if ends and ends <= datetime.now(UTC):
        raise UnusableAnswer(
            f"{where} is a link that expired on {ends:%Y-%m-%d at %H:%M} UTC.",
            "Get a fresh one, the way you got this one.",
        )


def _base_url(text: str) -> str:
    """What BASE_URL is set to; empty where it isn't.

    Commented lines don't count, where there are lines: pasting may have joined them.
    """
    before = r"^[^#\n]*?\b" if "\n" in text.strip() else ""
    found = re.search(before + r"BASE_URL\s*=\s*(?:'([^'\n]+)'|\"([^\"\n]+)\")", text, re.MULTILINE)
    return (found[1] or found[2]).strip() if found else ""


def _script(text: str, where: str) -> str:
    """The text of the script at a path."""
    wanted = "Give the address itself, the script's text, or the path of download-scannet.py on this machine."
    try:
        path = Path(one_line(text).strip("'\"")).expanduser()
        if not path.is_file():
            raise UnusableAnswer(
                f"{where} is no address, no script with a BASE_URL in it, and no file on this machine.", wanted
            )
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(SCRIPT)
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise Problem(f"{where}: that file can't be read{f': {reason}' if reason else ''}.", wanted) from None
