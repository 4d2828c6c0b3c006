"""What the fault matrix tried in this run, counted as it happens: the numbers that may be claimed."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

COUNTED = (
    "kills survived",
    "stops",
    "faults tried",
    "bad inputs tried",
    "hostile reads",
    "bytes re-fetched",
    "secrets found",
    "places searched for secrets",
)
COUNTS: Counter[str] = Counter()


def count(what: str, number: int = 1) -> None:
    """Add to a count; only those of COUNTED exist, so that no number hides under a misspelt name."""
    assert what in COUNTED, what
    COUNTS[what] += number


def line() -> str:
    """All counts, for the end of a run; where MSEG_WIZARD_COUNTS names a file they are written there too, as JSON."""
    table = {what: COUNTS[what] for what in COUNTED}
    if place := os.environ.get("MSEG_WIZARD_COUNTS"):
        Path(place).write_text(json.dumps(table) + "\n")
    return " · ".join(f"{what}: {number:,}" for what, number in table.items())
