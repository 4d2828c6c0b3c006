"""Worker processes, and each(): a bounded window of items over them. Knows executors and items, not what the items mean."""

from __future__ import annotations

import multiprocessing
import os
import signal
import statistics
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Generic, TypeVar

from mseg_wizard.progress import Problem

Item = TypeVar("Item")
Result = TypeVar("Result")

POLL = 0.3
"""Seconds between two looks at the workers."""
BATCH = 0.15
"""Seconds of work in one batch: one future per image costs 110 µs, which batches make negligible; longer ones make the end uneven."""
LARGEST = 64
HANGS_AFTER = 120.0
HANGS_TIMES = 10
"""An item hangs when it takes over 120 s and over 10 times its family's median."""
TRIES = 2
STARTS = 5
"""Failures to start a worker, in a row, after which it is not tried again."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Result]):
    """What became of one item: its result, or in `fault` what went wrong, in one line."""

    item: Item
    result: Result | None = None
    fault: str = ""


def prepare_start() -> None:
    """Start the helper processes of multiprocessing while the terminal is still ours.

    A pool that is first started inside a running Textual app dies with `bad value(s) in fds_to_keep`. A terminal that closes hangs up on
    every process in it, and a service manager terminates all: these, and the workers that they start, ignore both, because the wizard
    ends them.
    """
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGTERM)}
    try:
        resource_tracker.ensure_running()
        if _method() == "forkserver":
            _context()
            forkserver.ensure_running()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Pool:
    """A ProcessPoolExecutor that can be killed and built again. `log` receives what workers print."""

    def __init__(self, workers: int, log: Path | None = None) -> None:
        if workers < 1:
            raise ValueError("a pool needs a worker")
        self.workers = workers
        self._log = log
        self._executor: ProcessPoolExecutor | None = None

    def executor(self) -> ProcessPoolExecutor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(self.workers, _context(), _begin, (str(self._log) if self._log else os.devnull,))
        return self._executor

    def kill(self) -> None:
        """End every worker now, whatever it does: outputs are renamed when whole, so nothing is half written."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        processes = list((executor._processes or {}).values())
        for process in processes:
            with suppress(OSError, ValueError):
                process.kill()
        executor.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        """End the workers."""
        self.kill()


def each(
    pool: Pool, work: Callable[[Item], Result], items: Iterable[Item], *, hangs_after: float = HANGS_AFTER
) -> Generator[list[Outcome[Item, Result]], None, None]:
    """Run `work` on every item in the workers; yields the outcomes of finished items, an empty list at least every 0.3 s.

    `work` and the items are pickled; keep them small. An exception becomes that item's fault. A worker that dies or hangs costs its
    batch: the pool is built again, smaller, and the items of the lost batches run singly; one that fails so twice is named in its
    outcome. Closing the iterator ends the workers.
    """
    window: _Window[Item, Result] = _Window(pool, work, hangs_after)
    waiting = iter(items)
    done = False
    try:
        while True:
            outcomes = window.collect()
            if window.suspects:
                # One at a time, in order of arrival: so the one that kills is known beyond doubt.
                if not window.running:
                    window.submit([window.suspects.popleft()])
            else:
                while not done and window.wants_more():
                    batch = _take(waiting, window.size)
                    if not batch:
                        done = True
                        break
                    window.submit(batch)
            if outcomes or window.running or window.suspects:
                yield outcomes
            elif done:
                return
    finally:
        if window.running:
            pool.kill()


