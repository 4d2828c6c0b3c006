"""The terminal, made safe against its own end: a hang-up stops
the wizard cleanly instead of blocking or crashing it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import IO, Any, cast

from textual.app import App
from textual.events import CursorPosition
from textual.message import Message

from mseg_wizard.core.output import LAST, Output
from mseg_wizard.progress import printable
from mseg_wizard.tui.ascii import in_ascii, unicode_locale
from mseg_wizard.tui.paste_parser import PasteParser
from mseg_wizard.tui.textual_private import SafeDriver

ASK = "\x1b7\x1b[2;1H\x1b[6n\x1b8"
"""Where is the cursor? In the second row: for the first, some answers are those of a function key."""
LOST = 30.0
"""Seconds after which an answer is not expected any more: the terminal may be another one by now."""

IN_BAR = {"running": 1, "stopped": 4, "waiting": 4, "failed": 2}
"""States as OSC 9;4 has them: at work, with an error, paused; 0 takes the mark away."""
VTE = 7900
"""The first version of GNOME's terminals that knows it."""


class Terminal(SafeDriver):
    """Textual's driver, except that output to a terminal that is
    gone is dropped, and odd bytes from it are not the end.
    """

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        stream = next((s for s in (sys.__stderr__, sys.__stdout__) if s and s.isatty()), sys.__stderr__)
        self._out = ClosedTerminal(cast("IO[str]", stream), plain=not unicode_locale())
        self.write_into(self._out)
        self._asked: float | None = None
        """When it was asked how far it is, while it owes the answer."""
        self.answers = False
        """Does this terminal answer at all?"""
        self._answered_for = 0
        self._bar = has_bar(os.environ)

    @property
    def behind(self) -> bool:
        """Has the terminal not yet shown all that was written? What can wait should wait then: the line is slow."""
        owes = self.answers and self._asked is not None and time.monotonic() - self._asked < LOST
        return owes or self._out.writing or self.unwritten

    def ask(self) -> None:
        """Have the terminal answer behind what was written so far:
        buffers on the way would hide for long that it is behind.
        """
        if self._out.written != self._answered_for and (self._asked is None or time.monotonic() - self._asked > LOST):
            self._asked = time.monotonic()
            self.write(ASK)

    def parser(self) -> PasteParser:
        return PasteParser()

    def process_message(self, message: Message) -> None:
        """Runs in a thread, as Textual's own does."""
        if isinstance(message, CursorPosition):
            self.answers, self._asked, self._answered_for = True, None, self._out.written
        else:
            super().process_message(message)

    def disable_input(self) -> None:
        """An answer that is still on its way would stand in the shell behind."""
        ends = time.monotonic() + LAST
        while self.answers and self._asked is not None and time.monotonic() < ends and not self.exit_event.is_set():
            time.sleep(0.02)
        super().disable_input()

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._title("\x1b[22;0t")  # the terminal keeps its title for the end

    def stop_application_mode(self) -> None:
        self._title("\x1b[23;0t")
        self.mark_it("", 0)
        super().stop_application_mode()

    def close(self) -> None:
        super().close()
        self._out.finish()

    def call_it(self, title: str) -> None:
        """Set the title of the terminal's window, or of tmux's pane: read where the window itself is out of sight."""
        self._title(f"\x1b]2;{printable(title, 100)}\x1b\\")

    def mark_it(self, state: str, part: float) -> None:
        """Show in the task bar how far it is, where the terminal is known to do that."""
        if self._bar:
            self.write(f"\x1b]9;4;{IN_BAR.get(state, 0)};{part * 100:.0f}\x1b\\")

    def _title(self, code: str) -> None:
        if os.environ.get("TERM") != "linux":  # the console has no title, and older ones print it
            self.write(code)


def has_bar(environment: Mapping[str, str]) -> bool:
    """Does this terminal show progress in the task bar? Others may take the code for a message to the user."""
    if "TMUX" in environment:
        return False
    vte = environment.get("VTE_VERSION", "")
    return (
        "WT_SESSION" in environment
        or environment.get("ConEmuANSI") == "ON"
        or environment.get("TERM_PROGRAM") == "ghostty"
        or (vte.isdecimal() and int(vte) >= VTE)
    )


class ClosedTerminal:
    """A file that takes everything at once, whether the terminal does or not.

    Textual's writer thread ends at the first error, and its full queue then blocks the screen for good; so does a
    terminal that takes nothing, as at the other end of a line that is down.
    """

    def __init__(self, file: IO[str], *, plain: bool = False) -> None:
        self._file = file
        self._output = Output(file.fileno())
        self._plain = plain
        """Does the locale have nothing but ASCII?"""
        self.written = 0
        """Characters so far, other than questions."""

    @property
    def writing(self) -> bool:
        """Is there something that the terminal has not taken?"""
        return self._output.unwritten

    def write(self, text: str) -> int:
        self.written += len(text.replace(ASK, ""))
        shown = in_ascii(text) if self._plain else text
        self._output.put(shown.encode(getattr(self._file, "encoding", None) or "utf-8", "replace"))
        return len(text)

    def flush(self) -> None:
        return

    def finish(self) -> None:
        """Give the terminal a last moment to take what it was sent."""
        self._output.wait(LAST)

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return True
