"""The half-fetched file on disk: what of it can be trusted after a stop, a kill or a power cut, and its hashes. No network here."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from mseg_wizard import host
from mseg_wizard.files import sweep, sync_folder, write_json
from mseg_wizard.progress import Problem, size

SYNC = 64 * 1024 * 1024
"""Bytes between two syncs, which is what a power cut can cost. A killed process loses nothing: what was written is the kernel's."""
MARGIN = 64 * 1024 * 1024
"""Bytes of the disk that are left free."""
BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Note:
    """What is known about the first bytes: saved beside them before the first one is written."""

    source: str
    """Digest of the source's origin and path: a fresh link to the same file is the same source."""
    title: str
    etag: str = ""
    modified: str = ""
    validator: str = ""
    """What `If-Range` may carry; empty where the server gives nothing that proves sameness."""
    total: int | None = None
    synced: int = 0
    """Bytes that survive a power cut."""
    boot: str = ""


class Partial:
    """`<target>.part` and its note, kept in step: bytes are only ever added behind bytes of the same file."""

    def __init__(self, target: Path, notes: Path | None = None) -> None:
        self.path = target.with_name(target.name + ".part")
        self.size = 0
        self.note: Note | None = None
        self.pieced = False
        """Not all of it came in one answer: if its hash is wrong, the pieces may be of two files."""
        self._target = target
        self._notes = notes or target.with_name(target.name + ".part.json")
        self._file: BinaryIO | None = None
        with disk(self.path):
            self._look()

    def __enter__(self) -> Partial:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _look(self) -> None:
        sweep(self._notes)
        with suppress(FileNotFoundError):
            self.size = self.path.stat().st_size
            self.pieced = True
        try:
            self.note = Note(**json.loads(self._notes.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return  # bytes of unknown origin: only a published hash can tell what they are worth
        if self.note.boot != host.boot_id() and self.size > self.note.synced:
            # What was not synced before the power went may be there in length only.
            os.truncate(self.path, self.note.synced)
            self.size = self.note.synced
        if not self.size:
            self.note = None

    def offset(self, source: str, decisive: bool, published: int | None) -> int:
        """From where to go on at `source`; 0: from the beginning. `decisive`: a published hash will tell whether the pieces fit."""
        total = self.total(published)
        if total is not None and self.size > total:
            return 0
        same = self.note is not None and self.note.source == source
        provable = same and self.note is not None and (bool(self.note.validator) or self.size == self.note.total)
        return self.size if provable or (decisive and total is not None) else 0

    def total(self, published: int | None) -> int | None:
        """Bytes of the whole, as the source of the first ones said, else as published; None while unknown."""
        return (self.note.total if self.note else None) or published

    def begin(self, note: Note) -> None:
        """Forget what is there: emptied first, so that at no time does a note describe bytes that are not its own."""
        self.close()
        with disk(self.path):
            self._file = self.path.open("wb", buffering=0)
            self.size, self.pieced = 0, False
            self._save(replace(note, synced=0))

    def resume(self, note: Note) -> None:
        """Go on behind what is there."""
        self.close()
        with disk(self.path):
            self._file = self.path.open("ab", buffering=0)
            self.pieced = True
            self._save(replace(note, synced=self.note.synced if self.note else 0))

    def write(self, data: bytes) -> None:
        """Straight to the kernel: a killed process loses no byte."""
        rest = memoryview(data)
        with disk(self.path, lambda: self.size):
            while rest and self._file:
                written = self._file.write(rest) or 0
                self.size += written
                rest = rest[written:]
            if self.note and self.size - self.note.synced >= SYNC:
                self.sync()
                if self.note.total is None:
                    self.room(0)  # an answer without an end must not fill the disk

    def sync(self) -> None:
        """Make what is there survive a power cut."""
        if self._file and self.note:
            with disk(self.path, lambda: self.size):
                os.fsync(self._file.fileno())
                self._save(replace(self.note, synced=self.size))

    def room(self, needed: int) -> None:
        """Raise Problem unless the disk takes `needed` bytes more."""
        with disk(self.path):
            free = shutil.disk_usage(self.path.parent).free
        if free < needed + MARGIN:
            raise Problem(
                f"{self._target.name} needs {size(needed + MARGIN)} more on {self.path.parent}, and {size(free)} are free.",
                "Make room there and start again" + (f": the {size(self.size)} that are here are kept." if self.size else "."),
            )

    def discard(self) -> None:
        """Remove what turned out to be something else."""
        self.close()
        with disk(self.path):
            self.path.unlink(missing_ok=True)
            self._notes.unlink(missing_ok=True)
        self.size, self.note, self.pieced = 0, None, False

    def finish(self) -> None:
        """Give the whole and checked file its name, so that a power cut can't take it back."""
        with disk(self.path, lambda: self.size):
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
            self.close()
            self.path.replace(self._target)
            sync_folder(self._target.parent)
            self._notes.unlink(missing_ok=True)

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _save(self, note: Note) -> None:
        self.note = replace(note, boot=host.boot_id())
        write_json(self._notes, asdict(self.note))


class Hasher:
    """Hashes a growing file in its own thread, from the start up to where it was told: rebuilding after a resume is nothing special."""

    def __init__(self, path: Path, kinds: Iterable[str]) -> None:
        self.done = 0
        """Bytes that are hashed."""
        self._path = path
        # md5 and sha1 are what was published for some archives; they guard against damage, not against malice.
        self._sums = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
        self._grown = threading.Condition()
        self._size = 0
        self._last = False
        self._stopped = False
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._follow, name=f"hash: {path.name}", daemon=True)
        self._thread.start()

    def grow(self, length: int, last: bool = False) -> None:
        """The file's first `length` bytes are final; `last`: there will be no more."""
        with self._grown:
            self._size, self._last = length, last
            if last or length - self.done >= BLOCK:
                self._grown.notify()

    def finished(self, wait: float) -> bool:
        """Wait at most so long for the thread to reach the end."""
        self._thread.join(wait)
        return not self._thread.is_alive()

    def digests(self) -> Mapping[str, str]:
        """The sums by kind, once finished; raises Problem if the file could not be read."""
        if self._error:
            with disk(self._path):
                raise self._error
        return {kind: total.hexdigest() for kind, total in self._sums.items()}

    def close(self) -> None:
        """End the thread: it looks up after each block."""
        with self._grown:
            self._stopped = True
            self._grown.notify()
        self._thread.join()

    def _follow(self) -> None:
        try:
            with self._path.open("rb", buffering=0) as file:
                while length := self._wait():
                    block = file.read(length)
                    if not block:
                        raise OSError(errno.EIO, "it is shorter than what was written")
                    for total in self._sums.values():
                        total.update(block)
                    self.done += len(block)
        except OSError as error:
            self._error = error

    def _wait(self) -> int:
        """Bytes to read next; 0: no more."""
        with self._grown:
            self._grown.wait_for(lambda: self._stopped or self._last or self._size - self.done >= BLOCK)
            return 0 if self._stopped else min(BLOCK, self._size - self.done)


@contextmanager
def disk(path: Path, kept: Callable[[], int] = lambda: 0) -> Iterator[None]:
    """What the file system refuses becomes a Problem that says what to do."""
    try:
        yield
    except OSError as error:
        keeps = f" The {size(kept())} that are here are kept." if kept() else ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            full = "The disk is full" if error.errno == errno.ENOSPC else "Your quota is used up"
            raise Problem(f"{full}: {path} can't grow.", f"Make room on {path.parent} and start again.{keeps}") from None
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            what, do = f"{path} can't be written: {error.strerror}.", f"Make {path.parent} writable for you and start again."
        else:
            what, do = f"{path} can't be read or written: {error.strerror or error}.", "Look after that disk, then start again."
        raise Problem(what, do + keeps) from None
