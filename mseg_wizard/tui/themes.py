"""The screen's colours, dark and light, and which of them a user wants.

Where a terminal has few colours, its own are used instead.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import replace

from rich.console import Console
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from mseg_wizard.core.preferences import preferences

DARK = Theme(
    name="mseg",
    primary="#5b8def",
    secondary="#6fb3b8",
    accent="#7fb4ff",
    success="#7bc47f",
    warning="#e5b567",
    error="#ef6b73",
    foreground="#d8dee9",
    background="#11151c",
    surface="#171c25",
    panel="#1e2530",
    dark=True,
    variables={"footer-key-foreground": "#7fb4ff"},
)
LIGHT = Theme(
    name="mseg-light",
    primary="#2c5bbd",
    secondary="#17686d",
    accent="#1a56b0",
    success="#1f6b25",
    warning="#7a4d00",
    error="#a51d28",
    foreground="#1d2530",
    background="#fbfbf8",
    surface="#f1f3f5",
    panel="#e4e8ed",
    dark=False,
    variables={"footer-key-foreground": "#1a56b0"},
)
THEMES = (DARK, LIGHT)
SIXTEEN = replace(BUILTIN_THEMES["ansi-dark"], name="mseg-ansi", error="ansi_bright_red")
"""The terminal's own colours, as Textual takes them; of most terminals the plain red is too dark to be read."""
OWN = SIXTEEN.name
PREFERENCE = "theme"
PAPER = ("7", "15")
"""Backgrounds that COLORFGBG, which some terminals set, tells of light ones."""


CURSOR_ROW = 0.2
"""Share of a theme's primary colour behind the row with the cursor: seen at once, and every mark can be read on it."""


ALL_COLORS = ("xterm-kitty", "xterm-ghostty", "foot", "contour", "wezterm", "alacritty")
"""How TERM begins for terminals that all have 24 bits for a colour."""
WRITTEN = ("secondary", "accent", "success", "warning", "error", "footer-key-foreground")
"""Variables of a theme that words are written in, and below it those that they are written on."""
GROUNDS = ("background", "surface", "panel", "cursor-row")
LEAST, MIDDLE = 4.5, 0.18
"""Contrast that WCAG 2.2 asks for; and the luminance that differs as much from black as from white."""


def cursor_row(theme: Theme) -> str:
    """What is behind the row with the cursor; with the terminal's own colours that row is reversed instead."""
    if theme.ansi:
        return "ansi_default"
    colors = theme.to_color_system().generate()
    return Color.parse(colors["background"]).blend(Color.parse(colors["primary"]), CURSOR_ROW).hex


def tell_of_colors(environment: MutableMapping[str, str]) -> None:
    """Have a terminal that is known for all colours tell so: ssh passes TERM on, but not COLORTERM."""
    if not environment.get("COLORTERM") and environment.get("TERM", "").startswith(ALL_COLORS):
        environment["COLORTERM"] = "truecolor"


def readable(variables: Mapping[str, str]) -> dict[str, str]:
    """A theme's variables with the colours that words are written in as far towards black or white as it takes to read
    them: Textual's own themes choose some of them for areas.
    """
    grounds = [Color.parse(variables[name]) for name in GROUNDS]
    light = sum(_luminance(ground) for ground in grounds) / len(grounds) > MIDDLE
    end, found = Color.parse("black" if light else "white"), dict(variables)
    for name in WRITTEN:
        colors = (Color.parse(variables[name]).blend(end, share / 20) for share in range(21))
        enough = (color for color in colors if all(_ratio(color, ground) >= LEAST for ground in grounds))
        color = next(enough, end)
        if color != Color.parse(variables[name]):
            found[name] = color.hex
    return found


def _ratio(one: Color, other: Color) -> float:
    """How well one can be read on the other, 1 to 21, as WCAG 2.2 counts it."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: Color) -> float:
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def few_colors() -> bool:
    """Does the terminal have 16 colours or fewer, or the user want none?"""
    return "NO_COLOR" in os.environ or Console(force_terminal=True).color_system in (None, "standard")


def chosen(environment: Mapping[str, str] = os.environ) -> str:
    """Name of the theme: the user's own choice, else what the terminal says of its background, else dark."""
    wanted = preferences().get(PREFERENCE, "")
    if wanted in {theme.name for theme in (*THEMES, *BUILTIN_THEMES.values()) if not theme.ansi}:
        return wanted
    return (LIGHT if environment.get("COLORFGBG", "").rpartition(";")[2] in PAPER else DARK).name


def other(name: str) -> str:
    """The light theme for the dark one, and the dark one for any other."""
    return LIGHT.name if name == DARK.name else DARK.name
