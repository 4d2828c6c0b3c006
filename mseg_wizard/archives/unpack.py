"""unpack: one archive's members as files below a folder: safe, whole, resumable.

What archive it is and what follows is its caller's.
"""

from __future__ import annotations

import errno
import os
import time
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mseg_wizard.archives.atomic_tree import AtomicTree
from mseg_wizard.archives.member import Member, MemberPaths
from mseg_wizard.archives.pread import checksum
from mseg_wizard.archives.reader import OpenArchive, open_archive
from mseg_wizard.archives.unpack_parallel import LARGE, MemberToWrite, unpack_in_workers
from mseg_wizard.archives.zip_file import Entry
from mseg_wizard.core.background import Job, background, looking_through
from mseg_wizard.progress import Meter, Problem, Progress, printable, size
from mseg_wizard.workers.pool import Pool

RATIO = 1100
"""Deflate makes at most 1032 bytes of one: an archive that promises more does not tell the truth."""
BELIEVABLE = 10
"""Times what is expected of it an archive may bring: images and label maps are packed already."""
SMALL = 64 * 1024 * 1024
"""Bytes that any archive may bring: texts of a few pixels' labels pack well."""
DISK_BLOCK = 4096
"""Bytes by which files take up space on most file systems."""
EVERY = 0.1
"""Seconds between two words about progress."""

PlacedMembers = Sequence[tuple[Member, str]]
"""What is unpacked, each member with its path."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What an archive brought, whether written now or found as it should be."""

    files: int
    bytes: int
    written: int
    """Files of these that were not there, or not so."""
    sums: Mapping[str, tuple[int, int]]
    """Path → size and CRC-32 of each, without those that another archive brought with another content."""


def unpack(
    path: Path,
    into: Path,
    *,
    take: Mapping[str, str] | None = None,
    skip: Sequence[str] = (),
    only: str = "",
    shared: Sequence[str] = (),
    expands: float = 1.0,
    at_most: int | None = None,
    pool: Pool | None = None,
) -> Generator[Progress, None, Unpacked]:
    """Unpack the archive at `path` below the folder `into`; when
    it returns, all of it is there, checked and on the disk.

    `take` maps prefixes of members' names to prefixes below `into`, the longest first; members under none are left out,
    and without `take` all are taken. `skip`: prefixes that are left out. `only`: pattern (fnmatch)
    without which a member is left out too. `shared`: prefixes for which a file that is
    there stays as it is. `expands`: bytes that a tar.gz is expected to bring for each of its own (other archives say it
    themselves). `at_most`: bytes beyond which it is refused, else what is believable for its size. `pool`: the workers,
    who share a zip's members; without them one thread does it all.

    Files that are there are compared, never trusted: by CRC for a zip, byte by byte for a tar. Of a zip or tar nothing
    is written before all names were judged; of a tar.gz no file gets its name before the checksum at its end was.
    Raises Problem: unsafe, no room, and Damaged where fetching it again may help.
    """
    name = printable(path.name, 100)

    def work(job: Job) -> Unpacked:
        with open_archive(path, take) as reader:
            places = MemberPaths(name, take or {}, skip, _inside(path, into), only)
            plan, most = None, at_most
            if most is None:
                most = round(BELIEVABLE * max(1.0, expands) * reader.size) + SMALL
            if reader.listed is not None:
                plan = [
                    (member, target) for member in looking_through(reader.listed) if (target := places.place(member))
                ]
                _believable(reader, plan, most)
            try:
                with AtomicTree(into, hold=plan is None) as tree:
                    if plan is not None:
                        _room(name, into, *_needed(plan, places, tree, tuple(shared)))
                    else:
                        already = _already(path, into, (take or {"": ""}).values())
                        _room(name, into, max(0, int(reader.size * expands) - already))
                    return _Writing(job, reader, plan, tree, tuple(shared)).run(places, most, path, into, pool)
            except OSError as error:
                raise _failed(error, name, into) from None

    return (yield from background(work, Progress(f"unpacking {name}", 0, None, "B")))


