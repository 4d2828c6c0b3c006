"""Blocking work made into a task: it runs in a thread that the generator owns, starts, aborts and joins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import closing, suppress
from dataclasses import replace
from typing import TypeVar

from mseg_wizard.progress import Progress

T = TypeVar("T")

AT_ONCE = 4096
"""Paths between two looks whether to go on: some ms."""
LOOK_JOIN = 0.5
"""Seconds that a thread which only looks gets to end after a stop: nothing is lost where it goes on a little."""
POLL = 0.2
"""Seconds between two looks at the thread: well under the 0.5 s that a task may stay silent."""
JOIN = 5.0
"""Seconds that a stopped thread gets to end.

One that is inside the C library's name look-up may take longer: it is a daemon thread, holds nothing of ours by then,
and ends at its next look at `stopped`.
"""


_here = threading.local()


class Stopped(Exception):
    """Raised inside the thread when the task was closed; never seen outside it."""


class Job:
    """The thread's side: say where it stands, learn that it should stop."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._aborts: list[Callable[[], object]] = []
        self._latest: Progress | None = None
        self._paths = 0
        """Looked at since then."""

    @property
    def latest(self) -> Progress | None:
        """What was said last, with how many paths were looked at since."""
        said, paths = self._latest, self._paths
        return replace(said, doing=f"{said.doing} ({paths:,} paths)") if said and paths else said

    def say(self, progress: Progress) -> None:
        """Replace the newest progress (nothing queues up); raises Stopped once the task was closed."""
        self.check()
        self._latest, self._paths = progress, 0

    def look(self, paths: int) -> None:
        """Count paths that were looked at; raises Stopped once the task was closed."""
        self.check()
        self._paths += paths

    def check(self) -> None:
        """Raise Stopped once the task was closed."""
        if self._stop.is_set():
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait, at most until the task is closed; raises Stopped then."""
        if self._stop.wait(seconds):
            raise Stopped

    def on_stop(self, abort: Callable[[], object]) -> None:
        """Have `abort` called, from another thread, when the task closes: shut a socket down, kill a process.

        At once if it was.
        """
        with self._lock:
            if not self._stop.is_set():
                self._aborts.append(abort)
                return
        abort()

    def stop(self) -> None:
        """The task's side: tell the thread to end and break what it waits for."""
        with self._lock:
            self._stop.set()
            aborts, self._aborts = self._aborts, []
        for abort in aborts:
            with suppress(OSError):
                abort()


def background(
    work: Callable[[Job], T], first: Progress, every: float = POLL, join: float = JOIN
) -> Generator[Progress, None, T]:
    """Run `work` in a thread; yields its newest Progress `every` so
    many seconds and returns its result, or raises what it raised.

    Closing the generator calls the thread's aborts and joins it, for `join` seconds at most.
    """
    job = Job()
    job.say(first)

    def body() -> T:
        _here.job = job
        return work(job)

    result = in_thread(body, f"background: {first.doing}"[:60])
    try:
        while not result.done():
            wait([result], every)
            if said := job.latest:
                yield said
    finally:
        job.stop()
        wait([result], join)
    return result.result()


def looked(paths: int) -> None:
    """Count paths that this thread has looked at, so that whoever waits for it sees that it goes on.

    Raises Stopped once the task that waits was closed. In a thread that nobody waits for it is nothing.
    """
    if job := getattr(_here, "job", None):
        job.look(paths)


def looking_through(items: Iterable[T]) -> Iterator[T]:
    """The items, counted as paths that were looked at."""
    for number, item in enumerate(items, 1):
        if number % AT_ONCE == 0:
            looked(AT_ONCE)
        yield item


def in_own_thread(
    work: Generator[Progress, None, object], first: Progress, every: float = POLL
) -> Generator[Progress, None, None]:
    """`work`, advanced and closed by a thread of its own; yields its newest progress `every` so many seconds.

    0: at once, so that whoever polls several such waits for none.
    """

    def drive(job: Job) -> Progress:
        progress = first
        with closing(work):
            for progress in work:
                job.say(progress)
        return progress

    yield (yield from background(drive, first, every))


def in_thread(work: Callable[[], T], name: str) -> Future[T]:
    """Run `work` in a daemon thread of its own; the future has what it returned or raised.

    Nothing can end such a thread from outside: whoever asks for its result gives it a limit.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def body() -> None:
        try:
            result = work()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=body, name=name, daemon=True).start()
    return future
