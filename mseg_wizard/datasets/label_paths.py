"""Where raw labels and the masks of segments lie, from the paths that MSeg's lists name.

What is in those files is not known here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from mseg_wizard.context import Context
from mseg_wizard.labels.records import relabeling_of


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


def _raw_mat(label: str) -> str:
    """PASCAL Context's dump → the .mat that it is made from."""
    folder, _, name = label.rpartition("/")
    return f"{folder.rpartition('/')[0]}/trainval/{Path(name).stem}.mat"


def _in_sight(paths: Iterable[Path]) -> list[Path]:
    """Without hidden files: macOS puts a `._name` beside each, which is no label."""
    return sorted(path for path in paths if not path.name.startswith("."))


def _unlisted_mats(ctx: Context, root: str, targets: int) -> Iterator[tuple[str, tuple[str | None, ...]]]:
    """MSeg dumps every .mat, listed or not; the lists say which are remapped too."""
    for path in _in_sight((ctx.dataset_folder / root / "trainval").glob("*.mat")):
        yield (
            f"{root}/trainval/{path.name}",
            (f"{root}/Segmentation_GT_460cls/{path.stem}.png", *[None] * (targets - 1)),
        )


def _raw_polygons(label: str) -> str:
    """IDD's label map → the polygons that it is drawn from."""
    return label.replace("_labelids.png", "_polygons.json")


def _unlisted_polygons(ctx: Context, root: str, targets: int) -> Iterator[tuple[str, tuple[str | None, ...]]]:
    for path in _in_sight((ctx.dataset_folder / root / "gtFine").glob("*/*/*_gt*_polygons.json")):
        raw = f"{root}/{path.relative_to(ctx.dataset_folder / root).as_posix()}"
        yield raw, (raw.replace("_polygons.json", "_labelids.png"), *[None] * (targets - 1))


def _same(label: str) -> str:
    return label


def _none(ctx: Context, root: str, targets: int) -> Iterator[tuple[str, tuple[str | None, ...]]]:
    yield from ()


RAW = {"ids": _same, "colors": _same, "panoptic": _same, "mat": _raw_mat, "polygons": _raw_polygons}
"""The path of the raw label, from the one that the source's list names."""


UNLISTED = {"ids": _none, "colors": _none, "panoptic": _none, "mat": _unlisted_mats, "polygons": _unlisted_polygons}
"""Raw labels that no list names and MSeg dumps all the same."""


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
