"""A cluster's workers as the batches see them: Dask workers that share the disk.

What they must be like is in dask_checks.
"""

from __future__ import annotations

import logging
import pickle
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from mseg_wizard.progress import Problem
from mseg_wizard.workers import dask_worker
from mseg_wizard.workers.batches import BatchRows, Postponed
from mseg_wizard.workers.dask_checks import connect, hosts_of, unfit

log = logging.getLogger("mseg_wizard")

Item = TypeVar("Item")

CONNECT = 5.0
"""Seconds that the scheduler gets to be reached."""
REACH = 10.0
"""Seconds that it and the workers get to answer."""
LOOK = 1.0
"""Seconds between two looks at which workers there are."""
RETRY = 5.0
"""The same while there are none, and between two tries to reach the scheduler."""
PATIENCE = 2.5
"""Seconds that batches under way get to end after a stop; what has not ended then loses its process."""
AHEAD = 2
"""Batches of one worker: one that runs and one that waits."""


@dataclass(eq=False)
class _Batch:
    address: str
    remote: Any
    future: Future[BatchRows]
    alone: bool


@dataclass(eq=False)
class _State:
    """What the thread that keeps the connection and the one that submits share, under `lock`."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    workers: dict[str, set[_Batch]] = field(default_factory=dict)
    """Address of each worker that was found fit → what it was given."""
    refused: dict[str, Problem] = field(default_factory=dict)
    """Address of each other one → why it gets nothing."""


class Cluster:
    """Workers of the Dask scheduler at `address`.

    A thread keeps the connection, looks who comes and goes, and fetches results.

    Every batch is meant for one worker, so that none runs on a worker that was not looked at, and so that a death is
    known to be the death of that worker's batches and of no others.
    """

    seconds = 0.6
    """A scheduler in Python handles about a thousand batches a second, for all workers together."""
    largest = 512
    isolated = True

    def __init__(self, address: str, folders: Callable[[], Sequence[Path]]) -> None:
        """`folders`: those that every worker must be able to read and write, asked for at each look."""
        self._address = address
        self._folders = folders
        self._state = _State()
        self._client: Any = None
        self._session = secrets.token_hex(8)
        self._ended: SimpleQueue[_Batch] = SimpleQueue()
        self._doomed: SimpleQueue[str] = SimpleQueue()
        """Addresses of workers that are to be ended."""
        self._dropped: SimpleQueue[Any] = SimpleQueue()
        """What the scheduler may forget."""
        self._names: dict[str, str] = {}
        """Address of each worker that was ever asked → name of its host."""
        self._news: SimpleQueue[str] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._first = threading.Event()
        self._problem: Problem | None = None
        self._next_look = 0.0

    # What the batches ask

    @property
    def workers(self) -> int:
        return max(1, len(self._state.workers))

    @property
    def waits(self) -> str:
        if self._state.workers:
            return ""
        if not self._first.is_set():
            return f"asking the cluster at {self._address} for its workers"
        if self._client is None:
            return f"the cluster's scheduler at {self._address} doesn't answer; waiting for it"
        why = next((f": {problem.what}" for problem in self._state.refused.values()), "")
        return f"no worker that can be used is left at {self._address}; waiting for one{why}"

    @property
    def retry_in(self) -> float | None:
        return max(0.0, self._next_look - time.monotonic()) if self._first.is_set() else None

    def ready(self) -> None:
        """Look at the cluster now; raises Problem where work could not begin on all of its workers."""
        self._begin()
        self._first.wait()
        self._complain()

    def free(self, alone: bool) -> bool:
        self._begin()
        self._complain()
        with self._state.lock:
            return self._place(alone) is not None

    def submit(self, work: Callable[[Item], object], batch: list[Item], alone: bool) -> Future[BatchRows]:
        packed = pickle.dumps((work, batch), pickle.HIGHEST_PROTOCOL)
        future: Future[BatchRows] = Future()
        future.set_running_or_notify_cancel()
        with self._state.lock:
            address, client = self._place(alone), self._client
            if address is None or client is None:  # it went a moment ago
                future.set_exception(Postponed())
                return future
            try:
                remote = client.submit(
                    dask_worker.work_on,
                    self._session,
                    packed,
                    key=f"mseg-wizard-{secrets.token_hex(8)}",
                    pure=False,
                    workers=[address],
                    allow_other_workers=False,
                )
            except Exception as error:  # whatever a client says whose connection ended a moment ago
                log.info("the cluster: %s", error)
                future.set_exception(Postponed())
                return future
            given = _Batch(address, remote, future, alone)
            self._state.workers[address].add(given)
        remote.add_done_callback(lambda _: self._ended.put(given))
        return future

    def lose(self, hanging: Future[BatchRows] | None) -> None:
        with self._state.lock:
            held = [given for batches in self._state.workers.values() for given in batches if given.future is hanging]
            for given in held:
                self._doomed.put(given.address)
                self._worker_lost(given.address, "hangs and is ended")
                self._state.refused[given.address] = Problem(
                    f"the worker at {given.address} hangs", "It is being ended."
                )

    def kill(self) -> None:
        """Take everything back. A batch that is not at its end soon loses its process; its nanny starts a new one."""
        with self._state.lock:
            session, self._session = self._session, secrets.token_hex(8)
            given = [batch for batches in self._state.workers.values() for batch in batches]
            for batches in self._state.workers.values():
                batches.clear()
            client = self._client
            for batch in given:
                batch.future.set_exception(Postponed())
        if client is None or not given:
            return
        addresses = sorted({batch.address for batch in given})
        try:
            # Stopped first: what the scheduler forgets may still have arrived at its worker.
            ended = client.sync(
                client.run,
                dask_worker.stop,
                session,
                PATIENCE,
                workers=addresses,
                on_error="ignore",
                callback_timeout=PATIENCE + 1,
            )
            client.sync(client.cancel, [batch.remote for batch in given], force=True, callback_timeout=1)
            if late := [address for address, good in ended.items() if not good]:
                client.sync(
                    client.run, dask_worker.leave, workers=late, wait=False, on_error="ignore", callback_timeout=1
                )
        except Exception as error:  # the cluster is gone, or does not answer: nothing is left to take back from it
            log.warning("the cluster at %s, while stopping: %r", self._address, error)

    def close(self) -> None:
        self.kill()
        self._closing.set()
        if self._thread:
            self._thread.join(REACH)
        self._disconnect()

    def hosts(self) -> tuple[int, int]:
        """How many workers there are, on how many hosts."""
        return len(self._state.workers), len({address.rpartition(":")[0] for address in self._state.workers})

    def worker_news(self) -> list[str]:
        """What happened to the workers since this was asked last, in words for the user."""
        return _all(self._news)

    # Under the lock

    def _place(self, alone: bool) -> str | None:
        """The worker that the next batch goes to: the one that has least to do."""
        most = 1 if alone else AHEAD
        held = (
            (len(batches), address)
            for address, batches in self._state.workers.items()
            if not any(batch.alone for batch in batches)
        )
        count, address = min(held, default=(most, ""))
        return address if count < most else None

    def _worker_lost(self, address: str, how: str) -> None:
        """A worker is gone, and what it was given is lost with it."""
        lost = self._state.workers.pop(address, set())
        again = "; the images that it had run again" if lost else ""
        text = f"Worker {address} on host {self._names.get(address, address)} {how}{again}."
        log.warning("the cluster: %s", text)
        self._news.put(text)
        for given in lost:
            given.future.set_exception(BrokenExecutor("the worker is gone"))
            self._dropped.put(given.remote)

    # The thread

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep, name="cluster", daemon=True)
            self._thread.start()

    def _complain(self) -> None:
        if self._problem is not None:
            problem, self._problem, self._thread = self._problem, None, None
            self._first.clear()
            raise problem

    def _keep(self) -> None:
        while not self._closing.is_set():
            try:
                if self._client is None:
                    self._client = connect(self._address, CONNECT)
                    self._next_look = 0.0
                if time.monotonic() >= self._next_look:
                    self._update_workers()
                    self._first.set()
                self._deliver()
                self._tidy()
            except Exception as error:  # whatever a connection that ends raises, in all the layers that it has
                if self._first.is_set():
                    self._lost(error)
                    continue
                self._disconnect()
                silent = f"The cluster at {self._address} doesn't answer: {error!r}."
                self._problem = (
                    error if isinstance(error, Problem) else Problem(silent, "Look at its log, or start it again.")
                )
                self._first.set()
                return
        with suppress(Exception):  # the connection may have ended by itself
            self._tidy()

    def _lost(self, error: Exception) -> None:
        """The scheduler is gone: nothing that was given is to blame, and all of it is given again once there is one."""
        log.warning("the cluster at %s: %r", self._address, error)
        with self._state.lock:
            for batches in self._state.workers.values():
                for given in batches:
                    given.future.set_exception(Postponed())
            self._state.workers.clear()
            self._state.refused.clear()
        self._disconnect()
        self._next_look = time.monotonic() + RETRY
        self._closing.wait(RETRY)

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                client.close(timeout=1)

    def _update_workers(self) -> None:
        """Which workers came and went. Raises Problem at the first look where there is none, or one that is not fit."""
        threads = self._client.sync(self._client.nthreads, callback_timeout=REACH)
        known = self._state.workers.keys() | self._state.refused.keys()
        new = {address: count for address, count in threads.items() if address not in known}
        first = not self._first.is_set()
        try:
            self._names |= (names := hosts_of(self._client, list(new), REACH) if new else {})
            bad = unfit(self._client, new, names, self._folders(), REACH) if new else {}
        except TimeoutError:  # one of them died while it was asked: the others are asked again at the next look
            if first:
                raise
            bad, new = {}, {}
        if first and bad:
            problem = next(iter(bad.values()))
            raise Problem(problem.what, problem.do, [other.what for other in bad.values()] if len(bad) > 1 else ())
        if first and not threads:
            what = f"The cluster at {self._address} has no worker."
            raise Problem(what, f"Start some: `dask worker {self._address} --nthreads 1 --nworkers 8` on each node.")
        for problem in bad.values():
            log.warning("a worker gets nothing to do: %s", problem)
        with self._state.lock:
            for address in [address for address in self._state.workers if address not in threads]:
                self._worker_lost(address, "was lost")
            self._state.refused = {
                address: why for address, why in (self._state.refused | bad).items() if address in threads
            }
            self._state.workers |= {address: set() for address in new if address not in bad}
        self._next_look = time.monotonic() + (LOOK if self._state.workers else RETRY)

    def _tidy(self) -> None:
        """End the workers that hang, and have the scheduler forget what is lost."""
        for address in _all(self._doomed):
            with suppress(Exception):  # it may be gone already
                self._client.sync(
                    self._client.run, dask_worker.leave, workers=[address], wait=False, callback_timeout=REACH
                )
        if dropped := _all(self._dropped):
            self._client.sync(self._client.cancel, dropped, force=True, callback_timeout=REACH)

    def _deliver(self) -> None:
        """Fetch what ended, all at once; waits a moment for the first."""
        try:
            ended = [self._ended.get(timeout=0.2), *_all(self._ended)]
        except Empty:
            return
        ended = [given for given in ended if not given.future.done()]
        whole = [given for given in ended if given.remote.status == "finished"]
        if whole:
            try:
                remotes = [given.remote for given in whole]
                rows = self._client.sync(self._client.gather, remotes, callback_timeout=REACH)
            except TimeoutError:  # a worker died with its result: it will be missed at the next look
                for given in whole:
                    self._ended.put(given)
                return
            for given, found in zip(whole, rows, strict=True):
                self._resolve(given, found)
        for given in ended:
            if given.remote.status == "error":
                self._resolve(given, given.remote.exception(timeout=REACH))
            elif given.remote.status == "cancelled":
                self._resolve(given, Postponed())

    def _resolve(self, given: _Batch, end: BatchRows | BaseException) -> None:
        with self._state.lock:
            if given.future.done():
                return
            self._state.workers.get(given.address, set()).discard(given)
            if isinstance(end, BaseException):
                # KilledWorker and the like: the scheduler gave it up because its worker died.
                died = type(end).__name__ in ("KilledWorker", "NoValidWorkerError")
                given.future.set_exception(BrokenExecutor(str(end)) if died else end)
            else:
                given.future.set_result(end)


def _all(queue: SimpleQueue[Item]) -> list[Item]:
    """What is in a queue now."""
    found = []
    with suppress(Empty):
        while True:
            found.append(queue.get_nowait())
    return found
