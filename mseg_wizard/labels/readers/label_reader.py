"""What a raw form of labels is to the rest of the wizard: how it is read, and what is known of it beforehand.

The forms stand beside it, one file each; the package names them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from mseg_wizard.labels.png import Ids

Annotation: TypeAlias = bytes
"""What is known of one image beside its pixels; only its reader knows what it means."""


@dataclass(frozen=True, slots=True)
class LabelReader:
    """One raw form; functions of modules, so that it can be handed to workers."""

    name: str
    """What step files call it."""
    read: Callable[[RemapRecipe, LabelToRemap], tuple[Ids, int]] = field(repr=False)
    """The ids, (H, W), and how many pixels have a colour that no class has; raises Problem that names the file."""
    dump: bool = field(default=False, repr=False)
    """It is no label map: the first target is what it holds, written as one."""
    colored: bool = field(default=False, repr=False)
    """It needs the classes' colours."""
    partial: bool = field(default=False, repr=False)
    """A pixel may belong to nothing that it describes: what it holds may be 255."""
    annotations: Callable[[Path | str], Mapping[str, Annotation]] | None = field(default=None, repr=False)
    """Reads the file beside a folder, of its name and `.json`, that describes each label in it by its file name."""


@dataclass(frozen=True, slots=True)
class RemapRecipe:
    """How the labels of one dataset are read and what becomes of their ids: all that a worker needs to know, 2 KB."""

    reader: LabelReader
    names: tuple[str, ...]
    """Classes of the ids that the reader returns."""
    colors: bytes
    """Three bytes a class, where labels are colours."""
    tables: tuple[bytes | None, ...]
    """For each target what every id becomes; None where the ids are written as they are read."""


class LabelToRemap(NamedTuple):
    """One label to read and where the results go."""

    source: str
    outputs: tuple[str | None, ...]
    """One for each target; None where there is nothing to write."""
    segments: Annotation | None = None
    """Where the form has annotations: this image's; None where it has none."""
