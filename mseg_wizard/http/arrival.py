"""A file on its way in: its partial file, the hashes that follow it, and what binds which source's bytes."""

from __future__ import annotations

import httpx

from mseg_wizard.core.background import Job
from mseg_wizard.http.client import HttpClient
from mseg_wizard.http.hashing import Hasher
from mseg_wizard.http.partial_file import PartialFile
from mseg_wizard.http.refusals import ConnectionBroken
from mseg_wizard.http.remote_file import Endpoint, PublishedFacts
from mseg_wizard.http.responses import OnDisk, Take, Wanted
from mseg_wizard.progress import Progress, size


class Arrival:
    """One file while it is fetched, by whatever attempt from whatever source."""

    def __init__(self, job: Job, client: HttpClient, part: PartialFile, name: str, expected: PublishedFacts) -> None:
        self.job, self.client, self.part, self.name, self.expected = job, client, part, name, expected
        self.open_end = False
        """Nothing told where the last response's body ended."""
        self._hasher: Hasher | None = None
        self.refused = ""
        """The place before this one and why it gave nothing, in words."""

    @property
    def hasher(self) -> Hasher:
        self._hasher = self._hasher or Hasher(self.part.path, self.expected.kinds)
        return self._hasher

    def drop_hasher(self) -> None:
        """What is hashed counts no more."""
        if self._hasher:
            self._hasher.close()
            self._hasher = None

    def take(self, taken: Take) -> None:
        """Make ready for the bytes of a good response."""
        end = taken.total if taken.total is not None else self.expected.bytes
        self.part.room((end or 0) - self.part.size)
        if taken.compare and self.part.state:
            self.part.resume(self.part.state)  # nothing new is proven of what is here
        elif taken.offset:
            self.part.resume(taken.state)
        else:
            self.drop_hasher()
            self.part.begin(taken.state)
        self.open_end = taken.open_end

    def compare(self, at: int, chunk: bytes, taken: Take) -> None:
        """Forget what is here from the first byte on that `chunk`, which begins at `at`, gives another value."""
        there = self.part.read(at, len(chunk))
        if chunk.startswith(there):
            return
        same = next((i for i, (one, other) in enumerate(zip(there, chunk, strict=False)) if one != other), len(chunk))
        self.drop_hasher()
        self.part.shorten(at + same, taken.state)

    def ended(self, at: int, taken: Take, published: int | None) -> None:
        """The body ended, its last byte before `at`; raises ConnectionBroken where the file does not end there."""
        end = taken.total if taken.total is not None else published
        if end is None and taken.compare and at < self.part.size:
            if not taken.open_end:
                self.drop_hasher()
                self.part.shorten(at, taken.state)
                return
            end = self.part.size
        if end is not None and at < end:
            raise ConnectionBroken(f"its answer ended after {size(at)} of {size(end)}")

    def discard(self) -> None:
        self.drop_hasher()
        self.part.discard()

    def same(self, endpoint: Endpoint) -> bool:
        """Whether what is here came from this source."""
        return self.part.state is not None and self.part.state.source == endpoint.key

    def binding(self, endpoint: Endpoint, *finals: httpx.URL) -> bool:
        """Whether a size or hash that differs refuses the file.

        A route exempts only what it covers from the first address to the last.
        """
        routed = all(url is not None and self.client.routes.covers(url) for url in (endpoint.url, *finals))
        return not self.expected.warn_only and not (self.expected.lenient and (endpoint.location.named or routed))

    def decisive(self, endpoint: Endpoint) -> bool:
        """Whether a published hash will tell right from wrong, wherever the bytes come from."""
        return bool(self.expected.hashes) and self.binding(endpoint)

    def total(self, endpoint: Endpoint) -> int | None:
        return self.part.total(self._published(endpoint))

    def offset(self, endpoint: Endpoint) -> int:
        """From where to go on at this source."""
        return self.part.offset(endpoint.key, self.decisive(endpoint), self._published(endpoint))

    def on_disk(self, endpoint: Endpoint) -> OnDisk:
        return OnDisk(self.part.prefix, self.part.state, self.same(endpoint))

    def wanted(self, endpoint: Endpoint, start: int, final: httpx.URL) -> Wanted:
        published = self.expected.bytes if self.binding(endpoint, final) else None
        return Wanted(self.name, endpoint.key, endpoint.title, start, published, endpoint.pasted)

    def say(self, endpoint: Endpoint, doing: str, retry_in: float | None = None) -> None:
        if self.refused:
            doing = f"{doing}; {self.refused}"
        self.job.say(Progress(doing, self.part.size, self.total(endpoint), "B", retry_in=retry_in))

    def _published(self, endpoint: Endpoint) -> int | None:
        return self.expected.bytes if self.binding(endpoint) else None
