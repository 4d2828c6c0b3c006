"""The screen at first sight: sizes, marks, keys, foreign text, colours."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from mseg_wizard.context import Context
from mseg_wizard.progress import Problem, Progress
from mseg_wizard.tui.screen import MainScreen
from mseg_wizard.tui.widgets.dialogs import QuestionDialog, TextDialog
from mseg_wizard.tui.widgets.frame import StepList
from tests.tui.kit import Desk, desk_at, read_on, says, screen, until


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with desk_at(tmp_path, monkeypatch) as desk:
        yield desk


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_the_first_screen_shows_steps_form_keys_and_the_wipe_button(desk: Desk, size: tuple[int, int]) -> None:
    app = desk.wizard()
    async with app.run_test(size=size) as pilot:
        await says(pilot, "[?]  1", "[ ]  2", "[ ]  5", "waits for you", "Wipe secrets", "0 of 5")
        lines = screen(app).splitlines()
        assert len(lines) == size[1]
        assert all(len(line) <= size[0] for line in lines)
        for key in ("F1 help", "F5 run", "F6 stop", "F7 log", "F8 wipe", "F10 quit"):
            assert key in lines[-1]
        await pilot.press("enter")
        await says(pilot, "[ ] I have read the paper", "needed before this step can begin")


@pytest.mark.slow
async def test_every_step_can_be_reached_and_read_with_the_arrow_keys(desk: Desk) -> None:
    app = desk.wizard()
    async with app.run_test(size=(60, 20)) as pilot:
        for step in desk.steps:
            await until(pilot, lambda: app.main.chosen in app.main.panes)
            await says(pilot, f"{step.number}  {step.title}", step.summary)
            if step is not desk.steps[-1]:
                await pilot.press("down")
        assert app.main.chosen == "finish"


async def test_a_small_screen_scrolls_by_keyboard(desk: Desk) -> None:
    app = desk.wizard()
    async with app.run_test(size=(60, 20)) as pilot:
        await says(pilot, "Say where")
        assert "Make the folders" not in screen(app)
        await pilot.press(*["pagedown"] * 5)
        await says(pilot, "Make the folders")
        await pilot.press(*["pageup"] * 5)
        await says(pilot, "Say where")


@pytest.mark.parametrize("on_the_way", [(), ("tab",), ("tab", "tab")], ids=["steps", "links", "box"])
async def test_a_page_is_scrolled_to_its_ends_and_by_pages_wherever_the_keyboard_is(
    desk: Desk, on_the_way: tuple[str, ...]
) -> None:
    app = desk.wizard()
    async with app.run_test(size=(60, 20)) as pilot:
        await says(pilot, "Say where")
        await pilot.press(*on_the_way)
        page, focused = app.main.panes["prepare"], app.focused
        for down, up in (("ctrl+end", "ctrl+home"), ("end", "home"), ("pagedown", "pageup")):
            if isinstance(focused, StepList) and down == "end":
                continue  # they choose the last step and the first
            times = 5 if down == "pagedown" else 1
            await pilot.press(*[down] * times)
            await until(pilot, lambda: page.scroll_y == page.max_scroll_y > 0, f"the end by {down}")
            await pilot.press(*[up] * times)
            await until(pilot, lambda: page.scroll_y == 0, f"the beginning by {up}")
        assert app.focused is focused


async def test_the_link_with_the_cursor_is_in_sight(desk: Desk) -> None:
    app = desk.wizard()
    async with app.run_test(size=(60, 20)) as pilot:
        await says(pilot, "Say where")
        await pilot.press("tab", "home", "down")
        page = app.main.panes["prepare"]
        page.styles.height = 3  # as where the lines below have much to say
        for key, label in (("up", "The paper"), ("down", "The code")):
            page.scroll_to(y=page.max_scroll_y, animate=False)
            await pilot.press(key)
            await until(pilot, lambda: label in screen(app), f"{label} after {key}")  # noqa: B023 - awaited at once


@pytest.mark.slow
async def test_growing_and_shrinking_the_terminal_keeps_everything_in_sight(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(60, 20)) as pilot:
        await says(pilot, "[ ]  2 open")
        await pilot.resize_terminal(120, 40)
        await says(pilot, "[ ]  2 Open datasets", "F10 quit", "Wipe secrets")
        await pilot.resize_terminal(60, 20)
        await says(pilot, "[ ]  2 open", "F10 quit", "Wipe secrets")


@pytest.mark.slow
async def test_a_window_too_small_says_how_large_it_must_be_and_all_comes_back(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test(size=(80, 24)) as pilot:
        await says(pilot, "[ ]  2 Open datasets")
        await pilot.press("f8")
        await says(pilot, "Wipe the stored secrets?")
        for size in ((60, 20), (40, 12), (20, 6), (120, 40), (80, 24)):
            await pilot.resize_terminal(*size)
        await pilot.press("escape", "escape", "home")
        await says(pilot, "[ ]  2 Open datasets", "F10 quit", "1  Prepare")
        await pilot.resize_terminal(50, 12)
        await until(pilot, lambda: screen(app).split("\n")[0] == "make the window at least 60×20")
        assert "F10" not in screen(app)
        await pilot.resize_terminal(60, 20)
        await says(pilot, "[ ]  2 open", "F10 quit")


async def test_what_was_found_out_too_late_is_drawn_no_more_and_is_no_bug(desk: Desk) -> None:
    app = desk.wizard()
    async with app.run_test() as pilot:
        await says(pilot, "Say where")
    with app._context():
        app.main.draw()


async def test_enter_on_a_link_copies_it_and_says_so(desk: Desk) -> None:
    app = desk.wizard()
    async with app.run_test() as pilot:
        await pilot.press("tab")
        await says(pilot, "https://example.org/paper.pdf?page=1")
        await pilot.press("enter")
        await says(pilot, "Copied, if your terminal allows that")
        assert app.clipboard == "https://example.org/paper.pdf?page=1"
        await pilot.press("down", "enter")
        assert app.clipboard == "https://example.org/code"


@pytest.mark.slow
async def test_help_and_log_open_and_close_with_their_keys_and_the_log_has_a_filter(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "[ ]  2")
        await pilot.press("f1")
        await says(pilot, "Help (Escape closes)", "F5 Ctrl+R run, go on, try again")
        await read_on(pilot, "tmux attach")
        await read_on(pilot, "universal", "the 194 classes that all training sets share")
        await pilot.press("escape")
        await says(pilot, "1  Prepare")
        await pilot.press("question_mark")
        await says(pilot, "universal")
        with app.session.log.open("a") as file:
            file.write("first [/foo] line\nsecond \x1b[31mred\x9b line https://host/x?Signature=GEHEIM\n")
        await pilot.press("f7")
        await says(pilot, "first [/foo] line", "second ·[31mred· line https://host/x?…")
        await pilot.press("shift+tab", *"FIRST")
        await until(pilot, lambda: "second" not in screen(app))
        assert "first [/foo] line" in screen(app)
        with app.session.log.open("a") as file:
            file.write("the first again\n")
        await says(pilot, "the first again")
        assert "GEHEIM" not in screen(app)
        await pilot.press("escape")
        await says(pilot, "1  Prepare")


@pytest.mark.slow
async def test_markup_and_control_characters_in_a_problem_are_shown_as_they_are(desk: Desk) -> None:
    def fail(ctx: Context) -> Generator[Progress, None, None]:
        yield Progress("looking at [/foo] \x1b]0;title\x07")
        raise Problem(
            "The server says [/foo] [bold]\x1b[31m\x9b.", "Ask [red]it.", [f"item [/{i}]" for i in range(3000)]
        )

    desk.behaviours["open"] = fail
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "[ ]  2")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await says(pilot, "The server says [/foo] [bold]·[31m·.", "Ask [red]it.", "item [/0]")
        await pilot.press("end")
        await says(pilot, "and 2,000 more, named in the log")
        await pilot.press("c")
        assert "item [/999]" in app.clipboard
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        await says(pilot, "[!]  2 Open datasets", "F5 tries again")
        assert "\x1b" not in screen(app)
        del desk.behaviours["open"]
        await pilot.press("f5")
        await says(pilot, "[x]  2 Open datasets")


@pytest.mark.slow
async def test_a_failure_leads_on_to_another_try_and_to_the_log_with_its_problems_only(desk: Desk) -> None:
    def fail(ctx: Context) -> Generator[Progress, None, None]:
        yield Progress("on the way")
        if desk.ran.count("open") == 1:
            raise Problem("The server refused.", "Ask it.", ["a.zip"])
        raise ValueError("planted")

    desk.behaviours["open"] = fail
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "[ ]  2")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await says(pilot, "The server refused.", "Ask it.", "a.zip", "F5 tries again · F7 log")
        await pilot.press("f5")
        await says(pilot, "Something unexpected happened")
        with app.session.log.open("a") as file:
            file.write(
                "2026-01-01 10:00:00,000 INFO mseg_wizard: all is well\n2026-01-01 10:00:01,000 WARNING mseg_wizard: "
                "refused\n"
            )
            file.write('Traceback (most recent call last):\n  File "x.py", line 1, in y\n    raise\n')
        await pilot.press("f7")
        await says(pilot, "10:00:00 all is well", "10:00:01 WARNING refused")
        assert "Traceback" not in screen(app)
        await pilot.press("f3")
        await says(pilot, "Traceback (most recent call last)")
        await pilot.press("f3", "f2")
        await until(pilot, lambda: "all is well" not in screen(app))
        assert "refused" in screen(app)
        await pilot.press(*"nothing like it")
        await until(pilot, lambda: "refused" not in screen(app))


async def test_a_bug_is_told_without_details_and_names_the_log(desk: Desk) -> None:
    def crash(ctx: Context) -> Generator[Progress, None, None]:
        yield Progress("on the way")
        raise ValueError("geheim")

    desk.behaviours["open"] = crash
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "[ ]  2")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await says(pilot, "Something unexpected happened", "ValueError", "log.txt")
        assert "geheim" not in screen(app)


@pytest.mark.parametrize("colours", [False, True])
async def test_without_colours_the_marks_say_it_all(desk: Desk, monkeypatch: pytest.MonkeyPatch, colours: bool) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not colours:
        monkeypatch.setenv("NO_COLOR", "1")
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "[ ]  2 Open datasets")
        strips = app.screen._compositor.render_strips()
        for each in app._filters:
            strips = (
                [strip.apply_filter(each, app.screen.styles.background) for strip in strips] if each.enabled else strips
            )
        coloured = {
            segment.style.color.name for strip in strips for segment in strip if segment.style and segment.style.color
        }
        assert bool(coloured - {"default"}) is colours


async def test_the_step_list_has_the_keyboard_first_and_escape_leads_back_to_it(desk: Desk) -> None:
    app = desk.wizard()
    async with app.run_test() as pilot:
        await says(pilot, "waits for you")
        assert isinstance(app.focused, StepList)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.focused, StepList))
        await pilot.press("escape")
        assert isinstance(app.focused, StepList)


@pytest.mark.parametrize("size", [(60, 20), (40, 12)], ids=str)
@pytest.mark.parametrize("lines", [1, 60])
async def test_what_a_dialog_can_be_answered_is_never_out_of_sight(
    desk: Desk, size: tuple[int, int], lines: int
) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "F5")
        await pilot.resize_terminal(*size)
        text = "\n".join(f"line {number}" for number in range(lines))
        await app.push_screen(QuestionDialog("May it?", text, "Yes, allow it all", "Leave it as it is"))
        await says(pilot, "May it?", "line 0", "[ Leave it as it is ]", "[ Yes, allow it all ]")
        app.pop_screen()
        await app.push_screen(TextDialog("It can't.", text, again=True))
        await says(pilot, "It can't.", "line 0", "F5 tries again · F7 log")


async def test_once_the_first_screen_stands_garbage_is_collected_again(desk: Desk) -> None:
    gc.disable()
    try:
        async with desk.wizard().run_test() as pilot:
            await until(pilot, gc.isenabled)
    finally:
        gc.enable()
