"""A step's work as rows: what stands in them at each width, and notes that are said once."""

from __future__ import annotations

import pytest

from mseg_wizard.progress import Progress, Waiting
from mseg_wizard.standing.snapshot import Snapshot
from mseg_wizard.state.journal import ArchiveRecord, Journal
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tui.work_rows import columns_of, notes_of_rows, row_content, work_rows_of

OPEN, REMAP, BDD = (next(step for step in load_steps() if step.id == name)
                    for name in ("download-open", "remap-open", "bdd"))  # fmt: skip
ROWS = work_rows_of(OPEN)
TRAIN = next(row for row in ROWS if row.name == "COCO train images")
FETCH, UNPACK = (call.key for call in TRAIN.calls)
COMING = Snapshot(
    running=True, calls=(FETCH,),
    progress={FETCH: Progress("downloading", 14_100_000_000, 19_300_000_000, "B", 43e6, call=FETCH)},
)  # fmt: skip


def line(width: int, snapshot: Snapshot = COMING, journal: Journal | None = None) -> str:
    return row_content(TRAIN, columns_of(ROWS, width), snapshot, journal or Journal()).plain


def words(text: str) -> str:
    return " ".join(text.split())


def test_each_archive_has_one_row_and_each_call_is_in_one() -> None:
    assert [row.archive.file for row in ROWS if row.archive] == [archive.file for archive in OPEN.archives]
    assert [call for row in ROWS for call in row.calls] == sorted(OPEN.calls, key=OPEN.calls.index)
    assert [row.name for row in work_rows_of(REMAP)] == [call.title for call in REMAP.calls]


def test_a_row_says_size_stages_rate_and_time_as_far_as_there_is_room() -> None:
    assert words(line(90)) == "[>] COCO train images 19.3 GB 73% · 43.0 MB/s 2 min left"
    assert "train2017.zip" in line(120)
    assert words(line(50)) == "[>] COCO train images 73% · 43.0 MB/s"
    assert words(line(90, Snapshot(), Journal(finished={FETCH: "now"}))) == "[ ] COCO train images 19.3 GB ✓ ·"
    done = Journal(finished={FETCH: "now", UNPACK: "now"})
    assert words(line(90, Snapshot(), done)) == "[x] COCO train images 19.3 GB ✓ ✓"


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (ArchiveRecord("/x", 1, 1, "", "fetched", "https://x.org/x.zip"), "published"),
        (ArchiveRecord("/x", 1, 1, "", "fetched", "https://x.org/x.zip", as_published=False), "not as published"),
        (ArchiveRecord("/x", 1, 1, "", "brought", "/x"), "your copy"),
        (ArchiveRecord("/x", 1, 1, "", "uploaded", "/x"), "your copy"),
        (ArchiveRecord("/x", 1, 1, "", "brought", "/x", equivalent="Another release"), "equivalent"),
    ],
)
def test_a_row_says_where_its_archive_came_from_once_nothing_runs(record: ArchiveRecord, says: str) -> None:
    journal = Journal(finished={FETCH: "now"}, archives={"train2017.zip": record})
    assert words(line(90, Snapshot(), journal)) == f"[ ] COCO train images 19.3 GB ✓ · {says}"
    assert all(len(line(width, Snapshot(), journal)) <= width for width in (40, 50, 60))


@pytest.mark.parametrize("width", [30, 36, 48, 58, 90, 120, 160])
def test_rows_stand_below_each_other_and_fit(width: int) -> None:
    columns = columns_of(ROWS, width)
    lines = [row_content(row, columns, COMING, Journal()).plain for row in ROWS]
    assert all(len(each) <= max(width, 34) for each in [*lines, columns.head])
    at = columns.head.index("unpack") + len("unpack")
    assert all(each[at - 1] in "·✓" for each in lines)


def test_what_waits_is_said_whole_because_it_may_be_a_command_to_copy() -> None:
    call = BDD.calls[0].key
    doing = "Waiting for bdd100k_seg.zip. Upload it: scp " + "x" * 300
    progress = {call: Progress(doing, call=call, waiting=True)}
    rows = work_rows_of(BDD)
    for now in (Snapshot(running=True, calls=(call,), progress=progress),
                Snapshot(calls=(call,), progress=progress, problem=Waiting("x"))):  # fmt: skip
        text = row_content(rows[0], columns_of(rows, 40), now, Journal()).plain
        assert text.startswith("[?]")
        assert text.splitlines()[1] == doing


def test_what_holds_of_several_archives_is_noted_once() -> None:
    notes = {row.calls[0].key: (f"{row.archive.file} is not the published archive",) for row in ROWS if row.archive}
    notes[UNPACK] = ("train2017.zip: what it brings was there already",)
    found = notes_of_rows(ROWS, Journal(notes=notes))
    assert found == (
        f"each of {len(OPEN.archives)} archives is not the published archive",
        "train2017.zip: what it brings was there already",
    )
