"""Where raw labels and the masks of segments lie, from the paths that MSeg's lists name.

What is in those files is not known here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from mseg_wizard.context import Context
from mseg_wizard.labels.relabeling import Relabeling
from mseg_wizard.labels.remapping import Remapping
from mseg_wizard.labels.renamed import HOLE, renamed
from mseg_wizard.step import Archive, ExpectedFiles, Step


def mask_files(ctx: Context, how: Relabeling) -> Callable[[str], str]:
    """From an image's path in the lists to the file that tells its segments apart, both below the dataset's root.

    Where the label map itself tells, or there is no such file, the result is empty.
    """
    by_record = recorded_masks(ctx.steps, how)
    if by_record is None:
        return how.mask_of
    archive, expected = by_record
    root = ctx.dataset_folder / ctx.tree.root(how.taxonomies[0])
    found = {
        name.removesuffix(expected.suffix): os.path.relpath(os.path.join(folder, name), root)  # noqa: PTH118 - 22,000
        for folder, _, names in os.walk(ctx.dataset_folder / archive.dataset / expected.folder)
        for name in names
        if name.endswith(expected.suffix)
    }
    return lambda image: found.get(Path(image).stem, "")


def recorded_masks(steps: Sequence[Step], how: Relabeling) -> tuple[Archive, ExpectedFiles] | None:
    """What brings a file of masks for each image that records name, at any depth; None where they lie by patterns."""
    return next(
        (
            (archive, expected)
            for step in steps
            for archive in step.archives
            for expected in archive.holds
            if expected.column == "records" and expected.taxonomy in how.taxonomies
        ),
        None,
    )


def unlisted_labels(ctx: Context, how: Remapping, root: str) -> Iterator[tuple[str, tuple[str | None, ...]]]:
    """All raw labels that are there, each with its dump alone: MSeg dumps those too that no list names."""
    if not how.raw:
        return
    folder = ctx.dataset_folder / root
    head, tail = how.raw.split(HOLE)
    for path in _in_sight(folder.glob(f"{head}**/*{tail}")):
        raw = path.relative_to(folder).as_posix()
        yield f"{root}/{raw}", (f"{root}/{renamed(raw, how.raw, how.dump)}", *[None] * (len(how.targets) - 1))


def _in_sight(paths: Iterable[Path]) -> list[Path]:
    """Without hidden files: macOS puts a `._name` beside each, which is no label."""
    return sorted(path for path in paths if not path.name.startswith("."))
