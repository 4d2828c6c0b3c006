"""Archives for tests, good, damaged and hostile, built byte by byte; and what a test needs to look at what came out."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
import zlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from mseg_wizard.progress import Progress

T = TypeVar("T")

STORED, DEFLATED = 0, 8
FILE, FOLDER, LINK = 0o100644 << 16, 0o040755 << 16, 0o120777 << 16


@dataclass(frozen=True, kw_only=True)
class Part:
    """One member of a zip; what is None is written as it should be, everything else as it is given, right or wrong."""

    name: str | bytes
    data: bytes = b""
    method: int = DEFLATED
    flags: int = 0
    attributes: int = FILE
    local_name: str | bytes | None = None
    packed: bytes | None = None
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    offset: int | None = None
    disk: int = 0
    wide: bool = False
    """Sizes and offset in a zip64 extra field."""


def zipped(
    *parts: Part,
    count: int | None = None,
    wide: bool = False,
    comment: bytes = b"",
    gap: bytes = b"",
    disks: int = 0,
    before: bytes = b"",
) -> bytes:
    """A zip.

    `count`: what its end says; `wide`: with zip64 end records; `gap`: between members; `before`: in front of
    everything.
    """
    out = io.BytesIO()
    out.write(before)
    directory = []
    for part in parts:
        name = part.name.encode() if isinstance(part.name, str) else part.name
        local = name if part.local_name is None else part.local_name
        local = local.encode() if isinstance(local, str) else local
        packed = deflated(part.data) if part.method == DEFLATED and part.packed is None else part.packed
        packed = part.data if packed is None else packed
        crc = zlib.crc32(part.data) if part.crc is None else part.crc
        size = len(part.data) if part.size is None else part.size
        packed_size = len(packed) if part.packed_size is None else part.packed_size
        offset = out.tell() if part.offset is None else part.offset
        short = [min(value, 0xFFFFFFFF) for value in (packed_size, size)]
        out.write(
            struct.pack("<4s5H3L2H", b"PK\3\4", 20, part.flags, part.method, 0, 0, crc, *short, len(local), 0)
            + local
            + packed
            + gap
        )
        extra = b""
        if part.wide or max(size, packed_size, offset) > 0xFFFFFFFF:
            extra = struct.pack("<2H3Q", 1, 24, size, packed_size, offset)
            size = packed_size = offset = 0xFFFFFFFF
        fixed = struct.pack(
            "<4s6H3L5H2L",
            *(b"PK\1\2", 0x0314, 20, part.flags, part.method, 0, 0, crc, packed_size, size),
            *(len(name), len(extra), 0, part.disk, 0, part.attributes, offset),
        )
        directory.append(fixed + name + extra)
    start = out.tell()
    out.write(b"".join(directory))
    end = out.tell()
    count = len(parts) if count is None else count
    if wide:
        out.write(struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, end - start, start))
        out.write(struct.pack("<4sLQL", b"PK\6\7", 0, end, 1))
        count, size, start = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
    else:
        count, size = count & 0xFFFF, end - start
    out.write(struct.pack("<4s4H2LH", b"PK\5\6", disks, disks, count, count, size, start, len(comment)) + comment)
    return out.getvalue()


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def tarred(
    *members: tuple[str, bytes] | tarfile.TarInfo, end: bool = True, form: Literal[0, 1, 2] = tarfile.GNU_FORMAT
) -> bytes:
    """A tar of files (name and content; a name that ends in `/` is a folder) and of whatever headers are given."""
    out = io.BytesIO()
    for member in members:
        if isinstance(member, tarfile.TarInfo):
            out.write(member.tobuf(form, "utf-8", "surrogateescape"))
            continue
        name, data = member
        info = tarfile.TarInfo(name.removesuffix("/"))
        info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
        info.size = len(data)
        out.write(info.tobuf(form, "utf-8", "surrogateescape") + data + bytes(-len(data) % 512))
    return out.getvalue() + bytes(1024 if end else 0)


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """A tar header without content: a link, a device, a pipe."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, 6, mtime=0)


def end_of(generator: Generator[Progress, None, T]) -> T:
    """Run a task to its end; its result."""
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            result: T = stop.value
            return result


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder: content by path, None for folders;
    links are followed by nothing here and fail the test.
    """
    found: dict[str, bytes | None] = {}
    for above, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(above, name)
            assert not path.is_symlink(), path
            found[path.relative_to(folder).as_posix()] = path.read_bytes() if name in files else None
    return found
