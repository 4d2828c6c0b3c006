"""The few dialogs: a question with two answers, and a text to read and copy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

SHOWN_ITEMS = 1000
"""Of a list that may name a million files; the log has all of them."""


LEADS = " · F5 tries again · F7 log"


class QuestionDialog(ModalScreen[bool | None]):
    """A question. True and False are its two buttons, None is Escape; the button that changes nothing has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", show=False),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
        Binding("pageup", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(1)", show=False),
    ]

    def __init__(self, title: str, text: str, yes: str, no: str, *, quits: bool = False) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (45, "-broad")]
        self.quits = quits
        """Is it about leaving? Then the key for that closes it."""
        self._title, self._text, self._yes, self._no = title, text, yes, no

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False):
            yield Static(Content(self._title), classes="title")
            yield Static(Content(self._text))
            with Horizontal(classes="foot"):
                yield Button(Content(f"[ {self._no} ]"), id="no", compact=True)
                yield Button(Content(f"[ {self._yes} ]"), id="yes", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_scroll(self, pages: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=pages * 5, animate=False)


class TextDialog(ModalScreen[str | None]):
    """A text to read: what happened, what to do, and the items that it concerns. `c` copies all of it, or `copies`.

    Of a failure (`again`) it also leads on: "run" tries again, "log" shows the log; None is only closing it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "dismiss", "Close"),
        Binding("c", "copy", "Copy"),
        Binding("f5,ctrl+r", "lead('run')", "Try again"),
        Binding("f7,ctrl+l", "lead('log')", "Log"),
    ]

    def __init__(
        self, title: str, text: str, items: Iterable[str] = (), *, again: bool = False, copies: str = ""
    ) -> None:
        super().__init__()
        self._again, self._copies = again, copies
        rows = list(items)
        more = [f"… and {len(rows) - SHOWN_ITEMS:,} more, named in the log"] if len(rows) > SHOWN_ITEMS else []
        self._title, self._text, self._rows = title, text, rows[:SHOWN_ITEMS] + more

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog"):
            yield Static(Content(self._title), classes="title")
            yield Static(Content(self._text))
            if self._rows:
                yield Static(Content("\n".join(self._rows)), classes="items")
            copies = "c copies the command" if self._copies else "c copies"
            yield Static(
                Content(f"Enter closes · {copies} · arrows scroll{LEADS if self._again else ''}"), classes="foot"
            )

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._copies or "\n".join((self._title, self._text, *self._rows)))
        self.query_one(".foot", Static).update(
            Content(f"Copied, if your terminal allows that. Enter closes{LEADS if self._again else ''}")
        )

    def action_lead(self, to: str) -> None:
        if self._again:
            self.dismiss(to)
