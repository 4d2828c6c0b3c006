"""Of a text that says something else, the cells that differ are drawn anew, and what is drawn is the whole new text."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Region

from mseg_wizard.tui.widgets.changed_cells import changed_cells
from mseg_wizard.tui.widgets.frame import SteadyText

BEFORE = Content("fetch 41%\nthe end")
CASES = {
    "the same": (BEFORE, []),
    "a digit": (Content("fetch 42%\nthe end"), [Region(7, 0, 1, 1)]),
    "a colour alone": (BEFORE.stylize("red", 6, 9), [Region(6, 0, 3, 1)]),
    "two lines": (Content("fetch 40%\nthe ENd"), [Region(7, 0, 1, 1), Region(4, 1, 2, 1)]),
    "shorter": (Content("fetch 4\nthe end"), [Region(7, 0, 2, 1)]),
    "longer": (Content("fetch 41%\nthe end of it"), [Region(7, 1, 6, 1)]),
    "one line less": (Content("fetch 41%"), [Region(0, 1, 20, 1)]),
    "wide": (Content("fetch 漢%\nthe end"), [Region(6, 0, 2, 1)]),
}


class Texts(App[None]):
    def compose(self) -> ComposeResult:
        yield SteadyText(BEFORE)


async def test_what_differs_is_found_and_nothing_else_is_drawn() -> None:
    app = Texts()
    async with app.run_test(size=(20, 4)) as pilot:
        text = app.query_one(SteadyText)
        for name, (after, cells) in CASES.items():
            assert changed_cells(text, BEFORE, after, 20, 2) == cells, name
            for content in (after, BEFORE):
                text.put(content)
                await pilot.pause()
                shown = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
                assert shown[: len(content.plain.splitlines())] == content.plain.splitlines(), name
