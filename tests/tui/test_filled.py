"""Forms filled ahead are marked as such, what was refused is replaced, and a field that is left says how it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from mseg_wizard.standing.snapshot import STATES, Snapshot
from mseg_wizard.standing.step_states import filled, overview, with_filled
from mseg_wizard.state.journal_file import read_journal
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tui.widgets.editors import SecretLine
from tests.tui.kit import Desk, desk_at, into, paste, said, says, screen, type_in, until

LINK = "https://bucket.s3.example.com/sets/idd.tar.gz?X-Amz-Date=20990101T000000Z&X-Amz-Expires=3600&X-Amz-Signature=GEHEIM99"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with desk_at(tmp_path, monkeypatch) as desk:
        yield desk


@pytest.mark.slow
async def test_a_form_filled_ahead_is_marked_until_its_turn_comes(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(100, 30)) as pilot:
        await says(pilot, "[ ]  4 IDD", "[ ]  3 Cityscapes")
        await into(pilot, app, "idd")
        await paste(pilot, LINK)
        await pilot.press("enter")
        await says(
            pilot,
            "[+]  4 IDD",
            "4  IDD   [+] form complete; begins when its turn comes",
            "[ ]  3 Cityscapes",
            "[ ]  2 Open",
        )
        await into(pilot, app, "city")
        await type_in(pilot, "erika")
        await pilot.press("tab")
        await says(pilot, "kept in the system keyring")
        assert said(app, "[ ]  3 Cityscapes")
        await type_in(pilot, "geheim")
        await pilot.press("tab")
        await says(pilot, "[+]  3 Cityscapes")
        await pilot.press("f5")
        await says(pilot, "[?]  5 Finish", "[x]  4 IDD", "[x]  3 Cityscapes")


def test_status_marks_what_the_journal_knows_to_be_filled_and_scripts_get_the_states_as_ever(desk: Desk) -> None:
    desk.ready(idd={"url": LINK}, city={"username": "erika"})
    journal = read_journal(desk.destination)
    assert journal
    states = overview(desk.steps, journal, Snapshot(), lambda step: ())
    assert {asdict(state)["state"] for state in states} <= set(STATES)
    told = {state.id: state.state for state in with_filled(states, filled(desk.steps, journal))}
    assert told == {"prepare": "pending", "open": "pending", "city": "pending", "idd": "filled", "finish": "pending"}


@pytest.mark.slow
async def test_a_link_that_expired_since_is_no_complete_form(desk: Desk) -> None:
    destination = desk.ready()
    ctx = desk.open(destination)
    desk.ring.set_password("mseg-wizard", f"{ctx.store.journal.id}/idd.url", LINK.replace("2099", "2019"))
    ctx.close()
    app = desk.wizard(destination)
    async with app.run_test(size=(100, 30)) as pilot:
        await into(pilot, app, "idd")
        await says(pilot, "expired on 2019-01-01", "[ ]  4 IDD")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["typed", "pasted", "come back"])
async def test_a_refused_secret_is_replaced_by_what_comes_next(desk: Desk, how: str) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(100, 30)) as pilot:
        await into(pilot, app, "idd")
        await type_in(pilot, "no link")
        if how == "come back":
            await pilot.press("escape")
            await says(pilot, "is no link")
            await into(pilot, app, "idd")
        else:
            await pilot.press("enter")
            await says(pilot, "is no link")
        line = app.focused
        assert isinstance(line, SecretLine)
        if how == "typed":
            await type_in(pilot, "h")
            assert line.value == "h"
            await type_in(pilot, "ttp")
            assert line.value == "http"
        else:
            await paste(pilot, LINK)
            await pilot.press("enter")
            await says(pilot, "kept in the system keyring")
            assert list(desk.ring.held.values()) == [LINK]


@pytest.mark.parametrize(("key", "value"), [("left", "xno link"), ("right", "no linkx"), ("end", "no linkx")])
async def test_a_refused_secret_can_be_corrected_after_a_key_that_moves(desk: Desk, key: str, value: str) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(100, 30)) as pilot:
        await into(pilot, app, "idd")
        await type_in(pilot, "no link")
        await pilot.press("enter")
        await says(pilot, "is no link")
        await pilot.press(key, "x")
        line = app.focused
        assert isinstance(line, SecretLine)
        assert line.value == value


@pytest.mark.slow
async def test_a_refused_row_gives_way_to_the_next_one(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(180, 40)) as pilot:
        await into(pilot, app, "city")
        await pilot.press("tab", "tab")
        await type_in(pilot, "/no/such/place")
        await pilot.press("enter")
        await says(pilot, "[!] /no/such/place")
        await paste(pilot, str(desk.folder))
        await pilot.press("enter")
        await says(pilot, str(desk.folder), "kept in the journal")
        await until(pilot, lambda: not said(app, "/no/such/place"))


@pytest.mark.slow
async def test_a_field_that_is_left_says_what_is_wrong_or_where_its_answer_is_kept(desk: Desk) -> None:
    (desk.folder / "file").touch()
    app = desk.wizard()
    async with app.run_test(size=(180, 40)) as pilot:
        await into(pilot, app, "prepare")
        await pilot.press("space")
        await says(pilot, "kept in memory until the folder is in use")
        await pilot.press("tab")
        await paste(pilot, str(desk.folder / "file" / "below"))
        await pilot.press("tab", "tab")
        await says(pilot, "[!]", "is a file. Name a folder in another place.")
        await pilot.press("shift+tab", "shift+tab", "ctrl+u")
        await paste(pilot, str(desk.destination))
        await pilot.press("tab")
        await until(pilot, lambda: not said(app, "is a file. Name"))
        await pilot.press("enter")
        await says(pilot, "made when work begins (F5)")
        await pilot.press("tab", "ctrl+u", "3", "tab")
        await until(pilot, lambda: screen(app).count("kept in memory until the folder is in use") == 2)
        await pilot.press("down", "down", "tab", "tab")
        await says(pilot, "[!] “something else” says nothing yet")
        await pilot.press("shift+tab", "shift+tab", "up")
        await until(pilot, lambda: not said(app, "says nothing yet"))


def test_a_file_that_a_step_waits_for_is_not_called_optional(desk: Desk) -> None:
    from mseg_wizard.tui.widgets.form import _needed

    suffixes = {
        (step.id, item.name): _needed(step, item)
        for step in load_steps()
        for item in step.fields
        if item.kind == "sources"
    }
    assert suffixes.pop(("bdd", "archives")) == " (or upload it)"
    assert set(suffixes.values()) == {" (optional)"}
