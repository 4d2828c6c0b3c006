"""A step's work as rows, one for each archive or set of labels: how far each is, what there is to note. No widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

from mseg_wizard.core.log import redact
from mseg_wizard.datasets.stages import STAGES
from mseg_wizard.progress import Progress, amount, duration, printable, size
from mseg_wizard.standing.snapshot import MARKS, Snapshot
from mseg_wizard.state.journal import ArchiveRecord, Journal
from mseg_wizard.step import Archive, Call, Step
from mseg_wizard.tui.text import GLYPHS, INDENT, SOON, STYLES, call_state, fit

CELLS = ("fetch", "unpack")
"""What is done with an archive, a column each."""
CELL, SIZE, FILE, TAIL, BRIEF = 7, 9, 30, 24, 8
"""Columns of a cell, of a size, of a file's name, and kept free behind them for rate and time, or for a share alone."""
SIZED, FILED = 58, 110
"""Widths from which on sizes, and names of files, have room."""
SHORTEST = 12
ORDER = ("failed", "waiting", "running", "stopped", "filled", "pending", "done")
"""Of several states the first counts."""


@dataclass(frozen=True)
class WorkRow:
    """An archive with the calls that fetch and unpack it; or one call that has to do with none."""

    name: str
    calls: tuple[Call, ...]

    @property
    def archive(self) -> Archive | None:
        return self.calls[0].archive

    @property
    def key(self) -> str:
        return self.calls[0].key


@dataclass(frozen=True)
class Columns:
    """How wide the parts of the rows are, so that they stand below each other."""

    width: int
    name: int
    archives: bool
    sized: bool
    filed: bool

    @property
    def head(self) -> str:
        """What stands above them."""
        if not self.archives:
            return "Tasks"
        file = f"{'file':<{FILE}}" if self.filed else ""
        large = f"{'size':>{SIZE}}" if self.sized else ""
        return f"{'Archives':<{4 + self.name}}{file}{large}" + "".join(f"{cell:>{CELL}}" for cell in CELLS)


def work_rows_of(step: Step) -> tuple[WorkRow, ...]:
    """The step's calls, those of one archive together."""
    groups: dict[str, list[Call]] = {}
    for call in step.calls:
        groups.setdefault(call.archive.file if call.archive else call.key, []).append(call)
    return tuple(
        WorkRow(calls[0].title.rpartition(": ")[0] if calls[0].archive and ": " in calls[0].title else calls[0].title,
                tuple(calls))
        for calls in groups.values()
    )  # fmt: skip


def columns_of(rows: Sequence[WorkRow], width: int) -> Columns:
    archives = any(row.archive for row in rows)
    sized, filed = archives and width >= SIZED, archives and width >= FILED
    taken = 4 + (CELL * len(CELLS) if archives else 0) + (SIZE if sized else 0) + (FILE if filed else 0)
    longest = max((len(row.name) for row in rows), default=0)
    left = width - taken - (TAIL if sized else BRIEF if not archives else 0)
    return Columns(width, max(SHORTEST, min(longest, left)), archives, sized, filed)


def row_content(
    row: WorkRow, columns: Columns, snapshot: Snapshot, journal: Journal, *, alone: bool = False
) -> Content:
    """A row: mark, name, file, size, a cell for each thing that is done with it, then rate and time of what runs.

    What waits for the user, or failed, is told below, uncut because it may be a command to copy; what runs only where
    it is told here `alone`.
    """
    states = {call.key: call_state(call, snapshot, journal) for call in row.calls}
    state = min(states.values(), key=ORDER.index)
    now = next((call for call in row.calls if states[call.key] in ("running", "waiting", "failed")), None)
    progress = snapshot.progress.get(now.key) if now else None
    content = Content(f"{MARKS[state]} {fit(row.name, columns.name):<{columns.name}}").stylize(STYLES[state], 0, 3)
    if columns.archives and row.archive:
        if columns.filed:
            content += Content.styled(f"  {fit(row.archive.file, FILE - 2):<{FILE - 2}}", "dim")
        if columns.sized:
            content += Content(f"{size(row.archive.size) if row.archive.size else '':>{SIZE}}")
        for cell in CELLS:
            calls = [call for call in row.calls if call.task in STAGES[cell]]
            content += _cell([states[call.key] for call in calls], progress if now in calls else None)
    left = columns.width - len(content.plain) - 2
    if progress and state == "running" and (tail := rate_words(progress, left, share=not row.archive)):
        content += Content(f"  {tail}")
    elif row.archive and (record := journal.archives.get(row.archive.file)) and len(came := came_from(record)) <= left:
        content += Content.styled(f"  {came}", "dim")
    told = state in ("waiting", "failed") or (alone and state == "running")
    # What the form lacks stands beside its fields: here it would only move them.
    doing = printable(progress.doing, 1000) if progress and told and not progress.lacks else ""
    if doing and now and doing != now.title:
        # What is wrapped is easier copied flush.
        content += f"\n{INDENT}{doing}" if len(INDENT) + len(doing) <= columns.width else f"\n{doing}"
    return content


def came_from(record: ArchiveRecord) -> str:
    """Where an archive that is here came from, in a word or two."""
    if record.equivalent:
        return "equivalent"
    if record.origin != "fetched":
        return "your copy"
    return "published" if record.as_published else "not as published"


def _cell(states: Sequence[str], progress: Progress | None) -> Content:
    if not states:
        return Content(" " * CELL)
    state = min(states, key=ORDER.index)
    share = progress.done / progress.total if progress and progress.total and state == "running" else None
    text = f"{min(0.99, share):.0%}" if share is not None else GLYPHS[state]
    return Content.styled(f"{text:>{CELL}}", STYLES[state])


def rate_words(progress: Progress, room: int, *, share: bool) -> str:
    """Rate and time of what runs, as much as there is room for."""
    if progress.retry_in is not None:
        return fit(f"tries again in {duration(progress.retry_in)}", room) if room > 0 else ""
    parts = [f"{min(1.0, progress.done / progress.total):.0%}"] if share and progress.total else []
    if progress.unit == "B":
        parts += [f"{size(progress.rate)}/s"] if progress.rate else []
    elif progress.total and progress.done <= progress.total:
        parts.append(f"{progress.done:,} of {amount(progress.total, progress.unit)}")
    if progress.eta is not None and progress.eta >= SOON:
        parts.append(f"{duration(progress.eta)} left")
    while parts and len("  ".join(parts)) > room:
        parts.pop()
    return "  ".join(parts)


def notes_of_rows(rows: Sequence[WorkRow], journal: Journal) -> tuple[str, ...]:
    """What there is to note, each said once: what goes for several archives, with how many they are."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for note in (note for call in row.calls for note in journal.remarks(call.key)):
            file = row.archive.file if row.archive else ""
            before, named, after = note.partition(file) if file else (note, "", "")
            found.setdefault((before, after) if named else (note, ""), []).append(named)
    told = []
    for (before, after), files in found.items():
        each = files[0] if len(files) == 1 else f"each of {len(files)} archives" if files[0] else ""
        told.append(printable(redact(f"{before}{each}{after}"), 300))
    return tuple(told)
