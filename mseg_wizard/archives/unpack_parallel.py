"""A zip's members shared out to the workers: each reads its own by offset and puts them where they belong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mseg_wizard.archives import zip_file
from mseg_wizard.archives.atomic_tree import AtomicTree
from mseg_wizard.archives.member import Damaged
from mseg_wizard.archives.pread import OpenFile, checksum, close_file, open_file
from mseg_wizard.progress import Problem
from mseg_wizard.state.journal import OWN
from mseg_wizard.state.store import WORKERS_LOG
from mseg_wizard.workers.pool import Pool, each

FILES, BYTES = 256, 8 << 20
"""What one share holds at most: some 0.1 s of work, and several of a worker's groups for the disk."""
LARGE = 64 << 20
"""Members beyond this are left to the thread that shares out: one alone could seem to hang."""

MemberToWrite = tuple[zip_file.Entry, str, int | None]
"""A member, its path, and the size of the file that is there already: see AtomicTree.size."""


@dataclass(frozen=True, slots=True)
class MemberBatch:
    """Some members of one zip. Their names were judged and their folders made."""

    archive: Path
    name: str
    """For messages."""
    into: Path
    rows: tuple[MemberToWrite, ...]

    @property
    def bytes(self) -> int:
        return sum(entry.size for entry, _, _ in self.rows)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a worker met, in a form that travels: exceptions lose their second half on the way."""

    what: str
    do: str
    damaged: bool

    def problem(self) -> Problem:
        return (Damaged if self.damaged else Problem)(self.what, self.do)


def member_batches(archive: Path, name: str, into: Path, rows: Iterable[MemberToWrite]) -> Iterator[MemberBatch]:
    """The rows, which come in the order in which they lie in the archive, in shares."""
    taken: list[MemberToWrite] = []
    count = 0
    for row in rows:
        if taken and (len(taken) >= FILES or count + row[0].size > BYTES):
            yield MemberBatch(archive, name, into, tuple(taken))
            taken, count = [], 0
        taken.append(row)
        count += row[0].size
    if taken:
        yield MemberBatch(archive, name, into, tuple(taken))


def unpack_batch(share: MemberBatch) -> int | Failure | OSError:
    """In a worker: have the members of a share as files, durable
    but for their names; returns how many had to be written.
    """
    try:
        file = open_file(share.archive)
        try:
            with AtomicTree(share.into, there={path: size for _, path, size in share.rows}) as tree:
                written = sum(_put(tree, file, share.name, row) for row in share.rows)
                tree.flush()
                return written
        finally:
            close_file(file)
    except Problem as problem:
        return Failure(problem.what, problem.do, isinstance(problem, Damaged))
    except OSError as error:
        return error


def unpack_in_workers(
    pool: Pool, tree: AtomicTree, archive: Path, name: str, into: Path, rows: Sequence[MemberToWrite]
) -> Iterator[tuple[int, int]]:
    """Put the rows where they belong, in the workers; yields at least
    every 0.3 s the bytes seen to since, and the files written.
    """
    for folder in {path[: path.rfind("/") + 1] for _, path, _ in rows}:
        tree.make(folder)
        tree.touched(folder)
    with closing(each(pool, unpack_batch, member_batches(archive, name, into, rows))) as working:
        for outcomes in working:
            count = written = 0
            for outcome in outcomes:
                if outcome.fault:
                    raise Problem(
                        f"{name} can't be unpacked: {outcome.fault}.",
                        f"Look into {OWN}/{WORKERS_LOG}, then start again.",
                    )
                if isinstance(outcome.result, Failure):
                    raise outcome.result.problem()
                if isinstance(outcome.result, OSError):
                    raise outcome.result
                count, written = count + outcome.item.bytes, written + (outcome.result or 0)
            yield count, written


def _put(tree: AtomicTree, file: OpenFile, archive: str, row: MemberToWrite) -> bool:
    """Write one member, unless a file with its very content is there: False then."""
    entry, path, there = row
    if there == entry.size and checksum(tree.read(path)) == entry.crc:
        return False
    return tree.write(path, zip_file.read(file, entry, archive), entry.size)
