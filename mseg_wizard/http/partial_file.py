"""The half-fetched file on disk: what of it can be trusted after a stop, a kill or a power cut. No network here."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec

from mseg_wizard.core import host
from mseg_wizard.core.files import sweep, sync, write_atomically
from mseg_wizard.http.byte_ranges import Range, Ranges, byte_count, clipped, joined, prefix
from mseg_wizard.progress import Problem, size

SYNC = 64 * 1024 * 1024
"""Bytes between two syncs, which is what a power cut can cost.

A killed process loses nothing: what was written is the kernel's.
"""
MARGIN = 64 * 1024 * 1024
"""Bytes of the disk that are left free."""
BLOCK = 1024 * 1024


@dataclass(frozen=True)
class PartialState:
    """What is known about the bytes: saved beside them before the first one is written."""

    source: str
    """Digest of the source's origin and path: a fresh link to the same file is the same source."""
    title: str
    etag: str = ""
    modified: str = ""
    validator: str = ""
    """What `If-Range` may carry; empty where the server gives nothing that proves sameness."""
    total: int | None = None
    synced: int = 0
    """Bytes from the beginning on that survive a power cut."""
    boot: str = ""
    spread: Ranges | None = None
    """Which bytes survive a power cut, of a file that has holes.

    None: it has none, and its length tells what is there.

    Behind such a note each write adds a line, "first behind-the-last", which holds until the machine goes down: the
    kernel keeps it.
    """


class PartialFile:
    """`<target>.part` and its note, kept in step: bytes only ever join bytes of the same file.

    Several threads may write at a time.
    """

    def __init__(self, target: Path, state_path: Path | None = None) -> None:
        self.path = target.with_name(target.name + ".part")
        self.here: Ranges = ()
        self.size = 0
        """Bytes that are here; with holes, the file is longer."""
        self.state: PartialState | None = None
        self.pieced = False
        """Not all of it came in one response: if its hash is wrong, the pieces may be of two files."""
        self._target = target
        self._state_path = state_path or target.with_name(target.name + ".part.json")
        self._file: BinaryIO | None = None
        self._lines: BinaryIO | None = None
        self._lock = threading.Lock()
        self._due = 0
        """Size at which the next sync is."""
        with disk_problems(self.path):
            self._read_state()

    def __enter__(self) -> PartialFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def prefix(self) -> int:
        """Bytes from the beginning on without a hole."""
        return prefix(self.here)

    @property
    def hole(self) -> int | None:
        """Where the first hole ends; None where there is none."""
        return self.here[1][0] if len(self.here) > 1 else None

    def _read_state(self) -> None:
        sweep(self._state_path)
        with suppress(FileNotFoundError):
            self._have(((0, self.path.stat().st_size),))
            self.pieced = True
        try:
            self.state, written = _read(self._state_path.read_text())
        except (FileNotFoundError, ValueError, TypeError, RecursionError):
            return  # bytes of unknown origin: only a published hash can tell what they are worth
        survived = self.state.boot == host.boot_id()
        if self.state.spread is not None:
            self._have(clipped(joined([*self.state.spread, *(written if survived else ())]), self.size))
        elif not survived and self.size > self.state.synced:
            # What was not synced before the power went may be there in length only.
            os.truncate(self.path, self.state.synced)
            self._have(((0, self.state.synced),))
        if not self.size:
            self.state = None

    def offset(self, source: str, decisive: bool, published: int | None) -> int:
        """From where to go on at `source`; 0: from the beginning.

        `decisive`: a published hash will tell whether the pieces fit.
        """
        total = self.total(published)
        if total is not None and self.here and self.here[-1][1] > total:
            return 0
        same = self.state is not None and self.state.source == source
        provable = same and self.state is not None and (bool(self.state.validator) or self.size == self.state.total)
        return self.prefix if provable or (decisive and total is not None) else 0

    def total(self, published: int | None) -> int | None:
        """Bytes of the whole, as the source of the first ones said, else as published; None while unknown."""
        return (self.state.total if self.state else None) or published

    def begin(self, state: PartialState) -> None:
        """Forget what is there: emptied first, so that at no time does a note describe bytes that are not its own."""
        self.close()
        with disk_problems(self.path):
            self._file = self.path.open("wb", buffering=0)
            self._have(())
            self.pieced = False
            self._save(replace(state, synced=0, spread=None))

    def resume(self, state: PartialState) -> None:
        """Go on where something is missing."""
        self.close()
        before = self.state or state
        with disk_problems(self.path):
            self._file = self.path.open("rb+", buffering=0)
            self.pieced = True
            self._save(replace(state, synced=before.synced, spread=before.spread))

    def shorten(self, length: int, state: PartialState) -> None:
        """Forget what is behind the first `length` bytes: they alone are of the file that comes now."""
        self.close()
        with disk_problems(self.path):
            synced = min(self.state.synced if self.state else 0, length)
            self._file = self.path.open("rb+", buffering=0)
            self._file.truncate(length)
            self._have(clipped(self.here, length))
            self._save(replace(state, synced=synced, spread=None))

    def read(self, at: int, length: int) -> bytes:
        """Bytes that are here from `at` on: as many, or fewer where a hole or the end comes."""
        stop = next((stop for start, stop in self.here if start <= at < stop), at)
        with disk_problems(self.path):
            return os.pread(self._file.fileno(), min(length, stop - at), at) if self._file and stop > at else b""

    def allow_holes(self) -> None:
        """From now on bytes may be written behind holes, and the note
        says which are there: the file's length would lie.
        """
        if self.state and self.state.spread is None:
            self.pieced = True
            self.sync(spread=True)

    def write(self, at: int, data: bytes) -> None:
        """Straight to the kernel: a killed process loses no byte."""
        rest = memoryview(data)
        with disk_problems(self.path, lambda: self.size):
            while rest and self._file:
                written = os.pwrite(self._file.fileno(), rest, at)
                self._wrote(at, at + written)
                at, rest = at + written, rest[written:]
            with self._lock:
                due = self.size >= self._due
                self._due = self.size + SYNC if due else self._due
            if due:
                self.sync()
                if self.state and self.state.total is None:
                    self.room(0)  # a response without an end must not fill the disk

    def sync(self, spread: bool = False) -> None:
        """Make what is there survive a power cut."""
        if self._file and self.state:
            with disk_problems(self.path, lambda: self.size):
                here = self.here
                os.fsync(self._file.fileno())
                with self._lock:
                    spread = spread or self.state.spread is not None
                    self._save(replace(self.state, synced=prefix(here), spread=here if spread else None))

    def room(self, needed: int) -> None:
        """Raise Problem unless the disk takes `needed` bytes more."""
        with disk_problems(self.path):
            free = shutil.disk_usage(self.path.parent).free
        if free < needed + MARGIN:
            raise Problem(
                f"{self._target.name} needs {size(needed + MARGIN)} more on {self.path.parent}, and {size(free)} are "
                "free.",
                "Make room there and start again"
                + (f": the {size(self.size)} that are here are kept." if self.size else "."),
            )

    def discard(self) -> None:
        """Remove what turned out to be something else."""
        self.close()
        with disk_problems(self.path):
            self.path.unlink(missing_ok=True)
            self._state_path.unlink(missing_ok=True)
        self._have(())
        self.state, self.pieced = None, False

    def finish(self) -> None:
        """Give the whole and checked file its name, so that a power cut can't take it back."""
        with disk_problems(self.path, lambda: self.size):
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
            self.close()
            self.path.replace(self._target)
            sync(self._target.parent)
            self._state_path.unlink(missing_ok=True)

    def close(self) -> None:
        for file in (self._file, self._lines):
            if file:
                file.close()
        self._file = self._lines = None

    def _have(self, here: Ranges) -> None:
        self.here, self.size = joined(here), byte_count(here)
        self._due = self.size + SYNC

    def _wrote(self, start: int, stop: int) -> None:
        with self._lock:
            self.here = joined([*self.here, (start, stop)])
            self.size = byte_count(self.here)
            if self._lines and self._lines.write(line := _line((start, stop))) != len(line):
                self._lines.close()  # nothing may follow half a line
                self._lines = None
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _save(self, state: PartialState) -> None:
        """The lines go with the note: at no time are there fewer of them than bytes."""
        self.state = replace(state, boot=host.boot_id())
        lines = b"".join(map(_line, self.here)) if state.spread is not None else b""
        write_atomically(
            self._state_path, (json.dumps(asdict(self.state), indent=1, ensure_ascii=False) + "\n").encode() + lines
        )
        if self._lines:
            self._lines.close()
        self._lines = self._state_path.open("ab", buffering=0) if state.spread is not None else None


