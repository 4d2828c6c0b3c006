"""Colours: readable in both themes, the user's choice kept, the terminal's own where it has few."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.color import Color
from textual.strip import Strip
from textual.theme import BUILTIN_THEMES, Theme

from mseg_wizard.standing.snapshot import Snapshot
from mseg_wizard.tui import themes
from mseg_wizard.tui.step_page import LinkList
from mseg_wizard.tui.widgets.frame import StepList
from tests.tui.contrast import contrast
from tests.tui.kit import Desk, desk_at, says, until


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.delenv("COLORFGBG", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    with desk_at(tmp_path, monkeypatch) as desk:
        yield desk


@pytest.mark.parametrize("theme", themes.THEMES, ids=lambda theme: theme.name)
def test_every_colour_of_text_can_be_read_on_every_background(theme: Theme) -> None:
    """WCAG 2.2 asks for 4.5 to 1."""
    for text in (
        theme.foreground,
        theme.primary,
        theme.secondary,
        theme.accent,
        theme.success,
        theme.warning,
        theme.error,
    ):
        grounds = [theme.background, theme.surface, theme.panel]
        if text != theme.primary:  # only lines are drawn in it
            grounds.append(themes.cursor_row(theme))
        for ground in grounds:
            assert text and ground
            assert contrast(Color.parse(text), Color.parse(ground)) >= 4.5, (text, ground)


@pytest.mark.parametrize("name", [name for name, theme in BUILTIN_THEMES.items() if not theme.ansi])
async def test_words_can_be_read_in_each_of_textuals_themes_too(desk: Desk, name: str) -> None:
    app = desk.wizard()
    app.theme = name
    found = app.get_css_variables()
    for text in themes.WRITTEN:
        for ground in themes.GROUNDS:
            assert contrast(Color.parse(found[text]), Color.parse(found[ground])) >= 4.5, (text, ground)


@pytest.mark.parametrize("theme", themes.THEMES, ids=lambda theme: theme.name)
def test_the_wizards_own_colours_are_left_as_they_are(theme: Theme) -> None:
    variables = {**theme.to_color_system().generate(), **theme.variables, "cursor-row": themes.cursor_row(theme)}
    assert themes.readable(variables) == variables


@pytest.mark.parametrize("colours", ["truecolor", "16", "none"])
async def test_the_row_with_the_cursor_is_told_from_the_others_in_every_kind_of_colours(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, colours: str
) -> None:
    if colours == "none":
        monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "screen" if colours == "16" else "xterm-256color")
    monkeypatch.delenv("COLORTERM", raising=False)
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        for rows in [app.main.query_one(LinkList), app.main.query_one(StepList)]:
            rows.focus()
            await pilot.press("down")
            await until(pilot, lambda: rows.has_focus and rows.highlighted)  # noqa: B023 - awaited at once
            left, top, width, height = rows.content_region
            seen = [strip.crop(left, left + width) for strip in app.screen._compositor.render_strips()]
            looks = [_ground(strip) for strip in seen[top : top + height]]
            at = looks.pop((rows.highlighted or 0) - rows.scroll_offset.y)
            assert looks
            assert at not in looks


def _ground(strip: Strip) -> object:
    """What is behind most of a line: a colour, or reversed text."""
    style = max(strip, key=lambda segment: len(segment.text)).style
    return style and (style.bgcolor, bool(style.reverse))


@pytest.mark.parametrize("theme", themes.THEMES, ids=lambda theme: theme.name)
async def test_what_the_list_shows_can_be_read_also_on_the_row_that_is_selected(desk: Desk, theme: Theme) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        app.theme = theme.name
        assert app.session.runner
        app.session.runner.snapshot = Snapshot(running=True, calls=("prepare/folders/BDD",))
        app.main.draw()
        steps = app.main.query_one(StepList)
        await until(pilot, lambda: steps.has_focus)
        rows = [strip.crop(0, steps.size.width) for strip in app.screen._compositor.render_strips()]
        seen = [segment for row in rows[: steps.size.height] for segment in row if segment.text.strip(" │")]
        assert len({segment.style.bgcolor for segment in seen if segment.style}) > 1, "a row is selected"
        for segment in seen:
            style = segment.style
            assert style
            assert style.color
            assert style.bgcolor
            ratio = contrast(Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor))
            assert ratio >= 4.5, (segment.text, style)


async def test_f9_turns_to_light_and_the_next_start_remembers_it(desk: Desk) -> None:
    app = desk.wizard()
    async with app.run_test() as pilot:
        await says(pilot, "waits for you")
        assert app.theme == themes.DARK.name
        await pilot.press("f9")
        await until(pilot, lambda: app.theme == themes.LIGHT.name)
        await until(pilot, lambda: themes.chosen({}) == themes.LIGHT.name, "remembered")
    assert desk.wizard().theme == themes.LIGHT.name


@pytest.mark.parametrize(
    ("said", "theme"), [("", themes.DARK), ("15;0", themes.DARK), ("0;15", themes.LIGHT), ("0;default;7", themes.LIGHT)]
)
def test_a_terminal_that_tells_of_a_light_background_gets_the_light_theme(desk: Desk, said: str, theme: Theme) -> None:
    assert themes.chosen({"COLORFGBG": said}) == theme.name


async def test_without_colours_the_terminals_own_are_left_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = desk.wizard()
    async with app.run_test() as pilot:
        await says(pilot, "waits for you")
        await pilot.press("f9")
        await says(pilot, "your terminal's own colours")
        assert app.theme == themes.OWN


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"TERM": "xterm-kitty"}, "truecolor"),
        ({"TERM": "foot", "COLORTERM": ""}, "truecolor"),
        ({"TERM": "foot", "COLORTERM": "24bit"}, "24bit"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "tmux-256color"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_a_terminal_that_is_known_for_all_colours_has_them_also_over_ssh(
    environment: dict[str, str], told: str | None
) -> None:
    themes.tell_of_colors(environment)
    assert environment.get("COLORTERM") == told
