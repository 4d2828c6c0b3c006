"""What is pasted or typed into a form, held against what it must be: links, base URLs, addresses, files.

Nothing is asked of a server.

Each check returns the value as it is kept, or raises Problem in plain words that never quote it: most of these values
open doors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mseg_wizard.answers.brought import why_not
from mseg_wizard.answers.equivalents import identify
from mseg_wizard.answers.pasted import clean_path, is_link, meant_by, one_line
from mseg_wizard.answers.pasted_commands import command_in
from mseg_wizard.http.addresses import expiry, web_address
from mseg_wizard.progress import Problem, printable
from mseg_wizard.step import Archive, Field, Step

if TYPE_CHECKING:
    import httpx

WANTED = "Give the path of a file or folder on this machine, or a link that begins with https:// or http://."
CLOCK = timedelta(hours=15)
"""By which a clock may be wrong that was set to the local time of anywhere: so long the server is asked."""


class UnusableAnswer(Problem):
    """Right in form and of no use at this time: a link that has expired, a file that is not there."""


def check_link(step: Step, item: Field, value: str) -> str:
    """The link of the one archive that the field stands for, as it came by e-mail or from the browser.

    Raises UnusableAnswer once expired.
    """
    archive = next((archive for archive in step.archives if archive.link_field == item.name), None)
    where = f"“{item.label}”"
    pasted = meant_by(value)
    text = pasted.text
    if pasted.links:
        text = _the_one(pasted.links, [archive] if archive else [], where)
    url = needed_address(text, where)
    if archive and not _may_lead_to(url, archive):
        raise Problem(
            f"{where} does not lead to {archive.file}, but to another file or page.",
            f"Paste the link of {archive.file} itself. If you are sure of this one, give it as the step's archives "
            "instead.",
        )
    _not_expired(url, where)
    return text


def check_email(step: Step, item: Field, value: str) -> str:
    """An e-mail address."""
    found = set(re.findall(r"[^@\s<>()\"'“”:;,]+@[^@\s<>()\"'“”:;,.]+(?:\.[^@\s<>()\"'“”:;,.]+)+", one_line(value)))
    text = found.pop() if len(found) == 1 else ""
    around = one_line(value).replace(text, "") if text else "@"
    if "@" in around or (re.search(r"\w", around.replace("mailto:", "")) and "<" not in around):
        raise Problem(
            f"“{item.label}” is no e-mail address.", "The address that you registered with is the user name there."
        )
    return text


def check_tree(step: Step, item: Field, value: str) -> str:
    """Where mseg-api is: no link, which may hold a token and would stand in the journal."""
    if is_link(value) or command_in(value):
        what = f"“{item.label}” is a link; the tree is fetched from MSeg's own place, or from a mirror."
        raise Problem(what, "Write “fetch”, or the path of a folder or zip on this machine.")
    return clean_path(value)


def check_sources(step: Step, rows: Sequence[str]) -> list[str]:
    """The rows of a step's `archives`: folders, files of the right
    inner layout, links that lead to one of its archives.

    Paths come back absolute. Raises UnusableAnswer where one is not there or a link has expired.
    """
    alone = len(step.archives) == 1 and len(rows) == 1
    return [_source_link(step, row, alone) if is_link(row) else _source_path(step, row, alone) for row in rows]


def _source_link(step: Step, row: str, alone: bool) -> str:
    where = "What you gave"
    pasted = meant_by(row)
    text = _the_one(pasted.links, step.archives, where) if pasted.links else pasted.text
    url = needed_address(text, where)
    if not alone and not any(_may_lead_to(url, archive) for archive in step.archives):
        raise Problem("A link that you gave does not lead to any archive of this step.", f"They are: {_names(step)}.")
    _not_expired(url, where)
    return text


def _source_path(step: Step, row: str, alone: bool) -> str:
    """Absolute, so that the next start may happen in another folder."""
    # What looks like a link that lost its beginning may open doors too.
    where = "What you gave" if "?" in row or command_in(row) else printable(row, 200)
    if command_in(row):
        raise Problem("There is not one address in the command that you gave.", WANTED)
    try:
        path = Path(clean_path(row)).expanduser().absolute()
        folder, file = path.is_dir(), path.is_file()
    except (OSError, RuntimeError, ValueError):
        raise Problem(f"{where} is no path that can be used.", WANTED) from None
    if folder:
        return str(path)
    if not file:
        raise UnusableAnswer(f"{where} is not there, or you may not read it.", WANTED)
    named = next((archive for archive in step.archives if path.name in archive.names), None)
    if named is None and not alone:
        if any(not why_not(path, archive) for archive in step.archives):
            return str(path)
        what = f"{where} is none of this step's archives, by its name or by what is in it."
        raise Problem(what, f"They are: {_names(step)}.")
    _, problem = identify(path, named or step.archives[0])
    if problem:
        raise Problem(f"{where}: {problem.what}", problem.do)
    return str(path)


def _names(step: Step) -> str:
    return ", ".join(archive.file for archive in step.archives)


def needed_address(text: str, where: str) -> httpx.URL:
    """The web address that a text is; raises Problem that doesn't quote it."""
    if url := web_address(text):
        return url
    raise Problem(f"{where} is no link.", "Paste an address that begins with https:// or http://.")


def _the_one(links: Sequence[str], archives: Sequence[Archive], where: str) -> str:
    """Of several links that were pasted together, the one that leads to an archive; raises Problem."""
    leading = [
        link for link in links if (url := web_address(link)) and any(_leads_to(url, archive) for archive in archives)
    ]
    if len(leading) == 1:
        return leading[0]
    raise Problem(f"{where}: there are {len(links)} links in that text.", "Paste the one that is wanted, by itself.")


def _leads_to(url: httpx.URL, archive: Archive) -> bool:
    """By the last part of the path, or by the name that the link asks the server to give the file."""
    return bool(_names_in(url) & set(archive.names))


def _may_lead_to(url: httpx.URL, archive: Archive) -> bool:
    """The same, or where its links bear any name: another name, if not that of another version; the content decides."""
    if _leads_to(url, archive) or not archive.any_name:
        return _leads_to(url, archive)
    return not {_unnumbered(name) for name in _names_in(url)} & {_unnumbered(archive.file)}


def _unnumbered(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _names_in(url: httpx.URL) -> set[str]:
    asked = re.search(
        r"filename\*?=\s*(?:UTF-8'')?\"?([^\";]+)", url.params.get("response-content-disposition", ""), re.IGNORECASE
    )
    return {unquote(url.path.rstrip("/").rsplit("/", 1)[-1]), unquote(asked[1]).strip() if asked else ""}


def _not_expired(url: httpx.URL, where: str) -> None:
    ends, now = expiry(url), datetime.now(UTC)
    if ends and ends + CLOCK <= now:
        raise UnusableAnswer(
            f"{where} is a link that expired on {ends:%Y-%m-%d at %H:%M} UTC; here it is {now:%Y-%m-%d at %H:%M} UTC.",
            "Get a fresh one, the way you got this one. If that is not the time, set this machine's clock.",
        )
