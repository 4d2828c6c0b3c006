"""Bytes of an open archive by offset, with a Problem in place of an error. What they mean is known elsewhere."""

from __future__ import annotations

import os

from mseg_wizard.progress import Problem
from mseg_wizard.tasks.members import damaged


def up_to(file: int, count: int, at: int, archive: str) -> bytes:
    """Up to `count` bytes at an offset, fewer only at the end of the file."""
    try:
        data = os.pread(file, count, at)
        while len(data) < count and (more := os.pread(file, count - len(data), at + len(data))):
            data += more
    except OSError as error:
        raise Problem(f"{archive} can't be read: {error.strerror}.", "Check its disk, or fetch it again.") from None
    return data


def exactly(file: int, count: int, at: int, archive: str) -> bytes:
    """`count` bytes at an offset; raises Problem if the file ends before."""
    data = up_to(file, count, at, archive)
    if len(data) < count:
        raise damaged(archive, "it is cut short")
    return data
