"""Waiting for what a test waits for: a condition, never a number of seconds. Only pytest's time limit ends it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

PATIENCE = 300.0
"""Seconds after which a test that can say what it lacks gives up: far more than the slowest machine needs."""


def wait_until(
    met: Callable[[], object], process: subprocess.Popen[Any] | None = None, *, patience: float | None = None
) -> bool:
    """Wait until `met()`; False where the process ended first, or where `patience` (s) did."""
    limit = None if patience is None else time.monotonic() + patience
    while not met():
        if process is not None and process.poll() is not None:
            # It may have come about in the process's last moment.
            return bool(met())
        if limit is not None and time.monotonic() > limit:
            return False
        # A thousandth costs nothing where what is waited for comes soon, and a core where it doesn't.
        time.sleep(0.003)
    return True