class _Window(Generic[Item, Result]):
    """The batches that are under way."""

    def __init__(self, pool: Pool, work: Callable[[Item], Result], hangs_after: float) -> None:
        self.pool = pool
        self.work = work
        self.running: dict[Future[list[tuple[Result | None, str, float]]], list[Item]] = {}
        self.suspects: deque[Item] = deque()
        self.size = 1
        self._since: dict[Future[list[tuple[Result | None, str, float]]], float] = {}
        self._tries: dict[int, int] = {}
        self._times: deque[float] = deque(maxlen=501)
        self._hangs_after = hangs_after
        self._failed_starts = 0

    def wants_more(self) -> bool:
        return len(self.running) < self.pool.workers * 2

    def submit(self, batch: list[Item]) -> None:
        try:
            future = self.pool.executor().submit(_run, self.work, batch)
        except (BrokenProcessPool, EOFError, ConnectionError):  # a worker, or what starts them, died between two looks
            self._not_started(batch)
            return
        self.running[future] = batch

    def _not_started(self, batch: list[Item]) -> None:
        """Build the pool again; what was under way runs singly then. No item is to blame for what it never saw."""
        self._failed_starts += 1
        if self._failed_starts > STARTS:
            raise Problem("The worker processes can't be started.", "Look into workers.log and at this machine's limits, then start again.")
        for lost in (*self.running.values(), batch):
            self.suspects.extend(lost)
        self.running.clear()
        self._since.clear()
        self.pool.kill()

    def collect(self) -> list[Outcome[Item, Result]]:
        """Wait a moment for finished batches; turn them into outcomes."""
        if not self.running:
            return []
        finished, _ = wait(self.running, POLL, FIRST_COMPLETED)
        outcomes: list[Outcome[Item, Result]] = []
        lost: list[list[Item]] = []
        for future in finished:
            batch = self.running.pop(future)
            self._since.pop(future, None)
            try:
                rows = future.result()
            except BrokenProcessPool:
                lost.append(batch)
                continue
            self._failed_starts = 0
            for item, (result, fault, seconds) in zip(batch, rows, strict=True):
                self._times.append(seconds)
                outcomes.append(Outcome(item, result, fault))
            self._resize()
        if lost:
            outcomes += self._broken(lost)
        elif hanging := self._hanging():
            outcomes += self._broken([], hanging)
        return outcomes

    def _resize(self) -> None:
        """Batches by measured time; singly until it is known."""
        usual = statistics.fmean(self._times)
        self.size = max(1, min(LARGEST, int(BATCH / usual) if usual > 0 else LARGEST))

    def _hanging(self) -> list[Item]:
        now = time.monotonic()
        for future, batch in self.running.items():
            if not future.running():
                continue
            since = self._since.setdefault(future, now)
            usual = statistics.median(self._times) if self._times else 0.0
            # Twice the batch: the executor calls a batch running while it still waits behind another one.
            if now - since > max(self._hangs_after, HANGS_TIMES * usual * len(batch) * 2):
                return batch
        return []

    def _broken(self, lost: list[list[Item]], hanging: list[Item] | None = None) -> list[Outcome[Item, Result]]:
        """A worker died or hangs: end the others, and make everything that was under way suspect."""
        alone = len(lost) + len(self.running) == 1
        guilty = hanging if hanging is not None else lost[0] if alone else []
        # Every batch under way is lost with the pool; a hanging one is told apart by its time.
        lost = [*lost, *(batch for batch in self.running.values() if batch is not hanging)]
        self.running.clear()
        self._since.clear()
        self.pool.kill()
        self.pool.workers = max(1, self.pool.workers // 2)
        outcomes: list[Outcome[Item, Result]] = []
        again: list[Item] = []
        for item in guilty:
            self._tries[id(item)] = self._tries.get(id(item), 0) + 1
            if len(guilty) == 1 and self._tries[id(item)] >= TRIES:
                what = "it does not end" if hanging is not None else "the worker process died (out of memory, or a crash in a library)"
                outcomes.append(Outcome(item, None, f"{what}, {TRIES} times"))
            else:
                again.append(item)
        for batch in lost:
            again += [item for item in batch if item not in guilty]
        self.suspects.extend(again)
        return outcomes


def _take(items: Iterator[Item], count: int) -> list[Item]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) >= count:
            break
    return batch


def _method() -> str:
    return "forkserver" if sys.platform.startswith("linux") else "spawn"


def _context() -> BaseContext:
    context = multiprocessing.get_context(_method())
    if _method() == "forkserver":
        context.set_forkserver_preload(["mseg_wizard.worker"])
    return context


def _run(work: Callable[[Item], Result], batch: list[Item]) -> list[tuple[Result | None, str, float]]:
    """In the worker: one row (result, fault, seconds) for each item of the batch."""
    rows: list[tuple[Result | None, str, float]] = []
    for item in batch:
        began = time.perf_counter()
        try:
            result, fault = work(item), ""
        except Problem as problem:
            result, fault = None, str(problem)
        except Exception as error:  # one bad image must not stop the others; the traceback is in the workers' log
            with suppress(OSError):  # the log may lie on the very disk that is full
                traceback.print_exc()
            result, fault = None, f"{type(error).__name__}: {error}"
        rows.append((result, fault, time.perf_counter() - began))
    return rows


def _begin(log: str) -> None:
    """In a new worker: end with the parent, leave Ctrl+C to it, print into the log and not onto the user's screen."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        def follow() -> None:
            wait_for([parent.sentinel])
            os._exit(1)

        threading.Thread(target=follow, name="parent watcher", daemon=True).start()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
