"""From the command to its first whole screen, on a terminal,
beside Textual's own: python -m tests.benchmarks.start [rounds]

Files are in the system's cache, the home is new, and the machine's keyring is not asked. The baseline is the smallest
Textual app, which shows one line; what is above it is ours.
"""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence

from tests.conftest import ROOT

BARE = """
from textual.app import App
from textual.widgets import Label
class Bare(App):
    def compose(self): yield Label("it stands")
Bare().run()
"""
STARTS = {
    "the smallest Textual app": ((sys.executable, "-c", BARE), "it stands"),
    "mseg-wizard, first time": ((sys.executable, "-m", "mseg_wizard"), "F10"),
}
"""What is started → its command, and what stands at the foot of its first screen."""


def main(rounds: int = 5) -> None:
    took: dict[str, list[float]] = {what: [] for what in STARTS}
    for number in range(rounds + 1):
        for what, (command, last) in STARTS.items():
            once = painted(command, last)
            if number:  # the first round fills the caches
                took[what].append(once)
    baseline = statistics.median(next(iter(took.values())))
    print(f"{'started':<28} {'median s':>9} {'best s':>7} {'times the smallest':>19}")
    for what, seconds in took.items():
        print(
            f"{what:<28} {statistics.median(seconds):9.2f} {min(seconds):7.2f} "
            f"{statistics.median(seconds) / baseline:19.1f}"
        )


def painted(command: Sequence[str], last: str) -> float:
    """Seconds from the start of a command until a text is on its terminal of 80 columns and 24 rows."""
    with tempfile.TemporaryDirectory() as home:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "DBUS_"))}
        environment |= {
            "HOME": home,
            "TERM": "xterm-256color",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, env=environment, start_new_session=True
        )
        os.close(slave)
        seen = b""
        try:
            while last.encode() not in seen:
                try:
                    seen += os.read(master, 65536)
                except OSError as gone:
                    raise SystemExit(f"It ended before it showed anything:\n{seen.decode(errors='replace')}") from gone
            return time.perf_counter() - began
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(master)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
