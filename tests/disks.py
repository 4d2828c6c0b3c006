"""Disks of any small size, for whoever may mount them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def disk(folder: Path, options: str) -> Iterator[Path]:
    """A file system of its own at `folder`; `options` are tmpfs's, such as size=2m,nr_inodes=1000.

    Skips where none can be mounted.
    """
    folder.mkdir()
    _mount(folder, options)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)  # -l: a failed test may have left a process on it


def change(folder: Path, options: str) -> None:
    """Give a disk that is in use other limits."""
    _mount(folder, f"remount,{options}")


def _mount(folder: Path, options: str) -> None:
    if sys.platform != "linux" or os.geteuid():
        pytest.skip("only root on Linux can mount a small disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a small disk can't be mounted here: {done.stderr.strip()}")
