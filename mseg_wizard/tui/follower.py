"""What the screen does of its own accord: follow the work, go where
something is wanted, tell what failed, go on, show the end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.widget import Widget
from textual.widgets import ContentSwitcher

from mseg_wizard.answers.fields import kind_of
from mseg_wizard.context import Consent
from mseg_wizard.notify import Notifier, command_of
from mseg_wizard.progress import Waiting
from mseg_wizard.standing.snapshot import Snapshot
from mseg_wizard.tui.background import beside
from mseg_wizard.tui.farewell import farewell
from mseg_wizard.tui.key_queue import KeyQueue
from mseg_wizard.tui.step_page import pane_text
from mseg_wizard.tui.terminal import Terminal
from mseg_wizard.tui.textual_private import driver_of
from mseg_wizard.tui.widgets.dialogs import SHOWN_ITEMS, QuestionDialog, TextDialog
from mseg_wizard.tui.widgets.editors import Line
from mseg_wizard.tui.widgets.form import FieldRow
from mseg_wizard.tui.widgets.frame import StepList

if TYPE_CHECKING:
    from mseg_wizard.tui.screen import MainScreen

TICK = 0.2
DRAWN = 1.0
"""Seconds between two drawings of how far the work is: a slow line, or an eye, follows no faster."""
REST = 0.8
"""Seconds without a key after which the wizard may move the keyboard."""
LOOK = 10.0
"""Seconds between two looks whether what it waits for has arrived: an upload, say."""


class Follower:
    """An eye on the work, for one screen. It takes the keyboard only from who doesn't use it."""

    def __init__(self, screen: MainScreen) -> None:
        self.session = screen.session
        self._screen = screen
        self._started = self._watching = False
        self._at = ""
        """Id of the step that was running at the last look."""
        self._saves_before: dict[str, int] = {}
        self._notifier: Notifier | None = None
        self._waits: Waiting | None = None
        self._was_open = False
        """What it waits for was seen lacking; so once it is not, something arrived."""
        self._later: Callable[[], Coroutine[Any, Any, None]] | None = None
        """What wants the keyboard as soon as nobody uses it."""
        self.yielded: Widget | None = None
        """An editor that the user has finished with, or was put into
        by the wizard: the keyboard may be taken from it.
        """
        self._end_shown = False
        """Was the last page shown?"""
        self._stood: object = None
        self._drawn_at = 0.0

    def begin(self) -> None:
        """Once the screen is there."""
        self._screen.set_interval(TICK, self._tick)
        self._screen.set_interval(1.0, self._watch)
        self._screen.set_interval(LOOK, self._look_for_arrivals)
        self._watch()

    @property
    def in_use(self) -> bool:
        """Does the user need the keyboard where it is?

        Who went into a field may be about to paste: that must not land in another.
        """
        at = self._screen.focused
        typing = isinstance(at, Line) and at.new() is not None
        chosen = at is not None and at is not self.yielded and any(isinstance(node, FieldRow) for node in at.ancestors)
        return typing or chosen or self._pressing

    @property
    def _pressing(self) -> bool:
        return isinstance(self._screen.app, KeyQueue) and self._screen.app.rested < REST

    def start(self) -> None:
        """Work, if the destination is open and nothing works yet."""
        runner = self.session.runner
        if runner is None or self.session.working:
            return
        self._screen.say("")
        self._waits, self._was_open, self._later, self._end_shown = None, False, None, False
        self._saves_before = dict(self._screen.forms.saves)
        self._started, self._screen.stopping, self._at = True, False, ""
        if self._notifier is None and self.session.ctx:
            options = self.session.ctx.options
            self._notifier = Notifier(command_of(options.notify), self.session.ctx.destination)
            if not options.notify_quiet:
                self._notifier.greet()
        runner.start()
        self._screen.refresh_bindings()
        self._screen.draw()

    async def _tick(self) -> None:
        snapshot = self.session.snapshot
        if self._notifier and self._started and self._notifier.follow(snapshot):
            self._screen.app.bell()
            if awaits := snapshot.awaits:
                self._later = lambda: self._into_row_for(awaits)
        for failure in self._notifier.failures() if self._notifier else ():
            self._screen.say(pane_text(failure))
        if self.session.ctx and (worker_news := self.session.ctx.worker_news()):
            self._screen.say(pane_text(worker_news[-1]))
        if self._started and not snapshot.running:
            self._started = self._screen.stopping = False
            self._ended(snapshot)
        if self._later and self._screen.app.screen is self._screen and not self.in_use:
            later, self._later = self._later, None
            await later()
        stands = (snapshot.running, snapshot.awaits, snapshot.problem, snapshot.crash)
        terminal = driver if isinstance(driver := driver_of(self._screen.app), Terminal) else None
        if stands != self._stood or (time.monotonic() - self._drawn_at >= DRAWN and not (terminal and terminal.behind)):
            self._stood, self._drawn_at = stands, time.monotonic()
            await self._follow(snapshot)
            self._screen.draw()
        elif terminal and not self._screen.stopping and (snapshot.running or not terminal.answers):
            terminal.ask()

    async def _into_row_for(self, call: str) -> None:
        """Put the keyboard where the file that it waits for can be given, if it still waits."""
        if self.session.snapshot.awaits != call:
            return
        step = self._screen.step_of(call)
        if self._screen.at_overview:
            self._screen.overview.choose()
            return
        pane = await self._screen.show_step(step)
        lacks = self.session.snapshot.progress[call].lacks
        wanted = (row for row in pane.rows.values() if (row.item.name in lacks if lacks else kind_of(row.item).rows))
        if row := next(wanted, None):
            self.put_into(row)

    def put_into(self, row: FieldRow) -> None:
        """Put the keyboard into a field; it may be taken on from there."""
        self.yielded = row.target()
        self.yielded.focus()

    def answer_given(self, event: FieldRow.AnswerGiven) -> None:
        """Say what is to be said of it, and note that its field may be left."""
        awaits = self.session.snapshot.awaits
        upload = awaits and not self.session.snapshot.progress[awaits].lacks
        if event.entered and event.row.new() is None and upload and event.row.step.id == self._screen.step_of(awaits):
            self._screen.say("Nothing is there yet. An upload is noticed by itself.")
        if event.entered and self._screen.focused in event.row.walk_children():
            self.yielded = self._screen.focused

    def focus_moved(self, to: Widget) -> None:
        if to is not self.yielded:
            self.yielded = None

    async def _follow(self, snapshot: Snapshot) -> None:
        """Stay with the running step, for who watches it or has given
        what it waited for; who looks at something else is left there.
        """
        if self._pressing:
            return
        at = self._screen.step_of(snapshot.call) if snapshot.running else self._at
        free = isinstance(self._screen.focused, StepList) or (
            self.yielded is not None and self._screen.focused is self.yielded and not self.in_use
        )
        watching = self._at in ("", self._screen.chosen) and free and self._screen.app.screen is self._screen
        if (
            at
            and at != self._at
            and watching
            and self._screen.query_one("#panes", ContentSwitcher).current == f"pane-{self._screen.chosen}"
        ):
            if at == self._screen.chosen:
                await self._screen.show_step(at)
            else:
                await self._screen.leave_form(at)
        self._at = at
        await self._screen.stand_beside()

    def _ended(self, snapshot: Snapshot) -> None:
        self._screen.refresh_bindings()
        self._screen.forms.survey_soon()
        problem = snapshot.problem
        if isinstance(problem, Consent):
            self._later = lambda: self._ask_consent(problem)
        elif isinstance(problem, Waiting):
            self._waits = problem
            self._later = lambda: self._go_to(problem)
        elif problem:
            self._later = lambda: self._tell_failure(pane_text(problem.what), pane_text(problem.do), problem.items)
        elif snapshot.crash:
            text = (
                f"A bug of the wizard's own stopped the work ({type(snapshot.crash).__name__}). What is done "
                "stays; F5 tries again."
            )
            where = f"The details are in {pane_text(str(self.session.log))}"
            self._later = lambda: self._tell_failure("Something unexpected happened", f"{text}\n\n{where}", ())

    async def _show_end(self) -> None:
        pane = await self._screen.reveal(self.session.steps[-1].id)
        if not self._screen.at_overview:
            self._screen.query_one(StepList).focus()
        if ctx := self.session.ctx:
            pane.close_with(await asyncio.to_thread(farewell, ctx))

    async def _go_to(self, problem: Waiting) -> None:
        """Put the keyboard into the first field that is lacking."""
        if not problem.step:
            await self._screen.tell(pane_text(problem.what), pane_text(problem.do), problem.items)
            return
        if self._screen.at_overview:  # what is wanted stands on top, and Enter goes there
            self._screen.overview.choose()
            return
        pane = await self._screen.show_step(problem.step)
        row = next((pane.rows[name] for name in problem.lacks if name in pane.rows), None)
        if row:
            self.put_into(row)

    async def _into_field(self, step: str, field: str) -> None:
        pane = await self._screen.reveal(step)
        self.put_into(pane.rows[field])

    async def _ask_consent(self, problem: Consent) -> None:
        def answered(yes: bool | None) -> None:
            if yes and self.session.ctx:
                self.session.ctx.consents.add(problem.key)
            if yes or (problem.offer and yes is False):
                self.start()
            elif yes is False and problem.instead:
                self._later = partial(self._into_field, *problem.instead)

        await self._show_where_it_stopped()
        text = "\n".join((pane_text(problem.question), *(pane_text(item) for item in problem.items[:SHOWN_ITEMS])))
        await self._screen.app.push_screen(
            QuestionDialog(pane_text(problem.what), text, "Yes, allow it", "No"), answered
        )

    async def _show_where_it_stopped(self) -> None:
        if (at := self._screen.step_of(self.session.snapshot.call)) and self._screen.step_in_sight:
            await self._screen.show_step(at)

    async def _tell_failure(self, title: str, text: str, items: tuple[str, ...]) -> None:
        await self._show_where_it_stopped()

        def led(to: str | None) -> None:
            if to:
                self._screen.call_later(self._screen.run_action, to)

        await self._screen.app.push_screen(
            TextDialog(title, text, (pane_text(item) for item in items), again=True), led
        )

    def survey_done(self) -> None:
        """Show the last page where all is done; start again where the work waited for exactly what is there by now."""
        if (
            not self._end_shown
            and self.session.ctx
            and all(state.past for state in self.session.states(self._screen.found))
        ):
            self._end_shown, self._later = True, self._show_end
        step = self._waited_for
        if not step or self.session.viewer:
            return
        if self._screen.found.lacks.get(step):
            self._was_open = True
        elif self._was_open or self._screen.forms.saves.get(step, 0) > self._saves_before.get(step, 0):
            if self.session.working and self.session.ctx:
                self._was_open, self._saves_before = False, dict(self._screen.forms.saves)
                self.session.ctx.answered += 1
            self.start()

    @property
    def _waited_for(self) -> str:
        """Id of the step whose form the work waits for, while archives are fetched or after it ended; or empty."""
        snapshot = self.session.snapshot
        if self.session.working:
            form = snapshot.awaits and snapshot.progress[snapshot.awaits].lacks
            return self._screen.step_of(snapshot.awaits) if form else ""
        return self._waits.step if self._waits else ""

    async def _look_for_arrivals(self) -> None:
        if self._waited_for:
            self._screen.forms.survey_soon()

    def _watch(self) -> None:
        """Not awaited here: a network disk that hangs would hold up the keys."""
        if not self._watching:
            self._watching = True
            beside(self._screen, self._read_disk)

    async def _read_disk(self) -> None:
        try:
            if self.session.viewer:
                released = self.session.released
                await asyncio.to_thread(self.session.watch)
                if self.session.released != released:
                    self._screen.refresh_bindings()
            self._screen.free = await asyncio.to_thread(self.session.free)
            await asyncio.to_thread(self._screen.room.update, self.session.ctx)
        finally:
            self._watching = False
