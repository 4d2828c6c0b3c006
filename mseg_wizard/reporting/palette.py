"""Colours for classes: one for each universal class wherever it occurs, as far apart as
can be, also for eyes that tell fewer colours apart.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mseg_wizard.labels.taxonomy import IGNORED, UNLABELED, MsegApiTree
from mseg_wizard.labels.universal import one_universal_id, universal_classes, universal_ids, universal_names
from mseg_wizard.progress import Problem

NOTHING = (0, 0, 0)
"""Unlabeled pixels."""
STEPS = 13
"""Levels of each channel among which colours are chosen: finer ones change the result little and take longer."""
DARKEST, LIGHTEST = 0.30, 0.95
"""Lightness, 0 to 1, between which colours are chosen: darker
ones look like unlabeled pixels, lighter ones like paper.
"""

Colors = NDArray[np.uint8]
"""(n, 3) RGB."""


def colors_of(tree: MsegApiTree, chain: Sequence[str]) -> Colors:
    """A colour for each class of the last taxonomy of `chain`, which names what it was made from, oldest first.

    A class that is one universal class has that one's colour, in every taxonomy. Of the others, each keeps its colour
    from taxonomy to taxonomy by its name, so that label maps before and after can be compared by eye.
    """
    known: dict[str, tuple[int, ...]] = {}
    colors: Colors = np.zeros((0, 3), np.uint8)
    for taxonomy in chain:
        names, own, shared = tree.names(taxonomy), _own(tree, taxonomy), _shared(tree, taxonomy)
        if any(color is not None for color in shared):
            given = [color or known.get(name) for name, color in zip(names, shared, strict=True)]
            colors = _fill(given, _all_shared(tree))
        else:
            colors = _fill([known.get(name) for name in names]) if own is None else own.copy()
        colors[[id_ for id_, name in enumerate(names) if name == UNLABELED]] = NOTHING
        known |= {name: tuple(int(part) for part in color) for name, color in zip(names, colors, strict=True)}
    return colors


def palette_of(colors: Colors) -> Colors:
    """256 colours by id, for label maps of 8 bits: white where no class is, `NOTHING` for 255."""
    palette = np.full((IGNORED + 1, 3), 255, np.uint8)
    palette[: min(len(colors), IGNORED)] = colors[:IGNORED]
    palette[IGNORED] = NOTHING
    return palette


def universal_palette(count: int) -> Colors:
    """The colours of so many universal classes by id, (256, 3)."""
    return palette_of(distinct(count))


def color_text(color: NDArray[np.uint8]) -> str:
    """As #rrggbb."""
    return f"#{bytes(color).hex()}"


@functools.cache
def distinct(count: int, taken: tuple[tuple[int, ...], ...] = ()) -> Colors:
    """`count` colours, each as far as can be from those before it and from `taken`; always the same ones.

    The distance of two colours is the smallest of those that eyes with full, no red, no green and no blue vision see
    (OKLab).
    """
    levels = np.linspace(0, 255, STEPS).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    seen = _seen(grid)
    usable = (seen[0, 0] > DARKEST) & (seen[0, 0] < LIGHTEST)
    grid, seen = grid[usable], np.ascontiguousarray(seen[..., usable])
    nearest = np.full(len(grid), np.inf)
    for color in np.moveaxis(_seen(np.array([NOTHING, (255, 255, 255), *taken], np.uint8)), -1, 0):
        nearest = np.minimum(nearest, _distance(seen, color))
    chosen = np.zeros((count, 3), np.uint8)
    for number in range(count):
        best = int(nearest.argmax())
        chosen[number] = grid[best]
        nearest = np.minimum(nearest, _distance(seen, seen[..., best]))
        nearest[best] = -1.0
    return chosen


def _own(tree: MsegApiTree, taxonomy: str) -> Colors | None:
    try:
        return tree.colors(taxonomy)
    except Problem:  # no file of that name, or one for other classes: a report does without
        return None


def _shared(tree: MsegApiTree, taxonomy: str) -> list[tuple[int, ...] | None]:
    """The colours of those classes that are one universal class; of none where the tree does not say."""
    names = tree.names(taxonomy)
    try:
        universal = universal_names(universal_classes(tree))
        colors = _all_shared(tree)
        found = [
            one_universal_id(name, ids, universal)
            for name, ids in zip(names, universal_ids(tree, taxonomy), strict=True)
        ]
    except Problem:
        return [None] * len(names)
    return [None if id_ is None else colors[id_] for id_ in found]


def _all_shared(tree: MsegApiTree) -> tuple[tuple[int, ...], ...]:
    count = len(universal_names(universal_classes(tree)))
    return tuple(tuple(int(part) for part in color) for color in distinct(count))


def _fill(known: Sequence[tuple[int, ...] | None], others: Sequence[tuple[int, ...]] = ()) -> Colors:
    """The colours that are known, the rest chosen apart from them and from `others`."""
    taken = tuple(sorted({*others, *(color for color in known if color is not None)}))
    fresh = iter(distinct(sum(color is None for color in known), taken))
    return np.array([next(fresh) if color is None else color for color in known], np.uint8).reshape(-1, 3)


_VISION = np.array(
    [
        np.eye(3),
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)
"""Linear RGB as it is seen with full, no red, no green, no
blue vision (Machado, Oliveira, Fernandes 2009, severity 1).
"""
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
"""Linear RGB → cone responses → OKLab (Ottosson 2020)."""


def _seen(colors: Colors) -> NDArray[np.float64]:
    """OKLab, (3, visions, n), of (n, 3) RGB."""
    parts = colors / 255.0
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    as_seen = np.clip(np.einsum("vij,nj->vni", _VISION, linear), 0, 1)
    return np.moveaxis(np.cbrt(as_seen @ _CONES.T) @ _LAB.T, -1, 0)


def _distance(seen: NDArray[np.float64], color: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of every colour, (3, visions, n), from one, (3, visions), squared."""
    lightness, green_red, blue_yellow = (part - one[:, None] for part, one in zip(seen, color, strict=True))
    return np.asarray((lightness**2 + green_red**2 + blue_yellow**2).min(0))
