"""A label map that was just made, beside its image, for some of a terminal's cells.

How it gets onto a screen is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mseg_wizard.context import Context
from mseg_wizard.datasets.dataset import datasets_in
from mseg_wizard.labels.codec import read_file_header
from mseg_wizard.labels.remapping import Remapping
from mseg_wizard.labels.taxonomy import IGNORED, SPLITS, UNLABELED, MsegApiTree
from mseg_wizard.progress import Problem
from mseg_wizard.reporting.catalog import chain_of
from mseg_wizard.reporting.palette import Colors, colors_of, palette_of
from mseg_wizard.reporting.pictures import read_labels, read_photo, scaled
from mseg_wizard.step import Call

MOST = 32_000_000
"""Pixels of the largest files that are opened: MSeg's largest have 24
million, and the screen's own process pays for it, 4 bytes each.
"""
COUNTED = 1 << 20
"""Pixels that the shares are counted over, about: they are shown as whole percents."""
NAMED = 12
"""Classes that are named."""
HALVES = (1, 2)
"""Pixels of a cell that is drawn as two halves: it is about twice as high as wide."""


class ClassShare(NamedTuple):
    """One class in one label map."""

    name: str
    color: tuple[int, ...]
    """RGB."""
    part: float
    """Of the pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """One image and its labels. The texts are foreign."""

    image: str
    """Its file's name."""
    taxonomy: str
    photo: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    """Both (rows × cell height, columns × cell width, 3), RGB."""
    shares: tuple[ClassShare, ...]
    """Of the classes that cover most, the largest first."""


def preview(
    ctx: Context, call: Call, made: str, columns: int, rows: int, cell: tuple[int, int] = HALVES
) -> Preview | None:
    """The picture of `made`, a path below mseg_dataset/, in at most `columns` × `rows` cells for each half; `cell`:
    width and height of one in pixels.

    None where no list names it or a file can't be shown. Reads whole files: a tenth of a second for the largest, more
    on a slow disk.
    """
    try:
        found = _find(ctx, call, made)
        dataset = next((dataset for dataset in datasets_in(ctx.steps) if call in dataset.calls), None)
        if found is None or dataset is None:
            return None
        taxonomy, image = found
        label = f"{ctx.dataset_folder}/{made}"
        header = read_file_header(label)
        if header.width * header.height > MOST:
            return None
        ids = read_labels(label)
        width, height = _size(ids.shape[1], ids.shape[0], columns, rows, cell)
        photo = np.asarray(read_photo(f"{ctx.dataset_folder}/{ctx.tree.root(taxonomy)}/{image}", (width, height), MOST))
        colors = _colors(ctx.tree, tuple(chain_of(dataset, taxonomy)))
        names = ctx.tree.names(taxonomy)
    except Problem:
        return None
    palette = palette_of(colors)
    return Preview(
        image.rpartition("/")[2], taxonomy, photo, palette[scaled(ids, width, height)], _shares(ids, names, palette)
    )


def _find(ctx: Context, call: Call, made: str) -> tuple[str, str] | None:
    """Taxonomy and image of a label map; the lists are gone through, which the work itself has already read."""
    for taxonomy in reversed(call.makes):
        label = made.removeprefix(f"{ctx.tree.root(taxonomy)}/")
        for split in call.args.splits if isinstance(call.args, Remapping) else SPLITS:
            for row in ctx.tree.rows(taxonomy, split):
                if row.label == label:
                    return taxonomy, row.image
    return None


def _size(width: int, height: int, columns: int, rows: int, cell: tuple[int, int]) -> tuple[int, int]:
    """The largest size in pixels that fits the cells and keeps the shape, in whole cells."""
    scale = min(columns * cell[0] / width, rows * cell[1] / height)
    across, down = (max(1, round(side * scale / of)) for side, of in zip((width, height), cell, strict=True))
    return across * cell[0], down * cell[1]


@lru_cache(maxsize=2)
def _colors(tree: MsegApiTree, chain: tuple[str, ...]) -> Colors:
    return colors_of(tree, chain)


def _shares(ids: NDArray[np.uint8], names: tuple[str, ...], palette: Colors) -> tuple[ClassShare, ...]:
    step = max(1, isqrt(ids.size // COUNTED))
    seen = ids[::step, ::step]
    counts = np.bincount(seen.ravel(), minlength=IGNORED + 1)
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda id_: (-counts[id_], id_))[:NAMED]
    named = dict(enumerate(names)) | {IGNORED: UNLABELED}
    return tuple(
        ClassShare(named.get(id_, f"id {id_}"), tuple(palette[id_].tolist()), float(counts[id_] / seen.size))
        for id_ in order
    )
