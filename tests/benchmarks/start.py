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
from pathlib import Path

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
    took: dict[str, list[tuple[float, float]]] = {what: [] for what in STARTS}
    for number in range(rounds + 1):
        for what, (command, last) in STARTS.items():
            once = painted(command, last)
            if number:  # the first round fills the caches
                took[what].append(once)
    medians = {what: [statistics.median(column) for column in zip(*rows, strict=True)] for what, rows in took.items()}
    baseline = next(iter(medians.values()))
    print(f"{'started':<28} {'median s':>9} {'times the smallest':>19} {'of a core, s':>13} {'times the smallest':>19}")
    for what, (seconds, work) in medians.items():
        print(f"{what:<28} {seconds:9.2f} {seconds / baseline[0]:19.1f} {work:13.2f} {work / baseline[1]:19.1f}")


def painted(command: Sequence[str], last: str) -> tuple[float, float]:
    """Seconds from the start of a command until a text is on its terminal of 80 columns and 24 rows, and those of a
    core that its process worked till then, which say more on a busy machine.
    """
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
            return time.perf_counter() - began, _worked(process.pid)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(master)


def _worked(pid: int) -> float:
    """Seconds of a core that a process took."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
