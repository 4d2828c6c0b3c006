"""A terminal's cells, as far as the tests of pictures look at them: what stands where, and what was drawn over it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

PARTS = re.compile(
    r"\x1b(?P<string>[P_\]])(?P<said>.*?)(?:\x1b\\|\x07)"
    r"|\x1b\[(?P<asked>[<>?=]?)(?P<numbers>[0-9;]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b(?P<short>[78])|(?P<text>[^\x00-\x1f])",
    re.DOTALL,
)


@dataclass
class Cells:
    """Reads what a terminal is sent; rows and columns count from 0."""

    texts: dict[tuple[int, int], str] = field(default_factory=dict)
    """Row and column → the letter with its marks."""
    colors: dict[tuple[int, int], str] = field(default_factory=dict)
    """The foreground's numbers, as they were sent."""
    sixels: dict[tuple[int, int], str] = field(default_factory=dict)
    """Where each picture begins that no letter has taken the place of."""
    graphics: list[str] = field(default_factory=list)
    """Kitty's commands."""

    def lines(self) -> list[str]:
        width = 1 + max((column for _, column in self.texts), default=0)
        height = 1 + max((row for row, _ in self.texts), default=0)
        return ["".join(self.texts.get((row, column), " ") for column in range(width)) for row in range(height)]

    def read(self, sent: str) -> None:
        at = kept = (0, 0)
        color = ""
        for part in PARTS.finditer(sent):
            final, numbers = part["final"] or "-", part["numbers"] or ""
            if part["text"] and unicodedata.combining(part["text"]):
                self.texts[at[0], at[1] - 1] += part["text"]
            elif part["text"]:
                self.texts[at], self.colors[at] = part["text"], color
                self.sixels.pop(at, None)
                at = at[0], at[1] + 1
            elif part["string"] == "P":
                self.sixels[at] = part["said"]
            elif part["string"] == "_":
                self.graphics.append(part["said"])
            elif part["short"]:
                at, kept = (at, at) if part["short"] == "7" else (kept, kept)
            elif final in "Hf" and not part["asked"]:
                row, _, column = numbers.partition(";")
                at = int(row or 1) - 1, int(column or 1) - 1
            elif final == "D":
                at = at[0], at[1] - int(numbers or 1)
            elif final == "m" and not part["asked"]:
                color = numbers if "38;" in numbers else color if numbers.startswith("48") else ""


def decoded(sixels: str) -> NDArray[np.float64]:
    """The picture of a sixel string, (H, W, 3), in parts of full brightness; NaN where nothing was drawn."""
    begun = re.match(r'0;0;0q"1;1;(\d+);(\d+)', sixels)
    assert begun, sixels[:40]
    picture = np.full((int(begun[2]), int(begun[1]), 3), np.nan)
    palette: dict[str, tuple[float, ...]] = {}
    chosen, row, column = "", 0, 0
    for part in re.finditer(r"#(\d+)((?:;\d+){4})?|!(\d+)([?-~])|([?-~])|([$-])", sixels[begun.end() :]):
        if part[2]:
            assert part[2].startswith(";2;")
            palette[part[1]] = tuple(int(number) / 100 for number in part[2].split(";")[2:])
        elif part[1]:
            chosen = part[1]
        elif part[6]:
            row, column = row + 6 * (part[6] == "-"), 0
        else:
            bits, times = ord(part[4] or part[5]) - 63, int(part[3] or 1)
            for bit in range(6):
                if bits >> bit & 1:
                    picture[row + bit, column : column + times] = palette[chosen]
            column += times
    return picture