class _Writing:
    """The members on their way to their places. Progress is in bytes: unpacked ones, or packed ones of a tar.gz."""

    def __init__(
        self, job: Job, reader: OpenArchive, plan: PlacedMembers | None, tree: AtomicTree, shared: tuple[str, ...]
    ) -> None:
        self._job, self._reader, self._plan, self._tree, self._shared = job, reader, plan, tree, shared
        self._total = reader.size if plan is None else sum(member.size for member, _ in plan)
        self._doing = f"unpacking {reader.name}"
        self._meter, self._reported_at, self._done = Meter(), 0.0, 0
        self._files = self._bytes = self._written = 0
        self._sums: dict[str, tuple[int, int]] = {}

    def run(self, places: MemberPaths, at_most: int, path: Path, into: Path, pool: Pool | None) -> Unpacked:
        """Every member to its place, then all of it made durable."""
        reader, tree = self._reader, self._tree
        targets = {member.name: target for member, target in self._plan or ()}
        rest = self._share_out(pool, path, into, targets) if pool and reader.entries is not None else None
        for member, content in reader.walk(rest):
            self._report()
            target = places.place(member) if self._plan is None else targets.get(member.name)
            if target is None:
                # A listed archive is at the next member at once; in a tar.gz even this has to be inflated.
                for _ in content if self._plan is None else ():
                    self._report()
            elif member.folder:
                tree.make(target)
            else:
                if self._plan is None and self._bytes + member.size > at_most:
                    raise _too_much(reader.name, at_most)
                self._put(member, target, content)
        saving = f"saving what came out of {reader.name}"
        self._job.say(Progress(saving, self._total, self._total, "B"))
        tree.finish(lambda unit, done, total: self._job.say(Progress(saving, done, total, unit)))
        return Unpacked(self._files, self._bytes, self._written, self._sums)

    def _put(self, member: Member, target: str, content: Iterator[bytes]) -> None:
        self._doing = f"unpacking {self._reader.name}: {printable(target.partition('/')[0], 60)}"
        self._files, self._bytes = self._files + 1, self._bytes + member.size
        before, there = self._done, self._tree.size(target)
        if _stays(member.name, member.size, there, self._shared):
            # Of the same content it is this archive's too: a run that was killed may have brought it.
            if there == member.size and (crc := checksum(self._tree.read(target))) == _crc(member, content):
                self._sums[target] = member.size, crc
            self._report(member.size)
            return
        summed = _Summed(self._reporting(content))
        if (
            member.crc is None
            or there != member.size
            or checksum(self._reporting(self._tree.read(target))) != member.crc
        ):
            self._done = before
            self._written += self._tree.write(target, summed, member.size)
        self._sums[target] = member.size, summed.crc if member.crc is None else member.crc

    def _share_out(self, pool: Pool, path: Path, into: Path, targets: Mapping[str, str]) -> Sequence[Entry]:
        """Have the workers put all but large files and those that stay; returns what is left."""
        rows: list[MemberToWrite] = []
        rest: list[Entry] = []
        for entry in looking_through(self._reader.entries or ()):
            target = targets.get(entry.name)
            there = self._tree.size(target) if target and not entry.folder else None
            if (
                target is None
                or entry.folder
                or entry.size > LARGE
                or _stays(entry.name, entry.size, there, self._shared)
            ):
                rest.append(entry)
            else:
                rows.append((entry, target, there))
        for more, written in unpack_in_workers(pool, self._tree, path, self._reader.name, into, rows):
            self._written += written
            self._report(more)
        self._files, self._bytes = len(rows), sum(entry.size for entry, _, _ in rows)
        self._sums.update((path, (entry.size, entry.crc or 0)) for entry, path, _ in rows)
        return rest

    def _report(self, more: int = 0) -> None:
        self._done += more
        self._job.check()
        if (now := time.monotonic()) - self._reported_at >= EVERY:
            self._reported_at, at = now, self._done if self._plan is not None else self._reader.position
            self._job.say(Progress(self._doing, at, self._total, "B", self._meter.rate(at)))

    def _reporting(self, content: Iterator[bytes]) -> Iterator[bytes]:
        for piece in content:
            self._report(len(piece))
            yield piece


