"""A raw form that no dataset has: arrays of NumPy's own. One object in one file is all that the wizard needs of it."""

from __future__ import annotations

import numpy as np

from mseg_wizard.labels.png import Ids
from mseg_wizard.labels.readers.label_reader import LabelReader, LabelToRemap, RemapRecipe


def _read(recipe: RemapRecipe, item: LabelToRemap) -> tuple[Ids, int]:
    return np.load(item.source), 0


NPY = LabelReader("npy", _read, dump=True)
