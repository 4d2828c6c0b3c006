"""What the screen does by name: the palette; and the answers that it saves to be used again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.command import CommandPalette

from mseg_wizard.answers.file import read_answers
from mseg_wizard.cli.parser import parser
from mseg_wizard.core.invocation import Invocation
from mseg_wizard.tui import themes
from mseg_wizard.tui.screen import ACTIONS, MainScreen
from mseg_wizard.tui.widgets.dialogs import TextDialog
from tests.tui.kit import Desk, desk_at, says, until

LOGIN = {"username": "erika", "password": "geheim"}
LINK = "https://bucket.example.com/idd.tar.gz?Signature=geheim"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "COLORFGBG"):
        monkeypatch.delenv(name, raising=False)
    with desk_at(tmp_path, monkeypatch) as desk:
        yield desk


async def test_f4_in_practice_says_that_the_command_shows_only_how_that_looks(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    app.session.invocation = Invocation(("practice",))
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.session.ctx)
        await pilot.press("f4")
        await says(pilot, "The same unattended", "Of practice it only shows how that looks")


async def test_f4_saves_what_was_answered_without_secrets_and_shows_the_command_that_does_the_same(desk: Desk) -> None:
    here = [str(desk.folder / "é\x7f.zip")]
    app = desk.wizard(
        desk.ready(prepare={"read": True, "workers": 7, "python": 'a "b"'}, city=LOGIN, idd={"url": LINK})
    )
    app.session.invocation = Invocation(("--plain", "--workers=2", "--answers", "old.toml"))
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.session.ctx)
        assert app.session.ctx
        app.session.ctx.store.answer("city", "archives", here)
        await pilot.press("f4")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await says(pilot, "Your answers were saved", "The same unattended")
        path = app.session.ctx.own / "answers.toml"
        await pilot.press("c")
        command = app.clipboard
    app.session.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert not {"erika", "geheim"} & set(path.read_text().replace('"', " ").split())
    assert "# password: from the system keyring or CITY_PASSWORD" in path.read_text()
    path.chmod(0o644)  # others may read it, as it holds no secret
    assert read_answers(path, desk.steps) == {
        "prepare": {"read": True, "workers": 7, "python": 'a "b"'},
        "city": {"archives": here},
        "idd": {},
    }
    words = shlex.split(command)
    assert words[:2] == ["mseg-wizard", "run"]
    args = parser().parse_args(words[1:])
    assert (args.dest, args.answers, args.workers) == (desk.destination, path, 2)


async def test_without_a_destination_there_is_nothing_to_save_them_in(desk: Desk) -> None:
    app = desk.wizard()
    async with app.run_test() as pilot:
        await pilot.press("f4")
        await says(pilot, "No folder is named yet. Type one: it is made if it is not there.")


@pytest.mark.slow
async def test_the_palette_holds_every_action_and_does_it(desk: Desk) -> None:
    app = desk.wizard(desk.ready(city=LOGIN))
    async with app.run_test(size=(100, 40)) as pilot:
        await says(pilot, "F5 starts")
        offered = {command.title for command in app.get_system_commands(app.main)}
        keys = {binding.action for binding in MainScreen.BINDINGS if not isinstance(binding, tuple)}
        moves = {"focus_steps", *(action for action in keys if action.startswith("scroll_pane"))}
        assert {action for _, _, action in ACTIONS} == keys - moves
        assert offered == {title for title, _, _ in ACTIONS} - {"Stop", "Steps or overview"} | {"Other colours", "Quit"}
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"other col")
        await says(pilot, "One of Textual's themes")
        await pilot.press("enter")
        await says(pilot, "nord", "dracula")
        await pilot.press(*"nord")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(pilot, lambda: app.theme == "nord")
        await until(pilot, lambda: themes.chosen({}) == "nord", "remembered")
