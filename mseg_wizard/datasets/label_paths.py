"""Where raw labels and the masks of segments lie, from the paths that MSeg's lists name.

What is in those files is not known here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from mseg_wizard.context import Context
from mseg_wizard.labels.records import relabeling_of
from mseg_wizard.labels.remap import Remapping
from mseg_wizard.labels.renamed import HOLE, renamed


def mask_files(ctx: Context, taxonomy: str) -> Callable[[str], str]:
    """From an image's path in the lists to the file that tells its segments apart, both below the dataset's root.

    Where the label map itself tells, or there is no such file, the result is empty.
    """
    kind = relabeling_of(taxonomy).mask
    if kind != "blue":
        return MASKS[kind]
    root = ctx.dataset_folder / ctx.tree.root(taxonomy)
    top = root.parent / "ADE20K_2016_07_26"
    found = {
        name.removesuffix("_seg.png"): os.path.relpath(os.path.join(folder, name), root)  # noqa: PTH118 - 22,000 of them
        for folder, _, names in os.walk(top)
        for name in names
        if name.endswith("_seg.png")
    }
    return lambda image: found.get(Path(image).stem, "")


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


def _polygons_of(image: str) -> str:
    return (
        image.replace("leftImg8bit/", "gtFine/", 1).replace("_leftImg8bit", "_gtFine").rpartition(".")[0]
        + "_polygons.json"
    )


def _panoptic_of(image: str) -> str:
    return image.replace("images/", "annotations/panoptic_", 1).rpartition(".")[0] + ".png"


def _instances_of(image: str) -> str:
    return image.replace("/images/", "/instances/", 1).rpartition(".")[0] + ".png"


def label_itself(image: str) -> str:
    return ""


MASKS: Mapping[str, Callable[[str], str]] = {
    "class": label_itself,
    "instance": _instances_of,
    "panoptic": _panoptic_of,
    "polygon": _polygons_of,
}
