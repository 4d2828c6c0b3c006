"""Are the files that archives brought still what they were then? Sizes always; contents where one was written since.

Which of them MSeg needs is not known here.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from mseg_wizard.archives.member import CHUNK
from mseg_wizard.archives.pread import checksum
from mseg_wizard.context import Context
from mseg_wizard.core.background import LOOK_JOIN, Job, background
from mseg_wizard.datasets.extracted import ExtractedFile, keep_extracted, read_extracted
from mseg_wizard.progress import Meter, Progress
from mseg_wizard.step import Archive, Call
from mseg_wizard.verification.verdict import Fault
from mseg_wizard.workers.batches import with_wait
from mseg_wizard.workers.pool import each

LOOKED_AT_ONCE = 1024
"""Files between two looks whether it should stop: some ms, on a network disk a second."""


@dataclass(frozen=True, slots=True)
class FileToRead:
    """One file whose content is to be compared; its place in the archive's rows."""

    number: int
    path: str


@dataclass
class Compared:
    """What all archives' files were found to be."""

    differing: dict[str, Fault] = field(default_factory=dict)
    """Path below mseg_dataset/ → what is wrong with that file."""
    files: int = 0
    """Looked at."""
    read: int = 0
    """Whose contents were read."""
    unknown: list[str] = field(default_factory=list)
    """Archives whose files nobody has noted."""


def compare_extracted(ctx: Context, calls: Sequence[Call]) -> Generator[Progress, None, Compared]:
    """Compare the files of every archive that was unpacked by these calls."""
    found = Compared()
    for call in calls:
        if call.archive and ctx.store.journal.done(call.key):
            yield from _compare(ctx, call, call.archive, found)
    return found


def _compare(ctx: Context, call: Call, archive: Archive, found: Compared) -> Generator[Progress, None, None]:
    looking = Progress(f"comparing what came out of {archive.file}", unit="files")
    rows = yield from background(lambda _: read_extracted(ctx, archive), looking, join=LOOK_JOIN)
    if rows is None:
        found.unknown.append(archive.file)
        return
    work = _Comparison(ctx, call, archive, rows, found)
    due = yield from background(lambda job: work.sizes(job, looking), looking)
    if due:
        yield from work.contents(due, looking.doing)


class _Comparison:
    """Of one archive."""

    def __init__(self, ctx: Context, call: Call, archive: Archive, rows: list[ExtractedFile], found: Compared) -> None:
        self._ctx, self._call, self._archive, self._rows, self._found = ctx, call, archive, rows, found
        self._top = f"{ctx.dataset_folder}/"

    def sizes(self, job: Job, looking: Progress) -> dict[int, int]:
        """Compare all sizes; the rows whose contents are to be read, with the files' times."""
        due: dict[int, int] = {}
        for number, row in enumerate(self._rows):
            if number % LOOKED_AT_ONCE == 0:
                job.say(replace(looking, done=number, total=len(self._rows)))
            try:
                state = os.stat(self._top + row.path)  # noqa: PTH116 - a million times
            except OSError:  # what is missing is told by the lists
                continue
            self._found.files += 1
            if state.st_size != row.size:
                came = f"has {state.st_size:,} bytes, {row.size:,} came out of {self._archive.file}"
                self._fault(row, came)
            elif state.st_mtime_ns != row.mtime_ns:
                due[number] = state.st_mtime_ns
        return due

    def contents(self, due: Mapping[int, int], doing: str) -> Generator[Progress, None, None]:
        """Read and compare; what is right is remembered with its time, also where this is stopped."""
        meter, done, seen = Meter(), 0, list(self._rows)
        total = sum(self._rows[number].size for number in due)
        items = [FileToRead(number, self._top + self._rows[number].path) for number in due]
        try:
            for outcomes in each(self._ctx.pool(), sum_of, items):
                for outcome in outcomes:
                    number = outcome.item.number
                    row = self._rows[number]
                    done += row.size
                    self._found.read += 1
                    if outcome.fault:
                        self._fault(row, f"can't be read: {outcome.fault}")
                    elif outcome.result != row.crc:
                        self._fault(row, f"is not what came out of {self._archive.file}: its content was changed")
                    else:
                        seen[number] = msgspec.structs.replace(row, mtime_ns=due[number])
                yield with_wait(self._ctx.pool(), Progress(doing, done, total, "B", meter.rate(done)))
        finally:
            keep_extracted(self._ctx, self._archive, seen)

    def _fault(self, row: ExtractedFile, what: str) -> None:
        self._found.differing[row.path] = Fault(row.path, what, self._call.key)


def sum_of(item: FileToRead) -> int:
    """The CRC-32 of a file's content."""
    with open(item.path, "rb", buffering=0) as file:  # noqa: PTH123
        return checksum(iter(lambda: file.read(CHUNK), b""))


def notes_on(found: Compared, unlisted: Sequence[Fault]) -> list[str]:
    """What is worth knowing of them that is no fault."""
    notes = []
    if found.unknown:
        notes.append(
            f"what {', '.join(found.unknown)} brought was there before or came by an older wizard: its files were "
            "looked at, but what they were at first is not known"
        )
    if unlisted:
        notes.append(
            f"{len(unlisted):,} files that no list of MSeg's names are not as they came, such as {unlisted[0].file}"
        )
    return notes
