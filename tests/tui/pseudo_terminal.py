"""A pseudo-terminal with the wizard on it, for tests that look at what a terminal is sent."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.conftest import ROOT
from tests.waiting import PATIENCE, wait_until

FOREIGN = ("NO_COLOR", "TMUX", "STY", "COLORTERM", "COLUMNS", "LINES")
"""Variables of the terminal that the tests were started in: this one is another."""
F5, F10 = b"\x1b[15~", b"\x1b[21~"
WHERE, HERE = "\x1b[6n", b"\x1b[2;1R"
"""Where is the cursor? It is here."""


class Terminal:
    """A pseudo-terminal with the wizard on it; `cell`: pixels of one of its cells, which most don't tell; `output`: the
    file that its output goes to.
    """

    def __init__(
        self,
        folder: Path,
        special: str = "",
        size: tuple[int, int] = (80, 24),
        cell: tuple[int, int] = (0, 0),
        output: Path | None = None,
        **environment: str,
    ) -> None:
        self.folder = folder
        self.master, self.slave = pty.openpty()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self.resize(*size, cell, tell=False)
        self.before = termios.tcgetattr(self.slave)
        self.seen = ""
        kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.tui.on_a_terminal", str(folder), special],
            stdin=self.slave,
            stdout=output.open("wb") if output else self.slave,
            stderr=self.slave,
            cwd=ROOT,
            start_new_session=True,
            env={**kept, "TERM": "xterm-256color", **environment},
        )

    def resize(self, width: int, height: int, cell: tuple[int, int] = (0, 0), *, tell: bool = True) -> None:
        size = struct.pack("HHHH", height, width, width * cell[0], height * cell[1])
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    def keys(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def read(self) -> str:
        """What came since the last look, without colours."""
        raw = b""
        while select.select([self.master], [], [], 0.05)[0]:
            try:
                raw += os.read(self.master, 65536)
            except OSError:
                break
        fresh = self._decode(raw)
        self.seen += fresh
        return fresh

    def until(self, text: str) -> None:
        """Wait until this was drawn since the last wait; colours and moves of the cursor don't count."""
        self.wait(lambda: re.sub(r"\s", "", text) in re.sub(r"\s", "", plain(self.seen)), text)
        self.seen = ""

    def wait(self, met: Callable[[], bool], what: str) -> None:
        # read() itself waits for a moment in which nothing comes
        if not wait_until(lambda: self.read() is not None and met(), patience=PATIENCE):
            raise AssertionError(f"never: {what}\n{plain(self.seen)}")

    def ended(self) -> int:
        self.wait(lambda: self.process.poll() is not None, "the end")
        self.read()
        assert self.process.returncode is not None
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for descriptor in (self.master, self.slave):
            with suppress(OSError):
                os.close(descriptor)

    def restored(self) -> bool:
        """Main screen, cursor, mouse, paste, and the line discipline as before."""
        off = [
            self.seen.rfind(f"\x1b[?{mode}l") > self.seen.rfind(f"\x1b[?{mode}h")
            for mode in ("1049", "1000", "1003", "1006", "2004")
        ]
        shown = self.seen.rfind("\x1b[?25h") > self.seen.rfind("\x1b[?25l")
        return all(off) and shown and termios.tcgetattr(self.slave) == self.before


def plain(text: str) -> str:
    return re.sub(r"\x1b(\[[0-9;?<>=]*[ -/]*[@-~]|\].*?(\x07|\x1b\\))", "", text)
