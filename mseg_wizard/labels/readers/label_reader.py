"""What a raw form of labels is to the rest of the wizard: how it is read, and what is known of it beforehand.

The forms stand beside it, one file each; the package names them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from mseg_wizard.labels.png import Ids

Annotation: TypeAlias = bytes
"""What is known of one image beside its pixels; only its reader knows what it means."""


class AnnotationFile(NamedTuple):
    """A file of annotations, and how far it was read: it may be too large for one go."""

    path: str
    at: int = 0
    """Bytes."""
    key: str | None = None
    """Of the list in which the reading was left."""
    listed: bool = False
    """Was an annotation found so far?"""


class AnnotationPart(NamedTuple):
    """What the next part of such a file says."""

    annotations: Mapping[str, Annotation]
    """By the file name of the label."""
    left: AnnotationFile | None
    """What is to be read next; None at the file's end."""


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
    annotations: Callable[[AnnotationFile], AnnotationPart] | None = field(default=None, repr=False)
    """Reads a part of the file beside a folder, of its name and `.json`, that describes each label in it."""


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
