"""Reading zip files by offset: the central directory as a list, and one member's bytes.

Names are judged, files written, elsewhere.
"""

from __future__ import annotations

import inspect
import struct
import zlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from mseg_wizard.archives.member import CHUNK, MOST_MEMBERS, Member, damaged_archive, too_many
from mseg_wizard.archives.pread import OpenFile, Parts, exactly, size_of, start_of, up_to
from mseg_wizard.core.background import AT_ONCE, looked, looking_through
from mseg_wizard.progress import Problem, printable

WHOLE = 16 << 20
"""Members up to this size, packed and unpacked, are inflated in one
go: libdeflate is 2.5 to 8 times as fast as zlib, and cannot stream.
"""
LARGEST_DIRECTORY = 1 << 28
"""Bytes: some 1.5 million members with names as long as ADE20K's."""

STORED, DEFLATED = 0, 8
METHODS = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    12: "bzip2",
    14: "LZMA",
    93: "Zstandard",
    95: "xz",
    98: "PPMd",
    99: "AES",
}

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_EXTRA = 256
"""Bytes read on top of a local header and its data, so that one read suffices whatever the extra field holds."""
_MODES = {
    0: "",
    0o04: "",
    0o10: "",
    0o12: "is a symbolic link",
    0o01: "is a pipe",
    0o02: "is a device",
    0o06: "is a device",
}
"""The kind of file that a Unix program noted; nothing, folder and file are fine."""


@dataclass(frozen=True, slots=True)
class Entry(Member):
    """A member and where to find it."""

    raw: bytes = b""
    method: int = STORED
    packed: int = 0
    """Bytes that it takes in the archive, without headers."""
    offset: int = 0
    limit: int = 0
    """Where the next member, or the directory, begins."""


def entries(file: OpenFile, archive: str) -> list[Entry]:
    """All members in the order in which they lie in the file; `file`: a descriptor, or all parts. Raises Problem."""
    start, end, count, wide = _directory(file, archive)
    if end - start > LARGEST_DIRECTORY:
        raise Problem(
            f"{archive} has a directory of {end - start} bytes.",
            "No dataset's archive has: take it from its publisher.",
        )
    data = exactly(file, end - start, start, archive)
    found: list[tuple[int, str, int, str, int, bytes, int, int]] = []
    at = 0
    # By the directory's size, not by its count: that is 16 bits wide and wraps in COCO's nested archives.
    while at < len(data):
        if at + _CENTRAL.size > len(data):
            raise damaged_archive(archive, "its directory is cut short")
        signature, _, _, flags, method, _, _, crc, packed, size, n, m, k, disk, _, attributes, offset = (
            _CENTRAL.unpack_from(data, at)
        )
        following = at + _CENTRAL.size + n + m + k
        if signature != b"PK\1\2" or following > len(data):
            raise damaged_archive(archive, "its directory does not hold together", found[-1][1] if found else "")
        raw = data[at + _CENTRAL.size : at + _CENTRAL.size + n]
        name = _name(raw, flags, archive)
        extra = data[at + _CENTRAL.size + n : at + _CENTRAL.size + n + m]
        size, packed, offset, disk = _widened(extra, size, packed, offset, disk, archive, name)
        if (begin := start_of(file, disk)) is None:
            raise _one_of_several(archive)
        offset += begin
        if len(found) >= MOST_MEMBERS:
            raise too_many(archive)
        if len(found) % AT_ONCE == AT_ONCE - 1:
            looked(AT_ONCE)
        found.append((offset, name, size, _refusal(name, size, flags, method, attributes), crc, raw, method, packed))
        at = following
    if len(found) != count and (wide or len(found) & 0xFFFF != count):
        raise damaged_archive(archive, f"its directory lists {len(found)} members and counts {count}")
    return _bounded(found, start, archive)


def walk(file: OpenFile, listed: Sequence[Entry], archive: str) -> Iterator[tuple[Entry, Iterator[bytes]]]:
    """Each member with its content; of members whose content is
    not asked for the local header is checked all the same.
    """
    for entry in listed:
        content = read(file, entry, archive)
        yield entry, content
        if inspect.getgeneratorstate(content) == inspect.GEN_CREATED:
            _data(file, entry, archive, 0)


