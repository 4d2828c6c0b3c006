"""Invented scenes and how they become files: photographs, label maps, polygons.

Which dataset wants which form is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.io import savemat

SIZES = ((96, 72), (120, 80), (64, 48), (72, 96))
"""Width and height of the scenes, in turn: both orientations, so that swapped axes show."""

Pixels = NDArray[Any]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of a scene; it hides what was drawn before it."""

    word: str
    polygon: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture as a list of things: two that fill the background, then objects before them."""

    width: int
    height: int
    things: tuple[Thing, ...]

    def visible(self, at_least: int = 40) -> Iterator[tuple[int, Thing]]:
        """The things of which at least so many pixels are seen, with their index."""
        counts = np.bincount(render(self, range(len(self.things))).ravel(), minlength=len(self.things))
        return ((index, thing) for index, thing in enumerate(self.things) if counts[index] >= at_least)


def scene(random: Random, words: Sequence[str], featured: Sequence[str], number: int) -> Scene:
    """A scene of classes from `words`; of its objects every other one is one of `featured`, all at different places."""
    width, height = SIZES[number % len(SIZES)]
    horizon = height * random.uniform(0.35, 0.6)
    things = [
        Thing(random.choice(words), ((0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1))),
        Thing(random.choice(words), ((0, horizon), (width - 1, horizon), (width - 1, height - 1), (0, height - 1))),
    ]
    cells = [(column, row) for row in range(2) for column in range(3)]
    random.shuffle(cells)
    for index, (column, row) in enumerate(cells):
        word = featured[(number + index // 2) % len(featured)] if index % 2 == 0 else random.choice(words)
        x, y = (column + random.uniform(0.35, 0.65)) * width / 3, (row + random.uniform(0.35, 0.65)) * height / 2
        things.append(Thing(word, _blob(random, x, y, width / 7, height / 5, width, height)))
    return Scene(width, height, tuple(things))


def render(scene: Scene, values: Sequence[int] | range, scale: float = 1) -> NDArray[np.int32]:
    """The scene as (H, W) numbers, thing i drawn with `values[i]`; `scale` enlarges it."""
    canvas = Image.new("I", (round(scene.width * scale), round(scene.height * scale)), color=values[0])
    pen = ImageDraw.Draw(canvas)
    for thing, value in zip(scene.things, values, strict=True):
        pen.polygon([(x * scale, y * scale) for x, y in thing.polygon], fill=value, outline=value)
    return np.asarray(canvas, dtype=np.int32)


def as_bytes(packed: NDArray[np.int32]) -> NDArray[np.uint8]:
    """(H, W) numbers below 2²⁴ as (H, W, 3) bytes, the lowest first."""
    return np.stack([packed & 255, packed >> 8 & 255, packed >> 16 & 255], axis=-1).astype(np.uint8)


def photo(random: Random, scene: Scene, scale: float = 1) -> NDArray[np.uint8]:
    """A photograph of the scene: (H, W, 3), each thing in a colour of its class, with some light and grain."""
    index = render(scene, range(len(scene.things)), scale)
    colours = np.array([colour(thing.word) for thing in scene.things], dtype=np.float32)
    rows, columns = index.shape
    light = np.linspace(1.1, 0.8, rows, dtype=np.float32)[:, None] * np.linspace(0.9, 1.1, columns, dtype=np.float32)
    grain = np.frombuffer(random.randbytes(rows * columns), np.uint8).reshape(rows, columns) / 16 - 8
    return np.clip(colours[index] * light[..., None] + grain[..., None], 0, 255).astype(np.uint8)


def colour(word: str) -> tuple[int, int, int]:
    """A colour that always belongs to this word; never black."""
    random = Random(word)  # noqa: S311  (a colour, not a key)
    return (random.randrange(40, 256), random.randrange(40, 256), random.randrange(40, 256))


def palette(words: Sequence[str]) -> list[tuple[int, int, int]]:
    """One colour for each class of a taxonomy, all different."""
    colours: dict[tuple[int, int, int], None] = {}
    for word in words:
        red, green, blue = colour(word)
        while (red, green, blue) in colours:
            blue = 40 + (blue - 39) % 216
        colours[red, green, blue] = None
    return list(colours)


def png(pixels: Pixels, colours: Sequence[tuple[int, int, int]] = ()) -> bytes:
    """A PNG of uint8 (H, W) or (H, W, 3 or 4) or of uint16 (H, W);
    with `colours` a palette file whose indices the pixels are.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if colours:
        image.putpalette([part for triple in colours for part in triple])
    return _saved(image, "PNG")


def jpeg(pixels: NDArray[np.uint8], grey: bool = False) -> bytes:
    """A JPEG, as most of the datasets' photographs are; some of them are greyscale."""
    image = Image.fromarray(pixels)
    return _saved(image.convert("L") if grey else image, "JPEG", quality=80)


def mat(label_map: NDArray[np.uint16]) -> bytes:
    """A MATLAB 5 file with the variable LabelMap, as PASCAL Context has it."""
    file = BytesIO()
    savemat(file, {"LabelMap": label_map}, do_compression=True)
    # the 116 bytes of free text at its start hold the time of writing, and the same seed has to give the same bytes
    return b"MATLAB 5.0 MAT-file, practice".ljust(116) + file.getvalue()[116:]


def _blob(random: Random, x: float, y: float, rx: float, ry: float, width: int, height: int) -> tuple[Point, ...]:
    corners = random.randrange(5, 10)
    points = []
    for corner in range(corners):
        angle = 2 * math.pi * (corner + random.uniform(-0.2, 0.2)) / corners
        reach = random.uniform(0.8, 1.1)
        points.append(
            (
                min(max(x + rx * reach * math.cos(angle), 0), width - 1),
                min(max(y + ry * reach * math.sin(angle), 0), height - 1),
            )
        )
    return tuple(points)


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()
