"""Paths that are typed: the rest is suggested, what fits is said, and no folder on the disk holds anything up."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mseg_wizard.state.journal_file import read_journal
from mseg_wizard.tui.widgets import path_suggester
from mseg_wizard.tui.widgets.editors import Line
from mseg_wizard.tui.widgets.path_suggester import DiskLook, FittingPaths, fitting_paths
from mseg_wizard.tui.widgets.source_list import ARCHIVE_ENDS, SourceLine
from tests.tui.kit import Desk, desk_at, into, paste, said, says, type_in, until


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with desk_at(tmp_path, monkeypatch) as desk:
        yield desk


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with three folders that fit `da`, and things that fit nothing."""
    shelf = tmp_path / "shelf"
    for name in ("data", "data2", "datasets", "other", ".hidden"):
        (shelf / name).mkdir(parents=True)
    for name in ("dat.zip", "DAT.TGZ", "dab.txt"):
        (shelf / name).touch()
    return shelf


def test_what_fits_is_completed_as_far_as_all_agree(shelf: Path) -> None:
    assert fitting_paths(f"{shelf}/da") == FittingPaths(f"{shelf}/data", "3 fit: data/, data2/, datasets/")
    assert fitting_paths(f"{shelf}/data") == FittingPaths("", "3 fit: data/, data2/, datasets/")
    assert fitting_paths(f"{shelf}/o") == FittingPaths(f"{shelf}/other/", "Right completes it: other/")
    assert fitting_paths(f"{shelf}/") == FittingPaths("", "4 fit: data/, data2/, datasets/, …")
    assert fitting_paths(f"{shelf}/x") == fitting_paths("/no/such/place/x") == FittingPaths()


def test_folders_alone_are_suggested_or_archives_too(shelf: Path) -> None:
    assert fitting_paths(f"{shelf}/dat.").whole == ""
    assert fitting_paths(f"{shelf}/dat.", ARCHIVE_ENDS).whole == f"{shelf}/dat.zip"
    assert fitting_paths(f"{shelf}/DAT", ARCHIVE_ENDS).whole == f"{shelf}/DAT.TGZ"
    assert fitting_paths(f"{shelf}/dab", ARCHIVE_ENDS) == FittingPaths()
    assert fitting_paths(f"{shelf}/dab", ("",)).whole == f"{shelf}/dab.txt"
    assert fitting_paths(f"{shelf}/dab.txt", ("",)) == FittingPaths()


def test_hidden_names_fit_only_behind_a_dot_and_home_stays_a_tilde(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(shelf))
    assert "hidden" not in fitting_paths(f"{shelf}/").words
    assert fitting_paths("~/.h").whole == "~/.hidden/"
    assert fitting_paths("~/oth").whole == "~/other/"
    assert fitting_paths("~") == fitting_paths("~nobody-of-this-name/x") == FittingPaths()


def test_odd_places_suggest_nothing_and_raise_nothing(shelf: Path) -> None:
    (shelf / "oddly").symlink_to("nowhere")
    (shelf / "odds.zip").symlink_to("odds.zip")
    os.mkdir(os.fsencode(shelf) + b"/odd\xff")  # noqa: PTH102 - a name that is no text
    (shelf / "odd\nline").mkdir()
    (shelf / "closed").mkdir(mode=0)
    assert fitting_paths(f"{shelf}/odd", ARCHIVE_ENDS) == FittingPaths()
    for text in (f"{shelf}/closed/", f"{shelf}/dab.txt/x", "\0", "/\udcff/", "/" + "x/" * 5000, f"{shelf}/oddly/"):
        assert fitting_paths(text) == FittingPaths()


def test_a_folder_too_large_to_read_is_read_in_part(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_suggester, "ENTRIES", 20)
    for number in range(40):
        (shelf / "many" / f"name{number:02}").mkdir(parents=True)
    found = fitting_paths(f"{shelf}/many/na")
    assert found.whole == ""
    assert found.words.startswith("Some that fit: name")
    assert found.words.endswith(", …")


