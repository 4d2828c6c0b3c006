"""Colour-coded labels → class ids. A colour that no class has counts as the first class, as in MSeg's label maps, and is counted."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mseg_wizard.labels import packed
from mseg_wizard.labels.codec import read_colors
from mseg_wizard.progress import Problem

UNKNOWN = 254
"""Marks, while a label is being read, the pixels whose colour no class has."""


def read_colored(path: Path | str, colors: bytes) -> tuple[NDArray[np.uint8], int]:
    """Class ids, (H, W), and how many pixels have a colour that is not in `colors` (three bytes a class)."""
    pixels, palette = read_colors(path)
    ids = packed.lookup(pixels, _table(colors)) if palette is None else np.take(_ids(palette, colors), pixels)
    unknown = int(np.count_nonzero(ids == UNKNOWN))
    if unknown:
        ids[ids == UNKNOWN] = 0
    return ids, unknown


def _ids(palette: NDArray[np.uint8], colors: bytes) -> NDArray[np.uint8]:
    known = _classes(colors)
    ids = [known.get(packed.pack(color), UNKNOWN) for color in palette]
    return np.array([*ids, *[UNKNOWN] * (256 - len(ids))], np.uint8)


@lru_cache(maxsize=1)
def _table(colors: bytes) -> NDArray[np.uint8]:
    """16 MiB, once per worker."""
    table = np.full(packed.ENTRIES, UNKNOWN, np.uint8)
    for number, id_ in _classes(colors).items():
        table[number] = id_
    return table


@lru_cache(maxsize=1)
def _classes(colors: bytes) -> dict[int, int]:
    """Number of a colour → class id; of classes with one colour the last."""
    rows = np.frombuffer(colors, np.uint8).reshape(-1, 3)
    if len(rows) > UNKNOWN:
        raise Problem(f"Colours of {len(rows)} classes can't be told apart.", f"Use a taxonomy of at most {UNKNOWN} classes.")
    return {packed.pack(color): id_ for id_, color in enumerate(rows)}
