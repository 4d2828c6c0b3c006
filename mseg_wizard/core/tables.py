"""CSV files, written whole; cells that a spreadsheet would take for a formula are made harmless."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from mseg_wizard.core.files import write_atomically

FORMULA = ("=", "+", "-", "@")
"""What a cell begins with that spreadsheets compute instead of showing it."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")


def write_csv(
    path: Path,
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    exact: bool = False,
    durable: bool = False,
    mode: int = 0o600,
) -> None:
    """Write a table. `exact`: texts as they are, for programs, as paths must be. Raises OSError."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows if exact else ([_safe(cell) for cell in row] for row in rows))
    write_atomically(path, text.getvalue().encode(errors="replace"), durable=durable, mode=mode)


def _safe(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    plain = CONTROL.sub(" ", cell)
    return f"'{plain}" if plain.lstrip().startswith(FORMULA) else plain
