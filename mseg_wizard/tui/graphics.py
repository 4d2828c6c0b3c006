"""Pictures in pixels for the terminals that are known to show them, made by textual-image (extra `pictures`).

That library asks the terminal and writes to it, past whoever else does. Here it reaches no terminal: it makes text, and
the driver sends it.
"""

from __future__ import annotations

import io
import re
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.segment import ControlType, Segment
from textual.strip import Strip

if TYPE_CHECKING:  # the first screen shows no picture, and need not wait for arrays
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

MOST = 96_000
"""Bytes of a picture at most: in half cells it has 26,000 to 35,000. One comes in four seconds."""
KITTY_CELL = (10, 20)
"""Pixels for each cell, whatever size it has: kitty scales a picture to its cells."""
SMALLEST_CELL, LARGEST_CELL = 4, 24
"""Pixels of a cell's height. Sixels aren't scaled, and those of larger cells would be too many."""
MULTIPLEXERS = ("TMUX", "STY", "ZELLIJ")
OTHERS = ("XTERM_VERSION", "VTE_VERSION", "KONSOLE_VERSION", "WT_SESSION")
"""Variables of terminals that may have been started from one of those below, and then have its variables too."""
DEFINED = re.compile(r"(#\d+);2;\d+;\d+;\d+")
"""A colour of sixels."""
ESCAPES = [(ControlType.CURSOR_FORWARD, 0)]
"""Marks text that takes no cells."""


class Protocol(Enum):
    KITTY = "kitty"
    SIXEL = "sixel"


COLORS = {Protocol.KITTY: (64, 32, 16, 8), Protocol.SIXEL: (32, 16, 8)}
"""Of a photograph: the first that keeps it small enough. More are so seldom that trying costs too much."""


