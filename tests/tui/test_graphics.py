"""Pictures in pixels: to whom they are sent, what is sent, and that the library that makes them reaches no terminal."""

from __future__ import annotations

import base64
import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import tty

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from rich.segment import Segment

from mseg_wizard.tui.graphics import (
    KITTY_CELL,
    MOST,
    Graphics,
    Protocol,
    Uncut,
    graphics_of,
    in_pixels,
    protocol_of,
)
from tests.conftest import ROOT
from tests.installed import NOT_INSTALLED
from tests.tui.cells import Cells, decoded

KITTY, SIXEL = Graphics(Protocol.KITTY, KITTY_CELL), Graphics(Protocol.SIXEL, (9, 17))
COLUMNS, ROWS = 12, 5


@pytest.mark.parametrize(
    ("environment", "reports_size", "expected"),
    [
        ({"TERM": "xterm-kitty"}, True, Protocol.KITTY),
        ({"TERM": "xterm-kitty"}, False, None),  # before 0.28 it shows boxes
        ({"TERM": "xterm-ghostty"}, True, Protocol.KITTY),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}, True, None),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, True, None),  # an editor's terminal in a kitty
        ({"TERM": "foot"}, False, Protocol.SIXEL),
        ({"TERM": "foot-extra"}, True, Protocol.SIXEL),
        ({"TERM": "foot", "STY": "1.tty"}, False, None),
        ({"TERM": "foot", "ZELLIJ": "0"}, False, None),
        ({"TERM": "mlterm"}, False, Protocol.SIXEL),
        ({"TERM": "xterm", "MLTERM": "3.9.0"}, False, Protocol.SIXEL),
        ({"TERM": "xterm", "MLTERM": "3.9.0", "XTERM_VERSION": "XTerm(379)"}, False, None),
        ({"TERM": "contour"}, False, Protocol.SIXEL),
        ({"TERM": "xterm-256color", "TERMINAL_NAME": "contour"}, False, Protocol.SIXEL),
        ({"TERM": "wezterm"}, False, Protocol.SIXEL),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, False, Protocol.SIXEL),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm", "VTE_VERSION": "7802"}, False, None),
        ({"TERM": "screen-256color", "TERM_PROGRAM": "WezTerm"}, False, None),
        ({"TERM": "tmux-256color"}, True, None),
        ({"TERM": "xterm-256color"}, True, None),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode"}, True, None),
        ({"TERM": "linux"}, False, None),
        ({"TERM": "dumb"}, False, None),
        ({}, False, None),
    ],
    ids=str,
)
def test_pixels_are_for_terminals_that_are_known_to_have_them(
    environment: dict[str, str], reports_size: bool, expected: Protocol | None
) -> None:
    assert protocol_of(environment, reports_size=reports_size) is expected


@pytest.mark.parametrize(
    ("term", "size", "cell"),
    [
        ("foot", (24, 80, 800, 480), (10, 20)),
        ("foot", (24, 80, 806, 483), (10, 20)),  # a margin belongs to no cell
        ("foot", (24, 80, 0, 0), None),
        ("foot", (0, 0, 800, 480), None),
        ("foot", (24, 80, 1920, 1152), None),  # too many pixels
        ("foot", (24, 80, 80, 24), None),
        ("xterm-kitty", (24, 80, 0, 0), KITTY_CELL),
        ("xterm-kitty", (24, 80, 1920, 1152), KITTY_CELL),
        ("xterm", (24, 80, 800, 480), None),
    ],
)
def test_the_size_of_a_cell_is_what_the_system_knows(
    term: str, size: tuple[int, int, int, int], cell: tuple[int, int] | None
) -> None:
    found = graphics_of({"TERM": term}, reports_size=True, size=size)
    assert (found.cell if found else None) == cell


@pytest.mark.parametrize("graphics", [KITTY, SIXEL], ids=lambda graphics: graphics.protocol.value)
def test_a_terminal_gets_the_photograph_and_every_label_in_its_colour(graphics: Graphics) -> None:
    pytest.importorskip("textual_image", reason=f"{NOT_INSTALLED}textual-image")
    photo, labels = scene(graphics)
    made = in_pixels(photo, labels, graphics, Segment("  "))
    assert len(made.rows) == ROWS
    assert made.size <= MOST
    shown = drawn(graphics, made.sent, made.rows)
    assert [half.shape for half in shown] == [photo.shape, labels.shape]
    assert np.abs(shown[0] - photo / 255).mean() < 0.06
    exact = 0 if graphics is KITTY else 0.0051  # sixels have colours in percent
    assert np.abs(shown[1] - labels / 255).max() <= exact


