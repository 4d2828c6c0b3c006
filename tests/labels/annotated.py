"""A file of annotations, all of it."""

from __future__ import annotations

from pathlib import Path

from mseg_wizard.labels.readers.label_reader import Annotation, AnnotationFile
from mseg_wizard.labels.readers.panoptic import read_annotations


def all_annotations(path: Path | str) -> dict[str, Annotation]:
    """As the workers read it, part by part."""
    found: dict[str, Annotation] = {}
    left: AnnotationFile | None = AnnotationFile(str(path))
    while left:
        annotations, left = read_annotations(left)
        found.update(annotations)
    return found
