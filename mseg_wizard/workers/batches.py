"""The items that are under way in the workers, in batches, and what becomes of each.

Knows futures, not what runs them.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future
from dataclasses import replace
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from mseg_wizard.core.limits import limit_of
from mseg_wizard.progress import Problem, Progress
from mseg_wizard.state.journal import OWN
from mseg_wizard.state.store import WORKERS_LOG

Item = TypeVar("Item")
Result = TypeVar("Result")
BatchRows: TypeAlias = list[tuple[Any, str, float]]
"""Of one batch: for each item its result, its fault, and the seconds that it took."""

POLL = 0.3
"""Seconds between two looks at the workers."""
HANGS_AFTER = 120.0
HANGS_TIMES = 10
"""An item hangs when it takes over 120 s and over 10 times its dataset's median."""
TRIES = 2
STARTS = 5
"""Failures to start a worker, in a row, after which it is not tried again."""


class Postponed(Exception):
    """What became of a batch that no worker could be given: it is to be tried again, and nothing in it is to blame."""


class Workers(Protocol):
    """What runs batches: processes of this machine, or the workers of a cluster."""

    seconds: float
    """Of work in one batch."""
    largest: int
    """Items in one batch, at most."""
    isolated: bool
    """Whether the batches of other workers go on when a worker dies."""

    @property
    def workers(self) -> int: ...

    @property
    def waits(self) -> str:
        """Why nothing can run just now, for the user; empty while there are workers."""

    @property
    def retry_in(self) -> float | None:
        """Seconds until it is looked again whether there are workers."""

    def free(self, alone: bool) -> bool:
        """Can a batch be submitted now?

        `alone`: one that must share no worker with another, so that what kills it is known.
        """

    def submit(self, work: Callable[[Item], object], batch: list[Item], alone: bool) -> Future[BatchRows]:
        """The future ends in BrokenExecutor where the worker died.

        Raises that, EOFError or ConnectionError where no worker starts.
        """

    def lose(self, hanging: Future[BatchRows] | None) -> None:
        """A worker died, or this batch hangs: end what has to be
        ended, so that the futures of all that is lost end too.
        """

    def kill(self) -> None:
        """End all work now. Whatever was under way has ended when this returns."""


class Outcome(NamedTuple, Generic[Item, Result]):
    """What became of one item: its result, or in `fault` what went wrong, in one line."""

    item: Item
    result: Result | None = None
    fault: str = ""
    lost: bool = False
    """Its worker died or hung: what is wrong with the item, if anything is, nobody knows."""


def with_wait(workers: Workers, progress: Progress) -> Progress:
    """`progress`, or where there are no workers now, what is waited for."""
    return replace(progress, doing=workers.waits, rate=None, retry_in=workers.retry_in) if workers.waits else progress


