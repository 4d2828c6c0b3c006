"""What a server's response means for a download: go on, begin again, ask later, or never.

It decides; it neither asks nor writes.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus

import httpx

from mseg_wizard.http import html_pages
from mseg_wizard.http.addresses import expiry
from mseg_wizard.http.client import HttpClient
from mseg_wizard.http.partial_file import PartialState
from mseg_wizard.http.remote_file import Endpoint, Location
from mseg_wizard.progress import Problem, printable, size


class Unavailable(Problem):
    """No source gave the file."""


class LinkRefused(Unavailable):
    """A pasted link that the server no longer takes: a fresh one is needed, and what is there is kept."""

    def __init__(self, what: str, do: str, items: Iterable[str], location: Location) -> None:
        super().__init__(what, do, items)
        self.location = location


class SourceRefused(Exception):
    """This source won't give the file, however often it is asked. The words follow its name and a colon."""

    def __init__(self, why: str, link: bool = False) -> None:
        super().__init__(why)
        self.link = link
        """A fresh link would help."""


class TryAgain(Exception):
    """It did not work now and may later."""

    def __init__(self, why: str, after: float | None = None, scratch: bool = False, login: bool = False) -> None:
        super().__init__(why)
        self.after = after
        """Seconds that the server asks to wait."""
        self.scratch = scratch
        """The next request must be for the whole file: what is there can't be continued here."""
        self.login = login
        """Only after a login."""


class ConnectionBroken(TryAgain):
    """The connection ended; the server itself refused nothing."""


def check_continuation(
    response: httpx.Response, offset: int, state: PartialState | None, known: int | None, same: bool
) -> int | None:
    """The total that a 206 gives, None where it says `*`; raises
    TryAgain where its bytes do not belong behind the first `offset`.

    `state` describes what is there, `known` its total, `same` says whether it came from this source: else only the
    total can be compared.
    """
    if response.headers.get("content-type", "").lower().startswith("multipart/"):
        raise TryAgain("it answers with several parts where one was asked for", scratch=True)
    span = re.fullmatch(
        r"bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", response.headers.get("content-range", "").strip(), re.IGNORECASE
    )
    if not span or int(span[1]) != offset:
        raise TryAgain("it answers with another part than was asked for", scratch=True)
    total = None if span[3] == "*" else int(span[3])
    if total is not None and not int(span[1]) <= int(span[2]) < total:
        raise TryAgain("it answers with a part that lies outside the file", scratch=True)
    if known is not None and total is not None and total != known:
        raise TryAgain(f"the file there has changed: it had {known:,} bytes and has {total:,} now", scratch=True)
    if same and state is not None:
        for name, before in (("etag", state.etag), ("last-modified", state.modified)):
            if before and before != response.headers.get(name, before):
                raise TryAgain("the file there has changed since the download began", scratch=True)
    if not (same and state is not None and state.validator) and (total is None or total != known):
        raise TryAgain("it can't be told whether its file is still the same", scratch=True)
    return total


def check_unsatisfied(response: httpx.Response, offset: int) -> None:
    """Return if a 416 says that the first `offset` bytes are all;
    raises TryAgain where the file there is another one by now.
    """
    whole = re.fullmatch(r"bytes\s+\*/(\d{1,18})", response.headers.get("content-range", "").strip(), re.IGNORECASE)
    if not whole or int(whole[1]) != offset:
        has = f" has {size(int(whole[1]))} and" if whole else ""
        raise TryAgain(f"the file there{has} is not the one that the first {size(offset)} are from", scratch=True)


def announced_length(response: httpx.Response) -> int | None:
    """The body's announced length, None where none is."""
    text = response.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def not_the_file(
    response: httpx.Response, client: HttpClient, *, pasted: bool, resigned: bool
) -> SourceRefused | TryAgain:
    """A response that is neither 200, 206 nor a redirect.

    `pasted`: a fresh link could help; `resigned`: asking again gives one.
    """
    status = response.status_code
    page = html_pages.detect_page(
        html_pages.body(_until_broken(response), response.headers), response.headers.get("content-type", "")
    )
    known = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    why = f"it answered {status} {known}".rstrip() + (f" ({client.clean(page.title)})" if page and page.title else "")
    if status in (408, 425, 429) or status >= 500:
        return TryAgain(why, html_pages.wait_asked(response.headers))
    if resigned and status in (400, 401, 403):
        return TryAgain(why)
    if status in (401, 403) or (page and page.login):
        return TryAgain(why, login=True)
    return SourceRefused(why, link=pasted and status in (400, 404, 410))


