"""One attempt's connections: which bytes each of them fetches, and how many there are.

What a response means is not decided here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mseg_wizard.http.byte_ranges import gaps, joined
from mseg_wizard.http.partial_file import PartialFile
from mseg_wizard.http.refusals import ConnectionBroken, SourceRefused, TryAgain
from mseg_wizard.progress import size

log = logging.getLogger(__name__)

CONNECTIONS = 8
"""At most to one server.

These servers give 5 to 30 MB/s to each: eight fill a gigabit line, and a browser opens six.
"""
PIECE = 256 * 1024 * 1024
"""Bytes that one request asks for at most where several are under way: so far the hashes lag behind."""
SMALLEST = 256 * 1024
"""Bytes that are worth a request."""
WORTH = 2.0
"""Seconds that are left below which no further connection is opened: it would hardly have begun."""
GLANCE = 0.2
"""Seconds over which a rate is taken at least; a server that paces itself sends every 50 ms or so."""
HELPS = 1.25
"""Twice the connections must bring so many times the rate, or they are let go again."""
LATER = 5.0, 300.0
"""Seconds until they are tried again where they did not help: the first time, and at most."""
SILENT = 2.0
"""Seconds without a byte after which others do what a connection has left, once nothing else is to do."""
TICK = 0.05


@dataclass(eq=False)
class Connection:
    """What one connection fetches."""

    start: int = 0
    stop: int | None = None
    """Behind its last byte, and may come nearer while it runs; None: the file's end, wherever that is."""
    at: int = 0
    """The next byte that comes."""
    asked: float = 0.0
    answered: float | None = None
    """When its first byte came."""
    heard: float = 0.0
    """When the last one did."""
    dropped: bool = False

    @property
    def left(self) -> int:
        return 0 if self.stop is None else self.stop - self.at


Ask = Callable[[Connection], None]
"""Asks for its bytes and gives `put` what comes, in the connection's thread.

Raises TryAgain, SourceRefused, Problem, Stopped.
"""


