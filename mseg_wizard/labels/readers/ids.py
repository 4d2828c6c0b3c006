"""Labels that are label maps already: a pixel is the id of its class."""

from __future__ import annotations

from mseg_wizard.labels.codec import read_ids
from mseg_wizard.labels.png import Ids
from mseg_wizard.labels.readers.label_reader import LabelReader, LabelToRemap, RemapRecipe


def _read(recipe: RemapRecipe, item: LabelToRemap) -> tuple[Ids, int]:
    return read_ids(item.source), 0


IDS = LabelReader("ids", _read)
