"""What is pasted or typed into a form, held against what it must be: links, base URLs, addresses, files.

Nothing is asked of a server.

Each check returns the value as it is kept, or raises Problem in plain words that never quote it: most of these values
open doors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import httpx

from mseg_wizard.answers.pasted import LINK, bare_link, is_link, one_line
from mseg_wizard.archives.layout import check_layout
from mseg_wizard.http.addresses import expiry, web_address
from mseg_wizard.progress import Problem, printable
from mseg_wizard.step import Archive, Field, Step

WANTED = "Give the path of a file or folder on this machine, or a link that begins with https:// or http://."
SCRIPT = 1 << 20
"""Bytes of a script that are read."""


class UnusableAnswer(Problem):
    """Right in form and of no use at this time: a link that has expired, a file that is not there."""


def check_link(step: Step, item: Field, value: str) -> str:
    """The link of the one archive that the field stands for, as it came
    by e-mail or from the browser; raises OfNoUseNow once expired.
    """
    archive = next((archive for archive in step.archives if archive.link_field == item.name), None)
    where = f"“{item.label}”"
    text = bare_link(value)
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
    if not found and not bare_link(text).startswith(LINK):
        found = _base_url(_script(text, where))
        if not found:
            raise Problem(
                f"{where}: there is no line BASE_URL = '…' in that script.",
                "Give download-scannet.py as it came by e-mail.",
            )
    base = bare_link(found or text)
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


def check_tree(step: Step, item: Field, value: str) -> str:
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


def _source_link(step: Step, row: str, alone: bool) -> str:
    where = "What you gave"
    text = bare_link(row)
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
