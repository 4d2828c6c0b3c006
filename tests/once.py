"""What is dear to make and only looked at or copied: made by the first test process that asks, shared by all."""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")


def once(places: pytest.TempPathFactory, name: str, make: Callable[[Path], T]) -> T:
    """What `make` returned for a folder of its own, which all test processes share: change nothing in it."""
    here = places.getbasetemp()
    base = here.parent if "PYTEST_XDIST_WORKER" in os.environ else here
    made = base / f"{name}.made"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(base / name, ignore_errors=True)
            (base / name).mkdir()
            made.write_bytes(pickle.dumps(make(base / name)))
        result: T = pickle.loads(made.read_bytes())  # noqa: S301 - our own
    return result
