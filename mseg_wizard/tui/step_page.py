"""The right-hand side: one step in full, with its words, links, form and tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.style import Style
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mseg_wizard.core.log import redact
from mseg_wizard.progress import Waiting, printable
from mseg_wizard.standing.snapshot import MARKS, Snapshot, StepState
from mseg_wizard.standing.step_states import calls_left
from mseg_wizard.step import Link, Step
from mseg_wizard.tui.session import Session
from mseg_wizard.tui.survey import Survey
from mseg_wizard.tui.text import STATES, STYLES
from mseg_wizard.tui.widgets.cursor_list import CursorList
from mseg_wizard.tui.widgets.form import FieldRow, reflowed
from mseg_wizard.tui.widgets.frame import SteadyText
from mseg_wizard.tui.widgets.picture import Picture
from mseg_wizard.tui.widgets.still_page import StillPage
from mseg_wizard.tui.widgets.task_list import TaskList


class LinkList(CursorList):
    """The step's pages: one stop for Tab, arrows choose, Enter copies the address."""

    class Chosen(Message):
        """The cursor came to a link, or Enter was pressed on it: `copy`."""

        def __init__(self, link: Link, *, copy: bool) -> None:
            super().__init__()
            self.link = link
            self.copy = copy

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("home", "screen.scroll_pane_to(False)", show=False),
        Binding("end", "screen.scroll_pane_to(True)", show=False),
    ]

    def __init__(self, links: tuple[Link, ...]) -> None:
        super().__init__(*(Option(_link(link)) for link in links), compact=True)
        self._links = links

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Chosen(self._links[event.option_index], copy=True))

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._show_address()

    def on_focus(self) -> None:
        self._show_address()

    def _show_address(self) -> None:
        """Have the whole address shown: the row may be too short for it."""
        if self.has_focus and self.highlighted is not None:
            self.post_message(self.Chosen(self._links[self.highlighted], copy=False))
            self.call_after_refresh(self._have_cursor_in_sight)

    def _have_cursor_in_sight(self) -> None:
        """Textual scrolls the list alone, whose rows may lie beyond the end of the page."""
        if self.highlighted is not None:
            at = self.virtual_region.y + self.highlighted - self.scroll_offset.y
            self.query_ancestor(StepPage).scroll_to_region(Region(0, at, 1, 1), animate=False)


