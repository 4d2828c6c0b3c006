"""What is typed faster than the screen follows, and while the wizard itself wants the keyboard: nothing goes astray."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual import events

from mseg_wizard.tui.app import Wizard
from mseg_wizard.tui.widgets.editors import Line
from tests.tui.kit import Desk, desk_at, into, says, screen, until

ENTER, ESCAPE, DOWN, TAB = "\r", "\x1b", "↓", "\t"
KEYS = {ENTER: "enter", ESCAPE: "escape", DOWN: "down", TAB: "tab"}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with desk_at(tmp_path, monkeypatch) as desk:
        yield desk


def burst(app: Wizard, text: str) -> None:
    """All these keys at once, as they come out of one read from a terminal."""
    assert app._driver is not None
    for character in text:
        app._driver.send_message(events.Key(KEYS.get(character, character), None if character in KEYS else character))


def line(app: Wizard, step: str, name: str) -> Line:
    editor = app.main.panes[step].rows[name].editor
    assert isinstance(editor, Line)
    return editor


@pytest.mark.slow
async def test_a_burst_of_keys_over_several_steps_goes_where_each_of_them_leads(desk: Desk) -> None:
    app = desk.wizard(desk.destination)
    async with app.run_test(size=(80, 24)) as pilot:
        await into(pilot, app, "prepare")
        await pilot.press("tab")
        before = line(app, "prepare", "destination").value
        burst(app, f"{ESCAPE}{DOWN}{DOWN}{ENTER}mara{TAB}s3cret!{ESCAPE}{DOWN}{ENTER}nolink")
        await until(
            pilot, lambda: "idd" in app.main.panes and line(app, "idd", "url").value, "the last field of the burst"
        )
        await until(pilot, lambda: ("city", "password") in app.main.found.kept)
        drafts = {name: secret.reveal() for name, secret in app.session.drafts["city"].items()}
        assert drafts == {"username": "mara", "password": "s3cret!"}
        assert line(app, "prepare", "destination").value == before
        assert line(app, "idd", "url").value == "nolink"
        assert "s3cret!" not in screen(app)


async def test_a_password_that_follows_a_tab_at_once_is_not_shown_in_the_field_before(desk: Desk) -> None:
    app = desk.wizard(desk.destination)
    async with app.run_test(size=(80, 24)) as pilot:
        await into(pilot, app, "city")
        burst(app, f"mara{TAB}s3cret!")
        await until(pilot, lambda: line(app, "city", "password").value == "s3cret!", "the password in its field")
        assert "username" in app.session.drafts["city"]


@pytest.mark.slow
async def test_what_is_typed_while_keys_are_on_their_way_keeps_its_order(desk: Desk) -> None:
    """As a line brings a paste without brackets: in pieces, each of
    which may arrive at any moment of the work on those before.
    """
    app = desk.wizard(desk.destination)
    text, dice = "/tmp/abc_def-ghi/jkl_mno.zip", random.Random(1)
    async with app.run_test(size=(80, 24)) as pilot:
        await into(pilot, app, "city")
        for number in range(20):
            at = line(app, "city", "username")
            at.value = ""
            for character in text:
                burst(app, character)
                for _ in range(dice.randrange(12)):
                    await asyncio.sleep(0)
            await until(pilot, lambda at=at: len(at.value) == len(text), "all of it")  # type: ignore[misc]
            assert at.value == text, number


async def test_keys_behind_one_that_opens_a_dialog_go_to_the_dialog(desk: Desk) -> None:
    app = desk.wizard(desk.ready(city={"username": "mara", "password": "s3cret!"}))
    async with app.run_test(size=(80, 24)) as pilot:
        await says(pilot, "F5 starts")
        app._driver.send_message(events.Key("f8", None))  # type: ignore[union-attr]
        burst(app, TAB + ENTER)
        await says(pilot, "Wiped")
        assert not desk.ring.held


async def test_a_paste_behind_keys_goes_where_they_lead(desk: Desk) -> None:
    app = desk.wizard(desk.destination)
    async with app.run_test(size=(80, 24)) as pilot:
        await into(pilot, app, "city")
        burst(app, f"mara{TAB}")
        app._driver.send_message(events.Paste("s3cret!"))  # type: ignore[union-attr]
        await until(pilot, lambda: line(app, "city", "password").value == "s3cret!", "the password in its field")


@pytest.mark.slow
async def test_the_list_does_not_move_under_the_keys_while_the_work_goes_from_step_to_step(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who presses Down and Enter while it moves on means the row that was seen, not the one after it."""
    desk.behaviours["open"] = desk.until_released
    app = desk.wizard(desk.ready(city={"username": "mara", "password": "s3cret!"}))
    async with app.run_test(size=(80, 24)) as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await until(pilot, lambda: app.main.chosen == "open")
        # However slow the machine is: these keys follow each other.
        monkeypatch.setattr("mseg_wizard.tui.follower.REST", 3600.0)
        await pilot.press("left")
        desk.release.set()
        await until(pilot, lambda: "city" in desk.ran)
        burst(app, DOWN + ENTER + "x")
        await until(
            pilot,
            lambda: "city" in app.main.panes and line(app, "city", "username").value == "x",
            "the field of the step below",
        )


@pytest.mark.slow
async def test_the_last_page_is_there_again_whenever_a_finished_destination_is_opened(desk: Desk) -> None:
    city, idd = {"username": "mara", "password": "s3cret!"}, {"url": "https://example.org/a.zip"}
    ready = desk.ready(city=city, idd=idd, finish={"confirm": True})
    app = desk.wizard(ready)
    async with app.run_test(size=(100, 40)) as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "5 of 5 steps", "The data: ")
    app.session.close()
    again = desk.wizard(ready)
    async with again.run_test(size=(100, 40)) as pilot:
        await says(pilot, "5 of 5 steps", "The data: ", "MSEG_DST_DIR")
