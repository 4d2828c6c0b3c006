"""What a download fails with, and in which words: a source that refuses, one that may give it later, none at all."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from mseg_wizard.http.addresses import expiry
from mseg_wizard.http.client import HttpClient
from mseg_wizard.http.proxies import ProxyFailed
from mseg_wizard.http.remote_file import Endpoint, Location
from mseg_wizard.progress import Problem, printable, size


@dataclass(frozen=True)
class Refused:
    """What one source answered, the last time that it was asked."""

    location: Location
    words: str
    gone: bool
    """Its own server said that there is no such file."""


class Unavailable(Problem):
    """No source gave the file."""

    def __init__(self, what: str, do: str, items: Iterable[str] = (), answers: Sequence[Refused] = ()) -> None:
        super().__init__(what, do, items)
        self.answers = tuple(answers)
        """Of each source that was asked; a source that was not is not among them."""


class LinkRefused(Unavailable):
    """A pasted link that the server no longer takes: a fresh one is needed, and what is there is kept."""

    def __init__(self, what: str, do: str, items: Iterable[str], location: Location) -> None:
        super().__init__(what, do, items)
        self.location = location


class SourceRefused(Exception):
    """This source won't give the file, however often it is asked. The words follow its name and a colon."""

    def __init__(self, why: str, link: bool = False, resumes: bool = True, gone: bool = False) -> None:
        super().__init__(why)
        self.link = link
        """A fresh link would help."""
        self.gone = gone
        """Its own server said that there is no such file: 404 or 410, from no other server that it led to."""
        self.resumes = resumes
        """It sends parts, or was never seen not to: asking it later may bring more."""


class TryAgain(Exception):
    """It did not work now and may later."""

    def __init__(self, why: str, after: float | None = None, whole: bool = False, login: bool = False) -> None:
        super().__init__(why)
        self.after = after
        """Seconds that the server asks to wait."""
        self.whole = whole
        """The next request must be for the whole file: what is there can't be continued here."""
        self.login = login
        """Only after a login."""


class ConnectionBroken(TryAgain):
    """The connection ended; the server itself refused nothing."""


def network_failure(error: httpx.TransportError, client: HttpClient, stall: float) -> SourceRefused | TryAgain:
    """What a network failure means, in the user's words."""
    if isinstance(error, ProxyFailed):
        why = client.clean(str(error), 400)
        return SourceRefused(why) if error.final else ConnectionBroken(why)
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
    }.get(type(error), f"no connection{host}")
    detail = client.clean(str(error)) if isinstance(error, httpx.ConnectError) else ""
    return ConnectionBroken(words + (f" ({detail})" if detail else ""))


def unavailable(name: str, kept: int, continues: bool, refusals: Sequence[tuple[Endpoint, SourceRefused]]) -> Problem:
    """What to tell the user when no source is left.

    `kept`: bytes that are here; `continues`: they can be continued where they end.
    """
    keeps = ""
    if kept:
        goes_on = "the download goes on from there" if continues else "compared with what comes when it begins anew"
        keeps = f" The {size(kept)} that are here are kept, and {goes_on}."
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
    do = "Start again later, or name another source for it: a file, a folder or a link."
    if any(not refused.resumes for _, refused in refusals):
        do = (
            "Start again over a steadier network, or name another source for it: a link to a server that resumes "
            "downloads, or the file, fetched with a browser or on another machine."
        )
    answers = [
        Refused(endpoint.location, words, refused.gone)
        for words, (endpoint, refused) in zip(reasons, refusals, strict=True)
    ]
    return Unavailable(what, do + keeps, reasons, answers)
