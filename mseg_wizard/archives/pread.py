"""Bytes of an open archive by offset, in one file or in parts, with a Problem in place of an error.

What they mean is known elsewhere.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mseg_wizard.archives.member import damaged_archive
from mseg_wizard.progress import Problem, printable


@dataclass(frozen=True, slots=True)
class Parts:
    """A zip that was split, read as one: `.z01`, `.z02` … and `.zip`, the last."""

    files: tuple[int, ...]
    """Descriptors."""
    starts: tuple[int, ...]
    """Offset of each part's first byte."""
    size: int


OpenFile = int | Parts
"""A descriptor, or those of all parts."""


def open_file(path: Path) -> OpenFile:
    """The file at `path`; where it is the last part of a split zip, all parts. Raises OSError, Problem."""
    paths = parts_of(path)
    files: list[int] = []
    try:
        for part in paths:
            files.append(os.open(part, os.O_RDONLY | os.O_CLOEXEC))  # noqa: PERF401 - those opened are closed below
    except OSError:
        for file in files:
            os.close(file)
        raise
    if len(files) == 1:
        return files[0]
    sizes = [os.fstat(file).st_size for file in files]
    starts = tuple(sum(sizes[:number]) for number in range(len(sizes)))
    return Parts(tuple(files), starts, sum(sizes))


def close_file(file: OpenFile) -> None:
    for one in file.files if isinstance(file, Parts) else (file,):
        os.close(one)


def size_of(file: OpenFile) -> int:
    return file.size if isinstance(file, Parts) else os.fstat(file).st_size


def start_of(file: OpenFile, part: int) -> int | None:
    """Offset of the first byte of a part, counted from 0; None where there is no such part."""
    starts = file.starts if isinstance(file, Parts) else (0,)
    return starts[part] if part < len(starts) else None


def parts_of(path: Path) -> list[Path]:
    """All parts of the split zip whose last part is at `path`, in order; `path` alone where it is whole.

    Raises Problem where parts are not beside it, OSError where it can't be read.
    """
    if path.suffix.lower() != ".zip" or not path.is_file():
        return [path]
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 22 - 0xFFFF))
        tail = file.read()
    found = tail.rfind(b"PK\5\6")
    number = struct.unpack_from("<H", tail, found + 4)[0] if 0 <= found <= len(tail) - 22 else 0
    if not 0 < number < 100:
        return [path]
    letter = "Z" if path.suffix.isupper() else "z"
    parts = [path.with_suffix(f".{letter}{count:02}") for count in range(1, number + 1)]
    if absent := [part.name for part in parts if not part.is_file()]:
        raise Problem(
            f"{printable(path.name, 100)} is one part of a multi-part archive, and {printable(', '.join(absent), 300)} "
            "is not beside it.",
            "Put all its parts into one folder under their own names, and name the one that ends in .zip.",
        )
    return [*parts, path]


def up_to(file: OpenFile, count: int, at: int, archive: str) -> bytes:
    """Up to `count` bytes at an offset, fewer only at the end of the file."""
    data = b""
    try:
        while len(data) < count and (more := _some(file, count - len(data), at + len(data))):
            data = data + more if data else more
    except OSError as error:
        raise Problem(f"{archive} can't be read: {error.strerror}.", "Check its disk, or fetch it again.") from None
    return data


def _some(file: OpenFile, count: int, at: int) -> bytes:
    if not isinstance(file, Parts):
        return os.pread(file, count, at)
    for one, start in zip(reversed(file.files), reversed(file.starts), strict=True):
        if at >= start:
            return os.pread(one, count, at - start) if at < file.size else b""
    return b""


def exactly(file: OpenFile, count: int, at: int, archive: str) -> bytes:
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
