"""Bytes of an open archive by offset, with a Problem in place of an error. What they mean is known elsewhere."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable

from mseg_wizard.archives.member import damaged_archive
from mseg_wizard.progress import Problem


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
        raise damaged_archive(archive, "it is cut short")
    return data


def checksum(pieces: Iterable[bytes]) -> int:
    """The CRC-32 of a content that comes in pieces."""
    crc = 0
    for piece in pieces:
        crc = zlib.crc32(piece, crc)
    return crc
