"""Run as a program on a terminal of its own: the guided journey over the test's small steps.

Arguments: folder, what is special.
"""

from __future__ import annotations

import fcntl
import os
import sys
import termios
import threading
import time
from collections.abc import Generator
from itertools import count, cycle
from pathlib import Path

import pytest

from mseg_wizard.context import Context
from mseg_wizard.progress import Progress
from mseg_wizard.tui import terminal
from mseg_wizard.tui.app import guide
from mseg_wizard.tui.screen import MainScreen
from mseg_wizard.tui.widgets import picture
from tests.toys import STEMS, toys_at
from tests.tui.kit import desk_at
from tests.waiting import PATIENCE


def main(folder: Path, special: str) -> int:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    monkeypatch = pytest.MonkeyPatch()
    if special.startswith("pictures"):
        return remap(folder, special, monkeypatch)
    with desk_at(folder, monkeypatch) as desk:

        def work(ctx: Context) -> Generator[Progress, None, None]:
            try:
                for number in count(1) if special == "counting" else ():
                    yield Progress("downloading leftImg8bit.zip", number * 1_000_000, None, "B", 1_000_000)
                    (folder / "counted").write_text(str(number))
                    time.sleep(0.1)
                yield from desk.until_released(ctx)
            finally:
                (folder / "closed").touch()

        desk.behaviours["open"] = work
        destination = desk.ready() if special != "new" else None
        if special == "crash":
            draw = MainScreen.draw

            def crash(self: MainScreen) -> None:
                password = "".join(("Geheim", "nis"))
                if "quits" in self.remark:
                    raise ValueError(password)
                draw(self)

            monkeypatch.setattr(MainScreen, "draw", crash)
        return guide(desk.steps, desk.open, destination)


def remap(folder: Path, special: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Work that makes one label map after the other."""
    kept = {name: os.environ.get(name) for name in ("TERM", "COLORTERM")}
    if "far" not in special:  # on a busy machine the test answers late, and that makes no slow line
        monkeypatch.setattr(terminal, "SLOW", PATIENCE)
    if "uninstalled" in special:
        monkeypatch.setitem(sys.modules, "textual_image", None)
    if "broken" in special:

        def fail(*args: object) -> None:
            raise RuntimeError(f"a bug of {len(args)} arguments")

        monkeypatch.setattr(picture, "in_pixels", fail)
    with toys_at(folder, monkeypatch) as toys:
        for name, value in kept.items():
            monkeypatch.setenv(name, value or "")
        toys.make()

        def go_on() -> None:
            for stem in cycle(STEMS):
                toys.name(stem)
                time.sleep(picture.EVERY / 4)

        threading.Thread(target=go_on, daemon=True).start()
        return guide(toys.desk.steps, toys.desk.open, toys.destination)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
