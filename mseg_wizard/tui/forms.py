"""What is typed and what is found out: keeping answers, opening the destination, surveying.

All that may take time runs in threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.widgets import Button

from mseg_wizard.answers.fields import HOME, taken_as
from mseg_wizard.progress import Problem
from mseg_wizard.tui.background import beside
from mseg_wizard.tui.drafts import revealed, sifted
from mseg_wizard.tui.step_page import pane_text
from mseg_wizard.tui.survey import survey_of
from mseg_wizard.tui.widgets.dialogs import TextDialog
from mseg_wizard.tui.widgets.editors import Line
from mseg_wizard.tui.widgets.form import IN_USE, TO_BE_MADE, FieldRow
from mseg_wizard.tui.widgets.source_list import SourceList

if TYPE_CHECKING:
    from mseg_wizard.tui.screen import MainScreen


class Forms:
    """The forms of one screen at work."""

    def __init__(self, screen: MainScreen) -> None:
        self.session = screen.session
        self._screen = screen
        self._saving = asyncio.Lock()
        self._opening = asyncio.Lock()
        self._looking = False
        self._look_again = False
        self.saves: dict[str, int] = {}
        """Step id → answers kept so far in this sitting."""

    def answer_given(self, event: FieldRow.AnswerGiven) -> None:
        """Keep what a field has that is new; the destination is used where Enter was pressed in its field."""
        if event.row is not self.home_row:
            beside(self._screen, partial(self.keep, event.row))
        elif event.entered:
            beside(self._screen, self.choose)
        else:
            self.session.typed = self.home()
            self.survey_soon()

    async def keep(self, row: FieldRow) -> None:
        """Keep what is new in one field, in a thread: a keyring may take seconds."""
        async with self._saving:
            value = row.new()
            if value is None:
                return
            row.storing()
            try:
                if isinstance(row.editor, SourceList):
                    value, wrong = await asyncio.to_thread(sifted, row.step, row.item.name, value)
                    row.refused_rows(wrong)
                    if row.editor.unchanged(value):
                        return
                where = await asyncio.to_thread(self.session.remember, row.step, row.item.name, value)
                taken = await asyncio.to_thread(taken_as, row.step, row.item, revealed(value))
            except Problem as problem:
                row.refused(problem)
                return
            row.stored(value, where, taken)
            self.saves[row.step.id] = self.saves.get(row.step.id, 0) + 1
        self.survey_soon()

    async def flush(self) -> None:
        """Keep everything that was typed."""
        for pane in self._screen.panes.values():
            for row in pane.rows.values():
                if row is not self.home_row:
                    await self.keep(row)
        async with self._saving:
            return

    @property
    def home_row(self) -> FieldRow | None:
        """The row of the destination, which is kept by opening it and not before."""
        pane = self._screen.panes.get(HOME[0])
        return pane.rows.get(HOME[1]) if pane else None

    def home(self) -> str:
        """The destination as typed."""
        row = self.home_row
        return row.editor.value.strip() if row and isinstance(row.editor, Line) else str(self.session.destination or "")

    async def choose(self) -> None:
        """Use the destination that is typed. One where no wizard was yet is made when work begins, and not now."""
        await self._use(self.session.choose)

    async def open(self) -> bool:
        """Have the destination that is typed open for work, made where it is not there; True when it is."""
        await self._use(self.session.open)
        return self.session.ctx is not None and self.session.ctx.destination == self._typed

    @property
    def _typed(self) -> Path | None:
        typed = self.home()
        return Path(typed).expanduser().absolute() if typed else None

    async def _use(self, how: Callable[[Path], None]) -> None:
        async with self._opening:
            ctx, path = self.session.ctx, self._typed
            if ctx and path == ctx.destination:
                return
            try:
                if path is None:
                    raise Problem("No folder is named yet.", "Type one: it is made if it is not there.")
                if self.session.working:
                    raise Problem("The work goes on in another folder.", "Stop it first (F6).")
                self._screen.say("Opening …")
                await asyncio.to_thread(how, path)
            except Problem as problem:
                self._screen.say("")
                await self._refuse_home(problem)
                return
            self._screen.say("")
            self._in_use(str(self.session.destination))

    def _in_use(self, destination: str) -> None:
        row = self.home_row
        if row and isinstance(row.editor, Line):
            row.editor.value = destination
            row.stored(destination, TO_BE_MADE if self.session.chosen else IN_USE)
            row.use.display = False
        for pane in self._screen.panes.values():
            for row in pane.rows.values():
                row.editor.disabled = self.session.viewer
                row.follow(self.session)
        self._screen.query_one("#wipe", Button).disabled = self.session.viewer
        self._screen.refresh_bindings()
        self.survey_soon()

    async def _refuse_home(self, problem: Problem) -> None:
        await self._screen.reveal(HOME[0])
        if row := self.home_row:
            row.refused(problem)
            row.target().focus()
        else:
            self._screen.app.push_screen(TextDialog(pane_text(problem.what), pane_text(problem.do)))

    def survey_soon(self) -> None:
        """Find out anew what takes time to find out; asking while it is under way has it done once more."""
        if self._looking:
            self._look_again = True
            return
        self._looking = True
        beside(self._screen, self._survey)

    async def _survey(self) -> None:
        try:
            while True:
                self._look_again = False
                self._screen.found = await asyncio.to_thread(survey_of, self.session)
                if not self._look_again:
                    break
        finally:
            self._looking = False
        for pane in self._screen.panes.values():
            pane.survey(self._screen.found)
        self._screen.draw()
        self._screen.follower.survey_done()
