"""What goes to a terminal whose locale has no Unicode: a character of ASCII for each that it could not show.

It is done where the screen is written, so that no frame, mark or bar has to know.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from rich.cells import cell_len

LIKE = {
    "✓": "x", "▸": ">", "·": ".", "•": "*", "●": "*", "■": "#", "…": "~", "–": "-", "—": "-", "×": "x", "µ": "u",
    "“": '"', "”": '"', "„": '"', "’": "'", "‘": "'", "»": ">", "«": "<", "≥": ">", "░": ".", "▒": ":", "▓": "#",
    "▁": ".", "▂": ".", "▃": ":", "▄": "-", "▅": "=", "▆": "+", "▇": "*", "█": "#", "▌": "|", "▐": "|", "▊": "|",
    "▎": "|", "▔": "-", "▀": "-", "┃": "|", "│": "|", "║": "|", "─": "-", "━": "-", "═": "-",
}  # fmt: skip
BEYOND = re.compile(r"[^\x00-\x7f]")
FRAMES = range(0x2500, 0x2580)
"""Corners and crossings of frames."""


def unicode_locale(environment: Mapping[str, str] = os.environ) -> bool:
    """Does the user's locale have more than ASCII? One that is not named has: Python takes UTF-8 then."""
    named = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "")
    return not named or "utf" in named.lower()


def in_ascii(text: str) -> str:
    """The same in ASCII, as many cells wide."""
    return BEYOND.sub(lambda found: _like(found[0]), text)


def _like(character: str) -> str:
    if ord(character) in FRAMES:
        return LIKE.get(character, "+")
    return LIKE.get(character, "?" * cell_len(character))
