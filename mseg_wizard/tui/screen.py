"""The one screen: what it is made of, brought up to date, and what its keys and buttons do.

Which page is in sight is pages', keeping what is typed is forms', following the work is follower's, the words below
are status_lines'.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.events import DescendantFocus
from textual.widgets import Button, ContentSwitcher, Footer, Static

from mseg_wizard.progress import Problem, printable
from mseg_wizard.standing.snapshot import ASKED
from mseg_wizard.tui import themes
from mseg_wizard.tui.background import beside
from mseg_wizard.tui.follower import Follower
from mseg_wizard.tui.forms import Forms
from mseg_wizard.tui.pages import SMALLEST, Pages
from mseg_wizard.tui.rates import Rates
from mseg_wizard.tui.session import Session
from mseg_wizard.tui.space_watch import SpaceWatch
from mseg_wizard.tui.status_lines import ROOMY, Moment, hint, journey_words, now_lines, overall_words, step_of
from mseg_wizard.tui.step_page import LinkList, pane_text
from mseg_wizard.tui.text import whole_parts
from mseg_wizard.tui.widgets.dialogs import QuestionDialog, TextDialog
from mseg_wizard.tui.widgets.editors import SecretLine
from mseg_wizard.tui.widgets.form import FieldRow
from mseg_wizard.tui.widgets.frame import LOW, NARROW, HelpPane, MessageLine, StepList
from mseg_wizard.tui.widgets.log_view import LogPane
from mseg_wizard.tui.widgets.picture import toggle

WHILE = 10.0
"""Seconds for which something is said."""

ACTIONS = (
    ("Help", "Keys and words", "help"),
    ("Steps or overview", "The list of steps instead of the overview, and back", "steps"),
    ("Run", "Begin, go on, or try again", "run"),
    ("Stop", "What is half done is put away cleanly", "stop"),
    ("Log", "What the wizard noted", "log"),
    ("Save the answers", "Without secrets, with the command that does the same unattended", "answers"),
    ("Wipe secrets", "Every stored password and link", "wipe"),
    ("Copy the report's path", "Once there is a report", "report"),
    ("Pictures on or off", "Label maps as they are made", "pictures"),
    ("Light or dark colours", "The wizard's own", "theme"),
)
"""Name, what it does, and its action, of everything that a key does."""


class MainScreen(Pages):
    """Where everything stands, and what its keys and buttons do. Forms keep what is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,question_mark", "help", "help", key_display="F1"),
        Binding("f2,ctrl+o", "steps", "steps", key_display="F2"),
        Binding("f5,ctrl+r", "run", "run", key_display="F5"),
        Binding("f6,ctrl+s", "stop", "stop", key_display="F6"),
        Binding("f7,ctrl+l", "log", "log", key_display="F7"),
        Binding("f8,ctrl+t", "wipe", "wipe", key_display="F8"),
        Binding("f3", "pictures", show=False),
        Binding("f9", "theme", show=False),
        Binding("f4", "answers", show=False),
        Binding("f12", "report", show=False),
        Binding("escape", "focus_steps", show=False),
        Binding("pageup", "scroll_pane(-1)", show=False),
        Binding("pagedown", "scroll_pane(1)", show=False),
        Binding("ctrl+home", "scroll_pane_to(False)", show=False),
        Binding("ctrl+end", "scroll_pane_to(True)", show=False),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.forms = Forms(self)
        self.follower = Follower(self)
        self.free: int | None = None
        self.room = SpaceWatch()
        self.rates = Rates()
        self.stopping = False
        self.remark = ""
        """Something to say for a while."""

    def compose(self) -> ComposeResult:
        with Horizontal(id="body"):
            yield self.overview
            yield StepList(self.session.steps)
            with ContentSwitcher(id="panes"):
                yield LogPane()
                yield HelpPane()
        yield MessageLine(id="now")
        with Horizontal(id="bottom"):
            yield MessageLine(id="overall")
            yield Button(Content("[ Wipe secrets ]"), id="wipe", compact=True)
        yield MessageLine(id="hint")
        yield Static(Content(f"make the window at least {SMALLEST[0]}×{SMALLEST[1]}"), id="small")
        yield Footer(show_command_palette=False, compact=True)

    def step_of(self, call: str) -> str:
        """Id of the step that a call belongs to."""
        return step_of(self.session, call)

    def draw(self) -> None:
        if not self.app.is_running:
            return  # its parts go one by one, while something that was found out for it is on its way
        snapshot = self.session.snapshot
        self.rates.note(snapshot)
        states = self.session.states(self.found)
        self.query_one(StepList).show(states, self.size.width < NARROW)
        for name, pane in self.panes.items():
            if pane.display:
                pane.show(next(state for state in states if state.id == name), snapshot)
        width, low = self.size.width, self.size.height < LOW
        lines, untold = now_lines(self.session, snapshot, max(30, width - 2), self.rates, low=low)
        now = self.query_one("#now", MessageLine)
        in_form = any(pane.row_in_use for pane in self.panes.values() if pane.display)
        now.display = bool(lines) or (in_form and now.display)
        now.say("\n".join(lines))
        at = Moment(self.session, snapshot, states, self.remark, self.stopping, in_form, untold)
        if self.at_overview:
            self.overview.show(states, snapshot, self.found, journey_words(at))
        slim, roomy = width < NARROW, width >= ROOMY
        words = overall_words(at, self.free, self.room.bytes, slim=slim, roomy=roomy, headed=self.at_overview)
        overall = self.query_one("#overall", MessageLine)
        overall.say(whole_parts(words, overall.content_size.width))
        line = self.query_one("#hint", MessageLine)
        line.say(*hint(at))
        for below in (now, line):
            below.keep_room(wanted=in_form)
        # The overview says it on top.
        line.display = not self.at_overview or bool(self.remark or self.stopping or self.session.viewer)

    def say(self, text: str) -> None:
        """Say something in the hint line, for a while or until the next key."""
        self.remark = text
        self.draw()
        if text:
            self.set_timer(WHILE, lambda: self.say("") if self.remark == text else None)

    async def tell(self, title: str, text: str, items: tuple[str, ...]) -> None:
        await self.app.push_screen(TextDialog(title, text, (pane_text(item) for item in items)))

    def on_picture_drawn(self) -> None:
        self.draw()

    async def on_mount(self) -> None:
        self.query_one("#wipe", Button).disabled = self.session.viewer
        self.follower.begin()
        if self.overview.useful:
            self.show_overview()
        else:
            await self.show_step(self.session.steps[0].id)
            self.query_one(StepList).focus()
        if self.session.viewer or self.session.known():
            beside(self, self.forms.open)
        else:
            self.forms.survey_soon()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        running, viewer = self.session.working, self.session.viewer
        if action == "run":
            return None if running or (viewer and not self.session.released) else True
        if action == "stop":
            return True if running and not self.stopping else None
        if action == "steps":
            return self.overview.useful
        return None if action in ("wipe", "answers") and viewer else True

    def action_run(self) -> None:
        self.follower.yielded = self.focused
        beside(self, self.run_steps)

    async def run_steps(self) -> None:
        """Keep what was typed, open the destination, and work; what the next step can't use is corrected first."""
        await self.forms.flush()
        if not await self.forms.open():
            return
        at = next((state.id for state in self.session.states(self.found) if not state.past), "")
        pane = self.panes.get(at)
        wrong = (
            next((row for row in pane.rows.values() if row is not self.forms.home_row and row.new() is not None), None)
            if pane
            else None
        )
        if wrong is None:
            self.follower.start()
            return
        await self.reveal(at)
        self.follower.put_into(wrong)
        self.say(f"Not begun: “{wrong.item.label}” has something that can't be used. Correct or remove it first.")

    def action_stop(self) -> None:
        if self.session.runner and self.session.working:
            self.stopping = True
            self.session.runner.stop()
            self.refresh_bindings()
            self.draw()

    async def action_answers(self) -> None:
        """Save what was answered, without secrets, and tell what does the same unattended."""
        await self.forms.flush()
        if not await self.forms.open():
            return
        try:
            path, command = await asyncio.to_thread(self.session.save_answers)
        except Problem as problem:
            self.say(str(problem))
            return
        text = (
            f"{pane_text(str(path))}\n\nPasswords and links are not in it: a run takes them from the system keyring "
            f"or from the environment; the file says from which variables.\n\nThe same unattended:\n\n{command}"
        )
        if self.session.invocation.practises:
            text += "\n\nOf practice it only shows how that looks: the sites that it plays go when it ends."
        await self.app.push_screen(TextDialog("Your answers were saved", text, copies=command))

    def action_report(self) -> None:
        """Copy the report's path, once there is one."""
        if (ctx := self.session.ctx) and (report := ctx.report_page).is_file():
            self.app.copy_to_clipboard(str(report))
            self.say(f"Copied, if your terminal allows that: {pane_text(str(report))}")
        else:
            writes = [step.number for step in self.session.steps if step.has("report")]
            self.say("There is no report yet" + (f": step {writes[0]} writes it." if writes else "."))

    def on_field_row_answer_given(self, event: FieldRow.AnswerGiven) -> None:
        event.stop()
        self.follower.answer_given(event)
        self.forms.answer_given(event)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        self.follower.focus_moved(event.widget)
        self.call_after_refresh(self.draw)

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
            beside(self, self.forms.choose)

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
            beside(self, self._wipe)

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
        self.forms.survey_soon()
        await self.tell("Not everything could be wiped" if done.remains else "Wiped", "\n".join(lines), ())

    async def action_log(self) -> None:
        if await self.show_or_hide("pane-log"):
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

    async def action_help(self) -> None:
        if await self.show_or_hide("pane-help"):
            self.query_one(HelpPane).focus()

    async def on_dataset_list_asked(self) -> None:
        """Note, or take back, that a dataset's licence was asked for today."""
        row = self.overview.row
        if row is None or row.comes_by == "open":
            self.say("Choose a dataset that wants a licence or a link: the day on which you asked is noted there.")
            return
        noted = self.session.journal.answer(row.step.id, ASKED)
        day = "" if noted else datetime.now().date().isoformat()
        try:
            await asyncio.to_thread(self.session.asked, row.step, day)
        except Problem as problem:
            self.say(str(problem))
            return
        self.say(f"{row.name}: asked today. `a` takes that back." if day else f"{row.name}: not asked yet.")
