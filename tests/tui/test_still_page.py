"""Who is in a form finds its field where it was, whatever the work does meanwhile, and always in sight."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from mseg_wizard.context import Context
from mseg_wizard.progress import Problem, Progress
from mseg_wizard.tui.app import Wizard
from mseg_wizard.tui.widgets.form import FieldRow
from tests.tui.kit import Desk, desk_at, into, screen, until

pytestmark = pytest.mark.slow
SIZES = [(80, 24), (100, 30), (60, 20), (160, 45)]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with desk_at(tmp_path, monkeypatch) as desk:
        yield desk


def row_of(app: Wizard) -> int:
    assert app.focused is not None
    return app.focused.region.y


def in_sight(app: Wizard) -> bool:
    """Is the field with the keyboard on the screen, with its label or the line above it?"""
    assert app.focused is not None
    page = next(page for page in app.main.panes.values() if page.has_focus_within)
    at, window = app.focused.region, page.scrollable_content_region
    return window.y <= at.y - 1 and at.y < window.bottom


def noted(desk: Desk, ctx: Context) -> Generator[Progress, None, None]:
    """Work that leaves a note, and ends when the test says so."""
    yield from desk.until_released(ctx)
    ctx.note("one image has another size than its label")


def refused(desk: Desk, ctx: Context) -> Generator[Progress, None, None]:
    yield from desk.until_released(ctx)
    raise Problem(
        "The server refused the name or the password, as it does for whoever is not registered. " * 3, "Look."
    )


async def rest(pilot: Pilot[None]) -> None:
    """Let everything that follows from the last thing come to its end."""
    for _ in range(6):
        await pilot.pause(0.1)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("ends", [noted, refused])
@pytest.mark.parametrize("step", ["city", "open"])
async def test_a_field_stays_where_it_is_while_calls_begin_and_end(
    desk: Desk, size: tuple[int, int], ends: object, step: str
) -> None:
    """In the form of the step at work, and in another's."""
    given = {"city": {"username": "mia", "password": "geheim"}, "idd": {"url": "https://host/idd.tar.gz?token=1"}}
    desk.behaviours[step] = lambda ctx: ends(desk, ctx)  # type: ignore[operator]
    app = desk.wizard(desk.ready(**given))
    async with app.run_test(size=size) as pilot:
        await pilot.press("f5")
        await until(pilot, lambda: step in desk.ran and app.session.working)
        await into(pilot, app, "city")
        await pilot.press("tab", "tab")
        await rest(pilot)
        assert in_sight(app), screen(app)
        field, at = app.focused, row_of(app)
        desk.release.set()
        await until(pilot, lambda: not app.session.working or "finish" in desk.ran)
        await rest(pilot)
        assert app.focused is field
        assert row_of(app) == at, screen(app)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_every_field_is_in_sight_and_a_longer_hint_does_not_hide_it(desk: Desk, size: tuple[int, int]) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test(size=size) as pilot:
        for step in ("prepare", "city"):
            await into(pilot, app, step)
            while app.focused and any(isinstance(node, FieldRow) for node in app.focused.ancestors):
                await rest(pilot)
                assert in_sight(app), screen(app)
                before = row_of(app)
                app.main.say("A word that is so long that it takes many lines of the window. " * 8)
                await rest(pilot)
                assert in_sight(app), screen(app)
                at = row_of(app)
                app.main.say("")
                await rest(pilot)
                assert row_of(app) == at <= before
                await pilot.press("tab")


async def test_who_scrolls_on_from_a_field_is_left_there(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(60, 20)) as pilot:
        await into(pilot, app, "prepare")
        page = app.main.panes["prepare"]
        await pilot.press("ctrl+home")
        await rest(pilot)
        assert page.scroll_y == 0
        app.main.say("A word. " * 30)
        await rest(pilot)
        assert page.scroll_y == 0
