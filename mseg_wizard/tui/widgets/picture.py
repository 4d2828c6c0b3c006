"""The label map that was made last, beside its image, below a step's tasks: in pixels where the terminal is known to
have them, else in half cells.

What it shows is found out elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mseg_wizard.context import Context
from mseg_wizard.core.preferences import prefer, preferences
from mseg_wizard.progress import printable
from mseg_wizard.standing.snapshot import Snapshot
from mseg_wizard.step import Call, Step
from mseg_wizard.tui.ascii import unicode_locale
from mseg_wizard.tui.background import beside
from mseg_wizard.tui.graphics import Graphics, Uncut, in_pixels
from mseg_wizard.tui.session import Session
from mseg_wizard.tui.terminal import Terminal
from mseg_wizard.tui.text import fit
from mseg_wizard.tui.textual_private import driver_of

if TYPE_CHECKING:  # the first screen shows no picture, and need not wait for arrays
    import numpy as np
    from numpy.typing import NDArray

    from mseg_wizard.reporting.preview import ClassShare, Preview

log = logging.getLogger("mseg_wizard.tui")

EVERY = 4.0
"""Seconds between two pictures: long enough to look at one, and for a slow line to take one."""
WIDEST, HIGHEST, LOWEST = 36, 18, 6
"""Columns and rows of each half. Below the lowest nothing can be made out."""
USUAL = 3 / 4
"""Height of most images over their width: the room below a wide
one stays empty, so that nothing moves from picture to picture.
"""
GAP = 2
LEGEND = 2
LONGEST = 24
PREFERENCE, HIDDEN = "pictures", "hidden"


@dataclass(frozen=True, slots=True)
class PictureArea:
    """The cells that a picture may take."""

    columns: int
    """Of each half."""
    rows: int
    legend: int
    """Lines of it."""
    above: int
    """Empty lines; none where every line is needed."""

    @property
    def width(self) -> int:
        return 2 * self.columns + GAP

    @property
    def height(self) -> int:
        """In all: a line says what it is."""
        return self.above + 1 + self.rows + self.legend

    def fits(self, left: Size) -> bool:
        return self.height <= left.height and self.width <= left.width


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A picture line by line, and the room that it was drawn for."""

    room: PictureArea
    strips: Sequence[Strip]
    """Empty where there are pixels."""
    graphics: Graphics | None = None
    """What the pixels were made for."""
    pixels: Mapping[int, Sequence[Segment]] = field(default_factory=dict)
    """By line."""
    sent: str = ""
    freed: str = ""


