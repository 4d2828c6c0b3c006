"""The screen as it looks, state by state, against texts that a person has read; MSEG_WIZARD_GOLDENS=write writes them anew."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from mseg_wizard.context import Context
from mseg_wizard.progress import Problem, Progress
from mseg_wizard.tui.app import Wizard
from mseg_wizard.tui.dialogs import Tell
from tests.tui_kit import Desk, desk_at, into, says, screen, until

GOLDENS = Path(__file__).with_name("goldens")
SIZES = [(80, 24), (60, 20)]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr("mseg_wizard.opening._command", [])
    monkeypatch.setenv("TMUX", "there")
    with desk_at(tmp_path, monkeypatch) as desk:
        yield desk


def refuse(ctx: Context) -> Generator[Progress, None, None]:
    yield Progress("asking")
    raise Problem("The server refused two archives.", "Look whether they are there.", ["a.zip", "b.zip"])


async def matches(app: Wizard, pilot: Pilot[None], name: str, size: tuple[int, int]) -> None:
    """Hold the screen against its golden, once it has come to rest."""
    seen = ""
    while seen != (seen := normal(screen(app))):
        await pilot.pause(0.3)
    path = GOLDENS / f"{name}-{size[0]}x{size[1]}.txt"
    if os.environ.get("MSEG_WIZARD_GOLDENS") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(seen)
    assert seen == path.read_text(), f"{path.name}\n{seen}"


def normal(text: str) -> str:
    """Without what changes from run to run: places, sizes of the disk, clocks, scroll bars; every line stays as long as the eye sees it."""
    text = re.sub(r"[\d.,]+ [kMGT]?B free", "… free", text)
    text = re.sub(r"\d\d:\d\d:\d\d", "00:00:00", text)
    text = re.sub(r"·  ?~?[\d.]+ (s|min)( left)? ·", "· … left ·", text)
    return "\n".join(re.sub(r"[ ▁▂▃▄▅▆▇]+(┃?)$", r" \1", line).rstrip() for line in text.splitlines()) + "\n"


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_before_anything_is_named(desk: Desk, size: tuple[int, int]) -> None:
    app = desk.wizard()
    async with app.run_test(size=size) as pilot:
        await says(pilot, "waits for you")
        await matches(app, pilot, "start", size)
        await pilot.press("f8")
        await says(pilot, "Wipe the stored secrets?")
        await matches(app, pilot, "wipe", size)
        await pilot.press("escape", "f1")
        await matches(app, pilot, "help", size)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_at_work_then_waiting_for_a_form(desk: Desk, size: tuple[int, int]) -> None:
    desk.behaviours["open"] = desk.until_released
    app = desk.wizard(desk.ready())
    async with app.run_test(size=size) as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "downloading leftImg8bit.zip", "30%")
        await matches(app, pilot, "working", size)
        desk.release.set()
        await says(pilot, "waits for you: User name, Password.")
        await matches(app, pilot, "waiting", size)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_failure_and_after_it(desk: Desk, size: tuple[int, int]) -> None:
    desk.behaviours["open"] = refuse
    app = desk.wizard(desk.ready())
    async with app.run_test(size=size) as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, Tell))
        await matches(app, pilot, "failed", size)
        await pilot.press("escape")
        await says(pilot, "F5 tries again")
        await matches(app, pilot, "stopped", size)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_form_with_something_wrong_in_it(desk: Desk, size: tuple[int, int]) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test(size=size) as pilot:
        await says(pilot, "F5 starts")
        await into(pilot, app, "idd")
        await pilot.press(*"nonsense", "enter")
        await says(pilot, "[!]")
        await matches(app, pilot, "form", size)


def test_no_golden_is_left_over() -> None:
    names = {"start", "wipe", "help", "working", "waiting", "failed", "stopped", "form"}
    assert {path.name for path in GOLDENS.iterdir()} == {f"{name}-{width}x{height}.txt" for name in names for width, height in SIZES}