@pytest.mark.parametrize("graphics", [KITTY, SIXEL], ids=lambda graphics: graphics.protocol.value)
def test_what_would_be_too_much_for_a_line_is_refused(graphics: Graphics) -> None:
    pytest.importorskip("textual_image", reason=f"{NOT_INSTALLED}textual-image")
    noise = np.random.default_rng(0).integers(0, 256, (20 * graphics.cell[1], 60 * graphics.cell[0], 3), np.uint8)
    with pytest.raises(ValueError, match="too many pixels"):
        in_pixels(noise, noise // 128 * 255, graphics, Segment("  "))


PROGRAM = """
import os, select, sys
import numpy as np
from rich.segment import Segment
from mseg_wizard.tui.graphics import Graphics, Protocol, in_pixels
noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
print("begun", flush=True)
select.select([0], [], [])
for protocol in Protocol:
    in_pixels(noise, noise // 128 * 255, Graphics(protocol, (10, 20)), Segment("  "))
assert sys.__stdout__.isatty()
print("typed", os.read(0, 100), flush=True)
"""


@pytest.mark.slow
def test_the_library_neither_asks_the_terminal_nor_takes_its_keys() -> None:
    """Not even of one that doesn't tell how large its cells are."""
    pytest.importorskip("textual_image", reason=f"{NOT_INSTALLED}textual-image")
    there, here = pty.openpty()
    tty.setraw(here)
    fcntl.ioctl(here, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before = termios.tcgetattr(here)
    environment = {**os.environ, "TERM": "xterm-kitty", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=here, stdout=here, stderr=here, env=environment, cwd=ROOT
    )
    said = b""
    while b"begun" not in said:
        said += os.read(there, 1000)
    os.write(there, b"\x1b[24;80Rqy\x1b[15~")
    assert process.wait() == 0, said + os.read(there, 10_000)
    while select.select([there], [], [], 0)[0]:
        said += os.read(there, 1000)
    assert said.split() == [b"begun", b"typed", b"b'\\x1b[24;80Rqy\\x1b[15~'"]
    assert termios.tcgetattr(here) == before
    os.close(there)
    os.close(here)


def test_half_of_a_pictures_text_is_never_shown() -> None:
    line = Uncut([Segment("   "), Segment("\x1bPq…\x1b\\", None, [(0, 0)])], 3)  # type: ignore[list-item]
    assert line.crop(0) is line
    assert line.crop(0, 3) is line
    assert line.crop(0, 9) is line
    assert line.crop(1).text == "  "
    assert line.crop(0, 2).text == "  "
    assert line.divide([3]) == [line]
    assert [part.text for part in line.divide([1, 3])] == [" ", "  "]


def scene(graphics: Graphics) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A photograph of soft colours, and labels of 40 classes."""
    width, height = COLUMNS * graphics.cell[0], ROWS * graphics.cell[1]
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    photo = np.stack([across, down, 255 - across], -1).astype(np.uint8)
    palette = np.random.default_rng(3).integers(0, 256, (40, 3), np.uint8)
    return photo, palette[(np.arange(width) // 5 + 7 * (np.arange(height) // 4)[:, None]) % len(palette)]


def drawn(graphics: Graphics, sent: str, rows: object) -> list[NDArray[np.float64]]:
    """Both halves as a terminal would show them, in parts of full brightness."""
    assert isinstance(rows, list)
    text = sent + "".join(f"\x1b[{y};1H" + "".join(segment.text for segment in row) for y, row in enumerate(rows, 1))
    cells = Cells()
    cells.read(text)
    if graphics.protocol is Protocol.SIXEL:
        left, right = 0, COLUMNS + 2
        assert sorted(cells.sixels) == [(y, x) for y in range(ROWS) for x in (left, right)]
        return [np.concatenate([decoded(cells.sixels[y, x]) for y in range(ROWS)]) for x in (left, right)]
    return [np.asarray(image.convert("RGB")) / 255 for image in kitty_images(cells).values()]


def kitty_images(cells: Cells) -> dict[int, Image.Image]:
    """By number, in the order in which they were sent; each has a place in the text."""
    data: dict[int, str] = {}
    placed = set()
    for said in cells.graphics:
        keys, _, payload = said.partition(";")
        keyed = dict(re.findall(r"(\w)=(\w+)", keys))
        if keyed.get("a") == "p":
            assert keyed["U"] == "1"
            placed.add(int(keyed["i"]))
        elif "f" in keyed:
            assert (keyed["f"], keyed["q"]) == ("100", "2"), "a PNG, and no answer"
            data[int(keyed["i"])] = data.get(int(keyed["i"]), "") + payload
    assert placed == set(data)
    return {number: Image.open(io.BytesIO(base64.b64decode(text))) for number, text in data.items()}
