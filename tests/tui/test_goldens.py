"""The screen as it looks, state by state, against texts and pictures that a person has looked at.

MSEG_WIZARD_GOLDENS=write writes them anew.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from mseg_wizard.context import Consent, Context
from mseg_wizard.progress import Problem, Progress
from mseg_wizard.tui import themes
from mseg_wizard.tui.app import Wizard
from mseg_wizard.tui.widgets.dialogs import QuestionDialog, TextDialog
from mseg_wizard.tui.widgets.editors import SecretLine
from tests.tui.kit import Desk, desk_at, into, says, screen, until

GOLDENS = Path(__file__).with_name("goldens")
SIZES = [(80, 24), (60, 20), (120, 40)]
STATES = {
    "start",
    "wipe",
    "help",
    "working",
    "quit",
    "waiting",
    "failed",
    "stopped",
    "form",
    "filled",
    "consent",
    "log",
    "complete",
}
OVERVIEWS = {"overview", "overview-working", "overview-failed"}
OVERVIEW_SIZES = [(80, 24), (60, 20), (120, 40), (200, 60)]
"""Of the overview, over the real steps: held where it is tested."""
PICTURED = {"start", "working", "working-light", "waiting", "failed", "complete"}
"""States whose colours are held, too, at 80×24."""
LOGIN = {"username": "erika", "password": "geheim"}
LINK = "https://bucket.example.com/idd.tar.gz"


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("TMUX", "there")
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "COLORFGBG"):
        monkeypatch.delenv(name, raising=False)
    # Its name is always as long: where lines break depends on it.
    folder = Path(tempfile.mkdtemp(prefix="mseg-", dir="/tmp"))
    with desk_at(folder, monkeypatch) as desk:
        yield desk
    shutil.rmtree(folder, ignore_errors=True)


def refuse(ctx: Context) -> Generator[Progress, None, None]:
    yield Progress("asking")
    raise Problem("The server refused two archives.", "Look whether they are there.", ["a.zip", "b.zip"])


async def matches(
    app: Wizard, pilot: Pilot[None], name: str, size: tuple[int, int], columns: int | None = None
) -> None:
    """Hold the screen against its golden, once it has come to rest there; a busy machine takes its time to draw.

    `columns`: as many of the left alone, where beside them stands what a step file says.
    """
    path = GOLDENS / f"{name}-{size[0]}x{size[1]}.txt"
    writing = os.environ.get("MSEG_WIZARD_GOLDENS") == "write"
    seen, same = "", 0
    for _ in range(100):
        before, seen = seen, normal("\n".join(line[:columns] for line in screen(app).splitlines()))
        same = same + 1 if seen == before else 0
        if same and (same > 3 if writing else seen == path.read_text()):
            break
        await pilot.pause(0.3)
    if writing:
        path.parent.mkdir(exist_ok=True)
        path.write_text(seen)
    assert seen == path.read_text(), f"{path.name}\n{seen}"
    if size == SIZES[0] and name in PICTURED:
        pictured(app, name)


def pictured(app: Wizard, name: str) -> None:
    """Hold what the program itself draws of its screen against its golden."""
    svg, path = app.export_screenshot(title="mseg-wizard"), GOLDENS / f"{name}.svg"
    if os.environ.get("MSEG_WIZARD_GOLDENS") == "write" and not (
        path.exists() and drawn(svg) == drawn(path.read_text())
    ):
        path.write_text(svg)
    assert drawn(svg) == drawn(path.read_text()), f"{path.name} looks otherwise"


def drawn(svg: str) -> list[tuple[str, str, str]]:
    """Each run of text: its line, its style, its words; that says
    what a picture looks like, however it is written down.
    """
    styles = dict(re.findall(r"-(r\d+) \{ ([^}]*) \}", svg))
    runs = re.findall(r'<text class="[^"]*-(r\d+)" x="[^"]*" y="([^"]*)"[^>]*>([^<]*)</text>', svg)
    return [
        (y, styles[style], normal(html.unescape(text).replace("\xa0", " ")).strip())
        for style, y, text in runs
        if text.strip()
    ]


def normal(text: str) -> str:
    """Without what changes from run to run: places, sizes of the disk,
    clocks, scroll bars; every line stays as long as the eye sees it.
    """
    text = re.sub(r"mseg-[a-z0-9_]{8}", "mseg-........", text)
    text = re.sub(r"[\d,]+ inodes", "… inodes", text)
    text = re.sub(r"\d{4}-\d\d-\d\d", "2020-02-02", text)
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


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_at_work_then_waiting_for_a_form(desk: Desk, size: tuple[int, int]) -> None:
    desk.behaviours["open"] = desk.until_released
    app = desk.wizard(desk.ready())
    async with app.run_test(size=size) as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "downloading leftImg8bit.zip", "30%")
        await until(pilot, lambda: app.main.chosen == "open")
        await matches(app, pilot, "working", size)
        if size == SIZES[0]:
            await pilot.press("f9")
            await until(pilot, lambda: app.theme == themes.LIGHT.name)
            await pilot.pause(0.3)
            pictured(app, "working-light")
            await pilot.press("f9")
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, QuestionDialog))
        await matches(app, pilot, "quit", size)
        await pilot.press("escape")
        desk.release.set()
        await says(pilot, "waits for you: User name, Password.")
        await until(pilot, lambda: isinstance(app.focused, SecretLine))
        await matches(app, pilot, "waiting", size)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_failure_and_after_it(desk: Desk, size: tuple[int, int]) -> None:
    desk.behaviours["open"] = refuse
    app = desk.wizard(desk.ready())
    async with app.run_test(size=size) as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
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


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_form_that_is_filled_ahead(desk: Desk, size: tuple[int, int]) -> None:
    app = desk.wizard(desk.ready(city=LOGIN, idd={"url": LINK}))
    async with app.run_test(size=size) as pilot:
        await says(pilot, "F5 starts", "[+]  3")
        await into(pilot, app, "city")
        await matches(app, pilot, "filled", size)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_question_and_the_log(desk: Desk, size: tuple[int, int]) -> None:
    def ask(ctx: Context) -> Generator[Progress, None, None]:
        yield Progress("looking")
        raise Consent("3 label maps were not made by this wizard.", "Allow that they are made again.", "remake")

    desk.behaviours["open"] = ask
    app = desk.wizard(desk.ready())
    async with app.run_test(size=size) as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, QuestionDialog))
        await matches(app, pilot, "consent", size)
        await pilot.press("escape", "f7")
        await says(pilot, "were not made by this")
        await pilot.press(*"warning")
        await until(pilot, lambda: "begins" not in screen(app))
        await matches(app, pilot, "log", size)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_all_is_done(desk: Desk, size: tuple[int, int]) -> None:
    app = desk.wizard(desk.ready(city=LOGIN, idd={"url": LINK}, finish={"confirm": True}))
    async with app.run_test(size=size) as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "Training code finds them", "F10 ends")
        await matches(app, pilot, "complete", size)


def test_no_golden_is_left_over() -> None:
    texts = {f"{name}-{width}x{height}.txt" for name in STATES for width, height in SIZES}
    texts |= {f"{name}-{width}x{height}.txt" for name in OVERVIEWS for width, height in OVERVIEW_SIZES}
    assert {path.name for path in GOLDENS.iterdir()} == texts | {f"{name}.svg" for name in PICTURED}
