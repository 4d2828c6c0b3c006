"""Worker processes, and each(): a bounded number of items under way.

Knows executors and items, not what the items mean.
"""

from __future__ import annotations

import multiprocessing
import operator
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import BaseContext
from multiprocessing.util import get_temp_dir
from pathlib import Path
from typing import TextIO, TypeVar

from mseg_wizard.core.limits import limit_of, meeting_place
from mseg_wizard.progress import Problem
from mseg_wizard.workers.batches import HANGS_AFTER, POLL, BatchRows, BatchWindow, Outcome, Workers

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH = 0.15
"""Seconds of work in one batch: one future per image costs 110 µs,
which batches make negligible; longer ones make the end uneven.
"""
ENDS = 0.5
"""Seconds in which the executor's own thread ends after its workers did, if it does."""
LARGEST = 256
"""Items in one: tiny ones cost the parent as much as handing them out."""


def prepare_start() -> None:
    """Start the helper processes of multiprocessing while the terminal is still ours.

    A pool that is first started inside a running Textual app dies with `bad value(s) in fds_to_keep`. A terminal that
    closes hangs up on every process in it, and a service manager terminates all: these, and the workers that they
    start, ignore both, because the wizard ends them.
    """
    if place := meeting_place():
        # Else a long TMPDIR leaves no room for a socket's name, and a full one for anything.
        tempfile.tempdir, usual = str(place), tempfile.tempdir
        get_temp_dir()
        tempfile.tempdir = usual
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGTERM)}
    try:
        with _without_proxy_passwords():
            with _silent():
                resource_tracker.ensure_running()
            if _method() == "forkserver":
                _context()
                forkserver.ensure_running()
    except OSError as error:
        raise limit_of(error) or Problem(
            f"The helper processes can't be started: {error.strerror or error}.",
            "Look with `mseg-wizard doctor` at what this machine lacks, then start again.",
        ) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _silent() -> Iterator[None]:
    """Have what is started here say nothing: the tracker complains into the terminal where a wizard was killed."""
    try:
        before = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nothing)


@contextmanager
def _without_proxy_passwords() -> Iterator[None]:
    """Have what is started here not inherit a proxy's address with a password in it: workers ask no server."""
    held = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy") and "@" in value}
    for name in held:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(held)


class Pool:
    """A ProcessPoolExecutor that can be killed and built again. `log` receives what workers print."""

    seconds = BATCH
    largest = LARGEST
    isolated = False
    waits = ""
    retry_in = None

    def __init__(self, workers: int, log: Path | None = None) -> None:
        if workers < 1:
            raise ValueError("a pool needs a worker")
        self.workers = workers
        self._log = log
        self._executor: ProcessPoolExecutor | None = None
        self._under_way: set[Future[BatchRows]] = set()
        self._alone: Future[BatchRows] | None = None

    def executor(self) -> ProcessPoolExecutor:
        """Raises Problem where this machine has no semaphores to make one with."""
        if self._executor is None:
            try:
                self._executor = ProcessPoolExecutor(
                    self.workers, _context(), _begin, (str(self._log) if self._log else os.devnull,)
                )
            except (OSError, NotImplementedError, ImportError) as error:
                why = getattr(error, "strerror", None) or error
                raise Problem(
                    f"Worker processes can't be started: this machine gives no semaphores ({why}).",
                    "They need /dev/shm, mounted so that you may write there, and with room; in a container, look at "
                    "--shm-size. Then start again.",
                ) from None
        return self._executor

    def free(self, alone: bool) -> bool:
        """A death breaks the whole pool: a batch is alone when nothing else is under way."""
        if alone:
            return not self._under_way
        return len(self._under_way) < 2 * self.workers and self._alone not in self._under_way

    def submit(self, work: Callable[[Item], object], batch: list[Item], alone: bool) -> Future[BatchRows]:
        try:
            future = self.executor().submit(run_batch, work, batch)
        except OSError:
            # So many processes are not to be had here: half of them may be.
            self.workers = max(1, self.workers // 2)
            raise
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        if alone:
            self._alone = future
        return future

    def lose(self, hanging: Future[BatchRows] | None) -> None:
        """All that is under way is lost together; what ran out of memory may fit into fewer workers."""
        self.kill()
        self.workers = max(1, self.workers // 2)

    def kill(self) -> None:
        """End every worker now, whatever it does: outputs are renamed when whole, so nothing is half written."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        processes = list((executor._processes or {}).values())
        manager: threading.Thread | None = vars(executor)["_executor_manager_thread"]
        queue = vars(executor)["_call_queue"]
        for process in processes:
            with suppress(OSError, ValueError):
                process.kill()
        # Where the system gave no thread for it, there is nothing to join.
        with suppress(RuntimeError):
            executor.shutdown(wait=False, cancel_futures=True)
            if manager:
                # Before Python 3.11.5 it waits for ever for what doesn't fit into the pipe to workers that are gone
                # (CPython's issue 94777): a pipe that nobody can read takes nothing any more.
                manager.join(ENDS if sys.version_info < (3, 11, 5) else None)
                if manager.is_alive():
                    queue._reader.close()
                    manager.join()
        self._under_way.clear()

    def ready(self) -> None:
        """Processes are started at first use."""

    def close(self) -> None:
        """End the workers."""
        self.kill()


def each(
    pool: Workers,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    total: int | None = None,
    *,
    hangs_after: float = HANGS_AFTER,
) -> Generator[list[Outcome[Item, Result]], None, None]:
    """Run `work` on every item in the workers; yields the outcomes
    of finished items, an empty list at least every 0.3 s. `total`: of the items, where they can't tell.

    `work` and the items are pickled; keep them small. An exception becomes that item's fault. The items of a batch
    whose worker dies or hangs run again, singly; one that fails so twice is named in its outcome. Closing the iterator
    ends the workers' work.
    """
    total = operator.length_hint(items) if total is None else total
    window: BatchWindow[Item, Result] = BatchWindow(pool, work, hangs_after, total)
    waiting = iter(items)
    try:
        while True:
            outcomes = window.collect()
            done = window.fill(waiting)
            if outcomes or window.running or not done:
                yield outcomes
            else:
                return
            if not window.running and not done:
                time.sleep(POLL)  # no worker is there
    finally:
        if window.running:
            pool.kill()


def run_batch(work: Callable[[Item], Result], batch: list[Item]) -> BatchRows:
    """In the worker: one row for each item of the batch."""
    rows: BatchRows = []
    for item in batch:
        began = time.perf_counter()
        try:
            result, fault = work(item), ""
        except Problem as problem:
            result, fault = None, str(problem)
        except Exception as error:  # one bad image must not stop the others; the traceback is in the workers' log
            with suppress(OSError):  # the log may lie on the very disk that is full
                sys.stderr.write(traceback.format_exc())  # at once: other workers write there too
            result, fault = None, f"{type(error).__name__}: {error}"
        rows.append((result, fault, time.perf_counter() - began))
    return rows


def _method() -> str:
    return "forkserver" if sys.platform.startswith("linux") else "spawn"


def _context() -> BaseContext:
    context = multiprocessing.get_context(_method())
    if _method() == "forkserver":
        context.set_forkserver_preload(["mseg_wizard.workers.process"])
    return context


def _begin(log: str) -> None:
    """In a new worker: end with the parent, leave Ctrl+C to it, print
    into the log, by whole lines, and not onto the user's screen.
    """
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
    sys.stdout, sys.stderr = (_by_whole_lines(stream) for stream in (1, 2))


def _by_whole_lines(stream: int) -> TextIO:
    return open(stream, "w", buffering=1, errors="backslashreplace", closefd=False)
