"""One attempt at one source: ask, have each response judged, write what comes. Whether there is another is not said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain

import httpx

from mseg_wizard.http import html_pages, responses
from mseg_wizard.http.addresses import is_signed, origin
from mseg_wizard.http.arrival import Arrival
from mseg_wizard.http.client import HttpClient, RedirectRefused
from mseg_wizard.http.connections import Connection, Connections
from mseg_wizard.http.html_pages import HtmlPage
from mseg_wizard.http.refusals import SourceRefused, TryAgain, network_failure
from mseg_wizard.http.remote_file import Endpoint, RetryPolicy
from mseg_wizard.http.responses import AllHere, AskAgain, Decision, Refuse, ResponseHead, Take
from mseg_wizard.http.retries import Attempts


class Attempt:
    """Asks one source for what is missing, over as many connections as help."""

    def __init__(self, arrival: Arrival, endpoint: Endpoint, policy: RetryPolicy, attempts: Attempts) -> None:
        self.finals: list[httpx.URL] = []
        """The addresses that gave the file, after redirects."""
        self.anew = False
        """The response began at the first byte though bytes were here."""
        self.logged_in = attempts.logged_in
        self.alone = attempts.alone
        """This source gets one connection at a time."""
        self._arrival, self._endpoint, self._policy = arrival, endpoint, policy
        self._whole = attempts.whole

    def run(self, connections: int) -> None:
        """Until all is there; raises TryAgain, SourceRefused, Problem."""
        arrival, endpoint, url = self._arrival, self._endpoint, self._endpoint.url
        if url is None:
            raise SourceRefused("it is no web address", link=endpoint.pasted)
        offset = 0 if self._whole else arrival.offset(endpoint)
        if offset and offset == arrival.total(endpoint):
            self.finals.append(url)  # whole already: only the check and the renaming were missing
            return
        arrival.say(endpoint, f"asking {url.host} for {arrival.name}")
        self._log_in(url)

        def tick() -> None:
            arrival.say(
                endpoint, f"{'downloading' if parallel.begun else 'asking'} {_of(url, arrival, parallel.begun)}"
            )

        with arrival.client.branch() as client:
            parallel = Connections(
                arrival.part, lambda: arrival.hasher.grow(arrival.part.prefix), 1 if self.alone else connections
            )

            def first(connection: Connection) -> None:
                with self._asked(client, url, offset, arrival.part.hole if offset else None) as (response, final):
                    self.finals.append(final)
                    self._first(response, final, offset, parallel, connection)

            def more(connection: Connection) -> None:
                with self._asked(client, url, connection.start, connection.stop) as (response, final):
                    self._further(response, final, connection.start)
                    self.finals.append(final)
                    for chunk in response.iter_raw():
                        if not parallel.put(connection, chunk):
                            return

            try:
                parallel.run(first, more, tick, end=client.abort)
            finally:
                self.alone = self.alone or parallel.refused

    def _log_in(self, url: httpx.URL) -> None:
        login = self._endpoint.location.login
        if login and not self.logged_in:
            with self._speaking():
                self._arrival.client.cookies.pop(origin(url), None)
                login(self._arrival.client)
            self.logged_in = True

    @contextmanager
    def _asked(
        self, client: HttpClient, url: httpx.URL, start: int, stop: int | None
    ) -> Iterator[tuple[httpx.Response, httpx.URL]]:
        """Ask for the bytes from `start` on: the response, and the address that gave it."""
        headers, state = {}, self._arrival.part.state
        if start or stop:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
            if self._arrival.same(self._endpoint) and state and state.validator:
                headers["If-Range"] = state.validator
        decisive = self._arrival.decisive(self._endpoint)
        with (
            self._speaking(),
            client.follow(url, headers=headers, downgrade=decisive, connect=self._policy.connect) as answer,
        ):
            yield answer

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """What goes wrong on the way to a server, in the user's words."""
        try:
            yield
        except RedirectRefused as refused:
            raise (TryAgain(str(refused), login=True) if refused.login else SourceRefused(str(refused))) from None
        except httpx.InvalidURL:
            raise SourceRefused("its address can't be used", link=self._endpoint.pasted) from None
        except httpx.TransportError as error:
            raise network_failure(error, self._arrival.client, self._policy.stall) from None

    def _judged(
        self, response: httpx.Response, final: httpx.URL, start: int, first: bytes, page: HtmlPage | None
    ) -> Decision:
        resigned = not self._endpoint.pasted and is_signed(final)
        head = ResponseHead(response.status_code, response.headers, first, page, resigned)
        arrival = self._arrival
        decision = responses.decide(head, arrival.on_disk(self._endpoint), arrival.wanted(self._endpoint, start, final))
        if isinstance(decision, Refuse):
            own = self._endpoint.url is not None and origin(final) == origin(self._endpoint.url)
            raise SourceRefused(decision.why, decision.link, gone=decision.gone and own)
        if isinstance(decision, AskAgain):
            raise TryAgain(decision.why, decision.after, decision.whole, decision.login)
        return decision

    def _first(
        self, response: httpx.Response, final: httpx.URL, offset: int, into: Connections, connection: Connection
    ) -> None:
        """Judge the first response, then write its body behind the first `offset` bytes, or from the beginning."""
        arrival, before = self._arrival, self._arrival.part.size
        chunks = response.iter_raw()
        first, page = beginning(response, chunks, arrival.client)
        taken = self._judged(response, final, offset, first, page)
        if isinstance(taken, AllHere):
            arrival.open_end = False
            return
        assert isinstance(taken, Take)  # noqa: S101 - the others are raised
        self.anew = bool(before) and not taken.offset
        arrival.take(taken)
        # What is compared is done when the body ends, however many bytes are here.
        into.whole(connection, taken.offset, None if taken.compare else taken.state.total, splits=taken.splits)
        published = arrival.wanted(self._endpoint, offset, final).bytes
        for chunk in chain((first,), chunks):
            if taken.total is None and published is not None and connection.at + len(chunk) > published:
                arrival.part.discard()
                raise SourceRefused(f"its file has more than the {published:,} bytes of the published one")
            if taken.compare:
                arrival.compare(connection.at, chunk, taken)
            if not into.put(connection, chunk):
                break
        if taken.compare or taken.total is None:
            arrival.ended(connection.at, taken, published)

    def _further(self, response: httpx.Response, final: httpx.URL, start: int) -> None:
        """Return if a response's bytes belong at `start` of what is here, beyond doubt."""
        state, page = self._arrival.part.state, None
        if response.status_code not in (200, 206, 416):
            _, page = beginning(response, response.iter_raw(), self._arrival.client)
            self._judged(response, final, start, b"", page)
        if response.status_code != 206 or state is None:
            raise TryAgain("it did not send the part that was asked for")
        taken = self._judged(response, final, start, b"", None)
        if not isinstance(taken, Take) or taken.total != state.total:
            raise TryAgain("it does not say how long its file is")


def beginning(response: httpx.Response, chunks: Iterator[bytes], client: HttpClient) -> tuple[bytes, HtmlPage | None]:
    """The first bytes of a body and the page that they begin, its title fit to show.

    All that is read of it, but of a document that says why there is no file, which is never the file.
    """
    kind = response.headers.get("content-type", "")
    if response.status_code == 206:
        return b"", None
    if response.status_code == 200:
        first = b""
        for chunk in chunks:
            first += chunk
            if len(first) >= html_pages.HEAD:
                break
        page = html_pages.detect_page(first, kind, responses.coding(response.headers))
    else:
        first, page = b"", html_pages.detect_page(html_pages.body(_until_broken(chunks), response.headers), kind)
    return first, HtmlPage(client.clean(page.title), page.login) if page else None


def _until_broken(chunks: Iterator[bytes]) -> Iterator[bytes]:
    with suppress(httpx.TransportError):  # the status says enough
        yield from chunks


def _of(url: httpx.URL, arrival: Arrival, begun: bool) -> str:
    return f"{arrival.name} from {url.host}" if begun else f"{url.host} for {arrival.name}"
