"""What a server's response means for a half-fetched file: one function from heads and notes to a frozen decision.

Pure: nothing is asked, read or written here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from mseg_wizard.http import html_pages
from mseg_wizard.http.html_pages import HtmlPage
from mseg_wizard.http.partial_file import PartialState
from mseg_wizard.progress import size

CODINGS = {"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz"}
"""What a body can be coded with. Stores also send `aws-chunked`, `UTF-8`, `binary` or `none`, and the file as it is."""


@dataclass(frozen=True)
class ResponseHead:
    """A response as far as it is read when it is judged."""

    status: int
    headers: Mapping[str, str]
    """Names in any case are found, as httpx has it."""
    first: bytes = b""
    """The first bytes of the body, `html_pages.HEAD` or all; of a part they don't matter."""
    page: HtmlPage | None = None
    """The document that the body begins; its title is fit to show."""
    resigned: bool = False
    """It came by a signed address that another redirect would sign anew."""


@dataclass(frozen=True)
class OnDisk:
    """What is here of the file."""

    prefix: int = 0
    """Bytes from the beginning on without a hole."""
    state: PartialState | None = None
    same: bool = False
    """They came from this source."""


@dataclass(frozen=True)
class Wanted:
    """What was asked for, and what is known of it beforehand."""

    name: str
    source: str = ""
    """Digest of the source; `PartialState.source` and `title`."""
    title: str = ""
    start: int = 0
    """Where the request begins; 0: it is for the whole file."""
    bytes: int | None = None
    """As published, where that is binding."""
    pasted: bool = False
    """A fresh link would be another chance."""


@dataclass(frozen=True)
class Take:
    """The body's bytes are the file's."""

    offset: int
    """Where they begin in it."""
    total: int | None
    """Bytes of the whole file as this response says; None: it does not."""
    state: PartialState
    """What is known then of the bytes that are here."""
    splits: bool = False
    """The server sends parts, and proves what they are of."""
    open_end: bool = False
    """Nothing tells a body that was cut off from one that is whole."""
    compare: bool = False
    """What is here stays as far as the body says the same, and its note until the body differs."""


@dataclass(frozen=True)
class AllHere:
    """The bytes that are here are the whole file."""


@dataclass(frozen=True)
class Refuse:
    """This source won't give the file, however often it is asked."""

    why: str
    """Follows the source's name and a colon; fit to show."""
    link: bool = False
    """A fresh link would help."""
    gone: bool = False
    """There is no such file, or no more."""


@dataclass(frozen=True)
class AskAgain:
    """It did not work now and may later."""

    why: str
    after: float | None = None
    """Seconds that the server asks to wait."""
    whole: bool = False
    """The next request must be for the whole file: what is here can't be continued here."""
    login: bool = False
    """Only after a login."""


Decision = Take | AllHere | Refuse | AskAgain


def decide(head: ResponseHead, here: OnDisk, wanted: Wanted) -> Decision:
    """What to do with the response's body and with what is here."""
    total: int | None
    if head.status == 416 and wanted.start:
        return _nothing_behind(head, wanted.start)
    if head.status == 206 and wanted.start:
        part = _total_of_part(head, wanted.start)
        if isinstance(part, AskAgain):
            return part
        total = part
        if why := _another_file(head, here, wanted, total):
            return AskAgain(why, whole=True)
    elif head.status == 200:
        total = announced_length(head.headers)
        if wrong := _wrong_beginning(head, here, wanted):
            return wrong
    else:
        return _not_the_file(head, wanted)
    if wanted.bytes is not None and total is not None and total != wanted.bytes:
        return Refuse(f"its file has {total:,} bytes, the published one has {wanted.bytes:,}")
    return _taken(head, here, wanted, total)


def announced_length(headers: Mapping[str, str]) -> int | None:
    """The body's announced length, None where none is."""
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def coding(headers: Mapping[str, str]) -> str:
    """The coding that a body is sent in beyond the file's own; empty where none is known by what is said."""
    said = [each.strip().lower() for each in headers.get("content-encoding", "").split(",")]
    return next((each for each in said if each in CODINGS), "")


def _nothing_behind(head: ResponseHead, start: int) -> Decision:
    """A 416: is what is here all, or the file there another by now?"""
    whole = re.fullmatch(r"bytes\s+\*/(\d{1,18})", head.headers.get("content-range", "").strip(), re.IGNORECASE)
    if whole and int(whole[1]) == start:
        return AllHere()
    has = f" has {size(int(whole[1]))} and" if whole else ""
    return AskAgain(f"the file there{has} is not the one that the first {size(start)} are from", whole=True)


