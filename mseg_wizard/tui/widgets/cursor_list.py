"""A list whose cursor can be seen in every kind of colours. What its rows say is elsewhere."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.style import Style
from textual.widgets import OptionList


class CursorList(OptionList):
    """An option list that keeps the reversed text of its style sheet: Textual leaves that out of a row's style, and
    without colours nothing else tells where the cursor is.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "screen.scroll_pane(-1)", show=False),
        Binding("pagedown", "screen.scroll_pane(1)", show=False),
    ]

    def get_visual_style(self, *component_classes: str, partial: bool = False) -> Style:
        style = super().get_visual_style(*component_classes, partial=partial)
        reverse = any(self.get_component_styles(name).text_style.reverse for name in component_classes)
        return style + Style(reverse=True) if reverse else style
