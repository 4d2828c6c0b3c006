"""The files that describe the raw labels of a folder, read by the workers part by part.

Seconds of decoding would stop the screen, and the memory that they take is the workers' to take.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from mseg_wizard.context import Context
from mseg_wizard.labels.readers.label_reader import Annotation, AnnotationFile, AnnotationPart
from mseg_wizard.progress import Progress, size
from mseg_wizard.workers.batches import with_wait
from mseg_wizard.workers.pool import each

AnnotationReader: TypeAlias = Callable[[AnnotationFile], AnnotationPart]


@dataclass(slots=True)
class Annotations:
    """What one file says, or why it can't be read."""

    annotations: dict[str, Annotation] = field(default_factory=dict)
    """By the file name of the label."""
    fault: str = ""
    lost: bool = False
    """The worker died over it: what is wrong with the file, if anything is, nobody knows."""


def annotations_of(
    ctx: Context, read: AnnotationReader, files: Iterable[str], reading: Progress
) -> Generator[Progress, None, dict[str, Annotations]]:
    """What each of the files says; all are read at once. `reading` is told, with how far it is."""
    found = {file: Annotations() for file in files}
    read_of, total = dict.fromkeys(found, 0), 0
    for file in found:
        with suppress(OSError):  # told by the worker
            total += Path(file).stat().st_size
    left = [AnnotationFile(file) for file in found]
    while left:
        parts, left = left, []
        for outcomes in each(ctx.pool(), read, parts):
            for outcome in outcomes:
                of = found[outcome.item.path]
                if outcome.result is None:
                    of.fault, of.lost = outcome.fault, outcome.lost
                    continue
                of.annotations.update(outcome.result.annotations)
                if outcome.result.left:
                    read_of[outcome.item.path] = outcome.result.left.at
                    left.append(outcome.result.left)
            so_far = f"{reading.doing} ({size(sum(read_of.values()))} of {size(total)})"
            yield with_wait(ctx.pool(), replace(reading, doing=so_far))
    return found
