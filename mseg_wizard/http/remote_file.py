"""What is to be fetched, where it may be and how long each place
is tried: facts, and the words that may be shown of an address.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from mseg_wizard.http.addresses import is_signed, origin, web_address, without_query
from mseg_wizard.http.client import CONNECT, STALL, HttpClient
from mseg_wizard.vault import Secret


@dataclass(frozen=True)
class Location:
    """One place that may have the file."""

    url: str | Secret
    """A Secret is a pasted link: where it is refused, a fresh one is asked for."""
    login: Callable[[HttpClient], None] | None = None
    """Logs in through the connection it is given, leaving cookies or headers there; called before the
    first request and again when the server asks for a login. Raises Problem where the credentials
    are wrong, TryAgain where it may work later, httpx.TransportError where the network fails.
    """
    named: bool = False
    """The user named this place: where `PublishedFacts.lenient` is set, its file may differ from the published one."""
    doubtful: bool = False
    """It may well not be there any more: while nothing has come from
    it, it is given up as quickly as if another place were left.
    """


@dataclass(frozen=True)
class PublishedFacts:
    """What was published about the file. A size or hash that differs refuses it, except where it is told otherwise."""

    bytes: int | None = None
    sha256: str = ""
    md5: str = ""
    sha1: str = ""
    warn_only: bool = False
    """The publication is weak: what differs is a warning."""
    lenient: bool = False
    """What differs is a warning at places that the user named: a `Location.named`, or an origin under a route."""
    md5_too: bool = False
    """The md5 is wanted though none was published; hashing it takes longer than the download on a fast network."""

    @property
    def kinds(self) -> set[str]:
        """Which hashes are made."""
        return {"sha256", *self.hashes, *(["md5"] if self.md5_too else [])}

    @property
    def hashes(self) -> dict[str, str]:
        """The published hashes by kind, the strongest first."""
        return {kind: value.lower() for kind in ("sha256", "sha1", "md5") if (value := getattr(self, kind))}


@dataclass(frozen=True)
class Fetched:
    """The file that is now in place."""

    bytes: int
    sha256: str
    md5: str
    """Empty where it was neither published nor wanted."""
    source: str
    """Where it came from: never a query, of a pasted link only the origin."""
    location: Location
    differs: tuple[str, ...] = ()
    """How it differs from what was published, where that is allowed."""
    doubt: str = ""
    """What its server left unsaid, in words; empty where it is proven whole."""


@dataclass(frozen=True)
class RetryPolicy:
    """How long a place is tried; seconds."""

    tries: int = 10
    """In a row that brought nothing: a server that breaks off after each 800 MB is asked as long as bytes come."""
    tries_before_next: int = 3
    """The same while another place is left and nothing has come from this one."""
    first: float = 1.0
    most: float = 300.0
    asked: float = 600.0
    """The most that a server's Retry-After is obeyed for."""
    stall: float = STALL
    connect: float = CONNECT
    jitter: Callable[[], float] = lambda: random.uniform(0.5, 1.0)  # noqa: S311 - spreads requests, protects nothing

    def delay(self, fruitless: int) -> float:
        """Seconds before the next attempt, after so many that brought nothing."""
        return min(self.most, self.first * 2.0 ** max(0, fruitless - 1)) * self.jitter()


@dataclass(frozen=True)
class Endpoint:
    """A location, ready to be asked and to be shown."""

    location: Location
    url: httpx.URL | None = field(repr=False)
    """None where it is no address."""
    title: str
    key: str
    """Digest of origin and path, of a pasted link's origin alone: a fresh link to the same file is the same source."""
    pasted: bool
    """A fresh link would be another chance."""


def endpoint_of(location: Location, client: HttpClient) -> Endpoint:
    """Take an address apart: credentials to `client`, which also learns what it must never show."""
    secret = isinstance(location.url, Secret)
    url = web_address(location.url.reveal() if isinstance(location.url, Secret) else location.url)
    if url is None:
        return Endpoint(location, None, "the pasted link" if secret else "an address that can't be read", "", secret)
    url = client.authorize(url)
    if secret:
        client.hide(url.path, *url.path.split("/"))
    place = origin(url).encode() + (b"" if secret else url.raw_path.split(b"?")[0])
    title = f"{origin(url)}/…" if secret else without_query(url)
    return Endpoint(location, url, title, hashlib.sha256(place).hexdigest()[:16], secret or is_signed(url))