def _until_broken(response: httpx.Response) -> Iterator[bytes]:
    with suppress(httpx.TransportError):  # the status says enough
        yield from response.iter_raw()


def check_first_bytes(
    head: bytes, name: str, response: httpx.Response, client: HttpClient, *, pasted: bool, trusted: bool
) -> None:
    """Return if these are the first bytes of a file called `name`; raises
    SourceRefused, or TryAgain where the source was good before: `trusted`.
    """
    kind, encoding = (
        response.headers.get("content-type", ""),
        response.headers.get("content-encoding", "").strip().lower(),
    )
    if page := html_pages.detect_page(head, kind, encoding):
        title = f" “{client.clean(page.title)}”" if page.title else ""
        if page.login:
            raise TryAgain(f"it answers with its login page{title}", login=True)
        why = f"it answers with a page{title} instead of the file"
        raise TryAgain(why) if trusted else SourceRefused(why, link=pasted)
    if wrong := html_pages.wrong_beginning(name, head):
        raise SourceRefused(f"what it sends {wrong}", link=pasted)
    if encoding not in ("", "identity") and not name.lower().endswith((".gz", ".tgz")):
        raise SourceRefused(f"it sends the file in another encoding ({client.clean(encoding, 20)}) though asked not to")


def network_failure(error: httpx.TransportError, client: HttpClient, stall: float) -> SourceRefused | TryAgain:
    """What a network failure means, in the user's words."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        return SourceRefused(f"its certificate can't be verified ({client.clean(cause.verify_message)})")
    if isinstance(error, httpx.RemoteProtocolError) and "location header" in str(error):  # httpx parses it before we do
        return SourceRefused("it redirects to something that is no web address")
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return SourceRefused("its address can't be used")
    host = ""
    with suppress(RuntimeError):  # raised where there is no request to ask
        host = f" to {client.clean(error.request.url.host)}"
    words = {
        httpx.ConnectTimeout: f"no connection{host} in time",
        httpx.ReadTimeout: f"it sent nothing for {stall:.0f} s",
        httpx.WriteTimeout: f"it took nothing for {stall:.0f} s",
        httpx.RemoteProtocolError: "the connection ended early",
        httpx.ReadError: "the connection broke",
        httpx.WriteError: "the connection broke",
        httpx.ProxyError: "the proxy refuses",
    }.get(type(error), f"no connection{host}")
    detail = client.clean(str(error)) if isinstance(error, httpx.ConnectError | httpx.ProxyError) else ""
    return ConnectionBroken(words + (f" ({detail})" if detail else ""))


def unavailable(name: str, kept: int, refusals: Sequence[tuple[Endpoint, SourceRefused]]) -> Problem:
    """What to tell the user when no source is left; `kept`: bytes that are there."""
    keeps = f" The {size(kept)} that are here are kept, and the download goes on from there." if kept else ""
    reasons = [f"{endpoint.title}: {refused}" for endpoint, refused in refusals]
    for endpoint, refused in refusals:
        if refused.link:
            ends = expiry(endpoint.url) if endpoint.url else None
            late = ends is not None and ends < datetime.now(UTC)
            why = f"expired on {ends:%Y-%m-%d at %H:%M} UTC" if late else f"is not accepted: {refused}"
            return LinkRefused(
                f"The link to {name} at {endpoint.title} {why}.",
                f"Get a fresh link, the way you got this one, and paste it.{keeps}",
                reasons,
                endpoint.location,
            )
    what = f"{name} could not be downloaded. {printable('; '.join(reasons) or 'No source for it is known', 2000)}."
    return Unavailable(
        what, f"Start again later, or name another source for it: a file, a folder or a link.{keeps}", reasons
    )
