"""Colour-coded labels → class ids.

A colour that no class has counts as the first class, as in MSeg's label maps, and is counted.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mseg_wizard.labels import rgb_lookup
from mseg_wizard.labels.codec import read_colors
from mseg_wizard.labels.png import Ids
from mseg_wizard.labels.readers.label_reader import LabelReader, LabelToRemap, RemapRecipe
from mseg_wizard.progress import Problem

UNKNOWN = 254
"""Marks, while a label is being read, the pixels whose colour no class has."""


def read_colored(path: Path | str, colors: bytes) -> tuple[NDArray[np.uint8], int]:
    """Class ids, (H, W), and how many pixels have a colour that is not in `colors` (three bytes a class)."""
    pixels, palette = read_colors(path)
    if palette is None:
        ids = rgb_lookup.lookup(pixels, _table(colors))
    else:
        ids = np.frombuffer(pixels.tobytes().translate(_ids(palette, colors)), np.uint8).reshape(pixels.shape)
    unknown = ids == UNKNOWN
    count = int(np.count_nonzero(unknown))
    return (np.where(unknown, np.uint8(0), ids) if count else ids), count


def _ids(palette: NDArray[np.uint8], colors: bytes) -> bytes:
    """Index → class id, 256 of them."""
    known = _classes(colors)
    return bytes(known.get(rgb_lookup.color_number(color), UNKNOWN) for color in palette).ljust(256, bytes([UNKNOWN]))


@lru_cache(maxsize=1)
def _table(colors: bytes) -> NDArray[np.uint8]:
    """16 MiB, once per worker."""
    table = np.full(rgb_lookup.ENTRIES, UNKNOWN, np.uint8)
    for number, id_ in _classes(colors).items():
        table[number] = id_
    return table


@lru_cache(maxsize=1)
def _classes(colors: bytes) -> dict[int, int]:
    """Number of a colour → class id; of classes with one colour the last."""
    rows = np.frombuffer(colors, np.uint8).reshape(-1, 3)
    if len(rows) > UNKNOWN:
        raise Problem(
            f"Colours of {len(rows)} classes can't be told apart.", f"Use a taxonomy of at most {UNKNOWN} classes."
        )
    return {rgb_lookup.color_number(color): id_ for id_, color in enumerate(rows)}


def _read(recipe: RemapRecipe, item: LabelToRemap) -> tuple[Ids, int]:
    return read_colored(item.source, recipe.colors)


COLORS = LabelReader("colors", _read, colored=True)
