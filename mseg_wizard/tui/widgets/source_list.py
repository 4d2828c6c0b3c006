"""The list of folders, files and links that a step's archives are taken from. An editor like the others."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.style import Style

from mseg_wizard.answers.pasted import STARTS, is_link, one_line, rows_of
from mseg_wizard.answers.pasted_commands import command_in
from mseg_wizard.progress import printable
from mseg_wizard.tui.text import masked
from mseg_wizard.tui.widgets.editors import AnswerGiven, Line, Pickable
from mseg_wizard.tui.widgets.path_suggester import Paths
from mseg_wizard.vault import Secret

ARCHIVE_ENDS = (".zip", ".tar", ".tgz", ".tar.gz")


def pasted_rows(text: str) -> list[str]:
    """Pasted text as rows: a line that begins neither like a path nor
    like a link goes on the one before, because terminals wrap.

    Not where that one is a path that ends as archives do: then it is a file's name by itself.
    """
    if command_in(text):
        return rows_of(text)
    if len(taken := rows_of(text)) == 1:
        return [one_line(taken[0])]
    rows: list[str] = []
    for line in (one_line(line) for line in text.splitlines()):
        whole = bool(rows) and rows[-1].lower().endswith(ARCHIVE_ENDS) and not is_link(rows[-1])
        if line and rows and not whole and not line.startswith(STARTS):
            rows[-1] += line
        elif line:
            rows.append(line)
    return rows


class SourceRows(Pickable):
    """The rows of a sources field: the arrows choose one, Delete removes it; what is wrong with one stands below it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+d,delete,backspace", "drop", "Remove this row", show=False)]

    def __init__(self) -> None:
        super().__init__((), -1, ("▸", "–"))
        self.complaints: tuple[str, ...] = ()
        self.display = False

    def render(self) -> Content:
        rows = []
        for at, (label, wrong) in enumerate(zip(self.labels, self.complaints, strict=True)):
            chosen = self.has_focus and at == self.index
            text = f"{self._marks[not chosen]} {'[!] ' if wrong else ''}{label}"
            row = Content.styled(text, "reverse" if chosen else "$error" if wrong else "")
            if wrong:
                row += Content.styled(f"\n    {wrong} {'Delete removes this row.' if chosen else REMOVE}", "$error")
            rows.append(row.stylize(Style.from_meta({"row": at})))
        return Content("\n").join(rows)

    def on_focus(self) -> None:
        if not 0 <= self.index < len(self.labels):
            self.index = len(self.labels) - 1
        self.refresh(layout=True)

    def on_blur(self) -> None:
        self.refresh(layout=True)

    def on_click(self, event: events.Click) -> None:
        self.index = event.style.meta.get("row", self.index)

    def action_step(self, by: int) -> None:
        if not 0 <= self.index + by < len(self.labels):
            raise SkipAction
        self.index += by

    def action_drop(self) -> None:
        if not 0 <= self.index < len(self.labels):
            raise SkipAction
        self.query_ancestor(SourceList).drop(self.index)


REMOVE = "To remove this row: Up from the line below chooses it, Delete removes it."


class SourceList(Vertical):
    """Folders, files and links, one a row; links are bearer tokens and show only their host and file name."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "into_rows", show=False),
        Binding("down", "into_line", show=False),
    ]

    def __init__(self, rows: tuple[str | Secret, ...]) -> None:
        super().__init__()
        self.rows = rows
        self._kept = rows
        self._wrong: list[tuple[str | Secret, str]] = []
        """Rows that are shown and not kept, each with its complaint."""
        self.line = SourceLine()

    def compose(self) -> ComposeResult:
        yield SourceRows()
        yield self.line

    def complaint(self, row: str | Secret) -> str:
        """What is wrong with a row; empty where nothing is known."""
        return next((why for each, why in self._wrong if each == row), "")

    def refuse(self, wrong: list[tuple[str | Secret, str]]) -> None:
        """Say of these rows, and of no others, what is wrong with them."""
        self._wrong = wrong
        self._refresh()

    def right(self, rows: tuple[str | Secret, ...] | list[str | Secret]) -> tuple[str | Secret, ...]:
        """Those of the rows that nothing speaks against."""
        return tuple(row for row in rows if not self.complaint(row))

    def unchanged(self, rows: list[str | Secret]) -> bool:
        """Are exactly these rows kept already?"""
        return tuple(rows) == self._kept

    def show(self, rows: tuple[str | Secret, ...]) -> None:
        """What is kept by now; rows that are not kept yet stay."""
        if self.right(self.rows) == self._kept and set(rows) != set(self._kept):  # no row moves away under the cursor
            self.rows = (*rows, *(row for row in self.rows if self.complaint(row)))
            self._kept = rows
            self._refresh()

    def add(self, rows: list[str]) -> None:
        new = [Secret(row) if is_link(row) else row for row in rows]
        if len(self._wrong) == 1:  # what was refused is typed again
            self.rows = self.right(self.rows)
            self._wrong = []
        self.rows = (*self.rows, *(row for row in new if row not in self.rows))
        self._refresh()

    def new(self) -> list[str | Secret] | None:
        if text := self.line.value.strip():
            self.line.value = ""
            self.add([text])
        return list(self.rows) if self.rows != self._kept else None

    def keep(self, value: list[str | Secret]) -> None:
        self._kept = tuple(value)

    def drop(self, at: int) -> None:
        """Remove one row, and what was said about it."""
        gone, self.rows = self.rows[at], self.rows[:at] + self.rows[at + 1 :]
        self._wrong = [(row, why) for row, why in self._wrong if row != gone]
        if not self.rows:
            self.line.focus()
        self._refresh()
        self.post_message(AnswerGiven())

    def action_into_rows(self) -> None:
        """From the line to the last row; further up it scrolls."""
        rows = self.query_one(SourceRows)
        if rows.has_focus or not self.rows:
            raise SkipAction
        rows.index = len(self.rows) - 1
        rows.focus()

    def action_into_line(self) -> None:
        if not self.query_one(SourceRows).has_focus:
            raise SkipAction
        self.line.focus()

    def _refresh(self) -> None:
        if self.is_mounted:
            rows = self.query_one(SourceRows)
            shown = (masked(row.reveal()) if isinstance(row, Secret) else printable(row, 200) for row in self.rows)
            rows.labels = tuple(shown)
            rows.complaints = tuple(self.complaint(row) for row in self.rows)
            rows.display = bool(rows.labels)
            rows.index = min(rows.index, len(rows.labels) - 1)
            rows.refresh(layout=True)

    def on_mount(self) -> None:
        self._refresh()


class SourceLine(Line):
    """The line that adds rows; a paste of several adds them all."""

    def __init__(self) -> None:
        super().__init__(paths=Paths(ARCHIVE_ENDS))

    def take(self, text: str) -> None:
        rows = pasted_rows(text)
        if len(rows) < 2 and (self.value or not is_link(text)):
            super().take(text)
            return
        begun, self.value = self.value, ""
        rows = pasted_rows(f"{begun}\n{text}" if rows[0].startswith(STARTS) else begun + text)
        self.query_ancestor(SourceList).add(rows)
        self.post_message(AnswerGiven())

    def on_input_changed(self) -> None:
        self.password = is_link(self.value)

    def action_copy(self) -> None:
        """A link is a secret here as everywhere; a path may be copied."""
        if not self.password:
            super().action_copy()

    def action_cut(self) -> None:
        if self.password:
            self.delete_selection()
        else:
            super().action_cut()
