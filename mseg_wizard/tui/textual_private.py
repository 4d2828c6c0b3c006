"""Every use of a Textual private, each with its reason; what the screen does with them is elsewhere.

A test fails when Textual changes or drops one of `USED`, and when another module of the screen uses a private.
"""

from __future__ import annotations

import os
from codecs import getincrementaldecoder
from selectors import EVENT_READ, SelectSelector
from typing import Any, cast

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Event, Paste
from textual.widgets import Input

USED = (
    "App._driver",
    "App._screen_stack",
    "App._handle_exception",
    "App._exception",
    "App._exception_event",
    "App._exit_renderables",
    "App._close_messages_no_wait",
    "Input._on_paste",
    "LinuxDriver._app",
    "LinuxDriver._file",
    "LinuxDriver._writer_thread",
    "LinuxDriver._run_input_thread",
    "LinuxDriver._sigcont_application",
    "LinuxDriver._must_signal_resume",
    "Message._stop_propagation",
    "WriterThread._queue",
)
"""Class and name of each."""


def driver_of(app: App[Any]) -> Driver | None:
    """What writes to the terminal: the title, and how far the terminal is, are asked of ours; Textual shows it nowhere.

    None before the app runs, and where a test runs it.
    """
    return app._driver


def has_screen(app: App[Any]) -> bool:
    """Is any screen up? `App.screen` raises where none is: before the first, and after the last."""
    return bool(app._screen_stack)


def was_taken(event: Event) -> bool:
    """Did a widget keep the event to itself? Only so is it known how far a key went before the next is looked at."""
    return event._stop_propagation


class SafeApp(App[Any]):
    """An app whose crash shows none of its variables: Textual's own printing would show what was typed."""

    def crashed(self, error: Exception) -> object:
        """What is printed of a bug once the terminal is restored."""
        raise NotImplementedError

    def _handle_exception(self, error: Exception) -> None:
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._exit_renderables[:] = [cast("Any", self.crashed(error))]
        self._close_messages_no_wait()


class PastedLine(Input):
    """An input whose pastes go to `take`: Textual's own keeps their first line only, and its handler is private."""

    def take(self, text: str) -> None:
        raise NotImplementedError

    def _on_paste(self, event: Paste) -> None:
        self.take(event.text)
        event.stop()
        event.prevent_default()


class InputParser(XTermParser):
    """Textual's parser of what a terminal sends, in a private module: the one place where a paste is told from keys."""


class SafeDriver(LinuxDriver):
    """A driver that writes into a file of ours, and whose reader survives odd bytes and tells when the terminal ends.

    Textual's writes into the terminal itself, whose end blocks it, and its reader dies silently.
    """

    def parser(self) -> InputParser:
        """What the terminal sends is given to this."""
        raise NotImplementedError

    def run_input_thread(self) -> None:
        """As Textual's own, with a parser of ours."""
        parser, decode = self.parser(), getincrementaldecoder("utf-8")().decode
        with SelectSelector() as selector:
            selector.register(self.fileno, EVENT_READ)
            while not self.exit_event.is_set():
                for _ in selector.select(0.1):
                    if not (sent := os.read(self.fileno, 4096)):
                        raise OSError("the terminal has ended")  # it would be ready to be read for ever
                    if text := decode(sent):
                        for event in parser.feed(text):
                            self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)

    def _sigcont_application(self, *_: object) -> None:
        """Take the terminal again after a stop. The system sends this with a hang-up as well, when there is none to
        take, and threads that Textual starts for it then would keep the process alive for ever.
        """
        if not (self._app.is_running and os.isatty(self.fileno)):
            return
        if not self._must_signal_resume:  # a stop that nobody was told of: its threads are there still
            self.suspend_application_mode()
            self._must_signal_resume = True
        super()._sigcont_application()

    def write_into(self, file: object) -> None:
        self._file = cast("Any", file)

    @property
    def unwritten(self) -> bool:
        """Does Textual's own thread have something to write yet?"""
        return bool(self._writer_thread and self._writer_thread._queue.qsize())

    def _run_input_thread(self) -> None:
        while not self.exit_event.is_set():
            try:
                self.run_input_thread()
            except UnicodeDecodeError:  # a terminal that sends something else than UTF-8
                continue
            except OSError:
                if not self.exit_event.is_set():
                    self._app.call_later(self._app.panic)
            return