class _Summed:
    """A content on its way, and the CRC-32 of what has passed."""

    def __init__(self, content: Iterator[bytes]) -> None:
        self._content, self.crc = content, 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._content:
            self.crc = zlib.crc32(piece, self.crc)
            yield piece


def _crc(member: Member, content: Iterator[bytes]) -> int:
    return checksum(content) if member.crc is None else member.crc


def _believable(reader: OpenArchive, plan: PlacedMembers, at_most: int) -> None:
    """Raise Problem where more is promised than can be, or than is taken."""
    promised = sum(member.size for member, _ in plan)
    if promised > RATIO * reader.size:
        raise Problem(
            f"{reader.name} promises {size(promised)}, which an archive of {size(reader.size)} can't hold.",
            "It is damaged or made to do harm: take it from its publisher.",
        )
    if promised > at_most:
        raise _too_much(reader.name, at_most)


def _needed(plan: PlacedMembers, places: MemberPaths, tree: AtomicTree, shared: tuple[str, ...]) -> tuple[int, int]:
    """Bytes and inodes that are still to come."""
    need = files = 0
    for member, target in looking_through(plan):
        if member.folder:
            continue
        there = tree.size(target)
        if there != member.size and not _stays(member.name, member.size, there, shared):
            need += -(-member.size // DISK_BLOCK) * DISK_BLOCK
            files += there is None
    return need, files + sum(tree.listing(folder) is None for folder in places.folders)


def _room(name: str, into: Path, need: int, files: int = 0) -> None:
    """Raise Problem unless the disk has room for so many bytes and inodes."""
    disk = os.statvfs(into)
    free = disk.f_bavail * disk.f_frsize
    if need and free < need:
        raise Problem(
            f"Unpacking {name} needs {size(need)}, and {into} has {size(free)} free.",
            f"Free {size(need - free)} there, then start again.",
        )
    # A file system that does not count inodes (btrfs) says that it has none at all.
    if disk.f_files and disk.f_favail < files:
        raise Problem(
            f"Unpacking {name} needs {files:,} files (inodes), and {into} has room for {disk.f_favail:,}.",
            "Remove files that you don't need there, or take a disk with more inodes, then start again.",
        )


def _stays(name: str, length: int, there: int | None, shared: tuple[str, ...]) -> bool:
    """Whether the copy that another archive brought stays. An empty one is what a power cut can leave."""
    return there is not None and name.startswith(shared) and (there > 0 or there == length)


def _already(path: Path, into: Path, targets: Iterable[str]) -> int:
    """Bytes of all files that lie where the archive's members go, without the archive."""
    root, archive = into.resolve(), path.resolve()
    files = (Path(folder, name) for target in targets for folder, _, names in os.walk(root / target) for name in names)
    found = {}
    for file in looking_through(files):
        with suppress(OSError):
            found[file] = file.lstat().st_size if file != archive else 0
    return sum(found.values())


def _inside(path: Path, into: Path) -> str:
    """The archive's own path below `into`; empty if it lies elsewhere."""
    try:
        return path.resolve().relative_to(into.resolve()).as_posix()
    except ValueError:
        return ""


def _too_much(name: str, at_most: int) -> Problem:
    return Problem(f"{name} holds more than {size(at_most)}, far more than it should.", "Take it from its publisher.")


def _failed(error: OSError, name: str, into: Path) -> Problem:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(
            f"The disk is full, in bytes, in files (inodes) or by your quota: {name} is not completely unpacked into "
            f"{into}.",
            "Make room, then start again: what is unpacked stays.",
        )
    return Problem(f"{name} can't be unpacked into {into}: {error.strerror}.", "Make that possible, then start again.")
