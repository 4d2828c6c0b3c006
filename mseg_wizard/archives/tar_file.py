"""Reading tar files, plain or gzipped, front to back. Names are judged, and files written, elsewhere."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from isal import isal_zlib

from mseg_wizard.archives.member import CHUNK, Member, damaged_archive
from mseg_wizard.archives.pread import exactly, up_to

BLOCK = 512
LARGEST_EXTENSION = 1 << 20
"""Bytes of a pax header or a long name; Linux allows paths of 4096 bytes and attributes of 64 KiB."""

_NEEDLESS = re.compile(r"\A(?:\./+)+")
_FILES = {b"0", b"\0", b"7"}
_SPARSE = "GNU.sparse."
_LINKS = {b"1": "is a hard link", b"2": "is a symbolic link"}
_REFUSED = {**_LINKS, b"3": "is a device", b"4": "is a device", b"6": "is a pipe", b"S": "is a sparse file"}


class Stream(Protocol):
    """Bytes from front to back."""

    position: int
    """Bytes of the file on disk that were used so far."""

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes, or Problem."""

    def skip(self, count: int) -> None:
        """Pass over `count` bytes, or Problem."""

    def finish(self) -> None:
        """Read what is left, to the checksum at the end if there is one; raises Problem."""


def walk(stream: Stream, archive: str) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """Each member with its content, which may be left unread; ends after the end mark and the stream's own checksum.

    Raises Problem.
    """
    longer: dict[str, str] = {}
    last = ""
    while True:
        block = stream.read(BLOCK)
        if not block.strip(b"\0"):
            break
        _check(block, archive, last)
        kind, size = block[156:157], _number(block[124:136], archive, last)
        if kind in (b"L", b"K", b"x", b"X", b"g"):
            if size > LARGEST_EXTENSION:
                raise damaged_archive(archive, f"a header of {size} bytes follows", last)
            data = stream.read(size)
            stream.skip(-size % BLOCK)
            longer |= _extension(kind, data, archive, last)
            continue
        name = longer.get("path") or _name(block)
        size = _decimal(longer["size"], archive, name) if "size" in longer else size
        sparse = _SPARSE in longer
        longer = {}
        # `tar c .` writes such names; they are the one kind of needless part that is harmless and common.
        name = _NEEDLESS.sub("", name)
        folder = kind == b"5" or (kind in _FILES and name.endswith("/") and not size)
        size = 0 if folder or kind in _LINKS else size
        last = name
        left = size

        def content() -> Iterator[bytes]:
            nonlocal left
            while left:
                piece = stream.read(min(left, CHUNK))
                left -= len(piece)
                yield piece

        if name not in ("", "."):
            yield _member(name, size, kind, folder, sparse), content()
        stream.skip(left + -size % BLOCK)
    if longer:
        raise damaged_archive(archive, "its last header stands alone", last)
    stream.finish()


def is_header(block: bytes) -> bool:
    """Whether a file that begins with this block is a tar file, by
    the header's checksum (the oldest kind has no other mark).
    """
    return len(block) == BLOCK and bool(block.strip(b"\0")) and _sums(block)


class Plain:
    """A tar file as it lies on disk; passing over content costs nothing."""

    def __init__(self, file: int, archive: str) -> None:
        self._file, self._archive = file, archive
        self._length = os.fstat(file).st_size
        self.position = 0

    def read(self, count: int) -> bytes:
        data = exactly(self._file, count, self.position, self._archive)
        self.position += count
        return data

    def skip(self, count: int) -> None:
        if self.position + count > self._length:
            raise damaged_archive(self._archive, "it is cut short")
        self.position += count

    def finish(self) -> None:
        self.position = self._length


