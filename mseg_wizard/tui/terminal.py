"""The terminal, made safe against its own end: a hang-up stops
the wizard cleanly instead of blocking or crashing it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import sys
import termios
import time
from collections.abc import Mapping
from typing import IO, Any, cast

from textual.app import App
from textual.events import CursorPosition
from textual.message import Message
from textual.messages import InBandWindowResize

from mseg_wizard.core.output import LAST, Output
from mseg_wizard.progress import printable
from mseg_wizard.tui.ascii import in_ascii, unicode_locale
from mseg_wizard.tui.graphics import Graphics, graphics_of
from mseg_wizard.tui.paste_parser import PasteParser
from mseg_wizard.tui.textual_private import SafeDriver

log = logging.getLogger("mseg_wizard.tui")

ASK = "\x1b7\x1b[2;1H\x1b[6n\x1b8"
"""Where is the cursor? In the second row: for the first, some answers are those of a function key."""
LOST = 30.0
"""Seconds after which an answer is not expected any more: the terminal may be another one by now."""
SLOW = 1.0
"""Seconds for an answer that make a line a slow one: it is sent no more pictures in pixels."""
AGAIN = 300.0
"""Seconds until it is tried again: this machine may have been the slow one."""

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
        self._reports_size = False
        """Does it have mode 2048?"""
        self._slow_at: float | None = None
        self._no_pixels = False
        self._images: dict[str, str] = {}
        """What has it forget each picture that it was sent → what was sent."""

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

    @property
    def graphics(self) -> Graphics | None:
        """How it shows pictures in pixels, if it is known to; it is never asked."""
        if self._no_pixels:
            return None
        try:
            size = struct.unpack("HHHH", fcntl.ioctl(self._out.fileno(), termios.TIOCGWINSZ, bytes(8)))
        except OSError:
            return None
        return graphics_of(os.environ, reports_size=self._reports_size, size=size)

    @property
    def quick(self) -> bool:
        """Does it take a picture in pixels without a delay that is noticed?"""
        return self.answers and (self._slow_at is None or time.monotonic() - self._slow_at > AGAIN)

    def without_pixels(self, why: str) -> None:
        """From now on it has no pictures in pixels."""
        if not self._no_pixels:
            self._no_pixels = True
            log.info("pictures in half cells: %s", why)

    def keep_image(self, sent: str, freed: str) -> None:
        """Send it a picture, which it is to forget at the end."""
        if sent:
            self._images[freed] = sent
            self.write(sent)

    def free_image(self, freed: str) -> None:
        if freed in self._images:
            del self._images[freed]
            self.write(freed)

    def parser(self) -> PasteParser:
        return PasteParser()

    def process_message(self, message: Message) -> None:
        """Runs in a thread, as Textual's own does."""
        if isinstance(message, InBandWindowResize) and message.supported:
            self._reports_size = True
        if isinstance(message, CursorPosition):
            if self._asked is not None and time.monotonic() - self._asked > SLOW:
                self._slow_at = time.monotonic()
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
        for sent in self._images.values():  # back from the shell, for which it had to forget them
            self.write(sent)

    def stop_application_mode(self) -> None:
        for freed in self._images:
            self.write(freed)
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
