"""The overview: where the wizard opens and comes back to, over the real steps, and what stands in its cells."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widget import Widget

from mseg_wizard.datasets.stages import STAGES, Stage, stage_of, stages_in
from mseg_wizard.progress import Problem, Progress, Waiting
from mseg_wizard.standing.snapshot import ASKED, Snapshot
from mseg_wizard.state.journal import Journal
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tui import themes
from mseg_wizard.tui.app import Wizard
from mseg_wizard.tui.overview import cell, days, life
from mseg_wizard.tui.widgets.editors import SecretLine
from mseg_wizard.tui.widgets.frame import StepList
from mseg_wizard.verification.verdict import Fault, Verdict, write_verdict
from tests.tui.contrast import drawn, unreadable
from tests.tui.kit import Desk, desk_at, says, screen, until
from tests.tui.test_goldens import matches

STEPS = load_steps()
ROWS = {row.folder: row for row in stages_in(STEPS)}
SIZES = [(80, 24), (60, 20), (120, 40), (200, 60)]
NOW = datetime.now(UTC)
SOON = NOW + timedelta(hours=5, minutes=10)
LINK = (
    "https://idd.s3.amazonaws.com/idd-segmentation.tar.gz?X-Amz-Expires=18600"
    f"&X-Amz-Date={NOW:%Y%m%dT%H%M%SZ}&X-Amz-Signature=geheim"
)
FETCH = "download-open/download/train2017.zip"


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LANG", "C.UTF-8")
    for name in ("NO_COLOR", "COLORFGBG", "LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    # Its name is always as long: where lines break depends on it.
    folder = Path(tempfile.mkdtemp(prefix="mseg-", dir="/tmp"))
    with desk_at(folder, monkeypatch) as desk:
        desk.steps = STEPS
        yield desk
    shutil.rmtree(folder, ignore_errors=True)


def under_way(desk: Desk) -> Path:
    """A destination in the middle of it: one link kept, one licence asked for, the first archives there."""
    place = desk.ready(
        prepare={"read": True, "terms": True},
        cityscapes={"username": "erika", "password": "geheim"},
        idd={"url": LINK},
        scannet={"base_url": "https://kaldir.example.org/scannet/"},
    )
    ctx = desk.open(place)
    ctx.store.answer("mapillary", ASKED, (date.today() - timedelta(days=2)).isoformat())
    done = [call for step in STEPS[:2] for call in step.calls][:10]
    for call in done:
        ctx.store.finish(call.key)
    ctx.close()
    return place


def fetching(waiting: bool = False) -> Snapshot:
    progress = Progress("downloading train2017.zip", 14_100_000_000, 19_300_000_000, "B", 43e6, call=FETCH)
    return Snapshot(running=True, calls=(FETCH,), progress={FETCH: progress})


async def shows(app: Wizard, pilot: Pilot[None], snapshot: Snapshot) -> None:
    await until(pilot, lambda: app.session.runner and app.main.found.lacks)
    assert app.session.runner
    app.session.runner.snapshot = snapshot
    app.main.draw()
    await pilot.pause()


def line_of(app: Wizard, name: str) -> str:
    return next(line for line in screen(app).splitlines() if name in line)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_it_opens_on_every_dataset_and_says_what_is_wanted(desk: Desk, size: tuple[int, int]) -> None:
    app = desk.wizard(under_way(desk))
    async with app.run_test(size=size) as pilot:
        await shows(app, pilot, Snapshot())
        await says(pilot, "Next from you, step 8: KITTI download link. Enter goes there. F5 goes on.")
        assert all(row.name[:10] in screen(app) for row in ROWS.values())
        await matches(app, pilot, "overview", size, 79)
        await shows(app, pilot, fetching())
        await says(pilot, "train2017" if size[1] > 24 else "73%")
        await matches(app, pilot, "overview-working", size, 79)
        await shows(app, pilot, Snapshot(calls=(FETCH,), problem=Problem("The server refused it.", "Ask it.")))
        await says(pilot, "The server refused it.")
        await matches(app, pilot, "overview-failed", size, 79)


async def test_a_step_is_shown_beside_it_once_the_window_is_wide_enough_and_made_no_earlier(desk: Desk) -> None:
    app = desk.wizard(under_way(desk))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, pilot, Snapshot())
        assert not app.main.panes
        await pilot.resize_terminal(200, 60)
        await says(pilot, next(step.summary for step in STEPS if step.id == "kitti"))


async def test_a_row_says_how_a_dataset_is_had_and_how_far_it_is(desk: Desk) -> None:
    app = desk.wizard(under_way(desk))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, pilot, fetching())
        await says(pilot, "asked 2 d")
        assert line_of(app, "ADE20K").split() == ["ADE20K", "open", "4.8", "GB", "✓", "✓", "·", "·", "·"]
        assert line_of(app, "COCO ").split()[-5:] == ["67%", "·", "·", "·", "·"]
        assert "login kept" in line_of(app, "Cityscapes")
        assert "link, 5 h" in line_of(app, "IDD")
        assert line_of(app, "KITTI  ").split()[-5:] == ["MB", "?", "·", "·", "·"]
        assert "your upload" in line_of(app, "BDD100K")
        assert "link kept" in line_of(app, "ScanNet")
        assert "geheim" not in screen(app)


@pytest.mark.slow
async def test_enter_goes_to_what_is_wanted_and_escape_comes_back(desk: Desk) -> None:
    app = desk.wizard(under_way(desk))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, pilot, Snapshot())
        await says(pilot, "KITTI download link")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.focused, SecretLine) and app.main.chosen == "kitti")
        await says(pilot, "KITTI download link", "8 KITTI")
        await pilot.press("escape")
        await until(pilot, lambda: app.main.at_overview)
        row = app.main.overview.row
        assert row
        assert row.step.id == "kitti"
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.main.chosen == "mapillary" and not app.main.at_overview)
        await pilot.press("f2")
        await until(pilot, lambda: app.main.at_overview)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.focused, StepList) and app.main.chosen == "mapillary")


@pytest.mark.slow
async def test_help_and_log_come_in_its_place_and_go_again(desk: Desk) -> None:
    app = desk.wizard(under_way(desk))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, pilot, Snapshot())
        for key, words in (("f1", "Help (Escape closes)"), ("f7", "Log:")):
            await pilot.press(key)
            await says(pilot, words)
            await pilot.press("escape")
            await says(pilot, "ADE20K", "WildDash")
            assert app.focused is app.main.overview.list


@pytest.mark.slow
async def test_the_day_a_licence_was_asked_for_is_noted_and_taken_back(desk: Desk) -> None:
    place = under_way(desk)
    app = desk.wizard(place)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, pilot, Snapshot())
        await pilot.press("a")
        await says(pilot, "Choose a dataset that wants a licence or a link")
        app.main.overview.choose("kitti")
        await pilot.press("a")
        await says(pilot, "KITTI: asked today.", "asked today")
        assert app.session.journal.answer("kitti", ASKED) == date.today().isoformat()
    app.session.close()
    again = desk.wizard(place)
    async with again.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "asked today" in line_of(again, "KITTI  "), "noted for the next start too")
        again.main.overview.choose("kitti")
        await pilot.press("a")
        await until(pilot, lambda: "needs a link" in line_of(again, "KITTI  "))


async def test_what_verification_found_is_on_it_at_the_next_start(desk: Desk) -> None:
    place = under_way(desk)
    ctx = desk.open(place)
    faults = tuple(Fault(f"ADE20K/images/{at}.jpg", "is cut", "download-open/extract/x") for at in range(3))
    write_verdict(ctx, Verdict("x", "2020-02-02T10:00:00", "a tree", faults=faults))
    ctx.close()
    app = desk.wizard(place)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, pilot, Snapshot())
        await until(pilot, lambda: line_of(app, "ADE20K").split()[-1] == "!")
        assert line_of(app, "CamVid").split()[-1] == "·"
        await says(pilot, "verify --repair")


async def test_while_it_waits_the_cursor_comes_back_to_what_is_wanted_and_nothing_is_opened(desk: Desk) -> None:
    app = desk.wizard(under_way(desk))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, pilot, fetching())
        app.main.overview.choose("idd")
        key = "kitti/download/data_semantics.zip"
        problem = Waiting("Step 8, KITTI, waits for you: KITTI download link.", "Fill it in.", "kitti", ["url"])
        app.main.follower._started = True
        await shows(app, pilot, Snapshot(calls=(key,), problem=problem))
        await until(pilot, lambda: app.main.overview.row is None)
        await says(pilot, "Step 8, KITTI, waits for you: KITTI download link. Enter goes there.")
        assert app.main.at_overview
        assert line_of(app, "KITTI  ").split()[-5] == "MB"


@pytest.mark.slow
@pytest.mark.parametrize("colours", [themes.DARK.name, themes.LIGHT.name, "16", "none"])
async def test_every_mark_can_be_read_on_every_row_also_on_the_selected_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, colours: str
) -> None:
    if colours == "16":
        monkeypatch.setenv("TERM", "xterm-16color")
        monkeypatch.setenv("COLORTERM", "")
    elif colours == "none":
        monkeypatch.setenv("NO_COLOR", "1")
    app = desk.wizard(under_way(desk))
    async with app.run_test(size=(120, 40)) as pilot:
        if colours not in ("16", "none"):
            app.theme = colours
        refused = Snapshot(calls=(FETCH,), problem=Problem("The server refused it.", "Ask it."))
        for snapshot, row in ((fetching(), "COCOPanoptic"), (refused, "COCOPanoptic"), (Snapshot(), "KITTI")):
            await shows(app, pilot, snapshot)
            for at in ("ADE20K", row):
                app.main.overview.list.choose(at)
                await pilot.pause()
                seen = list(drawn(app))
                assert unreadable(seen) == []
                if colours == "none":
                    plain = {segment.style.color for segment in seen if segment.style and segment.style.color}
                    assert all(color.is_default for color in plain)
        assert {"✓", "?", "·"} <= set(screen(app))


async def test_the_last_dataset_can_be_reached_whatever_stands_above(desk: Desk) -> None:
    """However long the sentence is, and whichever size the window had before."""
    app = desk.wizard(under_way(desk))
    async with app.run_test(size=(60, 20)) as pilot:
        await shows(app, pilot, Snapshot(calls=(FETCH,), problem=Problem("The server refused it. " * 12, "Ask it.")))
        assert "WildDash" not in screen(app)
        await pilot.press("end")
        await until(pilot, lambda: "WildDash" in screen(app))
        await pilot.press("home")
        await until(pilot, lambda: "WildDash" not in screen(app))
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: "WildDash" in screen(app))
        assert "the other steps" in screen(app)
        for letters in range(10, 90):  # wherever a word goes into the next line
            problem = Problem(f"The server {'x' * letters} refused it and says why.", "Ask it.")
            await shows(app, pilot, Snapshot(calls=(FETCH,), problem=problem))
            await until(pilot, lambda: "WildDash" in screen(app))


async def test_where_there_is_room_a_row_ends_with_rate_and_time(desk: Desk) -> None:
    app = desk.wizard(under_way(desk))
    async with app.run_test(size=(110, 24)) as pilot:
        await shows(app, pilot, fetching())
        await until(pilot, lambda: line_of(app, "COCO ").endswith("43.0 MB/s  2 min left"))
        assert line_of(app, "ADE20K").split()[-1] == "·"
        assert "F2 opens them" in screen(app)
        app.main.overview.choose("kitti")
        await until(pilot, lambda: "a: asked today" in screen(app))


@pytest.mark.slow
async def test_only_what_says_something_else_is_drawn_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow line every row that is sent again is time taken from keys."""
    app = desk.wizard(under_way(desk))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, pilot, fetching())
        await until(pilot, lambda: "67%" in line_of(app, "COCO "))
        app.main.draw()
        await pilot.pause()
        drawn_anew: list[tuple[Widget, tuple[Region, ...]]] = []
        refresh = Widget.refresh

        def noted(self: Widget, *regions: Region, **how: bool) -> Widget:
            drawn_anew.append((self, regions))
            return refresh(self, *regions, **how)

        monkeypatch.setattr(Widget, "refresh", noted)
        app.main.draw()
        parts = {app.main.overview, *app.main.overview.walk_children()}
        assert [each for each in drawn_anew if each[0] in parts] == []
        further = Progress("downloading train2017.zip", 17_000_000_000, 19_300_000_000, "B", 43e6, call=FETCH)
        assert app.session.runner
        app.session.runner.snapshot = Snapshot(running=True, calls=(FETCH,), progress={FETCH: further})
        app.main.draw()
        rows = [regions for widget, regions in drawn_anew if widget is app.main.overview.list]
        line, text = next((at, text) for at, text in enumerate(screen(app).splitlines()) if "COCO " in text)
        where = app.main.overview.list.region
        assert rows == [(Region(text.index("%") - 2 - where.x, line - where.y, 2, 1),)]
        await until(pilot, lambda: "81%" in line_of(app, "COCO "))