class Connections:
    """Connections of one attempt, a thread each. One alone fetches the whole."""

    def __init__(self, part: PartialFile, arrived: Callable[[], object], most: int = CONNECTIONS) -> None:
        """`arrived` is called, in the connection's thread, after bytes were written."""
        self.begun = False
        """The first response was good."""
        self.refused = False
        """The server did not take another connection, or not as it should."""
        self._part, self._arrived, self._most = part, arrived, most
        self._total: int | None = None
        self._lock = threading.RLock()
        self._ended = threading.Condition(self._lock)
        self._running: list[Connection] = []
        self._failed: list[tuple[Connection, Exception]] = []
        self._errors: list[BaseException] = []
        self._more: Ask = lambda connection: None
        self._over = False
        self._threads: list[threading.Thread] = []
        self._pace = _Pace()
        self.target = 1
        self._trial: tuple[int, float] | None = None
        """How many there were before the last ones came, and the rate that these must bring."""
        self._later, self._wait = 0.0, LATER[0]

    def run(self, first: Ask, more: Ask, tick: Callable[[], object], end: Callable[[], object]) -> None:
        """Until all bytes are here, or no connection is left: then raises what ended the last one.

        `first` asks for the beginning of what is missing and judges whether it is the same file: it calls `whole`, then
        `put`. `more` asks for the bytes of a further one, which must belong there beyond doubt. `tick` is called twenty
        times a second, and may raise. `end` breaks off what is still open.
        """
        self._more = more
        try:
            self._start(Connection(), first)
            while not self._whole:
                with self._ended:
                    self._ended.wait_for(lambda: not self._running or self._failed or self._errors, TICK)
                tick()
                self._collect_ended()
                if not self._running:
                    return
                self._adapt(time.monotonic())
        finally:
            self._over = True
            end()
            for thread in self._threads:
                thread.join()

    def whole(self, connection: Connection, offset: int, total: int | None, splits: bool) -> None:
        """The first response is good: its bytes begin at `offset`.

        `splits`: the server sends parts, and proves what they are of.
        """
        with self._lock:
            connection.start = connection.at = offset
            missing = gaps(self._part.here, total) if total is not None else ()
            connection.stop = missing[0][1] if offset and missing else total
            self._total, self.begun = total, True
            self._most = self._most if splits and total is not None else 1

    def put(self, connection: Connection, chunk: bytes) -> bool:
        """Write what came; False: that was all that is wanted of it."""
        with self._lock:
            if self._over:
                return False
            data = chunk if connection.stop is None else chunk[: connection.stop - connection.at]
            at, connection.at = connection.at, connection.at + len(data)
            connection.heard = time.monotonic()
            connection.answered = connection.answered or connection.heard
        if data:
            self._part.write(at, data)
            self._arrived()
        return connection.stop is None or connection.at < connection.stop

    def _start(self, connection: Connection, ask: Ask) -> None:
        thread = threading.Thread(target=self._work, args=(connection, ask), name="background: connection", daemon=True)
        with self._lock:
            self._running.append(connection)
            self._threads = [*(before for before in self._threads if before.is_alive()), thread]
            thread.start()

    def _work(self, connection: Connection | None, ask: Ask) -> None:
        """One connection's thread: range after range, as long as there is one for it."""
        while connection is not None:
            connection.asked = connection.heard = time.monotonic()
            error: BaseException | None = None
            try:
                ask(connection)
                if connection.left > 0:
                    raise ConnectionBroken(
                        f"its answer ended after {size(self._part.size)} of {size(self._total or 0)}"
                    )
            except BaseException as caught:
                error = caught
            with self._ended:
                self._running.remove(connection)
                if isinstance(error, TryAgain | SourceRefused):
                    self._failed.append((connection, error))
                elif error is not None:
                    self._errors.append(error)
                following = None
                if error is None and not connection.dropped and not self._over and len(self._live()) < self.target:
                    following = self._next(time.monotonic())
                if following is not None:
                    self._running.append(following)
                self._ended.notify()
            connection, ask = following, self._more

    def _live(self) -> list[Connection]:
        return [connection for connection in self._running if not connection.dropped]

    def _next(self, now: float) -> Connection | None:
        """What a further connection fetches: the first bytes that nobody
        does, else half of what the furthest behind has still to do.
        """
        if self._total is None or self._over:
            return None
        live = self._live()
        owned = [
            (connection.start, self._total if connection.stop is None else connection.stop)
            for connection in self._running
        ]
        free = gaps(joined([*self._part.here, *owned]), self._total)
        if not free:
            slowest = max(live, key=lambda connection: connection.left, default=None)
            if silent := self._silent(now):
                start, stop = silent[0].at, silent[0].at + silent[0].left
                silent[0].stop = start
            elif slowest is not None and slowest.left >= 2 * self._smallest:
                start, stop = slowest.at + slowest.left // 2, slowest.at + slowest.left
                slowest.stop = start
            else:
                return None
            return Connection(start, stop, start)
        start, stop = free[0]
        length = stop - start if self.target == 1 else self._piece
        return Connection(start, stop if stop - start < length + self._smallest else start + length, start)

    def _silent(self, now: float) -> list[Connection]:
        return [
            connection
            for connection in self._live()
            if connection.left and now - connection.heard > max(SILENT, 4 * self._pace.answer)
        ]

    @property
    def _whole(self) -> bool:
        """All is here, even if some connection that nobody waits for any more does not know it."""
        return self._total is not None and self._part.size >= self._total and not self._errors

    @property
    def _missing(self) -> int:
        return (self._total or 0) - self._part.size

    @property
    def _smallest(self) -> int:
        """Bytes that are worth a request: the response must not take
        longer to come than a quarter of what it brings.
        """
        return max(SMALLEST, round(4 * self._pace.answer * self._pace.rate / self.target))

    @property
    def _piece(self) -> int:
        """Bytes for one request: less and less, so that all end at one time and the hashes are not far behind then."""
        return min(PIECE, max(self._smallest, self._missing // (2 * self.target)))

    def _collect_ended(self) -> None:
        """What became of the connections that ended: while others go on, one that failed is not the end."""
        with self._lock:
            if self._errors:
                raise self._errors[0]
            failed, self._failed = self._failed, []
            for connection, error in failed:
                if not self._live():
                    raise error
                log.info("one of several connections: %s", error)
                if not isinstance(error, ConnectionBroken):
                    self.refused, self._most = True, 1
                    self._let_go(1)
                elif connection.at - connection.start < SMALLEST:
                    self._let_go(len(self._live()))

    def _let_go(self, target: int) -> None:
        """So many go on, those nearest to the beginning; what the others had still to fetch is anybody's."""
        self.target, self._trial = target, None
        self._later, self._wait = time.monotonic() + self._wait, min(2 * self._wait, LATER[1])
        silent = self._silent(time.monotonic())
        for connection in sorted(self._live(), key=lambda connection: (connection in silent, connection.at))[target:]:
            connection.dropped, connection.stop = True, connection.at

    def _adapt(self, now: float) -> None:
        """Twice as many connections, as long as that helps."""
        if self._most == 1:
            return
        with self._lock:
            live, missing = self._live(), self._missing
            new = len(live) >= self.target and self._pace.measure(now, self._part.size, live)
            if new and self._trial and self._pace.rate < self._trial[1]:
                self._let_go(self._trial[0])
                new = False
        if (
            new
            and self.target < self._most
            and now >= self._later
            and missing > max(2 * SMALLEST, WORTH * self._pace.rate)
        ):
            self._part.allow_holes()
            with self._lock:
                target = min(2 * self.target, self._most)
                self._trial = self.target, self._pace.rate * (1 + (HELPS - 1) * (target / self.target - 1))
                self.target = target
                for connection in self._live():  # what is left of each becomes a piece like the others
                    connection.stop = connection.at + min(connection.left, self._piece)
        with self._lock:
            while len(self._live()) < self.target and (piece := self._next(now)):
                self._start(piece, self._more)


class _Pace:
    """How fast it goes, taken while all connections are running and past their start."""

    def __init__(self) -> None:
        self.rate = 0.0
        """Bytes per second over all connections."""
        self.answer = 0.0
        """Seconds from a request to its first byte."""
        self._mark: tuple[float, int] | None = None

    def measure(self, now: float, size: int, running: Sequence[Connection]) -> bool:
        """Whether there is a new rate; `size`: bytes that are here."""
        answers = [connection.answered for connection in running if connection.answered is not None]
        if not answers or len(answers) < len(running):
            self._mark = None
            return False
        self.answer = max((connection.answered or 0.0) - connection.asked for connection in running)
        if self._mark is None:
            if now >= max(answers) + 2 * self.answer:  # a connection begins slowly
                self._mark = now, size
            return False
        since, before = self._mark
        if now - since < max(GLANCE, 4 * self.answer):
            return False
        self.rate, self._mark = (size - before) / (now - since), (now, size)
        return True
