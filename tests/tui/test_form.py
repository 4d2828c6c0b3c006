"""Forms: filled by keys alone, at any time, kept by themselves, and never showing a secret."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Button

from mseg_wizard.progress import Problem
from mseg_wizard.standing.snapshot import ASKED
from mseg_wizard.state.journal_file import read_journal
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tui.app import Wizard
from mseg_wizard.tui.session import Session
from mseg_wizard.tui.widgets.dialogs import QuestionDialog
from mseg_wizard.tui.widgets.editors import Line, SecretLine
from mseg_wizard.tui.widgets.source_list import pasted_rows
from tests.tui.kit import Desk, desk_at, into, paste, said, says, screen, type_in, until

LINK = "https://bucket.s3.example.com/sets/idd-lite.tar.gz?X-Amz-Date=20990101T000000Z&X-Amz-Expires=3600&X-Amz-Signature=GEHEIM99"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with desk_at(tmp_path, monkeypatch) as desk:
        yield desk


def answers(desk: Desk, step: str) -> dict[str, object]:
    journal = read_journal(desk.destination)
    return dict(journal.answers.get(step, {})) if journal else {}


def leaks(app: Wizard, *secrets: str) -> list[str]:
    """Secrets that can be seen: on the screen, in a picture of it, in how widgets describe themselves."""
    seen = (
        screen(app)
        + app.export_screenshot()
        + app.clipboard
        + " ".join(repr(widget) for widget in app.screen.walk_children())
    )
    return [secret for secret in secrets if secret in seen]


@pytest.mark.slow
async def test_step_one_is_filled_in_and_opened_by_keys_alone(desk: Desk) -> None:
    app = desk.wizard()
    async with app.run_test() as pilot:
        await into(pilot, app, "prepare")
        await pilot.press("space", "tab")
        await paste(pilot, str(desk.destination))
        await says(pilot, "not there yet;", "free")
        assert not desk.destination.exists()
        await pilot.press("tab", "tab", "ctrl+a", "delete", "3", "tab", "down", "tab")
        assert not desk.destination.exists()
        await pilot.press("f5")
        await until(pilot, lambda: "open" in desk.ran)
    assert answers(desk, "prepare") == {
        "read": True,
        "destination": str(desk.destination),
        "workers": 3,
        "python": "this one",
    }


@pytest.mark.parametrize("stood", [False, True])
async def test_a_chosen_folder_is_told_whole_and_made_only_when_work_begins(
    desk: Desk, stood: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the button beside it; what is answered before is kept then."""
    monkeypatch.chdir(desk.folder)
    if stood:
        desk.destination.mkdir()
    app = desk.wizard(preset={"idd": {"url": LINK}})
    async with app.run_test(size=(180, 40)) as pilot:
        await into(pilot, app, "prepare")
        await pilot.press("space", "tab")
        await paste(pilot, "data")
        await pilot.press("tab")
        assert isinstance(app.focused, Button)
        await pilot.press("enter")
        await says(pilot, str(desk.destination), "made when work begins (F5); answers are kept in memory until then")
        await asyncio.to_thread(app.session.asked, app.session.steps[3], "2020-02-02")
        await pilot.pause(0.5)
        assert app.session.ctx is None
        assert list(desk.destination.glob("*")) == []
        assert desk.destination.is_dir() == stood
        await pilot.press("f5")
        await until(pilot, lambda: "open" in desk.ran)
        await says(pilot, "Step 3, Cityscapes, waits for you")  # the page follows the work there
        await into(pilot, app, "prepare")
        await says(pilot, "in use; answers are kept in its .mseg-wizard/")
    assert answers(desk, "prepare")["read"] is True
    assert answers(desk, "idd")[ASKED] == "2020-02-02"
    assert list(desk.ring.held.values()) == [LINK]


