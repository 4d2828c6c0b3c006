"""A step's form: one row for each field, with its label, its editor, what is lacking or wrong, and its help."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from mseg_wizard.answers.fields import HOME, kind_of, may_hold_secrets
from mseg_wizard.answers.pasted import meant_by
from mseg_wizard.core.log import redact
from mseg_wizard.progress import Problem, printable
from mseg_wizard.state.journal import OWN
from mseg_wizard.step import Field, Step
from mseg_wizard.tui.background import beside
from mseg_wizard.tui.path_check import why_unusable
from mseg_wizard.tui.session import Session
from mseg_wizard.tui.survey import DRAFTED, NOTED, Survey
from mseg_wizard.tui.text import shown
from mseg_wizard.tui.widgets.editors import AnswerGiven, CheckBox, Choice, Line, SecretLine
from mseg_wizard.tui.widgets.path_suggester import Paths
from mseg_wizard.tui.widgets.source_list import SourceList
from mseg_wizard.tui.widgets.still_page import StillPage
from mseg_wizard.vault import Secret

Editor = Line | SecretLine | CheckBox | Choice | SourceList
IN_USE = f"in use; answers are kept in its {OWN}/"
TO_BE_MADE = "made when work begins (F5); answers are kept in memory until then"
PAUSE = 0.3
"""Seconds without a key before a path is looked at."""
EDITORS: dict[str, Callable[[Field, Any], Editor]] = {
    "check box": lambda item, value: CheckBox(item.label, value is True),
    "source list": lambda item, value: SourceList(()),
    "choice": lambda item, value: Choice(item.choices, str(value or ""), free=item.free),
    "line": lambda item, value: Line(_typed(value)),
    "folder line": lambda item, value: Line(_typed(value), paths=Paths(only=True)),
    "tree line": lambda item, value: Line(_typed(value), paths=Paths((".zip",))),
}
"""Name of an editor, as the table of kinds has it → the editor for a field with what is known of its answer."""


class FieldRow(Vertical):
    """One field of a form."""

    class AnswerGiven(Message):
        """There is something new to keep, or Enter was pressed."""

        def __init__(self, row: FieldRow, *, entered: bool) -> None:
            super().__init__()
            self.row = row
            self.entered = entered

    def __init__(self, step: Step, item: Field, session: Session) -> None:
        super().__init__(id=f"field-{step.id}-{item.name}")
        self.step = step
        self.item = item
        self.editor = editor_for(step, item, session)
        self.editor.disabled = session.viewer
        self._home = (step.id, item.name) == HOME
        self.use = Button(Content("[ Use this folder ]"), compact=True, id="use")
        """Of the destination alone: it is kept by opening it."""
        self._remark = Static(classes="remark")
        self._remark.display = False
        self._words: dict[str, str] = {}
        self._pause: Timer | None = None
        self._sent = ""
        """What stood in the line when it was to be kept, or was refused, last."""

    def compose(self) -> ComposeResult:
        if not isinstance(self.editor, CheckBox):
            yield Static(Content(self.item.label + _needed(self.step, self.item)), classes="label")
        yield self.editor
        if self._home:
            yield self.use
        yield self._remark
        if self.item.help:
            yield Static(Content(reflowed(self.item.help)), classes="help")

    def new(self) -> Any:
        """What is to be kept; None where there is nothing new."""
        return self.editor.new()

    def target(self) -> Widget:
        """The widget that takes the keyboard."""
        if isinstance(self.editor, SourceList):
            return self.editor.line
        return self.editor.picks if isinstance(self.editor, Choice) else self.editor

    def storing(self) -> None:
        """The keyring may take some seconds."""
        self._sent = self.editor.value if isinstance(self.editor, Line) else ""
        self._say(busy="storing…" if may_hold_secrets(self.item) else "", wrong="")

    def stored(self, value: Any, where: str, taken: str = "") -> None:
        """`where` it is kept; `taken`: what was made of what was pasted."""
        self.editor.keep(value)
        self._say(taken=printable(taken))
        if where and isinstance(value, Secret):
            kept = f"{shown(self.item, meant_by(value.reveal()).text)}, {where}"
            self._say(busy="", wrong="", kept=kept)
            if isinstance(self.editor, SecretLine):
                self.editor.show_kept(kept)
        else:
            self._say(busy="", wrong="", fits="", kept=where, **({"seen": ""} if where == IN_USE else {}))

    def refused(self, problem: Problem) -> None:
        self._say(busy="", wrong=printable(redact(str(problem)), 1000))
        if isinstance(self.editor, SecretLine):
            if self.editor.value and self.editor.value == self._sent:  # not what was typed meanwhile
                self.editor.refuse()
            self._sent = ""
        elif isinstance(self.editor, Line):
            self._sent = self.editor.value

    def follow(self, session: Session) -> None:
        """Show the answer that the journal has by now; what was typed stays."""
        if self._words.get("kept") == DRAFTED and session.ctx:
            self._say(kept=NOTED)
        if not isinstance(self.editor, SecretLine | SourceList) and not self._home and self.new() is None:
            self.editor.set(session.answer(self.step, self.item))

    def refused_rows(self, wrong: list[tuple[str | Secret, Problem]]) -> None:
        """Say of rows that can't be kept what is wrong with each of them, beside it."""
        assert isinstance(self.editor, SourceList)  # noqa: S101 - no other field has rows
        self.editor.refuse([(row, printable(redact(str(problem)), 1000)) for row, problem in wrong])
        self._say(busy="", wrong="")

    def survey(self, survey: Survey) -> None:
        """Show what was found out: what is lacking, what is kept."""
        if problem := survey.refused.get((self.step.id, self.item.name)):
            self.refused(problem)
        lacking = self.item.name in survey.lacks.get(self.step.id, ())
        self._say(lacks="needed before this step can begin" if lacking else "")
        if may_hold_secrets(self.item) and "busy" not in self._words:
            kept = survey.kept.get((self.step.id, self.item.name), "")
            self._say(kept=kept)
            if isinstance(self.editor, SecretLine):
                self.editor.show_kept(kept)
        if isinstance(self.editor, SourceList):
            self.editor.show(survey.sources.get(self.step.id, ()))

    def on_mount(self) -> None:
        if isinstance(self.editor, Line) and self.editor.value:
            beside(self, self._look, exclusive=True)

    def on_descendant_focus(self) -> None:
        self.call_after_refresh(self.come_into_sight)

    def on_descendant_blur(self) -> None:
        self.call_after_refresh(self._left)

    def _left(self) -> None:
        """Say of what only the form can tell that it can't be right, once the keyboard is elsewhere."""
        line = self._line
        if line and line.has_focus:
            return
        self._say(fits="")
        if isinstance(self.editor, Choice) and self.editor.unsaid and not self.has_focus_within:
            self._say(wrong="“something else” says nothing yet: write it in the line below it, or choose another row.")
        elif self._home and isinstance(self.editor, Line) and not self.editor.disabled:
            beside(self, partial(self._judge, self.editor))

    async def _judge(self, line: Line) -> None:
        """Of the folder for everything, which is kept only when it is opened: whether it can be."""
        text = line.value
        if line.paths and text != self._sent:
            wrong = await line.paths.ask(lambda: why_unusable(text) if text.strip() else "", lambda: line.value == text)
            if wrong is not None and line.value == text:
                self._say(wrong=wrong)

    def on_answer_given(self, event: AnswerGiven) -> None:
        event.stop()
        if isinstance(self.editor, SourceList | Choice):
            self._say(wrong="")
        if event.entered or self.new() is not None:
            self.post_message(self.AnswerGiven(self, entered=event.entered))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._home and self.new() is not None:
            self._say(kept="")
        elif (line := self._line) and line.value and line.value != self._sent:
            self._say(wrong="", taken="")  # it was said of something else
        if self._pause:
            self._pause.stop()
        self._pause = self.set_timer(PAUSE, lambda: beside(self, self._look, exclusive=True))

    async def _look(self) -> None:
        """Say what is at the path that is being typed; what the user
        has typed on meanwhile is left to the next look.
        """
        line = self._line
        if line is None:
            return
        text = line.value
        if isinstance(line, SecretLine):
            kind = kind_of(self.item)
            told = text and not kind.hidden and not kind.seen
            self._say(seen=f"typed: {shown(self.item, meant_by(text).text)}" if told else "")
        elif line.paths:
            found = await line.paths.around(text, lambda: line.value == text, typing=line.has_focus)
            if found and line.value == text and not (self._home and "kept" in self._words):
                self._say(seen=found[0], fits=found[1] if line.has_focus else "")

    @property
    def _line(self) -> Line | None:
        """The line of text, where the editor is one or has one."""
        return self.editor if isinstance(self.editor, Line) else next(iter(self.query(Line)), None)

    def _say(self, **words: str) -> None:
        """Replace some of the remarks; empty ones are not shown."""
        before = dict(self._words)
        for kind, text in words.items():
            self._words.pop(kind, None)
            if text:
                self._words[kind] = text
        if self._words != before:
            self._remark.display = bool(self._words)
            self._remark.update(
                Content("\n").join(_remark(kind, self._words[kind]) for kind in REMARKS if kind in self._words)
            )
            if self.has_focus_within:
                self.call_after_refresh(self.come_into_sight, self._remark)

    def come_into_sight(self, *parts: Widget) -> None:
        """The editor with the keyboard and, where there is room, these parts: else label, remark and help; the end of
        a help that is too long is left out.
        """
        if self.has_focus_within and (focused := self.screen.focused):
            self.query_ancestor(StillPage).have_in_sight(*(parts or (self,)), focused, arriving=not parts)


