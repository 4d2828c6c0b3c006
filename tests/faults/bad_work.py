"""What a worker does to an image in the tests of workers: importable, because worker processes import it."""

from __future__ import annotations

import os
import signal

from mseg_wizard.labels.remap import LabelToRemap, Oddities, RemapRecipe, remap

DEADLY = "deadly"


def remap_or_die(recipe: RemapRecipe, item: LabelToRemap) -> Oddities:
    """As `remap`, but an image whose file holds DEADLY takes the process with it, as a crash in a library does."""
    with open(item.source, "rb") as file:  # noqa: PTH123
        if file.read(len(DEADLY)) == DEADLY.encode():
            os.kill(os.getpid(), signal.SIGKILL)
    return remap(recipe, item)
