"""The widgets that take one answer each; lists are in source_list.

An editor knows what is new in it; keeping that is the form's part.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input

from mseg_wizard.answers.pasted import is_link, meant_by, one_line
from mseg_wizard.progress import printable
from mseg_wizard.tui.textual_private import PastedLine
from mseg_wizard.tui.widgets.path_suggester import Paths
from mseg_wizard.vault import Secret


class AnswerGiven(Message):
    """The user has finished with an editor for now: left it, pressed Enter in it (`entered`), or switched it."""

    def __init__(self, *, entered: bool = False) -> None:
        super().__init__()
        self.entered = entered


class Line(PastedLine):
    """A line of text that takes pasted text whole."""

    def __init__(
        self, value: str = "", *, placeholder: str = "", secret: bool = False, paths: Paths | None = None
    ) -> None:
        super().__init__(
            value, placeholder=placeholder, password=secret, suggester=paths, compact=True, select_on_focus=False
        )
        self._kept = value
        self.paths = paths
        self.cursor_blink = False  # every blink would go over the line

    def new(self) -> str | None:
        """What was typed and is not kept yet."""
        return self.value if self.value != self._kept else None

    def keep(self, value: str) -> None:
        """Note that this value is kept by now."""
        self._kept = value

    def set(self, value: object) -> None:
        """Show an answer that is kept."""
        self.value = self._kept = "" if value is None else str(value)

    def action_paste(self) -> None:
        self.take(self.app.clipboard)

    def take(self, text: str) -> None:
        """Put pasted text at the cursor, in place of what is selected."""
        pasted = meant_by(text) if is_link(text) else None
        if pasted and (pasted.why or pasted.links):
            # It is taken apart when it is kept, which is then said; until then the words of a mail must stay words.
            line = " ".join(text.split())
        else:
            line = pasted.text if pasted else one_line(text)
        self.replace(line, *sorted(self.selection))

    def action_end(self, select: bool = False) -> None:
        """To the end; at the end, take what is suggested."""
        if self.cursor_at_end and not select:
            self.action_cursor_right()
        else:
            super().action_end(select)

    def on_input_blurred(self, event: Input.Blurred) -> None:
        event.stop()
        self.post_message(AnswerGiven())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(AnswerGiven(entered=True))


class SecretLine(Line):
    """A line that shows only how long its text is, can't be copied from, and is emptied once the vault has it.

    `seen`: it shows what is typed, a user's name.
    """

    def __init__(self, kept: str = "", *, seen: bool = False) -> None:
        super().__init__(secret=not seen)
        self._refused = False
        self.show_kept(kept)

    def new(self) -> Secret | None:  # type: ignore[override]
        return Secret(self.value) if self.value else None

    def keep(self, value: Secret) -> None:  # type: ignore[override]
        if self.value == value.reveal():
            self.value = ""

    def refuse(self) -> None:
        """Have what stands here replaced by what comes next, unless
        the cursor is moved: nobody sees what he would add to.
        """
        if self.password:
            self._refused = True
            self.select_all()

    def on_input_changed(self) -> None:
        self._refused = False

    def on_mouse_up(self) -> None:
        if self._refused:
            self.select_all()

    def show_kept(self, kept: str) -> None:
        """`kept`: what may be said of the secret that is stored; the dots stand for it."""
        self.placeholder = f"{'●●●●  ' if self.password else ''}type or paste to replace it" if kept else ""

    def action_copy(self) -> None:
        """Nothing: a copy would stand in the terminal's clipboard, and in that of every machine on the way."""

    def action_cut(self) -> None:
        self.delete_selection()


class CheckBox(Widget, can_focus=True):
    """A box to tick: `[x]` is read without colour."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "tick", "Tick", show=False)]
    value: reactive[bool] = reactive(False, init=False)

    def __init__(self, label: str, value: bool) -> None:
        super().__init__()
        self.set_reactive(CheckBox.value, value)
        self._label = label
        self._kept = value

    def render(self) -> Content:
        return Content(f"{'[x]' if self.value else '[ ]'} {printable(self._label)}")

    def action_tick(self) -> None:
        self.value = not self.value
        self.post_message(AnswerGiven())

    def on_click(self) -> None:
        self.action_tick()

    def new(self) -> bool | None:
        return self.value if self.value != self._kept else None

    def set(self, value: object) -> None:
        self.value = self._kept = value is True

    def keep(self, value: bool) -> None:
        self._kept = value


class Pickable(Widget, can_focus=True):
    """One of several rows, chosen with the arrow keys; at either end they scroll."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", show=False),
        Binding("down", "step(1)", show=False),
    ]
    index: reactive[int] = reactive(-1, init=False, layout=True)

    def __init__(self, labels: tuple[str, ...], index: int, marks: tuple[str, str] = ("(•)", "( )")) -> None:
        super().__init__()
        self.labels = labels
        self._marks = marks
        self.set_reactive(Pickable.index, index)

    def render(self) -> Content:
        return Content("\n".join(f"{self._marks[at != self.index]} {label}" for at, label in enumerate(self.labels)))

    def action_step(self, by: int) -> None:
        if not 0 <= self.index + by < len(self.labels):
            raise SkipAction
        self.index += by
        self.post_message(AnswerGiven())

    def on_click(self, event: events.Click) -> None:
        if 0 <= event.y < len(self.labels):
            self.index = event.y
            self.post_message(AnswerGiven())


class Choice(Vertical):
    """Known values, and where the field allows it a line for another one."""

    def __init__(self, choices: tuple[str, ...], value: str, *, free: bool) -> None:
        super().__init__()
        self._choices = choices
        self._kept = value
        labels = tuple(printable(choice) or "leave it empty" for choice in choices) + (
            ("something else:",) if free else ()
        )
        known = choices.index(value) if value in choices else len(choices) if free and value else -1
        self.picks = Pickable(labels, known)
        self._line = Line("" if value in choices else value, paths=Paths(("",))) if free else None

    def compose(self) -> ComposeResult:
        yield self.picks
        if self._line:
            yield self._line

    @property
    def value(self) -> str:
        if 0 <= self.picks.index < len(self._choices):
            return self._choices[self.picks.index]
        return self._line.value.strip() if self._line else ""

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.value:
            self.picks.index = len(self._choices)

    @property
    def unsaid(self) -> bool:
        """Is it "something else", and nothing says what?"""
        return self.picks.index >= len(self._choices) and not self.value

    def new(self) -> str | None:
        if self.unsaid:
            return None
        return self.value if self.picks.index >= 0 and self.value != self._kept else None

    def set(self, value: object) -> None:
        self._kept = text = str(value or "")
        self.picks.index = (
            self._choices.index(text) if text in self._choices else len(self._choices) if self._line and text else -1
        )
        if self._line and text not in self._choices:
            self._line.value = text

    def keep(self, value: str) -> None:
        self._kept = value