@dataclass(frozen=True, slots=True)
class Graphics:
    """How a terminal shows pictures."""

    protocol: Protocol
    cell: tuple[int, int]
    """Width and height in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """A picture as text for the terminal."""

    rows: Sequence[Sequence[Segment]]
    """Row by row what stands in its cells."""
    sent: str = ""
    """What the terminal needs before."""
    freed: str = ""
    """What has it forget the picture."""

    @property
    def size(self) -> int:
        """In bytes."""
        return len("".join([self.sent, *(segment.text for row in self.rows for segment in row)]).encode())


class Uncut(Strip):
    """A line with pictures in it: what is cut off is gone, and so is the rest, as half of a picture's text would be
    shown as letters.
    """

    def crop(self, start: int, end: int | None = None) -> Strip:
        whole = start <= 0 and (end is None or end >= self.cell_length)
        return self if whole else Strip.blank(self.cell_length).crop(start, end)

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        cuts = list(cuts)
        return [self] if cuts == [self.cell_length] else Strip.blank(self.cell_length).divide(cuts)


def protocol_of(environment: Mapping[str, str], *, reports_size: bool) -> Protocol | None:
    """What this terminal is known to have; `reports_size`: it has mode 2048.

    Kitty shows pictures in the places that text gives them since version 0.28, boxes before. Textual asks for that mode
    anyway, and it is younger. Sixels are sent only to terminals where text takes their place again.
    """
    term = environment.get("TERM", "")
    if any(name in environment for name in MULTIPLEXERS) or term.startswith(("tmux", "screen")):
        return None
    if term in ("xterm-kitty", "xterm-ghostty"):
        return Protocol.KITTY if reports_size else None
    if term.startswith(("foot", "mlterm", "contour", "wezterm")):
        return Protocol.SIXEL
    named = (
        "MLTERM" in environment
        or environment.get("TERM_PROGRAM") == "WezTerm"
        or environment.get("TERMINAL_NAME") == "contour"
    )
    return Protocol.SIXEL if named and not any(name in environment for name in OTHERS) else None


def graphics_of(
    environment: Mapping[str, str], *, reports_size: bool, size: tuple[int, int, int, int]
) -> Graphics | None:
    """How this terminal shows pictures, if it is known to; `size`: its rows and columns, width and height in pixels."""
    protocol = protocol_of(environment, reports_size=reports_size)
    if protocol is Protocol.KITTY:
        return Graphics(protocol, KITTY_CELL)
    rows, columns, width, height = size
    if protocol is None or not rows or not columns:
        return None
    cell = width // columns, height // rows
    fits = SMALLEST_CELL <= cell[1] <= LARGEST_CELL and SMALLEST_CELL <= cell[0] <= LARGEST_CELL
    return Graphics(protocol, cell) if fits else None


def in_pixels(photo: NDArray[np.uint8], labels: NDArray[np.uint8], graphics: Graphics, between: Segment) -> Pixels:
    """Image and label map side by side, both (rows × cell height, columns × cell width, 3), RGB; `between` them in each
    row.

    Raises ImportError without the library, ValueError where it would be too much for a line, and what the library may.
    """
    from PIL import Image

    library = _library()
    draw = _kitty if graphics.protocol is Protocol.KITTY else _sixels
    right = draw(library, _by_palette(labels), graphics)
    for colors in COLORS[graphics.protocol]:
        image = Image.fromarray(photo).quantize(colors, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        left = draw(library, image, graphics)
        rows = [[*image_row, between, *label_row] for image_row, label_row in zip(left.rows, right.rows, strict=True)]
        made = Pixels(rows, left.sent + right.sent, left.freed + right.freed)
        if made.size <= MOST:
            return made
    raise ValueError("a picture has too many pixels")


@cache
def _library() -> Any:
    """The library's modules. Raises ImportError.

    While it is imported, it is shown no terminal: it would ask that for its kind, and take keys for the answer.
    """
    stdout = sys.__stdout__
    vars(sys)["__stdout__"] = None
    try:
        from textual_image.renderable import sixel, tgp
    finally:
        vars(sys)["__stdout__"] = stdout
    return SimpleNamespace(tgp=tgp, sixel=sixel, lock=threading.Lock())


def _kitty(library: Any, image: Image.Image, graphics: Graphics) -> Pixels:
    """The library writes the image to the program's output, and asks the terminal for the size of its cells: it gets
    another output, and the size.
    """
    width, height = graphics.cell
    columns, rows = image.width // width, image.height // height
    sent = io.StringIO()
    with library.lock:
        vars(library.tgp).update(
            sys=SimpleNamespace(__stdout__=sent), get_cell_size=lambda: SimpleNamespace(width=width, height=height)
        )
        shown = library.tgp.Image(image, columns, rows)
        lines: list[Any] = list(Console(file=io.StringIO(), width=columns, height=rows).render(shown))
    red, green, blue = lines[0].style.color.triplet
    # The colour names the picture: written out, as it would be another where only 256 are told apart.
    cells = [f"\x1b[38;2;{red};{green};{blue}m{line.text.rstrip()}\x1b[39m" for line in lines]
    # The library's own way to forget one leaves its data.
    freed = f"\x1b_Ga=d,d=I,i={shown.terminal_image_id},q=2\x1b\\"
    return Pixels([_over_cells(columns, text) for text in cells], sent.getvalue(), freed)


def _sixels(library: Any, image: Image.Image, graphics: Graphics) -> Pixels:
    """Each row of cells by itself: what is drawn anew or covered are rows.

    The library takes a colour that it defines as chosen; for xterm and WezTerm it isn't.
    """
    width, height = graphics.cell
    rows = [image.crop((0, top, image.width, top + height)) for top in range(0, image.height, height)]
    texts = [DEFINED.sub(r"\g<0>\1", library.sixel.image_to_sixels(row)) for row in rows]
    return Pixels([_over_cells(image.width // width, text) for text in texts])


def _over_cells(columns: int, text: str) -> list[Segment]:
    """Empty cells, and what is shown in them."""
    return [Segment(" " * columns), Segment(f"\x1b7\x1b[{columns}D{text}\x1b8", None, ESCAPES)]


def _by_palette(labels: NDArray[np.uint8]) -> Image.Image:
    """A picture of few colours, each of them kept."""
    import numpy as np
    from PIL import Image

    red, green, blue = (labels[..., channel].astype(np.uint32) for channel in range(3))
    colors, ids = np.unique(red << 16 | green << 8 | blue, return_inverse=True)
    image = Image.fromarray(ids.reshape(labels.shape[:2]).astype(np.uint8))
    image.putpalette(b"".join(color.to_bytes(3, "big") for color in colors.tolist()))
    return image