async def test_a_look_that_hangs_keeps_one_thread_and_the_newest_text_is_looked_at_next() -> None:
    eye, hangs, looked = DiskLook(), threading.Event(), []
    newest = 0

    def at(number: int) -> int:
        hangs.wait()
        looked.append(number)
        return number

    async def ask(number: int) -> int | None:
        return await eye.look(lambda: at(number), lambda: number == newest)

    asked = []
    for newest in range(20):
        asked.append(asyncio.create_task(ask(newest)))
        await asyncio.sleep(0)
    asked[5].cancel()
    assert sum(thread.name == "path look-up" for thread in threading.enumerate()) == 1
    hangs.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert looked == [0, 19]
    assert found[-1] == 19


@pytest.mark.slow
async def test_the_destination_is_completed_by_right_and_end_and_tab_only_goes_on(desk: Desk, shelf: Path) -> None:
    app = desk.wizard()
    async with app.run_test(size=(180, 40)) as pilot:
        await into(pilot, app, "prepare")
        await pilot.press("tab")
        line = app.focused
        assert isinstance(line, Line)
        await paste(pilot, f"{shelf}/d")
        await says(pilot, f"{shelf}/data", "3 fit: data/, data2/, datasets/")
        assert line.value == f"{shelf}/d"
        await pilot.press("right")
        assert line.value == f"{shelf}/data"
        await type_in(pilot, "s")
        await says(pilot, f"{shelf}/datasets/", "Right completes it: datasets/")
        await pilot.press("tab")
        assert line.value == f"{shelf}/datas"
        assert app.focused is not line
        await until(pilot, lambda: not said(app, "Right completes it"))
        await pilot.press("shift+tab")
        await type_in(pilot, "e")
        await says(pilot, f"{shelf}/datasets/")
        await pilot.press("end")
        assert line.value == f"{shelf}/datasets/"


@pytest.mark.slow
async def test_rows_are_completed_and_links_and_secrets_are_looked_up_nowhere(
    desk: Desk, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []

    def noting(text: str, endings: tuple[str, ...] = ()) -> FittingPaths:
        listed.append(text)
        return fitting_paths(text, endings)

    monkeypatch.setattr(path_suggester, "fitting_paths", noting)
    (shelf / "gtFine.zip").touch()
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(180, 40)) as pilot:
        await into(pilot, app, "city")
        await type_in(pilot, "/tmp/")
        await pilot.press("tab")
        await type_in(pilot, "~/x")
        await pilot.press("tab")
        assert isinstance(app.focused, SourceLine)
        await type_in(pilot, "htt")
        await paste(pilot, "ps://host/x/gtFine.zip?token=1")
        await pilot.pause(0.5)
        assert set(listed) <= {str(desk.destination)}
        await pilot.press("ctrl+u")
        await paste(pilot, f"{shelf}/o")
        await says(pilot, f"{shelf}/other/")
        await pilot.press("right", "enter")
        await until(pilot, lambda: answers(desk, "city") == [f"{shelf}/other"])
        await says(pilot, "kept in the journal")


@pytest.mark.slow
async def test_the_line_of_a_choice_takes_any_file(desk: Desk, shelf: Path) -> None:
    (shelf / "python3.99").touch()
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(180, 40)) as pilot:
        await into(pilot, app, "prepare")
        await pilot.press("tab", "tab", "tab", "tab")
        await paste(pilot, f"{shelf}/py")
        await says(pilot, f"{shelf}/python3.99")
        await pilot.press("right", "tab")
        await says(pilot, "[!]", "is no program that can be run")


async def test_the_screen_goes_on_and_ends_while_a_folder_hangs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(path_suggester, "fitting_paths", lambda text, endings=(): hangs.wait() and FittingPaths())
    app = desk.wizard()
    async with app.run_test(size=(180, 40)) as pilot:
        await into(pilot, app, "prepare")
        await pilot.press("tab")
        await type_in(pilot, "/net/slow")
        await pilot.pause(0.5)
        await type_in(pilot, "er/still")
        await pilot.press("tab", "tab")
        await says(pilot, "/net/slower/still")
        assert sum(thread.name == "path look-up" for thread in threading.enumerate()) <= 2
        await pilot.press("f10")
    hangs.set()


def answers(desk: Desk, step: str) -> object:
    journal = read_journal(desk.destination)
    return journal.answers.get(step, {}).get("archives") if journal else None