async def test_from_a_folder_in_use_answers_move_along_to_one_that_is_only_chosen(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.session.ctx)
        await asyncio.to_thread(app.session.asked, app.session.steps[3], "2020-02-02")
        meant = desk.folder / "meant"
        await asyncio.to_thread(app.session.choose, meant)
        assert not meant.exists()
        assert app.session.ctx is None
        await asyncio.to_thread(app.session.open, meant)
        found = answers_at(meant)
    assert found["prepare"] == {"read": True, "destination": str(meant)}
    assert found["idd"] == {ASKED: "2020-02-02"}
    assert answers_at(desk.destination)["prepare"]["read"] is True


@pytest.mark.parametrize(("code", "kept"), [(129, True), (143, True), (0, False)])
async def test_a_hang_up_before_work_keeps_what_was_typed_in_the_folder_that_was_chosen(
    desk: Desk, code: int, kept: bool
) -> None:
    app = desk.wizard(desk.destination)
    async with app.run_test() as pilot:
        await into(pilot, app, "prepare")
        await pilot.press("space", "tab", "enter")
        await says(pilot, "made when work begins")
        await pilot.press("tab")
        app.leave(code)
        await until(pilot, lambda: not app.is_running)
    assert desk.destination.exists() == kept
    assert answers(desk, "prepare").get("read", False) is kept
    app.session.close()


@pytest.mark.slow
async def test_answers_move_along_to_the_folder_that_was_meant_and_the_slip_leaves_nothing(desk: Desk) -> None:
    slip = desk.folder / "typo" / "daat"
    app = desk.wizard(slip, preset={"idd": {"url": LINK}, "city": {"archives": [str(desk.folder)]}})
    async with app.run_test() as pilot:
        await into(pilot, app, "prepare")
        await pilot.press("space", "tab", "tab", "enter")
        await says(pilot, "made when work begins")
        app.session.open(slip)
        await until(pilot, lambda: app.session.ctx and app.session.ctx.secret("idd", "url"))
        before = answers_at(slip)
        assert before["prepare"]["read"] is True
        assert len(desk.ring.held) == 1
        app.session.open(desk.destination)
        await pilot.pause()
        after = answers_at(desk.destination)
        assert {**before, "prepare": {**before["prepare"], "destination": str(desk.destination)}} == after
        assert app.session.ctx
        link = app.session.ctx.secret("idd", "url")
        assert link and link.reveal() == LINK
        assert len(desk.ring.held) == 1, "the slip's keyring entry is gone"
        assert not slip.parent.exists()
    assert desk.ran == []


async def test_a_folder_in_which_work_began_or_a_wizard_was_before_stays(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        app.session.open(desk.destination)
        for name in ("second", "third"):
            app.session.open(desk.folder / name)
            assert app.session.ctx
            app.session.ctx.store.start("prepare/a/x")
        await pilot.pause()
    assert {path.name for path in desk.folder.iterdir()} >= {"data", "second", "third"}
    assert answers_at(desk.destination)["prepare"]["read"] is True


def answers_at(destination: Path) -> dict[str, dict[str, Any]]:
    journal = read_journal(destination)
    assert journal
    return {step: dict(table) for step, table in journal.answers.items()}


async def test_a_destination_that_has_no_journal_is_not_made_unasked(desk: Desk) -> None:
    app = desk.wizard(desk.destination)
    async with app.run_test() as pilot:
        await says(pilot, "not there yet;")
        await pilot.press("f10")
    assert not desk.destination.exists()


async def test_a_destination_that_cannot_be_used_says_so_beside_its_field(desk: Desk) -> None:
    (desk.folder / "file").touch()
    app = desk.wizard(desk.folder / "file" / "below")
    async with app.run_test() as pilot:
        await pilot.press("f5")
        await says(pilot, "[!]", "can't be used", "Choose a folder that you may write to.")
        assert isinstance(app.focused, Line)
        await pilot.press("ctrl+u")
        await paste(pilot, str(desk.destination))
        await pilot.press("enter")
        await says(pilot, "made when work begins")
        assert not said(app, "can't be used")


@pytest.mark.slow
async def test_forms_filled_ahead_are_kept_in_the_journal_when_a_field_is_left(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await into(pilot, app, "finish")
        await pilot.press("space")
        await until(pilot, lambda: answers(desk, "finish") == {"confirm": True})
        await pilot.press("space")
        await until(pilot, lambda: answers(desk, "finish") == {"confirm": False})


async def test_what_is_half_typed_when_the_user_quits_is_kept(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await into(pilot, app, "city")
        await pilot.press("tab", "tab")
        await paste(pilot, str(desk.folder))
        await pilot.press("ctrl+q")
        await until(pilot, lambda: not app.is_running)
    assert answers(desk, "city") == {"archives": [str(desk.folder)]}


@pytest.mark.slow
async def test_answers_given_before_a_destination_are_kept_when_it_is_chosen(desk: Desk) -> None:
    app = desk.wizard(preset={"idd": {"url": LINK}})
    async with app.run_test() as pilot:
        await into(pilot, app, "city")
        await type_in(pilot, "erika")
        await pilot.press("tab")
        await says(pilot, "kept in memory until the folder is in use")
        await pilot.press("escape")
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, QuestionDialog))
        await says(pilot, "Quit without your answers?")
        await pilot.press("enter")
        await into(pilot, app, "prepare")
        await pilot.press("tab")
        await paste(pilot, str(desk.destination))
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, QuestionDialog))
        await says(pilot, "Keep your answers?")
        await pilot.press("right", "enter")
        await until(pilot, lambda: not app.is_running)
    assert sorted(desk.ring.held.values()) == sorted([LINK, "erika"])
    app.session.close()


