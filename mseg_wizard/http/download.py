"""One file from a list of addresses, resumable across processes, in place only when whole and checked.

What it is for is not known here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from zipfile import is_zipfile

import httpx

from mseg_wizard.core.background import Job, background
from mseg_wizard.http import html_pages, responses
from mseg_wizard.http.addresses import Routes, is_signed, origin
from mseg_wizard.http.client import HttpClient, RedirectRefused
from mseg_wizard.http.connections import CONNECTIONS, Connection, Connections
from mseg_wizard.http.hashing import Hasher
from mseg_wizard.http.partial_file import PartialFile, PartialState, disk_problems
from mseg_wizard.http.remote_file import Endpoint, Fetched, Location, PublishedFacts, RetryPolicy, endpoint_of
from mseg_wizard.http.responses import ConnectionBroken, SourceRefused, TryAgain
from mseg_wizard.progress import Meter, Progress, duration, size

log = logging.getLogger(__name__)


def fetch(
    target: Path,
    locations: Sequence[Location],
    expected: PublishedFacts | None = None,
    *,
    routes: Routes | None = None,
    state_path: Path | None = None,
    retry_policy: RetryPolicy | None = None,
    connections: int = CONNECTIONS,
) -> Generator[Progress, None, Fetched]:
    """Fetch the file into `target`, through `<target>.part`; raises Problem, LinkRefused.

    `state_path`: where it is kept what the partial file is, `<target>.part.json` unless given. `connections`: how many
    to one server at most.
    """

    def work(job: Job) -> Fetched:
        with disk_problems(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        patient = retry_policy or RetryPolicy()
        with closing(HttpClient(job, routes, stall=patient.stall)) as client, PartialFile(target, state_path) as part:
            endpoints = [endpoint_of(location, client) for location in locations]
            return _Fetch(job, client, part, target.name, expected or PublishedFacts(), patient, connections).run(
                endpoints
            )

    running = background(work, Progress(f"looking for {target.name}", unit="B"))
    meter, doing = Meter(), ""
    try:
        while True:
            try:
                progress = next(running)
            except StopIteration as done:
                result: Fetched = done.value
                return result
            if progress.doing != doing:
                meter, doing = Meter(), progress.doing
            yield replace(progress, rate=None if progress.retry_in is not None else meter.rate(progress.done))
    finally:
        running.close()


class _Mismatch(Exception):
    """All bytes are there, and they are not the published file."""


class _Fetch:
    """One file's way in: sources in order, attempts at each, the check at the end. Runs in the task's thread."""

    def __init__(
        self,
        job: Job,
        client: HttpClient,
        part: PartialFile,
        name: str,
        expected: PublishedFacts,
        retry_policy: RetryPolicy,
        connections: int,
    ) -> None:
        self.job, self.client, self.part, self.name, self.expected, self.retry_policy = (
            job,
            client,
            part,
            name,
            expected,
            retry_policy,
        )
        self.connections = connections
        self.alone = False
        """This source gets one connection at a time."""
        self.hasher: Hasher | None = None
        self.unproven = False
        """The server did not say where the file ends."""
        self.logged_in = False

    def run(self, endpoints: Sequence[Endpoint]) -> Fetched:
        refusals: list[tuple[Endpoint, SourceRefused]] = []
        try:
            for endpoint in endpoints:
                try:
                    return self._from(endpoint, last=endpoint is endpoints[-1])
                except SourceRefused as refused:
                    log.warning("%s: %s: %s", self.name, endpoint.title, refused)
                    refusals.append((endpoint, refused))
                    if refused.link and self._offset(endpoint) and not self._decisive(endpoint):
                        break  # the next source would have to begin again: better a fresh link than 20 GB lost
        finally:
            self._drop_hasher()
        raise responses.unavailable(self.name, self.part.size, refusals)

    def _from(self, endpoint: Endpoint, last: bool) -> Fetched:
        """The file from one source, in as many attempts as it takes; raises SourceRefused."""
        self.alone = self.logged_in = relogged = scratch = rebuilt = False
        fruitless, best = 0, self._offset(endpoint)
        while True:
            try:
                return self._checked(endpoint, self._attempt(endpoint, scratch))
            except _Mismatch as mismatch:
                pieced = self.part.pieced
                self._drop_hasher()
                self.part.discard()
                if not pieced or rebuilt:
                    raise SourceRefused(str(mismatch)) from None
                log.warning("%s: %s: %s; it came in pieces, so it is fetched anew", self.name, endpoint.title, mismatch)
                rebuilt, best, fruitless, self.alone = True, 0, 0, True
            except TryAgain as again:
                gained = self.part.size > best
                best, fruitless = max(best, self.part.size), 0 if gained else fruitless + 1
                relogged = relogged and not gained
                self.alone = self.alone or not (again.login or isinstance(again, ConnectionBroken))
                if again.login:
                    if not endpoint.location.login or relogged:
                        raise SourceRefused(str(again), link=endpoint.pasted) from None
                    self.logged_in, relogged = False, True
                    continue
                limit = (
                    self.retry_policy.tries
                    if best or (last and not endpoint.location.doubtful)
                    else self.retry_policy.tries_before_next
                )
                if fruitless >= limit or ((again.after or 0) > self.retry_policy.asked and not last and not best):
                    asked = f", and asks to wait {duration(again.after)}" if again.after else ""
                    raise SourceRefused(
                        f"{again}{asked}" + (f", {fruitless} times in a row" if fruitless > 1 else "")
                    ) from None
                at_once = again.scratch and not scratch
                scratch = again.scratch
                log.info("%s: %s: %s; trying again", self.name, endpoint.title, again)
                self._pause(endpoint, again, 0 if at_once else fruitless)

    def _pause(self, endpoint: Endpoint, again: TryAgain, fruitless: int) -> None:
        """Wait before the next attempt, counting down."""
        delay = self.retry_policy.delay(fruitless)
        why = str(again)
        if again.after is not None:
            delay = min(again.after, self.retry_policy.asked)
            why += f", and asks to wait {duration(again.after)}" if again.after > delay else ""
        until = time.monotonic() + delay
        while (left := until - time.monotonic()) > 0:
            self._say(f"waiting to try {self.name} again: {why}", self.part.size, self._total(endpoint), left)
            self.job.sleep(min(0.2, left))

    def _attempt(self, endpoint: Endpoint, scratch: bool) -> list[httpx.URL]:
        """Ask and take what comes until all is there: the addresses that gave it.

        Raises TryAgain, SourceRefused, Problem.
        """
        url = endpoint.url
        if url is None:
            raise SourceRefused("it is no web address", link=endpoint.pasted)
        offset = 0 if scratch else self._offset(endpoint)
        if offset and offset == self._total(endpoint):
            return [url]  # whole already: only the check and the renaming were missing
        host, finals = url.host, list[httpx.URL]()
        self._say(f"asking {host} for {self.name}", self.part.size, self._total(endpoint))
        if endpoint.location.login and not self.logged_in:
            with self._speaking(endpoint):
                self.client.cookies.pop(origin(url), None)
                endpoint.location.login(self.client)
            self.logged_in = True

        def tick() -> None:
            doing = f"downloading {self.name} from {host}" if parallel.begun else f"asking {host} for {self.name}"
            self._say(doing, self.part.size, self._total(endpoint))

        with self.client.branch() as client:
            parallel = Connections(
                self.part, lambda: self._hasher().grow(self.part.prefix), 1 if self.alone else self.connections
            )

            def first(connection: Connection) -> None:
                with self._asked(client, endpoint, url, offset, self.part.hole if offset else None) as (
                    response,
                    final,
                ):
                    finals.append(final)
                    self._take(endpoint, response, final, offset, parallel, connection)

            def more(connection: Connection) -> None:
                with self._asked(client, endpoint, url, connection.start, connection.stop) as (response, final):
                    self._joins(endpoint, response, final, connection.start)
                    finals.append(final)
                    for chunk in response.iter_raw():
                        if not parallel.put(connection, chunk):
                            return

            try:
                parallel.run(first, more, tick, end=client.abort)
            finally:
                self.alone = self.alone or parallel.refused
        return finals

    @contextmanager
    def _asked(
        self, client: HttpClient, endpoint: Endpoint, url: httpx.URL, start: int, stop: int | None
    ) -> Iterator[tuple[httpx.Response, httpx.URL]]:
        """Ask for the bytes from `start` on: the response, and the address that gave it."""
        headers = {}
        if start or stop:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
            if self._same(endpoint) and self.part.state and self.part.state.validator:
                headers["If-Range"] = self.part.state.validator
        decisive = self._decisive(endpoint)
        with (
            self._speaking(endpoint),
            client.follow(url, headers=headers, downgrade=decisive, connect=self.retry_policy.connect) as answer,
        ):
            yield answer

    @contextmanager
    def _speaking(self, endpoint: Endpoint) -> Iterator[None]:
        """What goes wrong on the way to a server, in the user's words."""
        try:
            yield
        except RedirectRefused as refused:
            raise (TryAgain(str(refused), login=True) if refused.login else SourceRefused(str(refused))) from None
        except httpx.InvalidURL:
            raise SourceRefused("its address can't be used", link=endpoint.pasted) from None
        except httpx.TransportError as error:
            raise responses.network_failure(error, self.client, self.retry_policy.stall) from None

    def _take(
        self,
        endpoint: Endpoint,
        response: httpx.Response,
        final: httpx.URL,
        offset: int,
        into: Connections,
        connection: Connection,
    ) -> None:
        """Judge the response, then write its body behind the first `offset` bytes, or from the beginning."""
        published = self.expected.bytes if self._binding(endpoint, final) else None
        if response.status_code == 416 and offset:
            responses.check_unsatisfied(response, offset)
            return
        total, offset = self._extent(endpoint, response, final, offset, published)
        chunks, head = response.iter_raw(), b""
        if not offset:
            for chunk in chunks:
                head += chunk
                if len(head) >= html_pages.HEAD:
                    break
            trusted = self._same(endpoint)
            responses.check_first_bytes(head, self.name, response, self.client, pasted=endpoint.pasted, trusted=trusted)
        end = total if total is not None else published
        self.part.room((end or 0) - self.part.size)
        here = self._state_of(endpoint, response, offset, total)
        if offset:
            self.part.resume(here)
        else:
            self._drop_hasher()
            self.part.begin(here)
        self._hasher()
        self.unproven = total is None and "transfer-encoding" not in response.headers
        parts = response.status_code == 206 or response.headers.get("accept-ranges", "").strip().lower() == "bytes"
        into.whole(connection, offset, here.total, splits=parts and bool(here.validator))
        for chunk in chain((head,), chunks):
            if total is None and published is not None and self.part.size + len(chunk) > published:
                self.part.discard()
                raise SourceRefused(f"its file has more than the {published:,} bytes of the published one")
            if not into.put(connection, chunk):
                break
        if total is None and end is not None and self.part.size < end:
            raise ConnectionBroken(f"its answer ended after {size(self.part.size)} of {size(end)}")

    def _extent(
        self, endpoint: Endpoint, response: httpx.Response, final: httpx.URL, offset: int, published: int | None
    ) -> tuple[int | None, int]:
        """Bytes of the whole file, None while unknown, and where this response's bytes begin in it.

        Raises TryAgain, SourceRefused where it brings something else than was asked for.
        """
        if response.status_code == 206 and offset:
            known, same = self._total(endpoint), self._same(endpoint)
            total = responses.check_continuation(response, offset, self.part.state, known, same)
        elif response.status_code == 200:
            total, offset = responses.announced_length(response), 0
        else:
            raise self._not_the_file(endpoint, response, final)
        if published is not None and total is not None and total != published:
            raise SourceRefused(f"its file has {total:,} bytes, the published one has {published:,}")
        return total, offset

    def _state_of(self, endpoint: Endpoint, response: httpx.Response, offset: int, total: int | None) -> PartialState:
        """What is known of the bytes that are there with those that come now."""
        # A part that was asked for with If-Range may leave out what it has thereby confirmed.
        state = self.part.state if offset and self._same(endpoint) else None
        before = state or PartialState(endpoint.key, endpoint.title)
        return PartialState(
            source=endpoint.key,
            title=endpoint.title,
            etag=response.headers.get("etag", before.etag),
            modified=response.headers.get("last-modified", before.modified),
            validator=html_pages.validator(response.headers) or before.validator,
            total=total if total is not None or not offset else self._total(endpoint),
        )

    def _joins(self, endpoint: Endpoint, response: httpx.Response, final: httpx.URL, start: int) -> None:
        """Return if a response's bytes belong at `start` of what is
        here, beyond doubt; raises TryAgain, SourceRefused.
        """
        state = self.part.state
        if response.status_code not in (200, 206, 416):
            raise self._not_the_file(endpoint, response, final)
        if response.status_code != 206 or state is None:
            raise TryAgain("it did not send the part that was asked for")
        if responses.check_continuation(response, start, state, state.total, self._same(endpoint)) != state.total:
            raise TryAgain("it does not say how long its file is")

    def _not_the_file(self, endpoint: Endpoint, response: httpx.Response, final: httpx.URL) -> SourceRefused | TryAgain:
        resigned = not endpoint.pasted and is_signed(final)
        return responses.not_the_file(response, self.client, pasted=endpoint.pasted, resigned=resigned)

    def _checked(self, endpoint: Endpoint, finals: Sequence[httpx.URL]) -> Fetched:
        """Compare with what was published, then put the file in place; raises _Mismatch."""
        length = self.part.size
        hasher = self._hasher()
        hasher.grow(length, last=True)
        while not hasher.finished(0.2):
            self._say(f"checking {self.name}", hasher.done, length)
        sums = hasher.digests()
        wrong = []
        if self.expected.bytes not in (None, length):
            wrong.append(f"its file has {length:,} bytes, the published one has {self.expected.bytes:,}")
        for kind, value in self.expected.hashes.items():
            if sums[kind] != value:
                wrong.append(f"its {kind} is {sums[kind]}, the published one is {value}")
        if wrong and self._binding(endpoint, *finals):
            raise _Mismatch("; ".join(wrong))
        if not self._decisive(endpoint) and self.name.lower().endswith(".zip") and not is_zipfile(self.part.path):
            raise _Mismatch(f"its file ends before the zip archive does, after {length:,} bytes")
        unproven = self.unproven and not self.expected.hashes and self.expected.bytes is None
        doubt = (
            f"{endpoint.title} did not say how long it is: only unpacking it can show whether it is whole"
            if unproven
            else ""
        )
        self.job.check()
        self.part.finish()
        return Fetched(
            length,
            sums["sha256"],
            sums.get("md5", ""),
            endpoint.title,
            endpoint.location,
            tuple(f"{endpoint.title}: {text}" for text in wrong),
            doubt,
        )

    def _binding(self, endpoint: Endpoint, *finals: httpx.URL) -> bool:
        """Whether a size or hash that differs refuses the file.

        A route exempts only what it covers from the first address to the last.
        """
        routed = all(url is not None and self.client.routes.covers(url) for url in (endpoint.url, *finals))
        return not self.expected.warn_only and not (self.expected.lenient and (endpoint.location.named or routed))

    def _decisive(self, endpoint: Endpoint) -> bool:
        """Whether a published hash will tell right from wrong, wherever the bytes come from."""
        return bool(self.expected.hashes) and self._binding(endpoint)

    def _same(self, endpoint: Endpoint) -> bool:
        return self.part.state is not None and self.part.state.source == endpoint.key

    def _published(self, endpoint: Endpoint) -> int | None:
        return self.expected.bytes if self._binding(endpoint) else None

    def _total(self, endpoint: Endpoint) -> int | None:
        return self.part.total(self._published(endpoint))

    def _offset(self, endpoint: Endpoint) -> int:
        return self.part.offset(endpoint.key, self._decisive(endpoint), self._published(endpoint))

    def _say(self, doing: str, done: int, total: int | None, retry_in: float | None = None) -> None:
        self.job.say(Progress(doing, done, total, "B", retry_in=retry_in))

    def _hasher(self) -> Hasher:
        self.hasher = self.hasher or Hasher(self.part.path, self.expected.kinds)
        return self.hasher

    def _drop_hasher(self) -> None:
        if self.hasher:
            self.hasher.close()
            self.hasher = None