class Picture(Widget, can_focus=False):
    """Comes with the step's first label map and stays while the
    step is at work; moves nothing while someone is in the form.
    """

    ALLOW_SELECT = False

    class Drawn(Message):
        """A new one can be shown."""

    def __init__(self, step: Step, session: Session) -> None:
        super().__init__()
        self.wanted: bool | None = None
        """None until the user's preferences were looked at."""
        self._step = step
        self._session = session
        self._room: PictureArea | None = None
        """What it takes now; None while it isn't shown."""
        self._shown: Drawing | None = None
        self._asked: tuple[str, PictureArea] | None = None
        """The label map that was drawn last, or is being drawn, and for how much room."""
        self._ready: Drawing | None = None
        self._asked_at = 0.0
        self._drawing = self._broken = False

    def follow(self, snapshot: Snapshot, left: Size, *, still: bool) -> None:
        """Show what `snapshot` says was made, in the cells that are left
        for it; `still`: nothing may come, go or change its size now.
        """
        at_work = self._at_work(snapshot)
        call = next((call for call in at_work if call.makes), None)
        begun = call or (at_work and (self._room or self._ready or self._drawing))
        room = self._room if still else area_in(left) if begun else None
        if room is None:
            self._hide()
        elif self._ready and (self._ready.room == self._room or (self._ready.room.fits(left) and not still)):
            self._show(self._ready)
            self._ready = None
        made = snapshot.progress[call.key].made if call and call.key in snapshot.progress else ""
        if call and room and made and self._may_draw(made, room):
            self._asked, self._asked_at, self._drawing = (made, room), time.monotonic(), True
            beside(self, partial(self._draw, call, made, room))

    def render_line(self, y: int) -> Strip:
        strips = self._shown.strips if self._shown else ()
        strip = strips[y] if y < len(strips) else Strip.blank(0)
        return strip.adjust_cell_length(self.size.width).apply_style(self.rich_style)

    def render_lines(self, crop: Region) -> list[Strip]:
        """As Textual does, which keeps lines: but pixels would be shown over a dialog, or in cells of another size."""
        lines, shown, terminal = super().render_lines(crop), self._shown, self._terminal
        whole = crop.x == 0 and crop.width == self.size.width
        if not (shown and shown.graphics and terminal and whole and self.app.screen is self.screen):
            return lines
        if terminal.graphics != shown.graphics:
            return lines
        return [
            self._pixel_line(shown.pixels[y]) if y in shown.pixels else line for y, line in enumerate(lines, crop.y)
        ]

    def _pixel_line(self, segments: Sequence[Segment]) -> Strip:
        width = self.size.width
        rest = Segment(" " * (width - sum(segment.cell_length for segment in segments)))
        return Uncut(Segment.apply_style([*segments, rest], self.rich_style), width)

    @property
    def _terminal(self) -> Terminal | None:
        driver = driver_of(self.app)
        return driver if isinstance(driver, Terminal) else None

    def _at_work(self, snapshot: Snapshot) -> list[Call]:
        """The step's calls under way, where pictures are shown at all."""
        if (
            not snapshot.running
            or self._session.ctx is None
            or self.app.native_ansi_color
            or not unicode_locale()
            or self._broken
            or self.wanted is False
        ):
            return []
        return [call for call in self._step.calls if call.key in snapshot.calls]

    def _may_draw(self, made: str, room: PictureArea) -> bool:
        if self._drawing or self._asked == (made, room) or (self._terminal and self._terminal.behind):
            return False
        # Other room waits for the next picture as well: the lines of
        # the tasks come and go, and a layout costs a whole pane.
        return self._asked is None or time.monotonic() - self._asked_at >= EVERY

    async def _draw(self, call: Call, made: str, room: PictureArea) -> None:
        ctx = self._session.ctx
        try:
            if self.wanted is None:
                self.wanted = await asyncio.to_thread(wanted)
            if not self.wanted:
                self._asked = None  # asked again should they be wanted later
            elif ctx and (drawing := await self._drawn(partial(_drawing, ctx, call, made, room))):
                self._ready = drawing
                self.post_message(self.Drawn())
        except Exception:  # a bug of ours: no picture is worth the screen
            log.exception("the picture of %s", printable(made))
            self._broken = True
        finally:
            self._drawing = False

    async def _drawn(self, draw: Callable[[Graphics | None], Drawing | None]) -> Drawing | None:
        """In pixels where the terminal has them and takes them in time."""
        terminal = self._terminal
        graphics = terminal.graphics if terminal and terminal.quick else None
        try:
            return await asyncio.to_thread(draw, graphics)
        except Exception as error:  # whatever a library finds for which terminals differ
            if terminal is None or graphics is None:
                raise
            terminal.without_pixels(f"{type(error).__name__}: {error}")
        return await asyncio.to_thread(draw, None)

    def _show(self, drawing: Drawing) -> None:
        terminal, before = self._terminal, self._shown
        if terminal:
            terminal.keep_image(drawing.sent, drawing.freed)
        self._shown = drawing
        if self._room != drawing.room:
            self._room, self.styles.height, self.display = drawing.room, drawing.room.height, True
        self.refresh()
        if terminal and before:  # its cells are there until the new ones are
            self.call_after_refresh(terminal.free_image, before.freed)

    def _hide(self) -> None:
        self._asked = self._ready = None
        if self._shown and self._terminal:
            self._terminal.free_image(self._shown.freed)
        self._shown = None
        if self._room:
            self._room, self.display = None, False


