"""Bytes that the screen sends to a terminal in a second, on the overview, at 80x24 and other sizes.

`python -m tests.benchmarks.slow_line [COLUMNSxROWS …]`: while it waits, while one large archive is fetched, and while
four are of which each gains a percentage a second.
"""

from __future__ import annotations

import fcntl
import os
import pty
import random
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import pytest

from mseg_wizard.progress import Progress
from mseg_wizard.standing.snapshot import Snapshot
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tui.app import guide
from mseg_wizard.tui.screen import MainScreen
from tests.tui.kit import desk_at

SETTLES, MEASURED = 8.0, 20.0
"""Seconds before and while bytes are counted."""
ASKED, HERE = b"\x1b[6n", b"\x1b[2;1R"
"""The screen asks where the cursor is; the answer."""
ARCHIVES = ("train2017", "leftImg8bit", "idd", "apillary")
"""What the names of those that are fetched have in them."""
RATE = 43e6
"""Bytes per second of the one archive."""


def snapshot(kind: str, seconds: float, dice: random.Random) -> Snapshot:
    """Where the work is after so long."""
    calls = [call for step in load_steps() for call in step.calls if call.task == "download"]
    progress = {}
    for at, part in enumerate(ARCHIVES[: {"waits": 0, "one": 1, "four": 4}[kind]]):
        call = next(call for call in calls if part in call.key)
        total = call.archive.size if call.archive and call.archive.size else 20_000_000_000
        rate = total * 0.01 if kind == "four" else RATE
        done, seen = min(total, int(total / 20 + rate * seconds)), rate * dice.uniform(0.95, 1.05)
        ahead = "fetching" if at else ""
        progress[call.key] = Progress(f"downloading {call.key}", done, total, "B", seen, call=call.key, ahead=ahead)
    return Snapshot(running=bool(progress), calls=tuple(progress)[:1], progress=progress)


def program(folder: Path, kind: str) -> int:
    """The screen, on the terminal that this process has."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    monkeypatch = pytest.MonkeyPatch()
    with desk_at(folder, monkeypatch) as desk:
        desk.steps = load_steps()
        place, begun, dice, draw = desk.ready(), time.monotonic(), random.Random(1), MainScreen.draw

        def drawn(self: MainScreen) -> None:
            if self.session.runner:
                self.session.runner.snapshot = snapshot(kind, time.monotonic() - begun, dice)
            draw(self)

        monkeypatch.setattr(MainScreen, "draw", drawn)
        return guide(desk.steps, desk.open, place)


def bytes_a_second(kind: str, columns: int, rows: int) -> list[int]:
    """Of each second of `MEASURED`."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    folder = tempfile.mkdtemp(prefix="mseg-")
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TMUX", "COLORTERM")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.slow_line", "--program", folder, kind],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env={**kept, "TERM": "xterm-256color"},
    )  # fmt: skip
    begun, found = time.monotonic(), [0] * int(MEASURED)
    while (passed := time.monotonic() - begun - SETTLES) < MEASURED:
        if select.select([master], [], [], 0.05)[0]:
            came = os.read(master, 65536)
            os.write(master, HERE * came.count(ASKED))
            if passed >= 0:
                found[int(passed)] += len(came)
    process.kill()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)
    return found


def main(sizes: list[str]) -> None:
    for size in sizes or ["80x24"]:
        columns, rows = map(int, size.split("x"))
        for kind in ("waits", "one", "four"):
            found = bytes_a_second(kind, columns, rows)
            mean, most = sum(found) / len(found) / 1000, max(found) / 1000
            print(f"{size:>7} {kind:>6}: {mean:.2f} kB/s, at most {most:.2f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--program"]:
        sys.exit(program(Path(sys.argv[2]), sys.argv[3]))
    main(sys.argv[1:])
