"""The README's pictures, and what makes them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
DESTINATION = Path("/tmp/mseg")
"""Stands in the pictures."""


@contextmanager
def places() -> Iterator[Path]:
    """A folder for the world; it goes at the end, and so does the destination, which must not be there before."""
    if DESTINATION.exists():
        raise SystemExit(f"{DESTINATION} is there already.")
    with tempfile.TemporaryDirectory(prefix="mseg-pictures-") as made:
        try:
            yield Path(made)
        finally:
            shutil.rmtree(DESTINATION, ignore_errors=True)