def wanted() -> bool:
    """Does the user want pictures? Reads a file."""
    return preferences().get(PREFERENCE) != HIDDEN


def toggle() -> bool:
    """Remember that the user wants no pictures any more, or wants them again; returns which.

    Reads and writes a file.
    """
    shown = not wanted()
    prefer(PREFERENCE, "shown" if shown else HIDDEN)
    return shown


def area_in(left: Size) -> PictureArea | None:
    """What a picture takes of the cells that are left; None where they are too few."""
    columns = min(WIDEST, (left.width - GAP) // 2)
    fitting = min(HIGHEST, round(columns * USUAL / 2))
    legend = max(1, min(LEGEND, left.height - 2 - fitting))
    rows = left.height - 1 - legend
    above = int(rows > LOWEST)
    return PictureArea(columns, min(fitting, rows - above), legend, above) if min(fitting, rows) >= LOWEST else None


def drawn(found: Preview, room: PictureArea, graphics: Graphics | None) -> Drawing:
    """What it is, image and labels, the legend. Raises what `in_pixels` does."""
    said = fit(f"{printable(found.image, 200)} · {printable(found.taxonomy, 100)}", room.width)
    lines = [*([Segment("")] for _ in range(room.above)), [Segment(said, Style(dim=True))]]
    legend, gap = _legend(found.shares, room), Segment(" " * GAP)
    if graphics:
        pixels = in_pixels(found.photo, found.labels, graphics, gap)
        rows = dict(enumerate(pixels.rows, len(lines)))
        strips = [Strip(line) for line in [*lines, *([Segment("")] for _ in rows), *legend]]
        return Drawing(room, strips, graphics, rows, pixels.sent, pixels.freed)
    for upper in range(0, len(found.photo), 2):
        image, labels = (_cells(half[upper], half[upper + 1]) for half in (found.photo, found.labels))
        lines.append([*image, gap, *labels])
    return Drawing(room, [Strip(line) for line in [*lines, *legend]])


def _drawing(ctx: Context, call: Call, made: str, room: PictureArea, graphics: Graphics | None) -> Drawing | None:
    from mseg_wizard.reporting.preview import HALVES, preview

    found = preview(ctx, call, made, room.columns, room.rows, graphics.cell if graphics else HALVES)
    return drawn(found, room, graphics) if found else None


def _cells(upper: NDArray[np.uint8], lower: NDArray[np.uint8]) -> Iterator[Segment]:
    """Two rows of pixels as one line of cells; equal neighbours are one run of cells."""
    import numpy as np

    pairs = np.concatenate([upper, lower], 1)
    starts = [0, *(np.flatnonzero((pairs[1:] != pairs[:-1]).any(1)) + 1).tolist(), len(pairs)]
    for start, end in pairwise(starts):
        above, below = Color.from_rgb(*upper[start].tolist()), Color.from_rgb(*lower[start].tolist())
        if above == below:
            yield Segment(" " * (end - start), Style(bgcolor=above))
        else:
            yield Segment("▀" * (end - start), Style(color=above, bgcolor=below))


def _legend(shares: Sequence[ClassShare], room: PictureArea) -> list[list[Segment]]:
    """The largest classes with their colours, as many as fit."""
    lines: list[list[Segment]] = []
    left = 0
    for share in shares:
        text = f" {printable(share.name, LONGEST)} {share.part:.0%}"
        width = 1 + cell_len(text)
        if not lines or left < width:
            if len(lines) == room.legend:
                break
            lines.append([])
            left = room.width
        lines[-1] += [Segment("■", Style(color=Color.from_rgb(*share.color))), Segment(f"{text}  ")]
        left -= width + 2
    return lines