def _total_of_part(head: ResponseHead, start: int) -> int | AskAgain | None:
    """The total that a 206 names, None where it says `*`; it must begin at `start`."""
    if head.headers.get("content-type", "").lower().startswith("multipart/"):
        return AskAgain("it answers with several parts where one was asked for", whole=True)
    found = re.fullmatch(
        r"bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", head.headers.get("content-range", "").strip(), re.IGNORECASE
    )
    if not found or int(found[1]) != start:
        return AskAgain("it answers with another part than was asked for", whole=True)
    last, total = int(found[2]), None if found[3] == "*" else int(found[3])
    if total is not None and not start <= last < total:
        return AskAgain("it answers with a part that lies outside the file", whole=True)
    return total


def _another_file(head: ResponseHead, here: OnDisk, wanted: Wanted, total: int | None) -> str:
    """Why a part's bytes do not belong behind what is here, in words; empty where it is beyond doubt that they do."""
    known = _known_total(here, wanted)
    if known is not None and total is not None and total != known:
        return f"the file there has changed: it had {known:,} bytes and has {total:,} now"
    if _tagged_otherwise(head, here):
        return "the file there has changed since the download began"
    proven = here.same and here.state is not None and here.state.validator
    return "" if proven or (total is not None and total == known) else "it can't be told whether its file is the same"


def _tagged_otherwise(head: ResponseHead, here: OnDisk) -> bool:
    """Whether this source's own words about its file contradict what it said of the bytes that are here."""
    if not here.same or here.state is None:
        return False
    before = (("etag", here.state.etag), ("last-modified", here.state.modified))
    return any(said and said != head.headers.get(name, said) for name, said in before)


def _known_total(here: OnDisk, wanted: Wanted) -> int | None:
    return (here.state.total if here.state else None) or wanted.bytes


def _wrong_beginning(head: ResponseHead, here: OnDisk, wanted: Wanted) -> Refuse | AskAgain | None:
    """What a body is that can't be the file's; where this source was good before, it may be so again."""
    if head.page:
        title = f" “{head.page.title}”" if head.page.title else ""
        if head.page.login:
            return AskAgain(f"it answers with its login page{title}", login=True)
        why = f"it answers with a page{title} instead of the file"
        return AskAgain(why) if here.same else Refuse(why, link=wanted.pasted)
    coded = coding(head.headers)
    recoded = Refuse(f"it sends the file in another encoding ({coded}) though asked not to")
    if wrong := html_pages.wrong_beginning(wanted.name, head.first):
        # Of a gzipped archive the words about what it is say more.
        return Refuse(f"what it sends {wrong}", wanted.pasted) if not coded or _gzipped(wanted.name) else recoded
    return recoded if coded and not html_pages.known_beginning(wanted.name) else None


def _gzipped(name: str) -> bool:
    return name.lower().endswith((".gz", ".tgz"))


def _not_the_file(head: ResponseHead, wanted: Wanted) -> Refuse | AskAgain:
    """A response that is neither the file, a part of it nor a redirect."""
    known = HTTPStatus(head.status).phrase if head.status in HTTPStatus._value2member_map_ else ""
    why = f"it answered {head.status} {known}".rstrip()
    why += f" ({head.page.title})" if head.page and head.page.title else ""
    if head.status in (408, 425, 429) or head.status >= 500:
        return AskAgain(why, html_pages.wait_asked(head.headers))
    if head.resigned and head.status in (400, 401, 403):
        return AskAgain(why)
    if head.status in (401, 403) or (head.page and head.page.login):
        return AskAgain(why, login=True)
    gone = head.status in (404, 410)
    return Refuse(why, link=wanted.pasted and (gone or head.status == 400), gone=gone)


def _taken(head: ResponseHead, here: OnDisk, wanted: Wanted, total: int | None) -> Take:
    offset = wanted.start if head.status == 206 else 0
    validator = html_pages.validator(head.headers)
    open_end = total is None and head.status == 200 and "transfer-encoding" not in head.headers
    # A part that was asked for with If-Range may leave out what it has thereby confirmed.
    before = here.state if offset and here.same and here.state else PartialState(wanted.source, wanted.title)
    state = PartialState(
        source=wanted.source,
        title=wanted.title,
        etag=head.headers.get("etag", before.etag),
        modified=head.headers.get("last-modified", before.modified),
        validator=validator or before.validator,
        total=total if total is not None or not offset else _known_total(here, wanted),
    )
    parts = head.status == 206 or head.headers.get("accept-ranges", "").strip().lower() == "bytes"
    compare = not offset and _worth_comparing(head, here, total)
    return Take(offset, total, state, parts and bool(state.validator) and not compare, open_end, compare)


def _worth_comparing(head: ResponseHead, here: OnDisk, total: int | None) -> bool:
    """Whether a body from the first byte on may well be the file that the bytes here are from."""
    if not (here.prefix and here.same and here.state) or _tagged_otherwise(head, here):
        return False
    if total is None:
        return True
    return total == here.state.total if here.state.total is not None else here.prefix <= total
