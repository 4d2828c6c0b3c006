"""The screen's way in and out: start, signals, quitting, and what a crash may say.

What it shows lives in the screen.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.theme import Theme
from textual.worker import WorkerFailed

from mseg_wizard.answers.fields import HOME
from mseg_wizard.context import Context
from mseg_wizard.core.exits import STOPS, Exit
from mseg_wizard.core.invocation import BARE, Invocation
from mseg_wizard.core.output import LAST, write_line
from mseg_wizard.core.preferences import prefer
from mseg_wizard.progress import printable
from mseg_wizard.standing.snapshot import standing
from mseg_wizard.step import Step
from mseg_wizard.tui import themes
from mseg_wizard.tui.background import beside
from mseg_wizard.tui.eta import share_done
from mseg_wizard.tui.key_queue import KeyQueue
from mseg_wizard.tui.screen import ACTIONS, MainScreen
from mseg_wizard.tui.session import Session
from mseg_wizard.tui.status_lines import step_of
from mseg_wizard.tui.terminal import Terminal
from mseg_wizard.tui.text import terminal_title
from mseg_wizard.tui.textual_private import driver_of
from mseg_wizard.tui.widgets.dialogs import QuestionDialog
from mseg_wizard.workers import pool

log = logging.getLogger("mseg_wizard.tui")


def guide(
    steps: Sequence[Step],
    open_context: Callable[[Path], Context],
    destination: Path | None,
    *,
    viewer: bool = False,
    preset: Mapping[str, Mapping[str, Any]] | None = None,
    invocation: Invocation = BARE,
) -> int:
    """The guided journey on the screen; returns the exit code: 0,
    130 quit while it worked, 143 SIGTERM, 129 hang-up, 1 a bug.

    `open_context` opens a destination and raises Locked where another wizard works: then this one only shows how far
    that is.
    """
    pool.prepare_start()
    themes.tell_of_colors(os.environ)
    session = Session(steps, open_context, destination, viewer=viewer, preset=preset, invocation=invocation)
    app = Wizard(session, driver_class=Terminal)
    try:
        app.run()
    finally:
        dataset = session.ctx.dataset_folder if session.ctx else None
        stands = standing(session.snapshot)
        session.close()
    if dataset and app.code not in (Exit.HANGUP, Exit.FAILED):
        ended = stands.state in ("done", "aside")
        brief = stands.brief[:1].upper() + stands.brief[1:]
        said = f"{brief}: {dataset}" if ended else invocation.resume_hint(session.destination)
        write_line(said, wait=LAST)
    return app.code


class Wizard(KeyQueue):
    """The application: one screen, and the ways to leave it."""

    TITLE = "mseg-wizard"
    CSS_PATH = "wizard.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("f10,ctrl+q", "quit", "quit", key_display="F10", priority=True)]

    def __init__(self, session: Session, *, driver_class: type[Terminal] | None = None) -> None:
        plain = themes.few_colors()
        super().__init__(driver_class=driver_class, ansi_color=True if plain else None)
        for theme in (*themes.THEMES, themes.SIXTEEN):
            self.register_theme(theme)
        self.theme = themes.OWN if plain else themes.chosen()
        self._colours = self.get_css_variables()
        self.stylesheet.set_variables(self._colours)
        self.session = session
        self.main = MainScreen(session)
        self.code: int = Exit.DONE
        self._leaving = False
        self._called: object = None

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return {"cursor-row": themes.cursor_row(self.current_theme)}

    def get_css_variables(self) -> dict[str, str]:
        variables = super().get_css_variables()
        if not self.current_theme.ansi:
            variables = self.theme_variables = themes.readable(variables)
        return variables

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number, code in STOPS.items():
            loop.add_signal_handler(number, self.leave, code)
        self.push_screen(self.main)
        self.call_after_refresh(gc.enable)
        self.theme_changed_signal.subscribe(self, self._keep_colours)
        self.set_interval(0.5, self._call_the_window)

    def refresh_css(self, animate: bool = True) -> None:
        """Textual reads all styles anew at the start, for a theme that they were read with: a tenth of the wait."""
        if (colours := self.get_css_variables()) == self._colours:
            self.stylesheet.update(self, animate=animate)
        else:
            self._colours = colours
            super().refresh_css(animate)

    def get_system_commands(self, screen: Screen[Any]) -> Iterator[SystemCommand]:
        """What the palette (Ctrl+P) offers: everything that the screen does."""
        if screen is not self.main:
            return
        for title, tells, action in ACTIONS:
            if self.main.check_action(action, ()):
                yield SystemCommand(title, tells, partial(self.main.run_action, action))
        if not self.native_ansi_color:
            yield SystemCommand(
                "Other colours", "One of Textual's themes instead of the wizard's own", self.search_themes
            )
        yield SystemCommand("Quit", "What is done stays", self.action_quit)

    def _keep_colours(self, theme: Theme) -> None:
        """What was chosen is there at the next start."""
        if theme.name != themes.OWN:
            beside(self, partial(asyncio.to_thread, prefer, themes.PREFERENCE, theme.name))

    def _call_the_window(self) -> None:
        """Have the terminal's title and its mark in the task bar say how it stands, in sight where the window isn't."""
        now, session = self.session.snapshot, self.session
        part = share_done(session.steps, session.journal, now)
        at = getattr(now.problem, "step", "") or step_of(session, now.call)
        title = terminal_title(now, part, session.step(at).title if at else "")
        driver = driver_of(self)
        if isinstance(driver, Terminal) and (title, f"{part:.2f}") != self._called:
            self._called = title, f"{part:.2f}"
            driver.call_it(title)
            driver.mark_it(standing(now).state, part)

    def on_unmount(self) -> None:
        for number in STOPS:
            asyncio.get_running_loop().remove_signal_handler(number)

    def leave(self, code: int) -> None:
        """Stop the work cleanly, keep what was typed, and end; asked for twice, end at once."""
        if self._leaving:
            self.exit()
            return
        self._leaving, self.code = True, code
        beside(self, self._leave)

    async def _leave(self) -> None:
        runner = self.session.runner
        if runner and self.session.working:
            self.main.stopping = True
            runner.stop()
        await self.main.forms.flush()
        if self.code in STOPS.values() and self.session.chosen and self.session.drafted:
            await self.main.forms.open()  # nobody can be asked, and what was typed would be lost
        while runner and not runner.join(0):
            await asyncio.sleep(0.05)
        self.exit()

    async def action_quit(self) -> None:
        if self._leaving:
            self.leave(self.code)
            return
        asked = isinstance(self.screen, QuestionDialog) and self.screen.quits
        while isinstance(self.screen, ModalScreen):
            await self.screen.dismiss(None)
        if not asked:
            beside(self, self._quit)

    async def _quit(self) -> None:
        if self.session.working:
            hint = self.session.invocation.resume_hint(self.session.destination, "\n\n  ")
            text = f"The work stops cleanly. {hint}"
            ask = QuestionDialog("Stop and quit?", text, "Stop and quit", "Keep working", quits=True)
            await self.push_screen(ask, lambda yes: self.leave(Exit.INTERRUPTED) if yes else None)
            return
        await self.main.forms.flush()
        if self.session.ctx or not self.session.drafted:
            self.leave(Exit.ASIDE if self.session.snapshot.aside else Exit.DONE)
        elif home := self.main.forms.home():
            text = f"Your answers are in memory until work begins. Keep them in {printable(home)}?"
            await self.push_screen(
                QuestionDialog("Keep your answers?", text, "Keep and quit", "Quit without", quits=True),
                self._drafts_answered,
            )
        else:
            where = self.session.step(HOME[0]).form
            text = f"Your answers are kept only once a folder for everything is chosen, in {where}."
            ask = QuestionDialog("Quit without your answers?", text, "Quit without", "Stay", quits=True)
            await self.push_screen(ask, lambda yes: self.leave(Exit.DONE) if yes else None)

    def _drafts_answered(self, keep: bool | None) -> None:
        async def opened() -> None:
            if await self.main.forms.open():
                self.leave(Exit.DONE)

        if keep:
            beside(self, opened)
        elif keep is False:
            self.leave(Exit.DONE)

    def action_help_quit(self) -> None:
        self.main.say("F10 or Ctrl+Q quits.")

    def panic(self, *renderables: object) -> None:
        """Textual's reader of the keyboard ended: the terminal is gone."""
        self.leave(Exit.HANGUP)

    def crashed(self, error: Exception) -> Text:
        """A bug of ours. Textual would print every local variable, and so what was typed."""
        self.code = Exit.FAILED
        error = error.error if isinstance(error, WorkerFailed) and isinstance(error.error, Exception) else error
        # Where, and of which type: its message may quote what was typed.
        log.error("the screen crashed: %s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
        text = (
            f"mseg-wizard hit a bug of its own: {type(error).__name__}. What is done stays. The details are in "
            f"{self.session.log}"
        )
        return Text(printable(text, 1000))
