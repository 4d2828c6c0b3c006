"""A page that doesn't move by itself below the hands of someone who is in it. What stands on it is not known here."""

from __future__ import annotations

from typing import Any, NamedTuple

from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static


class Held(NamedTuple):
    """Where the widget with the keyboard is to stay."""

    widget: Widget
    row: int
    """Of the screen."""
    scrolled: float
    """How far the page is scrolled for that."""
    seen: bool
    """Not where somebody scrolled on, to read something else."""


class StillPage(VerticalScroll, can_focus=False):
    """Scrolls by as much as comes or goes above what has the keyboard, with blank lines at its end where it is too
    short for that.
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._held: Held | None = None
        self.blank = Static(classes="blank")
        """To be composed last."""

    def on_mount(self) -> None:
        self.screen.screen_layout_refresh_signal.subscribe(self, self._hold, immediate=True)

    def _hold(self, screen: Screen[Any]) -> None:
        """After every layout: take back what it moved."""
        widget, held = screen.focused, self._held
        if widget is None or not self.is_on_screen or self not in widget.ancestors:
            if held:
                self._held = None
                self.blank.styles.height = 0
            return
        window, row = self.scrollable_content_region, widget.region.y
        # Where the page became shorter, or its window longer, Textual scrolls back: else it was somebody's wish.
        wished = held and self.scroll_y != held.scrolled and not self.scroll_y == self.max_scroll_y < held.scrolled
        if held is None or held.widget is not widget or wished:
            self._held = Held(widget, row, self.scroll_y, window.y <= row < window.bottom)
            return
        if row != held.row:
            self._scroll_by(row - held.row)
            self._held = Held(held.widget, held.row, self.scroll_y, held.seen)
        if held.seen and not window.y <= held.row < window.bottom:
            self.have_in_sight(widget)

    def _scroll_by(self, rows: int) -> None:
        """Also beyond the end: the blank lines for that come with the next layout, after which this is asked again."""
        to, blank = round(self.scroll_y) + rows, self.blank.virtual_region
        lacking = to + self.scrollable_content_region.height - blank.y
        if lacking > blank.height:
            self.blank.styles.height = lacking
        self.scroll_to(y=to, animate=False, immediate=True)

    def have_in_sight(self, *widgets: Widget, arriving: bool = False) -> None:
        """Scroll as little as shows these, the last surely, with the line above it; it is the one with the keyboard.

        `arriving`: it came there just now.
        """
        window, before, last = self.scrollable_content_region, round(self.scroll_y), widgets[-1]
        to = before
        for region in (widget.region for widget in widgets if widget.region):
            top = region.y - window.y + before - (region == last.region)
            bottom = min(region.bottom - window.y + before, top + window.height)
            to = min(max(to, bottom - window.height), top)
        if arriving:  # the lines below the page may grow: it stands where they don't reach
            lowest = window.y + window.height * 2 // 3 - 1
            to = max(to, min(before + last.region.y - lowest, round(self.max_scroll_y)))
        self.scroll_to(y=to, animate=False, immediate=True)
        if last.region:
            row = last.region.y - (round(self.scroll_y) - before)
            self._held = Held(last, row, self.scroll_y, seen=True)