def read(file: OpenFile, entry: Entry, archive: str) -> Generator[bytes, None, None]:
    """The content in pieces; it ends normally only if size and CRC are what the directory says. Raises Problem."""
    whole = entry.packed <= WHOLE and entry.size <= WHOLE
    start, data = _data(file, entry, archive, entry.packed if whole else 0)
    if entry.method == STORED and entry.packed != entry.size:
        raise damaged_archive(archive, "its two sizes differ", entry.name)
    if whole:
        pieces = iter((data if entry.method == STORED else _inflated(data, entry, archive),))
    else:
        pieces = _pieces(file, entry, start, archive)
        if entry.method == DEFLATED:
            pieces = _inflating(pieces, entry, archive)
    crc = size = 0
    for piece in pieces:
        crc, size = zlib.crc32(piece, crc), size + len(piece)
        if size > entry.size:
            raise damaged_archive(archive, "more comes out than its header says", entry.name)
        if whole and (crc != entry.crc or size != entry.size):
            break
        yield piece
    if size != entry.size:
        raise damaged_archive(archive, "less comes out than its header says", entry.name)
    if crc != entry.crc:
        raise damaged_archive(archive, "its checksum differs", entry.name)


def _directory(file: OpenFile, archive: str) -> tuple[int, int, int, bool]:
    """Start and end of the central directory, the count of members, and whether that count is 64 bits wide."""
    length, last = size_of(file), len(file.files) - 1 if isinstance(file, Parts) else 0
    back = min(length, _END.size + 0xFFFF)
    tail = exactly(file, back, length - back, archive)
    found = tail.rfind(b"PK\5\6")
    while found >= 0:
        if found + _END.size <= len(tail):
            _, disk, first, here, count, size, offset, comment = _END.unpack_from(tail, found)
            if found + _END.size + comment <= len(tail):
                break
        found = tail.rfind(b"PK\5\6", 0, found)
    else:
        raise damaged_archive(archive, "it has no end: it was not fetched completely, or something else was")
    end, wide = length - back + found, False
    at = end - _END64_LOCATOR.size
    locator = up_to(file, _END64_LOCATOR.size, at, archive) if at >= 0 else b""
    if locator.startswith(b"PK\6\7") and len(locator) == _END64_LOCATOR.size:
        _, disk, place, disks = _END64_LOCATOR.unpack(locator)
        place += start_of(file, disk) or 0
        record = up_to(file, _END64.size, place, archive) if place < length else b""
        if len(record) < _END64.size or not record.startswith(b"PK\6\6"):
            raise damaged_archive(archive, "its end does not hold together")
        _, rest, _, _, disk, first, here, count, size, offset = _END64.unpack(record)
        if disks > last + 1:
            raise _one_of_several(archive)
        if place + 12 + rest != at:
            raise damaged_archive(archive, "its end does not hold together")
        end, wide = place, True
    begin = start_of(file, first)
    if disk != last or begin is None or (here != count and not last):
        raise _one_of_several(archive)
    offset += begin
    # The directory has to end where the end record begins, or the end is that of an archive inside this one, cut short.
    if offset + size != end:
        raise damaged_archive(archive, "its directory is not where its end says")
    return offset, end, count, wide


def _bounded(found: list[tuple[int, str, int, str, int, bytes, int, int]], directory: int, archive: str) -> list[Entry]:
    """The entries by offset, each with its limit; overlapping ones
    (the trick of small files that unpack to petabytes) are refused.
    """
    found.sort()
    limits = [offset for offset, *_ in found[1:]] + [directory]
    bounded = []
    listed = looking_through(zip(found, limits, strict=False))
    for (offset, name, size, why, crc, raw, method, packed), limit in listed:
        if offset + _LOCAL.size + len(raw) + packed > limit:
            raise damaged_archive(archive, "it overlaps what follows", name)
        bounded.append(Entry(name, size, why, crc, raw, method, packed, offset, limit))
    return bounded


