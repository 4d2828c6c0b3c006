"""The log on the screen: the end of the log file, and a filter. Writing the log is done elsewhere."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Key
from textual.widgets import RichLog, Static

from mseg_wizard.core.log import redact
from mseg_wizard.progress import printable
from mseg_wizard.tui.background import beside
from mseg_wizard.tui.session import Session
from mseg_wizard.tui.text import fit
from mseg_wizard.tui.widgets.editors import Line
from mseg_wizard.tui.widgets.frame import SteadyText

TAIL = 200_000
"""Bytes at the end of the file that are shown."""
END, LEAST, SELDOM = 10_000, 4, 2.0
"""Of its last lines alone: bytes that are read, rows below which none are shown, seconds between two looks."""


PROBLEM = re.compile(r"^(\S+ ){0,2}(WARNING|ERROR|CRITICAL)\b")
TRACE = re.compile(r"^(Traceback \(most recent|  File |    |During handling of|The above exception)")
"""A line of Python's that says where in the program something happened: for who asks."""


class LogPane(Vertical):
    """Follows the log while it is shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "screen.log", show=False),
        Binding("f2,ctrl+e", "only_errors", show=False),
        Binding("f3", "traces", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="pane-log")
        self.path = Path(os.devnull)
        self._lines: list[str] = []
        self._drawn: list[str] = []
        self._only_errors = self._traces = False

    def compose(self) -> ComposeResult:
        yield Static(classes="title")
        yield Line(placeholder="type to show only lines with …")
        yield RichLog(wrap=True, min_width=0, max_lines=5000)

    def on_mount(self) -> None:
        self.set_interval(1.0, self._follow)

    def follow(self, path: Path) -> None:
        """Show this file from now on."""
        self.path = path
        self._entitle()
        self._follow()

    def action_only_errors(self) -> None:
        self._only_errors = not self._only_errors
        self._entitle()
        self._draw()

    def action_traces(self) -> None:
        self._traces = not self._traces
        self._entitle()
        self._draw()

    def on_key(self, event: Key) -> None:
        """Letters go into the filter from wherever one is."""
        line = self.query_one(Line)
        if event.is_printable and event.character and not line.has_focus:
            line.focus()
            line.insert_text_at_cursor(event.character)
            event.stop()
            event.prevent_default()

    def _entitle(self) -> None:
        keys = (
            f"F2 {'all lines' if self._only_errors else 'problems only'} · F3 "
            f"{'hides' if self._traces else 'shows'} tracebacks"
        )
        self.query_one(Static).update(Content(f"Log: {printable(str(self.path))}\n{keys}"))

    def _follow(self) -> None:
        if self.display:
            beside(self, self._read, exclusive=True)

    async def _read(self) -> None:
        self._lines = await asyncio.to_thread(tail, self.path)
        self._draw()

    def on_input_changed(self) -> None:
        self._draw()

    def _draw(self) -> None:
        wanted = self.query_one(Line).value.lower()
        lines = self._lines if self._traces else [line for line in self._lines if not TRACE.match(line)]
        lines = [line for line in lines if wanted in line.lower() and (not self._only_errors or PROBLEM.search(line))]
        if lines == self._drawn:
            return
        view = self.query_one(RichLog)
        fresh = lines[len(self._drawn) :]
        if lines[: len(self._drawn)] != self._drawn:
            view.clear()
            fresh = lines
        self._drawn = lines
        for line in fresh:
            view.write(line)


class LogTail(SteadyText):
    """The last lines of the log, as many as there is room for, where nothing else wants it."""

    def __init__(self, session: Session) -> None:
        super().__init__(id="tail")
        self._session = session

    def on_mount(self) -> None:
        self.set_interval(SELDOM, self._look)

    def on_resize(self) -> None:
        self._look()

    def _look(self) -> None:
        if self.size.height > LEAST:
            beside(self, self._read, exclusive=True)

    async def _read(self) -> None:
        lines = await asyncio.to_thread(tail, self._session.log, END)
        lines = [fit(line, self.size.width) for line in lines if not TRACE.match(line)][-(self.size.height - 1) :]
        told = Content.styled("\n".join(["the end of the log (F7)", *lines]), "dim") if lines else Content("")
        if told != self.content:
            self.put(told)


def tail(path: Path, most: int = TAIL) -> list[str]:
    """The last lines of a file, safe to show; empty while there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [printable(redact(_short(line)), 2000) for line in (lines[1:] if size > most else lines)]


def _short(line: str) -> str:
    """A line without date and logger's name; the level stays where it is more than INFO."""
    return re.sub(
        r"^\S+ (\d\d:\d\d:\d\d),\d+ (?:INFO|(\w+)) \S+: ", lambda m: f"{m[1]} {m[2] + ' ' if m[2] else ''}", line
    )