class Gzipped:
    """What comes out of a gzip file, of one stream or several; the
    checksum at the end of each is checked when it is reached. A thread inflates while what it gave is used.
    """

    def __init__(self, file: int, archive: str) -> None:
        self._file, self._archive = file, archive
        self._inflate = isal_zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._packed = b""
        self._block = b""
        self._at = 0
        self.position = 0
        self._thread = ThreadPoolExecutor(1, "inflating")
        self._next_block = self._thread.submit(self._inflated)

    def close(self) -> None:
        """Nothing is read of the file after this."""
        self._thread.shutdown(cancel_futures=True)

    def read(self, count: int) -> bytes:
        data = self._block[self._at : self._at + count]
        self._at += len(data)
        if len(data) == count:
            return data
        parts, missing = [data], count - len(data)
        while missing:
            if not self._fill():
                raise damaged_archive(self._archive, "it is cut short")
            parts.append(self._block[:missing])
            self._at = len(parts[-1])
            missing -= self._at
        return b"".join(parts)

    def skip(self, count: int) -> None:
        while (have := len(self._block) - self._at) < count:
            count -= have
            if not self._fill():
                raise damaged_archive(self._archive, "it is cut short")
        self._at += count

    def finish(self) -> None:
        while self._fill():
            pass

    def _fill(self) -> bool:
        """Put the next bytes into the block; False at the end of the last stream."""
        self._block, self._at = self._next_block.result(), 0
        if self._block:
            self._next_block = self._thread.submit(self._inflated)
        return bool(self._block)

    def _inflated(self) -> bytes:
        """The next bytes, inflated while those before are used; none at the end of the last stream."""
        block = b""
        while not block:
            if self._inflate.eof:
                rest = self._inflate.unused_data or self._next()
                while rest and not rest.strip(b"\0"):
                    rest = self._next()
                if not rest:
                    return b""
                self._packed, self._inflate = rest, isal_zlib.decompressobj(zlib.MAX_WBITS | 16)
            packed = self._packed or self._next()
            try:
                block = self._inflate.decompress(packed, CHUNK)
            except isal_zlib.IsalError:  # type: ignore[misc]  # its stub knows the name, not the class
                raise damaged_archive(
                    self._archive, "its compressed data are broken or their checksum differs"
                ) from None
            self._packed = self._inflate.unconsumed_tail
            if not packed and not block and not self._inflate.eof:
                raise damaged_archive(self._archive, "it is cut short")
        return block

    def _next(self) -> bytes:
        data = up_to(self._file, CHUNK // 4, self.position, self._archive)
        self.position += len(data)
        return data


def _member(name: str, size: int, kind: bytes, folder: bool, sparse: bool) -> Member:
    if folder:
        return Member(name if name.endswith("/") else name + "/", 0)
    if sparse:
        return Member(name, size, _REFUSED[b"S"])
    if kind not in _FILES:
        return Member(name, size, _REFUSED.get(kind, "is of an unknown kind"))
    return Member(name, size, "is a folder with content" if name.endswith("/") else "")


def _extension(kind: bytes, data: bytes, archive: str, last: str) -> Mapping[str, str]:
    """What a long name or a pax header says about the next member."""
    if kind == b"L":
        return {"path": _text(data.split(b"\0", 1)[0])}
    if kind == b"K":
        return {}
    values: dict[str, str] = {}
    data, at = data.rstrip(b"\0"), 0
    while at < len(data):
        length, space, _ = data[at : at + 20].partition(b" ")
        end = at + int(length) if space and length.isdigit() else at
        key, equals, value = data[at + len(length) + 1 : end - 1].partition(b"=")
        if not equals or data[end - 1 : end] != b"\n":
            raise damaged_archive(archive, "a header after it is broken", last)
        # Whatever else is said is not kept: headers of nothing but that must not fill the memory.
        if key in (b"path", b"size"):
            values[_text(key)] = _text(value)
        elif key.startswith(_SPARSE.encode()):
            values[_SPARSE] = ""
        at = end
    if kind != b"g":
        return values
    if values:
        raise damaged_archive(archive, "a header names one path or size for all members", last)
    return {}


def _name(block: bytes) -> str:
    name = block[:100].split(b"\0", 1)[0]
    prefix = block[345:500].split(b"\0", 1)[0] if block[257:263] == b"ustar\0" else b""
    return _text(prefix + b"/" + name if prefix else name)


def _text(raw: bytes) -> str:
    # What is not UTF-8 becomes surrogates, and a name that holds them is refused.
    return raw.decode("utf-8", "surrogateescape")


def _check(block: bytes, archive: str, last: str) -> None:
    if not _sums(block):
        raise damaged_archive(archive, "the header after it is broken" if last else "its first header is broken", last)


def _sums(block: bytes) -> bool:
    """Whether the header's checksum fits: over its bytes, or over
    them as signed numbers, as some old programs had it.
    """
    try:
        wanted = int(block[148:156].strip(b" \0") or b"0", 8)
    except ValueError:
        return False
    plain = sum(block) - sum(block[148:156]) + 8 * 0x20
    return wanted == plain or wanted == plain - 256 * sum(b > 127 for b in block[:148] + block[156:])


def _number(field: bytes, archive: str, last: str) -> int:
    """An octal number, or a binary one where the first bit is set."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        value = int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        value = -1
    if value < 0:
        raise damaged_archive(archive, "the header after it has no size", last)
    return value


def _decimal(text: str, archive: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise damaged_archive(archive, "its size is no number", name)
    return int(text)
