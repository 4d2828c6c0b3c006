"""What a worker does to an image in the tests of workers: importable, because worker processes import it."""

from __future__ import annotations

import os
import signal

from mseg_wizard.labels.readers.label_reader import AnnotationFile, AnnotationPart, LabelToRemap, RemapRecipe
from mseg_wizard.labels.remap import UnexpectedPixels, remap_label

DEADLY = "deadly"


def remap_or_die(recipe: RemapRecipe, item: LabelToRemap) -> UnexpectedPixels:
    """As `remap_label`, but an image whose file holds DEADLY takes
    the process with it, as a crash in a library does.
    """
    with open(item.source, "rb") as file:  # noqa: PTH123
        if file.read(len(DEADLY)) == DEADLY.encode():
            os.kill(os.getpid(), signal.SIGKILL)
    return remap_label(recipe, item)


def read_annotations_and_die(file: AnnotationFile) -> AnnotationPart:
    """As COCO's reader of annotations where the memory does not suffice: the process is gone."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it lives on")
