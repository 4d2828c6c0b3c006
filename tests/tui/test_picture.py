"""The picture of the label map that was made last: what it shows,
when it comes and goes, and that it is never in the way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.geometry import Size

from mseg_wizard.progress import Progress
from mseg_wizard.standing.snapshot import Snapshot, publish
from mseg_wizard.tui.terminal import ClosedTerminal
from mseg_wizard.tui.widgets import picture
from mseg_wizard.tui.widgets.picture import area_in
from tests.toys import ROAD, SKY, WHITE, Toys, cells, really, toys_at
from tests.tui.kit import into, says, screen, until
from tests.waiting import PATIENCE, wait_until

CALL = "open/remap/toy-3"


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toys]:
    with toys_at(tmp_path, monkeypatch) as toys:
        yield toys


@pytest.mark.slow
async def test_what_was_made_last_is_shown_beside_its_image_with_names_and_colours(
    toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    really(toys, monkeypatch)
    app = toys.desk.wizard(toys.destination)
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("f2")
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, ".jpg · toy-2", "■ sky 75%  ■ road 25%")
        lines = screen(app).splitlines()
        tasks, caption, why = (
            next(at for at, line in enumerate(lines) if text in line) for text in ("images", "toy-2", "To be looked")
        )
        assert tasks < caption < why
        seen = cells(app)
        assert seen[WHITE] > 400
        assert 2.5 < seen[SKY] / seen[ROAD] < 3.5
        toys.desk.release.set()
        await until(pilot, lambda: "toy-2" not in screen(app), "the picture goes")


@pytest.mark.slow
async def test_a_newer_label_map_takes_its_place_but_not_at_once(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "EVERY", 1.5)
    toys.make()
    toys.name("street")
    app = toys.desk.wizard(toys.destination)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("f2")
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "street.jpg · toy-2")
        toys.name("lane")
        await pilot.pause(0.5)
        assert "street.jpg" in screen(app)
        await says(pilot, "lane.jpg · toy-2")


@pytest.mark.slow
async def test_an_image_that_cant_be_read_leaves_the_picture_before(
    toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "EVERY", 0.1)
    toys.make()
    (toys.folder / "image" / "lane.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    toys.name("lane")
    app = toys.desk.wizard(toys.destination)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("f2")
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "remapping toy-3")
        await pilot.pause(0.6)
        assert "toy-2" not in screen(app)
        toys.name("street")
        await says(pilot, "street.jpg · toy-2")
        toys.name("lane")
        await pilot.pause(0.6)
        assert "street.jpg · toy-2" in screen(app)
        assert app.session.working


@pytest.mark.slow
async def test_nothing_moves_under_the_hands_of_who_types(toys: Toys) -> None:
    toys.make()
    app = toys.desk.wizard(toys.destination)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("f2")
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "remapping toy-3")
        await into(pilot, app, "open")
        field = app.main.panes["open"].rows["word"].target()
        assert field.has_focus
        before = field.region
        toys.name("street")
        await pilot.press(*"some")
        await pilot.pause(0.6)
        assert "toy-2" not in screen(app)
        assert field.region == before
        await pilot.press("escape")
        await says(pilot, "street.jpg · toy-2")
        await pilot.press("enter")
        await until(pilot, lambda: field.has_focus)
        shown = app.main.panes["open"].picture
        size = shown.size
        await pilot.press(*"body")
        toys.desk.release.set()
        await until(pilot, lambda: not app.session.working, "the work ends")
        await pilot.pause(0.5)
        assert (shown.display, shown.size) == (True, size)
        await pilot.press("escape")
        await until(pilot, lambda: "toy-2" not in screen(app), "the picture goes")


@pytest.mark.slow
@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "xterm-16color", "COLORTERM": ""}], ids=str)
async def test_without_colours_there_is_no_picture(
    toys: Toys, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    toys.make()
    toys.name("street")
    app = toys.desk.wizard(toys.destination)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("f2")
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "remapping toy-3")
        await pilot.pause(0.6)
        assert "toy-2" not in screen(app)
        assert "▀" not in screen(app)


@pytest.mark.slow
async def test_it_comes_where_there_is_room_and_goes_where_there_is_none(toys: Toys) -> None:
    toys.make()
    toys.name("street")
    app = toys.desk.wizard(toys.destination)
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("f2")
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "remapping toy-3")
        await pilot.pause(0.6)
        assert "toy-2" not in screen(app)
        await pilot.resize_terminal(100, 30)
        await says(pilot, "street.jpg · toy-2", "■ road 25%")
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: "toy-2" not in screen(app), "the picture goes")


async def test_who_only_watches_another_wizard_sees_none(toys: Toys) -> None:
    toys.make()
    ctx = toys.desk.open(toys.destination)
    progress = Progress("remapping toy-3", 1, 4, "images", call=CALL, made="toy/toy-2/street.png")
    publish(Snapshot(True, (CALL,), {CALL: progress}), ctx.own)
    app = toys.desk.wizard(toys.destination, viewer=True)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("down")
        await says(pilot, "remapping toy-3")
        assert app.session.snapshot.progress[CALL] == progress
        await pilot.pause(0.6)
        assert "toy-2" not in screen(app)
    ctx.close()


@pytest.mark.slow
async def test_f3_hides_pictures_for_good_and_shows_them_again(toys: Toys) -> None:
    async def before_and_after_f3(*expected: bool) -> None:
        """Is there a picture?"""
        app = toys.desk.wizard(toys.destination)
        async with app.run_test(size=(100, 30)) as pilot:

            async def look(*, there: bool) -> None:
                if there:
                    await says(pilot, "street.jpg · toy-2")
                else:
                    await pilot.pause(1.5)
                    assert "street.jpg · toy-2" not in screen(app)

            await until(pilot, lambda: app.session.ctx, "the destination is opened")
            await pilot.press("f2", "f5")
            await says(pilot, "remapping toy-3")
            await until(
                pilot,
                lambda: app.main.chosen == app.main.step_of(app.session.snapshot.call),
                "the step at work is shown",
            )
            await look(there=expected[0])
            await pilot.press("f3")
            await look(there=expected[1])
        app.session.close()

    toys.make()
    toys.name("street")
    await before_and_after_f3(True, False)
    await before_and_after_f3(False, True)


def test_the_largest_picture_and_the_smallest() -> None:
    assert area_in(Size(49, 7)) is None
    assert area_in(Size(30, 40)) is None
    smallest, largest = area_in(Size(49, 8)), area_in(Size(170, 45))
    assert smallest
    assert (smallest.columns, smallest.rows, smallest.height) == (23, 6, 8)
    assert largest
    assert (largest.columns, largest.rows, largest.height) == (36, 14, 18)
    for width in range(10, 200, 7):
        for height in range(50):
            room = area_in(Size(width, height))
            assert room is None or (room.height <= height and room.width <= width and room.rows >= 6)


def test_a_terminal_that_takes_nothing_is_noticed_and_holds_nobody_up() -> None:
    there, here = os.pipe()
    with os.fdopen(here, "w") as file, os.fdopen(there, "rb") as taken:
        deaf = ClosedTerminal(file)
        deaf.write("x" * 1_000_000)
        assert deaf.writing
        assert taken.read(1_000_000) == b"x" * 1_000_000
        assert wait_until(lambda: not deaf.writing, patience=PATIENCE)