REMARKS = {
    "wrong": ("[!] ", "$error"),
    "lacks": ("[?] ", "$warning"),
    "busy": ("[>] ", "$accent"),
    "seen": ("    ", "dim"),
    "fits": ("    ", "$accent"),
    "taken": ("    ", "$accent"),
    "kept": ("    ", "$success"),
}
"""Kinds of remarks in the order shown: mark, style."""


def editor_for(step: Step, item: Field, session: Session) -> Editor:
    """The editor for a field's kind, holding what is known of its answer."""
    value = session.answer(step, item)
    return SecretLine(seen=kind_of(item).seen) if item.secret else EDITORS[kind_of(item).editor](item, value)


def _typed(value: Any) -> str:
    return "" if value is None else str(value)


def reflowed(text: str) -> str:
    """A step file's text without its own line breaks: paragraphs stay."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n") if part.strip())


def _needed(step: Step, item: Field) -> str:
    """What the label adds. A step that looks for an archive first waits for it, unless it is had from elsewhere."""
    if item.required:
        return ""
    return (
        " (or upload it)" if kind_of(item).rows and any(archive.browser for archive in step.archives) else " (optional)"
    )


def _remark(kind: str, text: str) -> Content:
    mark, style = REMARKS[kind]
    return Content.styled(mark + text, style)