def _line(piece: Range) -> bytes:
    return b"%d %d\n" % piece


def _read(text: str) -> tuple[PartialState, list[Range]]:
    """A note and the lines behind it; a last one without its end was cut off. Raises ValueError, TypeError."""
    table, end = json.JSONDecoder().raw_decode(text)
    state = msgspec.convert(table, PartialState)
    lines = [(int(start), int(stop)) for start, stop in (line.split() for line in text[end:].split("\n")[1:-1])]
    if min(state.synced, state.total or 0) < 0 or any(
        not 0 <= start <= stop for start, stop in [*(state.spread or ()), *lines]
    ):
        raise ValueError("a count below zero")
    return state, lines


@contextmanager
def disk_problems(path: Path, kept: Callable[[], int] = lambda: 0) -> Iterator[None]:
    """What the file system refuses becomes a Problem that says what to do."""
    try:
        yield
    except OSError as error:
        keeps = f" The {size(kept())} that are here are kept." if kept() else ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            full = "The disk is full" if error.errno == errno.ENOSPC else "Your quota is used up"
            raise Problem(
                f"{full}: {path} can't grow.", f"Make room on {path.parent} and start again.{keeps}"
            ) from None
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            what, do = (
                f"{path} can't be written: {error.strerror}.",
                f"Make {path.parent} writable for you and start again.",
            )
        else:
            what, do = (
                f"{path} can't be read or written: {error.strerror or error}.",
                "Look after that disk, then start again.",
            )
        raise Problem(what, do + keeps) from None
