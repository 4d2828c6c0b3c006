"""A step's work on its page: a row for each archive or set of labels, and the notes, a count that opens."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget

from mseg_wizard.progress import amount
from mseg_wizard.standing.snapshot import Snapshot
from mseg_wizard.step import Step
from mseg_wizard.tui.session import Session
from mseg_wizard.tui.widgets.frame import LOW, SteadyText
from mseg_wizard.tui.work_rows import columns_of, notes_of_rows, row_content, work_rows_of


class TaskList(Vertical):
    """Redrawn only where something changed."""

    def __init__(self, step: Step, session: Session) -> None:
        super().__init__()
        self._session = session
        self._rows = work_rows_of(step)
        self._head = SteadyText(classes="heading")
        self._lines = {row.key: SteadyText(classes="task") for row in self._rows}
        self._notes = NoteList()
        self._drawn: dict[str, Content] = {}
        self._snapshot: Snapshot | None = None

    def compose(self) -> ComposeResult:
        yield self._head
        yield from self._lines.values()
        yield self._notes

    def on_resize(self) -> None:
        """What was drawn before its place was known, or for another one,
        fits the new one at once, not with the next piece of news.
        """
        if self._snapshot:
            self.show(self._snapshot)

    def show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        columns = columns_of(self._rows, max(20, self.size.width or self.app.size.width - 34))
        self._put("", self._head, Content(columns.head))
        journal, alone = self._session.journal, self.app.size.height < LOW
        for row in self._rows:
            self._put(row.key, self._lines[row.key], row_content(row, columns, snapshot, journal, alone=alone))
        self._notes.show(notes_of_rows(self._rows, self._session.journal))

    def _put(self, key: str, line: SteadyText, content: Content) -> None:
        if self._drawn.get(key) != content:
            self._drawn[key] = content
            line.put(content)

    def line_at(self, key: str) -> Widget | None:
        """The row of a call."""
        return next((self._lines[row.key] for row in self._rows if key in {call.key for call in row.calls}), None)


class NoteList(Widget, can_focus=True):
    """How many notes there are; Enter shows them, or hides them again."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "open", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self.display = False
        self._notes: tuple[str, ...] = ()
        self._open = False

    def show(self, notes: tuple[str, ...]) -> None:
        if notes != self._notes:
            self._notes, self.display = notes, bool(notes)
            self.refresh(layout=True)

    def render(self) -> Content:
        count = amount(len(self._notes), "notes")
        head = f"({'-' if self._open else '+'}) {count}{'' if self._open else ': Enter shows them'}"
        return Content("\n").join(
            [Content(head), *(Content.styled(f"    {note}", "dim") for note in self._notes if self._open)]
        )

    def action_open(self) -> None:
        self._open = not self._open
        self.refresh(layout=True)

    def on_click(self) -> None:
        self.action_open()
