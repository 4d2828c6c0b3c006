"""Files written below one folder so that nothing leaves it and
each is whole: written beside its place, synced, renamed.
"""

from __future__ import annotations

import errno
import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from mseg_wizard.archives.member import CHUNK, TEMPORARY
from mseg_wizard.core.files import SYNC_THREADS, sync_open
from mseg_wizard.progress import Problem, printable

SMALL = 1 << 20
"""Files up to this size are written by the threads that sync them, while the next ones are inflated."""
GROUP_FILES, GROUP_BYTES = 32, 8 << 20
"""What one thread gets at a time."""
WAITING = 4
"""Groups under way, which bounds memory (48 MiB) and open files (160: macOS allows 256)."""
FOLDERS = 32
"""Folders kept open."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class AtomicTree:
    """The tree below `root`.

    A file stands under its own name only when all of it is on the disk.

    With `hold` no file gets its name before `finish`: what is written is not known to be right until then. Every step
    goes through an open folder and follows no link, so nothing can be written elsewhere. Raises Problem where something
    is in the way, OSError where the disk fails. Used as a context: left by an exception, it lands what is known to be
    right; left by a Problem under `hold`, it removes what was held; stopped under `hold`, it leaves that as
    temporaries, from which the next run goes on.
    """

    def __init__(self, root: Path, hold: bool = False, there: Mapping[str, int | None] | None = None) -> None:
        """`there`: what `size` would say of each file that is to be
        written, where it is known already: no folder is looked at then.
        """
        root.mkdir(parents=True, exist_ok=True)
        self._root, self._hold = root, hold
        self._open = OrderedDict({"": os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)})
        self._there = there
        self._listings: dict[str, dict[str, int] | None] = {}
        self._stale: set[tuple[str, str]] = set()
        self._touched: set[str] = set()
        self._group = _Group()
        self._saving: deque[tuple[Future[None], _Group]] = deque()
        self._held: list[tuple[str, str]] = []
        self._pool = ThreadPoolExecutor(SYNC_THREADS, "saving")

    def listing(self, folder: str) -> Mapping[str, int] | None:
        """Size of each file that the folder held when it was first looked
        at, -1 for what is no plain file; None if there was no folder.
        """
        if folder not in self._listings:
            at = self._folder(folder, make=False)
            self._listings[folder] = None if at is None else self._listed(folder, at)
        return self._listings[folder]

    def size(self, path: str) -> int | None:
        """Size of the file that was there before, -1 for what is no plain file, None if there was nothing."""
        if self._there is not None:
            return self._there[path]
        folder, name = _split(path)
        return (self.listing(folder) or {}).get(name)

    def read(self, path: str) -> Iterator[bytes]:
        """The content, in pieces, of a file that is there."""
        with self._existing(path) as file:
            while piece := file.read(CHUNK):
                yield piece

    def make(self, folder: str) -> None:
        """The folder (its path ends in `/`), with those above it."""
        self._folder(folder, make=True)

    def write(self, path: str, content: Iterable[bytes], size: int) -> bool:
        """Write a file of `size` bytes, unless one with this very content is there: False then.

        If `content` raises, nothing is left.
        """
        folder, name = _split(path)
        at = self._made(folder)
        there = self.size(path)
        if there == -1:
            raise Problem(
                f"{self._shown(path)} is in the way: it is a link or a folder.", "Move it away, then start again."
            )
        what: int | bytes
        with self._existing(path) if there == size else nullcontext() as old:
            if size <= SMALL:
                what = b"".join(content)
                same = old is not None and old.read() == what
            else:
                what = _fill(at, _temporary(name), content, old)
                same = what < 0
        if same:
            return False
        self._touched.add(folder)
        self._group.add(at, folder, name, what)
        if self._group.full:
            self._save()
            while len(self._saving) > WAITING:
                self._finish_group()
        return True

    def touched(self, folder: str) -> None:
        """Say that others wrote into a folder, whose names are still to be made durable."""
        self._touched.add(folder)

    def flush(self) -> None:
        """Every file durable and, unless held, under its name; the names themselves are so after `finish`."""
        self._save()
        while self._saving:
            self._finish_group()

    def finish(self, told: Callable[[str, int, int], object] = lambda unit, done, total: None) -> None:
        """Everything under its name and durable, and no temporary left in any folder that was looked at.

        `told` hears, every few milliseconds, of how many files or folders how many are done; what it raises ends this.
        """
        self.flush()
        total = len(self._held)
        while self._held:
            self._land(*self._held[-1])
            self._held.pop()
            if len(self._held) % GROUP_FILES == 0:
                told("files", total - len(self._held), total)
        for folder, temporary in self._stale:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=self._made(folder))
        self._stale.clear()
        self._sync_folders(told)

    def _sync_folders(self, told: Callable[[str, int, int], object]) -> None:
        folders, under_way = list(self._touched), deque[Future[None]]()
        for done, folder in enumerate(folders):
            # A duplicate, for the tree may close its own descriptor before a thread comes to it.
            under_way.append(self._pool.submit(_sync_and_close, os.dup(self._made(folder))))
            if len(under_way) > 2 * SYNC_THREADS:
                under_way.popleft().result()
                told("folders", done, len(folders))
        for syncing in under_way:
            syncing.result()

    def __enter__(self) -> AtomicTree:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self.flush()
        if self._hold and isinstance(error, Problem):
            for folder, temporary in self._stale | {(folder, _temporary(name)) for folder, name in self._held}:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=self._made(folder))
        self._pool.shutdown()
        for at in self._open.values():
            os.close(at)

    def _save(self) -> None:
        group, self._group = self._group, _Group()
        self._saving.append((self._pool.submit(group.save), group))

    def _finish_group(self) -> None:
        done, group = self._saving.popleft()
        done.result()
        for folder, name, _ in group.files:
            if self._hold:
                self._held.append((folder, name))
            else:
                self._land(folder, name)

    def _land(self, folder: str, name: str) -> None:
        at = self._made(folder)
        try:
            os.rename(_temporary(name), name, src_dir_fd=at, dst_dir_fd=at)
        except FileNotFoundError:
            # A worker of a run that was killed just now lives on for a
            # moment: it may have landed the very file that was written here.
            os.stat(name, dir_fd=at, follow_symlinks=False)
        self._stale.discard((folder, _temporary(name)))

    def _listed(self, folder: str, at: int) -> dict[str, int]:
        sizes = {}
        with os.scandir(at) as entries:
            for entry in entries:
                if (
                    entry.name.startswith(".")
                    and entry.name.endswith(TEMPORARY)
                    and not entry.is_dir(follow_symlinks=False)
                ):
                    self._stale.add((folder, entry.name))
                elif not entry.is_file(follow_symlinks=False):
                    sizes[entry.name] = -1
                else:
                    sizes[entry.name] = entry.stat(follow_symlinks=False).st_size
        return sizes

    def _existing(self, path: str) -> BinaryIO:
        folder, name = _split(path)
        return os.fdopen(os.open(name, _OLD, dir_fd=self._made(folder)), "rb")

    def _made(self, folder: str) -> int:
        at = self._folder(folder, make=True)
        assert at is not None  # noqa: S101 - `make` leaves no other way out
        return at

    def _folder(self, folder: str, make: bool) -> int | None:
        """Descriptor of the folder; None where it does not exist and is not to be made."""
        at = self._open.get(folder)
        if at is not None:
            self._open.move_to_end(folder)
            return at
        above, name = _split(folder.removesuffix("/"))
        parent = self._folder(above, make)
        if parent is None:
            return None
        try:
            try:
                at = os.open(name, _FOLDER, dir_fd=parent)
            except FileNotFoundError:
                if not make:
                    return None
                os.mkdir(name, dir_fd=parent)
                self._listings[folder] = {}
                self._touched |= {above, folder}
                at = os.open(name, _FOLDER, dir_fd=parent)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            raise Problem(
                f"{self._shown(folder)} is in the way: it is a link or a file.", "Move it away, then start again."
            ) from None
        self._open[folder] = at
        if len(self._open) > FOLDERS:
            os.close(self._open.pop(next(key for key in self._open if key)))
        return at

    def _shown(self, path: str) -> str:
        return printable(str(self._root / path), 1000)


class _Group:
    """Files on their way to the disk: small ones as their content, large ones as the descriptor of their temporary."""

    def __init__(self) -> None:
        self.files: list[tuple[str, str, int | bytes]] = []
        self._folders: dict[str, int] = {}
        self._bytes = 0
        self._closing = ExitStack()

    @property
    def full(self) -> bool:
        return len(self.files) >= GROUP_FILES or self._bytes >= GROUP_BYTES

    def add(self, at: int, folder: str, name: str, what: int | bytes) -> None:
        self.files.append((folder, name, what))
        if isinstance(what, int):
            self._closing.callback(os.close, what)
            return
        self._bytes += len(what)
        if folder not in self._folders:
            # A duplicate: the tree may close its own descriptor before a thread comes to this group.
            self._folders[folder] = os.dup(at)
            self._closing.callback(os.close, self._folders[folder])

    def save(self) -> None:
        """Write what is not written and sync all."""
        with self._closing:
            for folder, name, what in self.files:
                if isinstance(what, int):
                    os.fsync(what)
                    continue
                file = _fill(self._folders[folder], _temporary(name), (what,))
                try:
                    os.fsync(file)
                finally:
                    os.close(file)


def _fill(at: int, temporary: str, content: Iterable[bytes], old: BinaryIO | None = None) -> int:
    """Descriptor of the temporary, which holds `content`; -1, and no temporary, if `old` holds just that.

    A temporary that a killed run left is gone through, not begun again: what is right in it is not written twice.
    """
    new, had, done = -1, 0, 0
    try:
        for piece in content:
            if new < 0 and (old is None or old.read(len(piece)) != piece):
                new = os.open(temporary, _NEW, 0o666, dir_fd=at)
                had = os.fstat(new).st_size
                if old:
                    _copy(old, new, done)
            if new >= 0 and (done >= had or os.pread(new, len(piece), done) != piece):
                _write(new, piece, done)
            done += len(piece)
        if had > done:
            os.ftruncate(new, done)
    except BaseException:
        if new >= 0:
            os.close(new)
            with suppress(OSError):
                os.unlink(temporary, dir_fd=at)
        raise
    return new


def _copy(old: BinaryIO, new: int, count: int) -> None:
    old.seek(0)
    for start in range(0, count, CHUNK):
        _write(new, old.read(min(CHUNK, count - start)), start)


def _sync_and_close(folder: int) -> None:
    try:
        sync_open(folder)
    finally:
        os.close(folder)


def _write(file: int, data: bytes, at: int) -> None:
    done = os.pwrite(file, data, at)
    while done < len(data):
        done += os.pwrite(file, memoryview(data)[done:], at + done)


def _temporary(name: str) -> str:
    return f".{name}{TEMPORARY}"


def _split(path: str) -> tuple[str, str]:
    """Folder, ending in `/` or empty, and name."""
    cut = path.rfind("/") + 1
    return path[:cut], path[cut:]
