"""The one screen: steps on the left, the chosen one on the right, what is being done below.

What the keys do is in key_bindings.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Button, ContentSwitcher, Footer, OptionList, Static

from mseg_wizard.progress import Progress, Waiting, amount, duration, size
from mseg_wizard.snapshot import MARKS, Snapshot, StepState
from mseg_wizard.tui import eta
from mseg_wizard.tui.session import Session, Survey
from mseg_wizard.tui.space_watch import SpaceWatch
from mseg_wizard.tui.step_page import StepPage, pane_text
from mseg_wizard.tui.text import bar, fit, progress_words
from mseg_wizard.tui.widgets.form import FieldRow
from mseg_wizard.tui.widgets.frame import NARROW, HelpPane, MessageLine, StepList
from mseg_wizard.tui.widgets.log_view import LogPane

ROOMY = 100
"""From this many columns on the last line has room for what is good to know."""
LOW = 24
"""Below this many rows the hint stays at one line while it needs no more, and dialogs are lower."""
FOREIGN = 400
"""Characters of a problem's or a task's own words that the hint has room for; the step's page has them all."""
SMALLEST = (60, 20)
"""Columns and rows that everything is laid out for."""


class PanesScreen(Screen[None]):
    """Shows where everything stands."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.found = Survey()
        self.free: int | None = None
        self.room = SpaceWatch()
        self.stopping = False
        self.untold = ""
        """What is being done, where the line for it is too short: a command to copy, say."""
        self.remark = ""
        """Something to say for a while."""

    def compose(self) -> ComposeResult:
        with Horizontal(id="body"):
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

    @property
    def panes(self) -> dict[str, StepPage]:
        """The panes made so far, by step id."""
        return {pane.step.id: pane for pane in self.query(StepPage)}

    @property
    def chosen(self) -> str:
        """Id of the step that is shown or, behind log and help, was."""
        at = self.query_one(StepList).highlighted
        return self.session.steps[at or 0].id

    def step_of(self, call: str) -> str:
        """Id of the step that a call belongs to."""
        return next((step.id for step in self.session.steps if call in {each.key for each in step.calls}), "")

    async def show_step(self, name: str) -> StepPage:
        """Show a step's pane, made at its first visit."""
        at = next(i for i, step in enumerate(self.session.steps) if step.id == name)
        steps, switcher = self.query_one(StepList), self.query_one("#panes", ContentSwitcher)
        if steps.highlighted != at:
            steps.highlighted = at
        if name not in self.panes:
            await switcher.add_content(StepPage(self.session.steps[at], self.session))
            self.panes[name].survey(self.found)
        switcher.current = f"pane-{name}"
        pane = self.panes[name]
        pane.show(self.session.states(self.found)[at], self.session.snapshot)
        return pane

    def draw(self) -> None:
        """Bring everything that is visible up to date; what did not change is not touched."""
        snapshot = self.session.snapshot
        states = self.session.states(self.found)
        self.query_one(StepList).show(states, self.size.width < NARROW)
        for name, pane in self.panes.items():
            if pane.display:
                pane.show(next(state for state in states if state.id == name), snapshot)
        self._draw_now(snapshot)
        self._draw_overall(states, snapshot)
        text, style = self._hint(snapshot, states)
        self.query_one("#hint", MessageLine).say(text, style)

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < NARROW, "-slim")
        self.set_class(event.size.height < LOW, "-low")
        self.set_class(event.size.width < SMALLEST[0] or event.size.height < SMALLEST[1], "-tiny")
        self.call_after_refresh(self.draw)
        if (
            row := next((node for node in self.focused.ancestors if isinstance(node, FieldRow)), None)
            if self.focused
            else None
        ):
            self.call_after_refresh(row.come_into_sight)

    def on_picture_drawn(self) -> None:
        self.draw()

    async def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_list.id == "steps" and event.option_id:
            await self.show_step(event.option_id)

    def _draw_now(self, snapshot: Snapshot) -> None:
        now = self.query_one("#now", MessageLine)
        width = max(30, self.size.width - 2)
        self.untold = ""
        lines: list[str] = []
        told_below = snapshot.awaits if len(snapshot.calls) == 1 else ""
        for key in snapshot.calls if snapshot.running and not told_below else ():
            progress = snapshot.progress.get(key, Progress("–"))
            step = next((step for step in self.session.steps if key in {call.key for call in step.calls}), None)
            title = next((call.title for call in step.calls if call.key == key), "") if step else ""
            head = f"{MARKS['waiting' if progress.waiting else 'running']} {step.number if step else ''} {title}"
            if len(snapshot.calls) > 1 or (progress.total and self.size.height < LOW):  # a line for each
                head = fit(head, width // 2)
                lines.append(f"{head}  {progress_words(progress, width - len(head) - 2)}")
                continue
            head += f": {pane_text(progress.doing)}"
            # A download's line is only cut; what waits for the user must be read to its end.
            if not progress.total and len(head) > width:
                self.untold = pane_text(progress.doing)
            lines += [fit(head, width), "    " + progress_words(progress, width - 4)]
        now.display = bool(lines)
        now.say("\n".join(lines))

    def _draw_overall(self, states: Sequence[StepState], snapshot: Snapshot) -> None:
        done = sum(state.state == "done" for state in states)
        slim = self.size.width < NARROW
        roomy = self.size.width >= ROOMY
        parts = [f"{done} of {len(states)}" + ("" if slim else " steps")]
        remaining = eta.seconds_left(self.session.steps, self.session.journal, snapshot)
        part = 1.0 if done == len(states) else eta.share_done(self.session.steps, self.session.journal, snapshot)
        if remaining is not None:
            parts.append(
                f"~{duration(remaining)}" if slim else f"{duration(remaining)} left{' at this pace' if roomy else ''}"
            )
        if self.free is not None:
            need = (self.room.bytes or 0) if done < len(states) else 0
            short = "[!] " if need > self.free else ""
            parts.append(
                f"{short}{size(self.free)} free" + (f", {size(need)} needed" if need and (roomy or short) else "")
            )
        if roomy and (workers := self.session.workers):
            parts.append(amount(workers, "workers"))
        if not slim:
            parts.insert(0, f"{bar(part, 8)} {part:.0%}")
        self.query_one("#overall", MessageLine).say(" · ".join(parts))

    def _hint(self, snapshot: Snapshot, states: Sequence[StepState]) -> tuple[str, str]:
        """What it waits for or what to do next, with a style."""
        if self.remark:
            return self.remark, "bold"
        if self.session.viewer:
            return self._hint_to_a_viewer()
        if self.stopping:
            return "Stopping: what is half done is put away cleanly. F10 again leaves at once.", "$warning"
        if snapshot.running:
            return self._hint_while_it_runs(snapshot)
        if snapshot.problem or snapshot.crash:
            return self._hint_after_a_stop(snapshot)
        if snapshot.complete or all(state.state == "done" for state in states):
            if self.session.ctx is None:
                return "[x] Every step is complete. F10 ends.", "bold $success"
            where = pane_text(str(self.session.ctx.dataset_folder))
            words = f"[x] Every step is complete. F4 copies the report's path, F10 ends. The data: {where}"
            return words, "bold $success"
        return self._hint_before_it_runs(snapshot, states), ""

    def _hint_to_a_viewer(self) -> tuple[str, str]:
        session = self.session
        if session.released:
            return "The other wizard has ended. F5 takes over here.", "bold $warning"
        if session.locked:
            return f"{fit(pane_text(session.locked), FOREIGN)} This screen only shows how far it is.", "$warning"
        return "This screen only shows how far the work is.", "$warning"

    def _hint_while_it_runs(self, snapshot: Snapshot) -> tuple[str, str]:
        session = self.session
        if snapshot.awaits and (step := self.step_of(snapshot.awaits)):
            doing = fit(pane_text(snapshot.progress[snapshot.awaits].doing), FOREIGN)
            words = f"[?] Step {session.step(step).number}: give the file in the form, or upload it. {doing}"
            return words, "bold $warning"
        if self.untold:
            return fit(self.untold, FOREIGN), "bold"
        again = f"start again to go on: {session.invocation.resume_command(session.destination)}"
        lost = "`tmux attach` brings this screen back" if os.environ.get("TMUX") else again
        return f"Working. You can fill in the later forms meanwhile. If your connection drops: {lost}", ""

    def _hint_after_a_stop(self, snapshot: Snapshot) -> tuple[str, str]:
        if isinstance(snapshot.problem, Waiting):
            then = "It goes on by itself once that is there." if snapshot.problem.step else "F5 asks again."
            return f"[?] {fit(pane_text(snapshot.problem.what), FOREIGN)} {then}", "bold $warning"
        if snapshot.problem:
            return f"[!] {fit(pane_text(snapshot.problem.what), FOREIGN)} F5 tries again.", "bold $error"
        words = "[!] A bug of the wizard's own. What is done stays. F5 tries again; the log (F7) has the details."
        return words, "bold $error"

    def _hint_before_it_runs(self, snapshot: Snapshot, states: Sequence[StepState]) -> str:
        if snapshot.call:
            return "Stopped; what is done stays. F5 goes on."
        if self.session.ctx is None:
            return "Enter goes into a step's form, Escape back to this list. F5 begins."
        begun = any(state.state == "done" or state.done for state in states)
        lacking = next((state for state in states if state.state == "waiting"), None)
        first = f" Step {self.session.step(lacking.id).number} will want something from you first." if lacking else ""
        return f"F5 {'goes on' if begun else 'starts'}.{first}"