def _data(file: OpenFile, entry: Entry, archive: str, wanted: int) -> tuple[int, bytes]:
    """Offset of a member's data after its local header, which is checked, and the first `wanted` bytes of it."""
    head = _LOCAL.size + len(entry.raw)
    block = exactly(file, min(head + (wanted and wanted + _EXTRA), entry.limit - entry.offset), entry.offset, archive)
    signature, _, flags, method, _, _, _, _, _, n, m = _LOCAL.unpack_from(block)
    start = _LOCAL.size + n + m
    if signature != b"PK\3\4":
        raise damaged_archive(archive, "its header is not where the archive's directory says", entry.name)
    if n != len(entry.raw) or block[_LOCAL.size : head] != entry.raw:
        raise damaged_archive(archive, "it stands under another name in the archive's directory", entry.name)
    if method != entry.method or (not entry.raw.isascii() and _name(entry.raw, flags, archive) != entry.name):
        raise damaged_archive(archive, "its header and the archive's directory differ", entry.name)
    if entry.offset + start + entry.packed > entry.limit:
        raise damaged_archive(archive, "it overlaps what follows", entry.name)
    data = block[start : start + wanted]
    if len(data) < wanted:
        data = exactly(file, wanted, entry.offset + start, archive)
    return entry.offset + start, data


def _pieces(file: OpenFile, entry: Entry, start: int, archive: str) -> Iterator[bytes]:
    for at in range(0, entry.packed, CHUNK):
        yield exactly(file, min(CHUNK, entry.packed - at), start + at, archive)


def _inflated(data: bytes, entry: Entry, archive: str) -> bytes:
    import imagecodecs  # with numpy, which whoever only lists archives need not load

    try:
        inflated = imagecodecs.deflate_decode(data, raw=True, out=entry.size)
    except imagecodecs.DeflateError:
        raise damaged_archive(
            archive, "its compressed data are broken, or more than its header says", entry.name
        ) from None
    assert isinstance(inflated, bytes)  # noqa: S101 - the codec is untyped
    return inflated


def _inflating(pieces: Iterator[bytes], entry: Entry, archive: str) -> Iterator[bytes]:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in pieces:
            while piece and not inflate.eof:
                yield inflate.decompress(piece, CHUNK)
                piece = inflate.unconsumed_tail
            if inflate.eof:
                return
        while more := inflate.decompress(b"", CHUNK):
            yield more
    except zlib.error:
        raise damaged_archive(archive, "its compressed data are broken", entry.name) from None
    if not inflate.eof:
        raise damaged_archive(archive, "its compressed data are cut short", entry.name)


def _widened(
    extra: bytes, size: int, packed: int, offset: int, disk: int, archive: str, name: str
) -> tuple[int, int, int, int]:
    """The fields that the zip64 extra field replaces: those that are all ones, in this order."""
    wanted = [(size, 0xFFFFFFFF, 8), (packed, 0xFFFFFFFF, 8), (offset, 0xFFFFFFFF, 8), (disk, 0xFFFF, 4)]
    if all(value != full for value, full, _ in wanted):
        return size, packed, offset, disk
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<2H", extra, at)
        field = extra[at + 4 : at + 4 + length]
        at += 4 + length
        if tag != 1:
            continue
        values = []
        for value, full, width in wanted:
            if value == full:
                value, field = int.from_bytes(field[:width], "little") if len(field) >= width else -1, field[width:]
            values.append(value)
        if min(values) >= 0:
            return values[0], values[1], values[2], values[3]
    raise damaged_archive(archive, "its size is missing", name)


def _refusal(name: str, size: int, flags: int, method: int, attributes: int) -> str:
    """Why this member cannot be unpacked, empty if it can: see Member.refused."""
    folder = name.endswith("/")
    mode = attributes >> 28
    if flags & 0b10_0000_0100_0001:
        return "is encrypted"
    if method not in (STORED, DEFLATED):
        return f"is compressed by {METHODS.get(method, 'an unknown method')} ({method})"
    if why := _MODES.get(mode, "is of an unknown kind"):
        return why
    if folder and size:
        return "is a folder with content"
    if mode == 0o04 and not folder:
        return "is a folder without the slash that marks one"
    return ""


def _name(raw: bytes, flags: int, archive: str) -> str:
    """The name as text: UTF-8 where flagged, or where it can be (macOS does not flag it), else the code page of DOS."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        if flags & 0x800:
            raise damaged_archive(archive, "the name of a member is broken", printable(raw.decode("latin-1"))) from None
        return raw.decode("cp437")


def _one_of_several(archive: str) -> Problem:
    return Problem(f"{archive} is one part of a multi-part archive.", "Take the archive in one piece.")
