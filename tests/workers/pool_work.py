"""What the pool's tests have workers do: importable, because worker processes import it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from mseg_wizard.progress import Problem


def square(number: int) -> int:
    return number * number


def one_bad(number: int) -> int:
    if number == 13:
        raise Problem("13 is unlucky.", "Use 14.")
    if number == 17:
        raise ValueError("not 17")
    return number


def one_kills(number: int) -> int:
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def one_kills_once(row: tuple[int, str]) -> int:
    number, mark = row
    if number == 13 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def one_hangs(number: int) -> int:
    if number == 13:
        time.sleep(3600)
    return number


def slow(number: int) -> int:
    time.sleep(0.05)
    return number


def prints(number: int) -> int:
    print("a worker's words", number, flush=True)
    os.write(2, b"and its complaints\n")
    return number


def slow_pid(number: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def hang_or_touch(row: tuple[int, str]) -> int:
    number, folder = row
    if number == 0:
        Path(folder, "hangs").touch()
        time.sleep(3600)
    time.sleep(0.05)
    Path(folder, f"made-{number}").touch()
    return number


def mark_and_hang(row: tuple[str, bytes]) -> None:
    Path(row[0]).touch()
    time.sleep(3600)


def tasks_of(dask_scheduler: Any) -> int:
    """What a Dask scheduler has of ours."""
    return len(dask_scheduler.tasks)
