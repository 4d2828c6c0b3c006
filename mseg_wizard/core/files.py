"""Writing files so that a crash leaves the old one or the new one, never half of one; and TOML, whoever wrote it."""

from __future__ import annotations

import errno
import glob
import json
import os
import shutil
import stat
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from mseg_wizard.progress import Problem

LACKING = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.ENOLCK, errno.ENOTTY)
"""What a file system answers that has no such call, as FUSE, CIFS, exFAT and Lustre have not all: not a disk error."""


SYNC_THREADS = 8
"""A file system that is asked to sync many files at once commits them at once: 2 to 3 times as fast as one by one."""


class FilesToSync(NamedTuple):
    """Files or folders, below `top`."""

    top: str
    paths: Sequence[str]


class SyncedFiles(NamedTuple):
    """What became of them."""

    errno: int = 0
    """What the system said of the first one that the disk may not have; 0: it has all."""
    path: str = ""


def write_atomically(path: Path | str, data: bytes, *, durable: bool = True, mode: int = 0o600) -> None:
    """Write beside, then rename; `durable` also syncs the file and
    its folder, so that a power cut can't undo or empty it.

    Raises OSError, and leaves nothing then. The one way to write a file whole: label maps go through it a million
    times, so it is 20 µs of calls of the system and no pathlib.
    """
    folder, name = os.path.split(path)
    # By chance, for processes of several hosts may have one number and write one file.
    beside = os.path.join(folder, f".{name}.{os.urandom(4).hex()}.tmp")  # noqa: PTH118
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            rest = memoryview(data)
            while rest:  # a disk that fills up takes a part first, and complains about the next only
                rest = rest[os.write(descriptor, rest) :]
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(beside, path)  # noqa: PTH105
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    if durable:
        sync(folder or ".")


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """`value` as indented JSON, written atomically, readable by its owner only."""
    write_atomically(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode(), durable=durable)


def parse_toml(text: str) -> dict[str, Any]:
    """A TOML document; raises ValueError that says what is wrong with it."""
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    values: list[Any] = [table]
    while values:
        value = values.pop()
        if isinstance(value, dict | list):
            values += value.values() if isinstance(value, dict) else value
        # What TOML has; Python's own know no end, and can't always be shown.
        elif isinstance(value, int) and value.bit_length() > 63:
            raise ValueError("it has a number of more than 64 bits")
    return table


def sweep(path: Path) -> None:
    """Remove what killed writers of `path` left beside it."""
    for stale in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        stale.unlink(missing_ok=True)


def remove_leftover(path: Path) -> None:
    """Remove a temporary of ours, file or folder; raises Problem where it stays, as what is still open does on NFS."""
    try:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Problem(
            f"{path}, which the wizard needs no more, can't be removed: {error.strerror or error}.",
            "Close what has files of it open, or remove it yourself, then start again: what is done stays.",
        ) from None


def sync(*paths: Path | str) -> None:
    """Have the disk hold what was written: files, and the folders that they were renamed in. Raises OSError."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            sync_open(descriptor)
        finally:
            os.close(descriptor)


def sync_files(item: FilesToSync) -> SyncedFiles:
    """In a worker: have the disk hold these files."""

    def some(paths: Sequence[str]) -> SyncedFiles:
        for path in paths:
            try:
                sync(f"{item.top}/{path}")
            except FileNotFoundError:  # what vanished meanwhile is found missing by the check that follows
                continue
            except OSError as error:
                return SyncedFiles(error.errno or errno.EIO, f"{item.top}/{path}")
        return SyncedFiles()

    with ThreadPoolExecutor(SYNC_THREADS, "syncing") as threads:
        synced = threads.map(some, (item.paths[start::SYNC_THREADS] for start in range(SYNC_THREADS)))
        return max(synced, key=lambda found: found.errno)


def sync_open(descriptor: int) -> None:
    """Have the disk hold an open file or folder. Raises OSError.

    Some file systems can't for a folder: nothing more can be had there.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in LACKING or not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise


def give_mode(path: Path, mode: int) -> None:
    """chmod, where the disk keeps such. Raises OSError."""
    try:
        path.chmod(mode)
    except OSError as error:
        if error.errno not in LACKING:
            raise


def second_name(path: Path, other: Path) -> None:
    """Have `other`, which is not there, hold what `path` holds: a link, else a copy. Raises OSError."""
    try:
        os.link(path, other)
    except OSError as error:
        if error.errno not in LACKING:
            raise
        shutil.copyfile(path, other)
        give_mode(other, 0o600)
        sync(other)


def swap_folder(new: Path, place: Path, old: Path) -> None:
    """Put a new folder in the place of another, which is moved to `old` first: folders can't be replaced.

    Raises OSError.
    """
    if place.exists():
        place.rename(old)
    try:
        new.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise
    sync(place.parent)
