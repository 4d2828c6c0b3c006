"""How well what is drawn can be read: the contrast of each run of text with what is behind it, as WCAG counts it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from mseg_wizard.tui.app import Wizard

BLACK, WHITE = Color(0, 0, 0), Color(229, 229, 229)
"""What a terminal's own colours are by default, in most terminals."""
SIXTEEN = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
    (255, 255, 255),
)  # fmt: skip
"""The colours that xterm gives to their numbers."""


def luminance(color: Color) -> float:
    parts = [part / 255 for part in color.rgb]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def drawn(app: Wizard) -> Iterator[Segment]:
    """Each run of text on the screen, as it goes to the terminal."""
    for strip in app.screen._compositor.render_strips():
        for each in app._filters:
            strip = strip.apply_filter(each, app.screen.background_colors[1]) if each.enabled else strip
        yield from (segment for segment in strip if segment.text.strip(" │┃─━▌▐▊▁▂▃▄▅▆▇█"))


def unreadable(segments: Iterable[Segment], least: float = 4.5) -> list[tuple[str, float]]:
    """Runs of text with less contrast than this, and how much they have."""
    found = ((segment.text, _ratio(segment.style or Style())) for segment in segments)
    return [(text, ratio) for text, ratio in found if ratio < least]


def _ratio(style: Style) -> float:
    text, ground = _shown(style.color, WHITE), _shown(style.bgcolor, BLACK)
    return contrast(text, ground)


def _shown(color: object, own: Color) -> Color:
    from rich.color import Color as RichColor

    if not isinstance(color, RichColor) or color.is_default:
        return own
    if color.number is not None and color.number < len(SIXTEEN):
        return Color(*SIXTEEN[color.number])
    return Color.from_rich_color(color)