@pytest.mark.slow
async def test_an_answer_that_cannot_be_right_is_refused_beside_its_field_and_stays_there(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await into(pilot, app, "prepare")
        await pilot.press("tab", "tab", "ctrl+u", "tab")
        await says(pilot, "[!] “Worker processes” is ''. Write a whole number, 0 or more.")
        await pilot.press("shift+tab", "7", "tab")
        await until(pilot, lambda: answers(desk, "prepare").get("workers") == 7)
        assert not said(app, "Write a whole number")


@pytest.mark.slow
async def test_a_password_is_never_shown_and_can_not_be_copied(desk: Desk) -> None:
    desk.ring.slow = 0.3
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await into(pilot, app, "city")
        await type_in(pilot, "erika.muster")
        await pilot.press("tab")
        await says(pilot, "storing…")
        await type_in(pilot, "Correct-Horse")
        assert isinstance(app.focused, SecretLine)
        await pilot.press("ctrl+shift+a", "ctrl+c")
        await pilot.press("home", "shift+end", "ctrl+c")
        assert not leaks(app, "Correct")
        await pilot.press("tab")
        await says(pilot, "●●●● 13 characters, kept in the system keyring", "erika.muster, kept in the system keyring")
        assert not leaks(app, "Correct")
        assert app.clipboard == ""
        assert all(line.value == "" for line in app.main.query(SecretLine))
    assert sorted(desk.ring.held.values()) == ["Correct-Horse", "erika.muster"]
    assert "Correct" not in (desk.destination / ".mseg-wizard" / "journal.json").read_text()


@pytest.mark.slow
async def test_a_cut_password_goes_nowhere(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await into(pilot, app, "city")
        await type_in(pilot, "geheim")
        await pilot.press("home", "shift+end", "ctrl+x")
        assert app.clipboard == ""
        assert app.main.query(SecretLine).first().value == ""


async def test_a_pasted_link_is_joined_masked_and_says_what_it_is(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(100, 30)) as pilot:
        await into(pilot, app, "idd")
        await paste(pilot, f"  {LINK[:50]}\r\n {LINK[50:]}\x1b\n\n")
        await says(pilot, f"●●●● idd-lite.tar.gz at bucket.s3.example.com, {len(LINK)} characters, valid until 2099")
        assert not leaks(app, "GEHEIM", "X-Amz")
        await pilot.press("enter")
        await says(pilot, "kept in the system keyring")
        assert not leaks(app, "GEHEIM", "X-Amz")
    assert list(desk.ring.held.values()) == [LINK]


@pytest.mark.slow
async def test_a_secret_says_when_it_is_kept_for_this_session_only_or_comes_from_the_environment(desk: Desk) -> None:
    desk.keyring = False
    desk.environment["CITY_PASSWORD"] = "geheim"
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(100, 30)) as pilot:
        await into(pilot, app, "city")
        await says(pilot, "●●●● 6 characters, from the environment (CITY_PASSWORD)")
        await type_in(pilot, "erika")
        await pilot.press("tab")
        await says(pilot, "erika, kept in this session's memory only")
        assert not leaks(app, "geheim")


@pytest.mark.slow
async def test_sources_take_several_rows_mask_links_and_can_be_removed(desk: Desk) -> None:
    zips, long, more = (
        desk.folder / name for name in ("zips", "a folder with a name so long that terminals wrap it", "more")
    )
    for folder in (zips, long, more):
        folder.mkdir()
    link = LINK.replace("idd-lite.tar.gz", "gtFine.zip")
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(120, 40)) as pilot:
        await into(pilot, app, "city")
        await pilot.press("tab", "tab")
        await paste(pilot, f"{zips}\n{str(long)[:-9]}\n{str(long)[-9:]}\n{link}\n")
        await says(pilot, str(zips), str(long), "gtFine.zip at bucket.s3.example.com")
        await until(pilot, lambda: answers(desk, "city") == {"archives": [str(zips), str(long)]})
        await until(pilot, lambda: list(desk.ring.held.values()) == [link])
        assert not leaks(app, "GEHEIM", "X-Amz")
        await paste(pilot, str(more))
        await pilot.press("enter")
        await until(pilot, lambda: answers(desk, "city") == {"archives": [str(zips), str(long), str(more)]})
        await pilot.press("up", "up", "delete")
        await until(pilot, lambda: not desk.ring.held)
        assert "bucket.s3" not in screen(app)
        await pilot.press("up", "up", "up", "delete")
        await until(pilot, lambda: answers(desk, "city") == {"archives": [str(long), str(more)]})