async def test_a_tall_window_shows_the_end_of_the_log(desk: Desk) -> None:
    app = desk.wizard(under_way(desk))
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(app, pilot, Snapshot())
        with app.session.log.open("a") as file:
            file.writelines(f"2026-01-01 10:00:{at:02},000 INFO mseg_wizard: line {at} \x1b[31m\n" for at in range(50))
        await says(pilot, "the end of the log (F7)", "10:00:49 line 49 ·[31m")
        assert "ADE20K" in screen(app)
        assert "WildDash" in screen(app)
        assert "line 9 " not in screen(app)


async def test_without_datasets_the_steps_are_first(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk_at(tmp_path, monkeypatch) as toys:
        app = toys.wizard(toys.ready())
        async with app.run_test() as pilot:
            await says(pilot, "F5 starts")
            assert not app.main.at_overview
            assert isinstance(app.focused, StepList)


def test_every_dataset_has_a_row_with_the_stages_that_the_step_files_give_it() -> None:
    assert len(ROWS) == 13
    without = {name: {row.name for row in ROWS.values() if not row.calls[name]} for name in STAGES}
    assert without["remap"] == {"PASCAL VOC", "BDD100K"}
    assert without["relabel"] == {"CamVid", "PASCAL Context", "PASCAL VOC", "KITTI", "ScanNet", "WildDash"}
    assert without["fetch"] == without["unpack"] == without["check"] == set()
    assert {row.comes_by for row in ROWS.values()} == {"open", "upload", "login", "link"}


@pytest.mark.parametrize("waits", [False, True])
def test_a_stage_stands_where_its_calls_stand(waits: bool) -> None:
    row = ROWS["COCOPanoptic"]
    key = row.calls["fetch"][0].key
    progress = Progress("…", 1, 2, "B", waiting=waits, call=key)
    now = Snapshot(running=True, calls=(key,), progress={key: progress})
    found = stage_of(row, "fetch", Journal(), now)
    assert found.state == ("waiting" if waits else "running")
    assert 0.4 < found.share < 0.5
    assert stage_of(row, "unpack", Journal(), now) == Stage("pending")
    finished = Journal(finished={call.key: "now" for call in row.calls["fetch"]})
    assert stage_of(row, "fetch", finished, Snapshot()) == Stage("done", 1.0)
    failed = Snapshot(calls=(key,), problem=Problem("no"))
    assert stage_of(row, "fetch", Journal(), failed).state == "failed"
    assert stage_of(row, "check", finished, Snapshot(), faulty=True) == Stage("failed")
    assert stage_of(ROWS["BDD"], "remap", Journal(), Snapshot()) == Stage()


def test_cells_and_words() -> None:
    assert cell(Stage()) == ""
    assert cell(Stage("running", 0.996)) == "99%"
    assert cell(Stage("running")) == "▸"
    assert life(None, NOW) == "link kept"
    assert life(NOW, NOW) == "link expired"
    assert life(NOW + timedelta(minutes=40), NOW) == "link, 40 min"
    assert life(SOON, NOW) == "link, 5 h"
    assert life(NOW + timedelta(days=6), NOW) == "link, 6 d"
    assert days("2020-02-02", date(2020, 2, 4)) == "2 d"
    assert days("2020-02-02", date(2020, 2, 2)) == "today"
    assert days("soon", date(2020, 2, 2)) == ""