class StepPage(StillPage, can_focus=False):
    """One step. Made when it is first looked at and kept, so nothing that was typed is ever lost."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "screen.focus_steps", show=False),
        # Textual's own glide there: on a slow line that is many pictures of the way.
        Binding("pageup", "screen.scroll_pane(-1)", show=False),
        Binding("pagedown", "screen.scroll_pane(1)", show=False),
        Binding("home", "screen.scroll_pane_to(False)", show=False),
        Binding("end", "screen.scroll_pane_to(True)", show=False),
    ]

    def __init__(self, step: Step, session: Session) -> None:
        super().__init__(id=f"pane-{step.id}")
        self.step = step
        self._session = session
        self._title = SteadyText(classes="title")
        self._problem = Static(classes="problem")
        self._ending = Static(classes="problem")
        self._tasks = TaskList(step, session)
        self.picture = Picture(step, session)
        self.rows: Mapping[str, FieldRow] = {item.name: FieldRow(step, item, session) for item in step.fields}
        self._shown: object = None
        self._tasks_first = False
        self._followed: Widget | None = None
        """The row of what ran at the last look."""

    def compose(self) -> ComposeResult:
        step = self.step
        yield self._title
        yield self._ending
        yield Static(Content(reflowed(step.summary)), classes="summary")
        yield self._problem
        yield Static(Content(reflowed(step.why)), classes="why")
        yield Static(Content(f"Time: {step.time}"), classes="why")
        if step.licence:
            yield Static(Content(f"Licence: {reflowed(step.licence)}"), classes="why")
        if step.links:
            yield Static(Content("Links (Enter copies the address)"), classes="heading")
            yield LinkList(step.links)
        if step.fields:
            yield Static(Content("Form"), classes="heading")
            yield from self.rows.values()
        if step.calls:
            yield self._tasks
        yield self.picture
        yield self.blank

    def show(self, state: StepState, snapshot: Snapshot) -> None:
        """Bring title, problem and tasks up to date."""
        self._tasks.show(snapshot)
        ours = (
            snapshot.call in {call.key for call in self.step.calls}
            or getattr(snapshot.problem, "step", "") == self.step.id
        )
        problem = snapshot.problem if ours else None
        crash = snapshot.crash if ours else None
        self._put_tasks(first=state.state in ("running", "done", "failed") or bool(state.done))
        self._stay_with(snapshot.call if snapshot.running and not snapshot.awaits else "")
        self._picture_of(snapshot)
        says = self._standing(state, snapshot)
        if self._shown == (says, problem, crash):
            return
        self._shown = (says, problem, crash)
        words = Content.styled(f"{MARKS[state.state]} {says}", STYLES[state.state])
        self._title.put(Content.assemble((f"{self.step.number}  {self.step.title}", "bold"), "   ", words))
        self._problem.display = bool(problem or crash)
        if problem:
            mark, style = ("[?]", STYLES["waiting"]) if isinstance(problem, Waiting) else ("[!]", STYLES["failed"])
            what = Content.styled(f"{mark} {pane_text(problem.what)}", style)
            self._problem.update(what + (f"\n    {pane_text(problem.do)}" if problem.do else ""))
        elif crash:
            self._problem.update(
                Content.styled(f"[!] A bug of the wizard's own stopped it: {type(crash).__name__}.", STYLES["failed"])
            )

    @property
    def row_in_use(self) -> FieldRow | None:
        """The field that has the keyboard."""
        return next((row for row in self.rows.values() if row.has_focus_within), None)

    def close_with(self, text: str) -> None:
        """Begin with these words: the journey is at its end."""
        self._ending.display = bool(text)
        self._ending.update(Content(text))

    def _standing(self, state: StepState, snapshot: Snapshot) -> str:
        """The step's state in words; of one that isn't running also
        whether it was begun, and whether only a key is missing.
        """
        if state.state != "pending" or snapshot.running or self._session.viewer:
            return STATES[state.state]
        if state.done or snapshot.call in {call.key for call in self.step.calls}:
            return "stopped"
        journal = self._session.journal
        first = next((step for step in self._session.steps if calls_left(step, journal)), None)
        return (
            f"ready: F5 {'goes on' if journal.done_calls() else 'begins'}"
            if first is self.step and not state.waits_for
            else STATES["pending"]
        )

    def _put_tasks(self, *, first: bool) -> None:
        """Where work has begun it is what people come to see; before that, the form is."""
        if self.is_mounted and self.step.calls and self._tasks_first != first and not self.row_in_use:
            self._tasks_first = first
            if first:
                self.move_child(self._tasks, after=self._problem)
            else:
                self.move_child(self._tasks, before=self.blank)
            self.move_child(self.picture, after=self._tasks)

    def _stay_with(self, call: str) -> None:
        """Have the row of what runs in sight, once it is another one; who is in the form, or is to go there, is left in
        peace.
        """
        line = self._tasks.line_at(call)
        if line is not self._followed:
            self._followed = line
            if line and self.is_mounted and not self.has_focus_within:
                self.call_after_refresh(line.scroll_visible, animate=False)

    def _picture_of(self, snapshot: Snapshot) -> None:
        """Nothing moves below the hands of someone who is in the form, nor below the eyes of someone who scrolled."""
        # As if the scroll bar were there: the picture itself may bring it, and must not change its size for that.
        width = self.outer_size.width - self.gutter.width - self.styles.scrollbar_size_vertical
        height = self.outer_size.height - self._tasks.virtual_region.bottom
        left = Size(max(0, width), max(0, height))
        self.picture.follow(snapshot, left, still=not self.is_mounted or self.has_focus_within or self.scroll_y > 0)

    def survey(self, survey: Survey) -> None:
        for row in self.rows.values():
            row.survey(survey)

    def first(self, lacks: tuple[str, ...]) -> Widget | None:
        """What to focus: the first lacking field, else the first field, else the links."""
        for name in (*lacks, *self.rows):
            if name in self.rows:
                return self.rows[name].target()
        return next(iter(self.query(LinkList)), None)


def pane_text(text: str) -> str:
    """Foreign text for the screen: no control characters, no query strings."""
    return printable(redact(text), 2000)


def _link(link: Link) -> Content:
    return Content.assemble(printable(link.label), "  ", (printable(link.url), Style(link=link.url, dim=True)))