@pytest.mark.slow
async def test_two_paths_pasted_behind_one_that_was_typed_are_three_rows(desk: Desk) -> None:
    places = [desk.folder / name for name in ("one", "two", "three")]
    for folder in places:
        folder.mkdir()
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(120, 40)) as pilot:
        await into(pilot, app, "city")
        await pilot.press("tab", "tab")
        await type_in(pilot, str(places[0]))
        await paste(pilot, f"{places[1]}\n{places[2]}")
        await until(pilot, lambda: answers(desk, "city") == {"archives": [str(place) for place in places]})


@pytest.mark.slow
async def test_a_source_that_is_not_there_is_refused_beside_its_field(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await into(pilot, app, "city")
        await pilot.press("tab", "tab")
        await paste(pilot, "/no/such/place")
        await pilot.press("enter")
        await says(pilot, "[!] /no/such/place", "/no/such/place is not there, or you may not")


@pytest.mark.slow
async def test_a_wrong_row_keeps_no_right_one_away_and_says_how_it_is_removed(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(100, 40)) as pilot:
        await into(pilot, app, "city")
        await pilot.press("tab", "tab")
        await paste(pilot, f"/no/such/place\n{desk.folder}\n/nor/this\n")
        await says(
            pilot,
            "[!] /no/such/place",
            "/no/such/place is not there",
            "[!] /nor/this",
            "Up from the line below chooses it",
        )
        await until(pilot, lambda: answers(desk, "city") == {"archives": [str(desk.folder)]})
        await pilot.press("up")
        await says(pilot, "Delete removes this row.")
        strips = app.screen._compositor.render_strips()
        reverse = ["".join(s.text for s in strip if s.style and s.style.reverse) for strip in strips]
        assert [line.strip() for line in reverse if "/n" in line or str(desk.folder) in line] == ["▸ [!] /nor/this"]
        await pilot.press("delete")
        await until(pilot, lambda: not said(app, "/nor/this"))
        assert said(app, "[!] /no/such/place")
        await pilot.press("up", "delete")
        await until(pilot, lambda: not said(app, "/no/such/place"))
        assert answers(desk, "city") == {"archives": [str(desk.folder)]}
        assert said(app, str(desk.folder))
        await pilot.press("delete")
        await until(pilot, lambda: answers(desk, "city") == {"archives": []})


async def test_garbage_in_a_number_is_refused_beside_its_field(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await into(pilot, app, "prepare")
        await pilot.press("tab", "tab", "ctrl+u", *"-3abc", "tab")
        await says(pilot, "[!] “Worker processes” is '-3abc'. Write a whole number, 0 or more.")
    assert answers(desk, "prepare").get("workers") is None


@pytest.mark.slow
async def test_a_free_choice_takes_a_known_value_or_another_one(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(80, 40)) as pilot:
        await into(pilot, app, "prepare")
        await says(pilot, "(•) leave it empty", "( ) this one", "( ) something else:")
        await pilot.press("tab", "tab", "tab")
        await pilot.press("tab")
        await paste(pilot, "/usr/bin/python3")
        await says(pilot, "(•) something else:", "a file")
        await pilot.press("tab")
        await until(pilot, lambda: answers(desk, "prepare").get("python") == "/usr/bin/python3")
        await pilot.press("shift+tab", "shift+tab", "up")
        await until(pilot, lambda: answers(desk, "prepare").get("python") == "this one")


@pytest.mark.slow
async def test_a_slow_keyring_does_not_hold_up_the_screen(desk: Desk) -> None:
    desk.ring.slow = 1.0
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await into(pilot, app, "idd")
        await paste(pilot, "https://host/file.zip")
        await pilot.press("enter")
        await says(pilot, "storing…")
        longest, before = 0.0, asyncio.get_running_loop().time()
        while said(app, "storing…"):
            await asyncio.sleep(0.01)
            now = asyncio.get_running_loop().time()
            longest, before = max(longest, now - before), now
        assert longest < desk.ring.slow
        await says(pilot, "kept in the system keyring")


def test_pasted_rows_that_the_terminal_wrapped_are_joined() -> None:
    assert pasted_rows("/a/b.zip\nc.zip\r/d") == ["/a/b.zip", "c.zip", "/d"]
    assert pasted_rows("/a/b\n  c.zip \r\nhttps://x/y?\nz=1\n\n~/d") == ["/a/bc.zip", "https://x/y?z=1", "~/d"]


@pytest.mark.slow
async def test_what_the_next_step_can_not_use_is_corrected_before_the_work_begins(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await into(pilot, app, "prepare")
        await pilot.press("tab", "tab", "ctrl+u", "escape", "f5")
        await until(pilot, lambda: isinstance(app.focused, Line))
        await says(pilot, "Write a whole number, 0 or more.", "Not begun: “Worker processes” has something")
        assert not desk.ran
        await pilot.press("2", "f5")
        await until(pilot, lambda: "open" in desk.ran)


@pytest.mark.slow
async def test_an_answer_brought_along_that_can_not_be_kept_says_so_beside_its_field(desk: Desk) -> None:
    app = desk.wizard(desk.ready(), preset={"idd": {"url": LINK.replace("2099", "2019")}, "finish": {"confirm": True}})
    async with app.run_test() as pilot:
        await into(pilot, app, "idd")
        await says(pilot, "[!] “Link from the browser” is a link that expired", "needed before this step can begin")
        assert not leaks(app, "GEHEIM")
        await paste(pilot, LINK)
        await pilot.press("enter")
        await says(pilot, "kept in the system keyring")
        assert not said(app, "expired")
    assert answers(desk, "finish") == {"confirm": True}


def test_a_tree_that_is_not_there_is_refused_at_once(desk: Desk) -> None:
    session = Session(load_steps(), desk.open)
    step = session.step("prepare")
    with pytest.raises(Problem, match="no such folder or zip"):
        session.remember(step, "mseg_api", "100000")
    session.remember(step, "mseg_api", "fetch")
    session.remember(step, "mseg_api", str(desk.folder))
