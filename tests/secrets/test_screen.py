"""Secrets typed and pasted into forms: pictures of the screen, its clipboard, its dialogs show how long they are."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.secrets.canaries import Search, token
from tests.tui.kit import desk_at, into, paste, screen, type_in

NAMES = ("password", "query", "shouted")
"""A user's name is none of them: it is shown to who typed it."""


@pytest.mark.slow
async def test_pictures_and_clipboard_have_no_secret_whatever_is_pressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    search = Search(NAMES)
    given = {
        ("city", "archives"): f"HTTPS://x.example/gtFine.zip?{token('shouted')}",
        ("city", "password"): token("password"),
        ("idd", "url"): f"<https://x.example/idd-segmentation.tar.gz?{token('query')}>",
    }
    with desk_at(tmp_path, monkeypatch) as desk:
        app = desk.wizard(desk.ready())
        async with app.run_test(size=(100, 60)) as pilot:
            seen = []
            for (step, name), value in given.items():
                await into(pilot, app, step)
                app.main.panes[step].rows[name].query_one(Input).focus()
                await pilot.pause()
                await (type_in(pilot, value) if name == "archives" else paste(pilot, value))
                seen.append(app.export_screenshot())
                # all of it chosen, copied, cut and pasted again; then the
                # usual keys of palettes, screenshots and viewers
                await pilot.press("home", "shift+end", "ctrl+c", "ctrl+x", "ctrl+v", "ctrl+p", "escape", "f7", "escape")
                seen += [app.export_screenshot(), screen(app), app.clipboard]
            await pilot.press("escape", "f8")
            await pilot.pause()
            seen += [app.export_screenshot(), app.clipboard]
        for text in seen:
            search.text("a picture, the screen or its clipboard", text)
        assert any("●" in text or "•" in text for text in seen), "something was typed"
    search.text("what was logged", caplog.text)
    search.folder(tmp_path)
    search.count()
    assert search.found == []
