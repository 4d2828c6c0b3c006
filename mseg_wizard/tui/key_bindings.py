"""What the keys and buttons do: run, stop, wipe, show log and help, go from list to form and back."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Button, ContentSwitcher, OptionList

from mseg_wizard.core.preferences import prefer
from mseg_wizard.progress import printable
from mseg_wizard.tasks.report import place_of
from mseg_wizard.tui import themes
from mseg_wizard.tui.follower import FollowerScreen
from mseg_wizard.tui.step_page import LinkList, StepPage, pane_text
from mseg_wizard.tui.widgets.dialogs import QuestionDialog
from mseg_wizard.tui.widgets.editors import SecretLine
from mseg_wizard.tui.widgets.frame import HelpPane, StepList
from mseg_wizard.tui.widgets.log_view import LogPane
from mseg_wizard.tui.widgets.picture import toggle


class MainScreen(FollowerScreen):
    """The screen with its keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,question_mark", "help", "help", key_display="F1"),
        Binding("f5,ctrl+r", "run", "run", key_display="F5"),
        Binding("f6,ctrl+s", "stop", "stop", key_display="F6"),
        Binding("f7,ctrl+l", "log", "log", key_display="F7"),
        Binding("f8,ctrl+t", "wipe", "wipe", key_display="F8"),
        Binding("f3", "pictures", show=False),
        Binding("f9", "theme", show=False),
        Binding("f4", "report", show=False),
        Binding("escape", "focus_steps", show=False),
        Binding("pageup", "scroll_pane(-1)", show=False),
        Binding("pagedown", "scroll_pane(1)", show=False),
    ]

    _back: Widget | None = None
    """What had the keyboard before log or help was shown: it gets it back."""

    async def on_mount(self) -> None:
        self.query_one("#wipe", Button).disabled = self.session.viewer
        await self.show_step(self.session.steps[0].id)
        self.query_one(StepList).focus()
        if self.session.viewer or self.session.known():
            self.run_worker(self.open(), exit_on_error=True)
        else:
            self.survey_soon()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        running, viewer = self.session.working, self.session.viewer
        if action == "run":
            return None if running or (viewer and not self.session.released) else True
        if action == "stop":
            return True if running and not self.stopping else None
        return None if action == "wipe" and viewer else True

    def action_run(self) -> None:
        self.yielded = self.focused
        self.run_worker(self.run_steps())

    async def run_steps(self) -> None:
        """Keep what was typed, open the destination, and work; what the next step can't use is corrected first."""
        await self.flush()
        if not await self.open():
            return
        at = next((state.id for state in self.session.states(self.found) if state.state != "done"), "")
        pane = self.panes.get(at)
        wrong = (
            next((row for row in pane.rows.values() if row is not self.home_row and row.new() is not None), None)
            if pane
            else None
        )
        if wrong is None:
            self.start()
            return
        await self.show_step(at)
        self.put_into(wrong)

    def action_stop(self) -> None:
        if self.session.runner and self.session.working:
            self.stopping = True
            self.session.runner.stop()
            self.refresh_bindings()
            self.draw()

    def action_report(self) -> None:
        """Copy the report's path, once there is one."""
        if (ctx := self.session.ctx) and (report := place_of(ctx)).is_file():
            self.app.copy_to_clipboard(str(report))
            self.say(f"Copied, if your terminal allows that: {pane_text(str(report))}")
        else:
            writes = [step.number for step in self.session.steps if step.has("report")]
            self.say("There is no report yet" + (f": step {writes[0]} writes it." if writes else "."))

    def on_key(self) -> None:
        self.remark = ""

    async def on_link_list_chosen(self, event: LinkList.Chosen) -> None:
        if event.copy:
            self.app.copy_to_clipboard(event.link.url)
        self.say(("Copied, if your terminal allows that: " if event.copy else "") + printable(event.link.url))

    async def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "wipe":
            self.action_wipe()
        elif event.button.id == "use":
            self.run_worker(self.open())

    def action_wipe(self) -> None:
        text = (
            "This removes every password and every pasted link of this destination from the keyring and from memory. "
            "Steps that are not done yet will ask for them again. Nothing else is removed."
        )
        self.app.push_screen(
            QuestionDialog("Wipe the stored secrets?", text, "Wipe them", "Keep them"), self._wipe_answered
        )

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
        lines = [f"still there: {pane_text(text)}" for text in done.remains]
        lines += [f"removed: {name}" for name in done.removed] or ["nothing was stored"]
        lines += [f"not the wizard's to remove: {pane_text(text)}" for text in done.beyond]
        lines += [
            f"left by MSeg's scripts or a shell: {pane_text(str(left.path))} ({left.why})" for left in done.leftovers
        ]
        self.survey_soon()
        await self.tell("Not everything could be wiped" if done.remains else "Wiped", "\n".join(lines), ())

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
        self.say(
            "Label maps are shown as they are made, where there is room."
            if wanted
            else "No pictures any more. F3 shows them again."
        )

    async def action_theme(self) -> None:
        """Light instead of dark, or back; remembered."""
        if self.app.theme == themes.OWN:
            self.say("These are your terminal's own colours: change them there.")
            return
        self.app.theme = themes.other(self.app.theme)
        await asyncio.to_thread(prefer, themes.PREFERENCE, self.app.theme)

    async def action_help(self) -> None:
        if await self._toggle("pane-help"):
            self.query_one(HelpPane).focus()

    async def _toggle(self, pane: str) -> bool:
        """Show log or help, or go back to the step; True when it is shown now."""
        if self.query_one("#panes", ContentSwitcher).current == pane:
            await self.show_step(self.chosen)
            back = (
                self._back
                if self._back and self._back.is_attached and self._back in self.panes[self.chosen].walk_children()
                else None
            )
            (back or self.query_one(StepList)).focus()
            return False
        if self.query_one("#panes", ContentSwitcher).current == f"pane-{self.chosen}":
            self._back = self.focused
        self.query_one("#panes", ContentSwitcher).current = pane
        return True

    def action_focus_steps(self) -> None:
        self.query_one(StepList).focus()

    async def action_enter_form(self) -> None:
        pane = await self.show_step(self.chosen)
        if target := pane.first(self.found.lacks.get(pane.step.id, ())):
            target.focus()

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        await self.action_enter_form()

    def action_scroll_pane(self, pages: int) -> None:
        for pane in (*self.query(StepPage), *self.query(HelpPane)):
            if pane.display and isinstance(pane, VerticalScroll):
                pane.scroll_relative(y=pages * max(1, pane.size.height - 2), animate=False)
