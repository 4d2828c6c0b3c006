"""Which cells of a text say something else: a slow line needs no others. Textual itself draws whole widgets anew."""

from __future__ import annotations

from itertools import zip_longest

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual
from textual.widget import Widget


def changed_cells(widget: Widget, before: Content, after: Content, width: int, height: int) -> list[Region]:
    """Of each line that differs the part from the first to the last cell that does, in columns and lines of the text.

    Both are laid out in `width` columns and `height` lines.
    """
    lines = [Visual.to_strips(widget, content, width, height, Style(), pad=True) for content in (before, after)]
    found = []
    for y, (old, new) in enumerate(zip_longest(*lines, fillvalue=Strip([]))):
        cells = [_cells(line) for line in (old, new)]
        differ = [x for x, (a, b) in enumerate(zip_longest(*cells)) if a != b]
        if differ:
            found.append(Region(differ[0], y, differ[-1] - differ[0] + 1, 1))
    return found


def _cells(line: Strip) -> list[tuple[str, object]]:
    """Text and style of each cell; the second cell of a wide character has no text of its own."""
    found: list[tuple[str, object]] = []
    for text, style, _ in line:
        for character in text:
            found += [(character, style or None), ("", style or None)][: cell_len(character)]
    return found
