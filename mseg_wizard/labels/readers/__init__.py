"""The raw forms of labels, one file each: how it is read into ids. Which dataset has which form is not known here."""

from __future__ import annotations

from functools import cache
from pkgutil import resolve_name

from mseg_wizard.labels.readers.label_reader import LabelReader

READERS = {
    "ids": "mseg_wizard.labels.readers.ids:IDS",
    "colors": "mseg_wizard.labels.readers.colors:COLORS",
    "panoptic": "mseg_wizard.labels.readers.panoptic:PANOPTIC",
    "mat": "mseg_wizard.labels.readers.mat:MAT",
    "polygons": "mseg_wizard.labels.readers.polygons:POLYGONS",
}
"""What step files call a raw form → where its reader is: loaded when it is wanted, as it loads what works on arrays."""


@cache
def reader_named(name: str) -> LabelReader:
    """The reader of a raw form that READERS names."""
    reader: LabelReader = resolve_name(READERS[name])
    return reader
