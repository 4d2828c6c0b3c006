"""What a cluster's workers do for the wizard: exchange tokens, run batches, stop.

Nothing here knows what runs the cluster.
"""

from __future__ import annotations

import asyncio
import functools
import os
import pickle
import secrets
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from mseg_wizard.workers.batches import BatchRows
from mseg_wizard.workers.pool import run_batch
from mseg_wizard.workers.process import keep_memory

UNSEEN = "unseen"

_one = threading.Lock()
"""The tables that label work keeps per process are not for two threads."""
_prepare = functools.cache(keep_memory)
"""Others started this process: what ours begin with is done at the first batch."""
_busy_with = ""
_stopped: set[str] = set()


def exchange(token: str, files: Sequence[str]) -> list[tuple[str, str]]:
    """For each of the wizard's token files: what is wrong (empty:
    nothing), and the name of the answer that was written beside it.
    """
    return [_answer(token, Path(file)) for file in files]


def _answer(token: str, file: Path) -> tuple[str, str]:
    try:
        seen = file.read_text() == token
    except OSError:
        seen = False
    if not seen:
        return UNSEEN, ""
    # A name of its own for every answer: an NFS client may remember for a while that a name was not there.
    answer = file.with_name(f"{file.name.removesuffix('.tmp')}.{secrets.token_hex(8)}.tmp")
    try:
        answer.write_text(token[::-1])
    except OSError as error:
        return error.strerror or repr(error), ""
    return "", answer.name


def work_on(session: str, packed: bytes) -> BatchRows:
    """Run one batch, unless the session was stopped; then no row of what was left."""
    global _busy_with
    with _one:
        _busy_with = session
        try:
            _prepare()
            work, batch = pickle.loads(packed)  # noqa: S301 - what runs the cluster unpickles what it gets anyway
            rows: BatchRows = []
            for item in batch:
                if session in _stopped:
                    break
                rows += run_batch(work, [item])
            return rows
        finally:
            _busy_with = ""


async def stop(session: str, patience: float) -> bool:
    """Have the session's batches end at their next item; False where one has not after `patience` seconds."""
    _stopped.add(session)
    until = time.monotonic() + patience
    while _busy_with == session and time.monotonic() < until:
        await asyncio.sleep(0.02)
    return _busy_with != session


async def leave() -> None:
    """End this process, whatever its thread does. A coroutine, because Dask waits for the answer of everything else."""
    os._exit(1)