class BatchWindow(Generic[Item, Result]):
    """The batches that are under way."""

    def __init__(self, workers: Workers, work: Callable[[Item], Result], hangs_after: float, total: int) -> None:
        """`total`: of the items, as far as it is known."""
        self.running: dict[Future[BatchRows], list[Item]] = {}
        self.suspects: deque[Item] = deque()
        """Items of batches whose worker died: they run singly, so that the one that kills is known."""
        self._workers = workers
        self._work = work
        self._hangs_after = hangs_after
        self._alone: set[Future[BatchRows]] = set()
        self._ended: SimpleQueue[Future[BatchRows]] = SimpleQueue()
        self._again: deque[Item] = deque()
        self._size = 1
        self._left = total
        self._since: dict[Future[BatchRows], float] = {}
        self._last_look = 0.0
        self._tries: dict[int, int] = {}
        self._times: deque[float] = deque(maxlen=501)
        self._failed_starts = 0

    def fill(self, waiting: Iterator[Item]) -> bool:
        """Give the workers as much as they can take; returns whether nothing is left to give."""
        while self.suspects and self._workers.free(alone=True):
            self._submit([self.suspects.popleft()], alone=True)
        while not self.suspects or self._workers.isolated:
            if not self._workers.free(alone=False):
                return False
            batch = self._next(waiting)
            if not batch:
                return not self.suspects
            self._submit(batch)
        return False

    def collect(self) -> list[Outcome[Item, Result]]:
        """Wait a moment for batches that end; turn them into outcomes."""
        if not self.running:
            return []
        outcomes: list[Outcome[Item, Result]] = []
        lost: list[Future[BatchRows]] = []
        for future in self._drain():
            self._take(future, outcomes, lost)
        hanging = None if lost else self._hanging()
        if lost or hanging:
            self._workers.lose(hanging)
            for future in self._drain(wait=False):
                self._take(future, outcomes, lost)
            outcomes += self._lost(lost, hanging)
        self._resize()
        return outcomes

    def _next(self, waiting: Iterator[Item]) -> list[Item]:
        """A batch of the size that the measured times ask for, and no
        larger than what is left shares out among the workers.
        """
        left = self._left
        size = min(self._size, max(1, math.ceil(left / (2 * self._workers.workers)))) if left > 0 else self._size
        batch = [self._again.popleft() for _ in range(min(size, len(self._again)))]
        new = list(islice(waiting, size - len(batch)))
        self._left -= len(new)
        return batch + new

    def _submit(self, batch: list[Item], *, alone: bool = False) -> None:
        try:
            future = self._workers.submit(self._work, batch, alone)
        except (BrokenExecutor, EOFError, OSError) as error:  # a worker, or what starts them, died between two looks
            self._not_started(batch, error)
            return
        self.running[future] = batch
        if alone:
            self._alone.add(future)
        future.add_done_callback(self._ended.put)

    def _not_started(self, batch: list[Item], error: Exception) -> None:
        """Start the workers again; what was under way runs singly then. No item is to blame for what it never saw."""
        self._failed_starts += 1
        if self._failed_starts > STARTS:
            do = f"Look into {OWN}/{WORKERS_LOG} and at this machine's limits, then start again."
            limit = limit_of(error) or Problem("", do)
            raise Problem(f"The worker processes can't be started. {limit.what}".strip(), limit.do)
        for lost in (*self.running.values(), batch):
            self.suspects.extend(lost)
        self.running.clear()
        self._forget()
        self._workers.kill()

    def _drain(self, *, wait: bool = True) -> list[Future[BatchRows]]:
        """Batches that ended; waits for the first."""
        ended = []
        try:
            ended.append(self._ended.get(timeout=POLL) if wait else self._ended.get_nowait())
            while True:
                ended.append(self._ended.get_nowait())
        except Empty:
            return ended

    def _take(
        self, future: Future[BatchRows], outcomes: list[Outcome[Item, Result]], lost: list[Future[BatchRows]]
    ) -> None:
        if future not in self.running:
            return
        try:
            rows = future.result()
        except (BrokenExecutor, CancelledError):
            lost.append(future)
            return
        except Postponed:
            self._again.extend(self.running.pop(future))
            return
        self._failed_starts = 0
        for item, (result, fault, seconds) in zip(self.running.pop(future), rows, strict=True):
            self._times.append(seconds)
            outcomes.append(Outcome(item, result, fault))

    def _resize(self) -> None:
        """Batches by measured time; singly until it is known."""
        if self._times and (usual := statistics.fmean(self._times)) > 0:
            self._size = max(1, min(self._workers.largest, int(self._workers.seconds / usual)))
        if len(self._since) > len(self.running) or len(self._alone) > len(self.running):
            self._forget()

    def _forget(self) -> None:
        """What was noted of batches that are not under way any more."""
        self._since = {future: since for future, since in self._since.items() if future in self.running}
        self._alone &= self.running.keys()

    def _hanging(self) -> Future[BatchRows] | None:
        now = time.monotonic()
        if now - self._last_look < POLL:
            return None
        self._last_look = now
        usual = statistics.median(self._times) if self._times else 0.0
        for future, batch in self.running.items():
            if not future.running():
                continue
            since = self._since.setdefault(future, now)
            # Twice the batch: it may be called running while it still waits behind another one.
            if now - since > max(self._hangs_after, HANGS_TIMES * usual * len(batch) * 2):
                return future
        return None

    def _lost(self, lost: list[Future[BatchRows]], hanging: Future[BatchRows] | None) -> list[Outcome[Item, Result]]:
        """Batches that died with their worker, and one that hangs: their
        items run singly from here on; who does it twice is named.
        """
        outcomes: list[Outcome[Item, Result]] = []
        for future in dict.fromkeys([hanging, *lost] if hanging else lost):
            batch = self.running.pop(future, [])
            for item in batch if future is hanging or future in self._alone else ():
                self._tries[id(item)] = self._tries.get(id(item), 0) + 1
            if len(batch) == 1 and self._tries.get(id(batch[0]), 0) >= TRIES:
                what = (
                    "it does not end"
                    if future is hanging
                    else "the worker process died (out of memory, or a crash in a library)"
                )
                outcomes.append(Outcome(batch[0], None, f"{what}, {TRIES} times", lost=True))
            else:
                self.suspects.extend(batch)
        return outcomes
