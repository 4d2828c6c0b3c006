"""The terminal, made safe against its own end: a hang-up stops the wizard cleanly instead of blocking or crashing it."""

from __future__ import annotations

import sys
from typing import IO, Any, cast

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver


class Terminal(LinuxDriver):
    """Textual's driver, except that output to a terminal that is gone is dropped, and odd bytes from it are not the end."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        stream = next((s for s in (sys.__stderr__, sys.__stdout__) if s and s.isatty()), sys.__stderr__)
        self._file = cast("Any", Deaf(cast("IO[str]", stream)))

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


class Deaf:
    """A file that takes everything. Textual's writer thread ends at the first error, and its full queue then blocks the screen for good."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        try:
            return self._file.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        try:
            self._file.flush()
        except (OSError, ValueError):
            return

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return True
