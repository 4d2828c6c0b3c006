"""What the keys and buttons do, and what follows when the work ends: run, stop, wipe, ask, go on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Button, ContentSwitcher, OptionList

from mseg_wizard.context import Consent
from mseg_wizard.notify import Notifier, command_of
from mseg_wizard.progress import Waiting, printable
from mseg_wizard.snapshot import Snapshot
from mseg_wizard.tasks.report import place_of
from mseg_wizard.tui.answers import Forms
from mseg_wizard.tui.chrome import HelpPane, Steps
from mseg_wizard.tui.closing import closing
from mseg_wizard.tui.dialogs import SHOWN_ITEMS, Ask, Tell
from mseg_wizard.tui.editors import SecretLine
from mseg_wizard.tui.logview import LogPane
from mseg_wizard.tui.pane import Links, StepPane, shown
from mseg_wizard.tui.picture import toggle
from mseg_wizard.tui.session import Session

TICK = 0.2
LOOK = 10.0
"""Seconds between two looks whether what it waits for has arrived: an upload, say."""


class Main(Forms):
    """The screen with its keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,question_mark", "help", "help", key_display="F1"),
        Binding("f5,ctrl+r", "run", "run", key_display="F5"),
        Binding("f6,ctrl+s", "stop", "stop", key_display="F6"),
        Binding("f7,ctrl+l", "log", "log", key_display="F7"),
        Binding("f8,ctrl+t", "wipe", "wipe", key_display="F8"),
        Binding("f3", "pictures", show=False),
        Binding("f4", "report", show=False),
        Binding("escape", "focus_steps", show=False),
        Binding("pageup", "scroll_pane(-1)", show=False),
        Binding("pagedown", "scroll_pane(1)", show=False),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._started = self._watching = False
        self._at = ""
        """Id of the step that was running at the last look."""
        self._saves_before: dict[str, int] = {}
        self._notifier: Notifier | None = None
        self._waits: Waiting | None = None
        self._was_open = False
        """What it waits for was seen lacking; so once it is not, something arrived."""
        self._later: Callable[[], Coroutine[Any, Any, None]] | None = None
        """What wants the keyboard as soon as nobody is typing."""

    async def on_mount(self) -> None:
        self.query_one("#wipe", Button).disabled = self.session.viewer
        await self.show_step(self.session.steps[0].id)
        self.query_one(Steps).focus()
        self.set_interval(TICK, self._tick)
        self.set_interval(1.0, self._watch)
        self._watch()
        self.set_interval(LOOK, self._look_for_arrivals)
        if self.session.viewer or self.session.known():
            self.run_worker(self.open(), exit_on_error=True)
        else:
            self.look()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        running, viewer = self.session.working, self.session.viewer
        if action == "run":
            return None if running or (viewer and not self.session.released) else True
        if action == "stop":
            return True if running and not self.stopping else None
        return None if action == "wipe" and viewer else True

    # --- run, stop ---

    def action_run(self) -> None:
        self.run_worker(self.run_steps())

    async def run_steps(self) -> None:
        """Keep what was typed, open the destination, and work; what the next step can't use is corrected first."""
        await self.flush()
        if not await self.open():
            return
        at = next((state.id for state in self.session.states(self.found) if state.state != "done"), "")
        pane = self.panes.get(at)
        wrong = next((row for row in pane.rows.values() if row is not self.home_row and row.new() is not None), None) if pane else None
        if wrong is None:
            self._start()
            return
        await self.show_step(at)
        wrong.target().focus()

    def _start(self) -> None:
        runner = self.session.runner
        if runner is None or self.session.working:
            return
        self.say("")
        self._waits, self._was_open, self._later = None, False, None
        self._saves_before = dict(self._saves)
        self._started, self.stopping, self._at = True, False, ""
        if self._notifier is None and self.session.ctx:
            self._notifier = Notifier(command_of(self.session.ctx.options.notify), self.session.ctx.destination)
        runner.start()
        self.refresh_bindings()
        self.draw()

    def action_stop(self) -> None:
        if self.session.runner and self.session.working:
            self.stopping = True
            self.session.runner.stop()
            self.refresh_bindings()
            self.draw()

    # --- what follows by itself ---

    async def _tick(self) -> None:
        snapshot = self.session.snapshot
        if self._notifier and self._started and self._notifier.follow(snapshot):
            self.app.bell()
            if snapshot.awaits and isinstance(self.focused, Steps):
                awaits = snapshot.awaits
                self._later = lambda: self._into_row_for(awaits)
        if self._started and not snapshot.running:
            self._started = self.stopping = False
            self._ended(snapshot)
        if self._later and not self.typing and self.app.screen is self:
            later, self._later = self._later, None
            await later()
        await self._follow(snapshot)
        self.draw()

    async def _into_row_for(self, call: str) -> None:
        """Put the keyboard where the file that it waits for can be given."""
        pane = await self.show_step(self.step_of(call))
        if row := next((row for row in pane.rows.values() if row.item.kind == "sources"), None):
            row.target().focus()

    async def _follow(self, snapshot: Snapshot) -> None:
        """Stay with the running step, for who watches it in the list; who looks at something else is left there."""
        at = self.step_of(snapshot.call) if snapshot.running else self._at
        watching = self._at in ("", self.chosen) and isinstance(self.focused, Steps) and self.app.screen is self
        if at and at != self._at and watching and self.query_one("#panes", ContentSwitcher).current == f"pane-{self.chosen}":
            await self.show_step(at)
        self._at = at

    def _ended(self, snapshot: Snapshot) -> None:
        self.refresh_bindings()
        self.look()
        problem = snapshot.problem
        if isinstance(problem, Consent):
            self._later = lambda: self._ask_consent(problem)
        elif isinstance(problem, Waiting):
            self._waits = problem
            self._later = lambda: self._go_to(problem)
        elif problem:
            self._later = lambda: self._tell_failure(shown(problem.what), shown(problem.do), problem.items)
        elif snapshot.complete:
            self._later = self._show_end
        elif snapshot.crash:
            text = f"A bug of the wizard's own stopped the work ({type(snapshot.crash).__name__}). What is done stays; F5 tries again."
            where = f"The details are in {shown(str(self.session.log))}"
            self._later = lambda: self._tell_failure("Something unexpected happened", f"{text}\n\n{where}", ())

    async def _show_end(self) -> None:
        pane = await self.show_step(self.session.steps[-1].id)
        self.query_one(Steps).focus()
        if ctx := self.session.ctx:
            pane.close_with(await asyncio.to_thread(closing, ctx))

    def action_report(self) -> None:
        """Copy the report's path, once there is one."""
        if (ctx := self.session.ctx) and (report := place_of(ctx)).is_file():
            self.app.copy_to_clipboard(str(report))
            self.say(f"Copied, if your terminal allows that: {shown(str(report))}")
        else:
            self.say("There is no report yet: step 13 writes it.")

    async def _go_to(self, problem: Waiting) -> None:
        """Put the keyboard into the first field that is lacking."""
        if not problem.step:
            await self._tell(shown(problem.what), shown(problem.do), problem.items)
            return
        pane = await self.show_step(problem.step)
        row = next((pane.rows[name] for name in problem.lacks if name in pane.rows), None)
        if row:
            row.target().focus()

    async def _ask_consent(self, problem: Consent) -> None:
        def answered(yes: bool | None) -> None:
            if yes and self.session.ctx:
                self.session.ctx.consents.add(problem.key)
            if yes or (problem.offer and yes is False):
                self._start()

        text = "\n".join((shown(problem.do), *(shown(item) for item in problem.items[:SHOWN_ITEMS])))
        await self.app.push_screen(Ask(shown(problem.what), text, "Yes, allow it", "No"), answered)

    async def _tell_failure(self, title: str, text: str, items: tuple[str, ...]) -> None:
        if at := self.step_of(self.session.snapshot.call):
            await self.show_step(at)

        def led(to: str | None) -> None:
            if to == "run":
                self.action_run()
            elif to == "log":
                self.run_worker(self.action_log())

        await self.app.push_screen(Tell(title, text, (shown(item) for item in items), again=True), led)

    async def _tell(self, title: str, text: str, items: tuple[str, ...]) -> None:
        await self.app.push_screen(Tell(title, text, (shown(item) for item in items)))

    def looked(self) -> None:
        """Start again where the work waited for exactly what is there by now."""
        waits = self._waits
        if waits is None or not waits.step or self.session.working or self.session.viewer:
            return
        if self.found.lacks.get(waits.step):
            self._was_open = True
        elif self._was_open or self._saves.get(waits.step, 0) > self._saves_before.get(waits.step, 0):
            self._start()

    async def _look_for_arrivals(self) -> None:
        if self._waits and not self.session.working:
            self.look()

    def _watch(self) -> None:
        """Not awaited here: a network disk that hangs would hold up the keys."""
        if not self._watching:
            self._watching = True
            self.run_worker(self._read_disk())

    async def _read_disk(self) -> None:
        try:
            if self.session.viewer:
                released = self.session.released
                await asyncio.to_thread(self.session.watch)
                if self.session.released != released:
                    self.refresh_bindings()
            self.free = await asyncio.to_thread(self.session.free)
            await asyncio.to_thread(self.room.look, self.session.ctx)
        finally:
            self._watching = False

    # --- the other keys ---

    def on_key(self) -> None:
        self.remark = ""

    async def on_links_chosen(self, event: Links.Chosen) -> None:
        if event.copy:
            self.app.copy_to_clipboard(event.link.url)
        self.say(("Copied, if your terminal allows that: " if event.copy else "") + printable(event.link.url))

    async def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "wipe":
            self.action_wipe()
        elif event.button.id == "use":
            self.run_worker(self.open())

    def action_wipe(self) -> None:
        text = ("This removes every password and every pasted link of this destination from the keyring and from memory. "
                "Steps that are not done yet will ask for them again. Nothing else is removed.")
        self.app.push_screen(Ask("Wipe the stored secrets?", text, "Wipe them", "Keep them"), self._wipe_answered)

    def _wipe_answered(self, yes: bool | None) -> None:
        if yes:
            self.run_worker(self._wipe())

    async def _wipe(self) -> None:
        for line in self.query(SecretLine):
            line.value = ""
        self.app.copy_to_clipboard("")
        self.say("Wiping …")
        done = await asyncio.to_thread(self.session.wipe)
        self.say("")
        lines = [f"still there: {shown(text)}" for text in done.remains]
        lines += [f"removed: {name}" for name in done.removed] or ["nothing was stored"]
        lines += [f"not the wizard's to remove: {shown(text)}" for text in done.beyond]
        lines += [f"left by MSeg's scripts or a shell: {shown(str(left.path))} ({left.why})" for left in done.leftovers]
        self.look()
        await self._tell("Not everything could be wiped" if done.remains else "Wiped", "\n".join(lines), ())

    async def action_log(self) -> None:
        if await self._toggle("pane-log"):
            pane = self.query_one(LogPane)
            pane.follow(self.session.log)
            pane.query_one("RichLog").focus()

    async def action_pictures(self) -> None:
        """Show no pictures any more, or show them again."""
        wanted = await asyncio.to_thread(toggle)
        for pane in self.panes.values():
            pane.picture.wanted = wanted
        self.say("Label maps are shown as they are made, where there is room." if wanted else "No pictures any more. F3 shows them again.")

    async def action_help(self) -> None:
        if await self._toggle("pane-help"):
            self.query_one(HelpPane).focus()

    async def _toggle(self, pane: str) -> bool:
        """Show log or help, or go back to the step; True when it is shown now."""
        if self.query_one("#panes", ContentSwitcher).current == pane:
            await self.show_step(self.chosen)
            self.query_one(Steps).focus()
            return False
        self.query_one("#panes", ContentSwitcher).current = pane
        return True

    def action_focus_steps(self) -> None:
        self.query_one(Steps).focus()

    async def action_enter_form(self) -> None:
        pane = await self.show_step(self.chosen)
        if target := pane.first(self.found.lacks.get(pane.step.id, ())):
            target.focus()

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        await self.action_enter_form()

    def action_scroll_pane(self, pages: int) -> None:
        for pane in (*self.query(StepPane), *self.query(HelpPane)):
            if pane.display and isinstance(pane, VerticalScroll):
                pane.scroll_relative(y=pages * max(1, pane.size.height - 2), animate=False)
