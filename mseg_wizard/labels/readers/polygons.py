"""Polygon annotations (Cityscapes, IDD) → label maps and masks.

Pillow draws: others, and Pillow before 11.2.1, fill differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mseg_wizard.labels.codec import MAX_PIXELS, REPAIR, unreadable_label
from mseg_wizard.labels.png import Ids
from mseg_wizard.labels.readers.label_reader import LabelReader, LabelToRemap, RemapRecipe
from mseg_wizard.labels.taxonomy import IGNORED, UNLABELED
from mseg_wizard.progress import Problem

_FAR = 1_000_000
"""No vertex lies so far out. Pillow draws something else, and does not say so, where one doesn't fit into 32 bits."""
_Coordinate = Annotated[float, msgspec.Meta(ge=-_FAR, le=_FAR)]


class Polygon(msgspec.Struct):
    """One object of an annotation file."""

    label: str
    polygon: list[tuple[_Coordinate, _Coordinate]]
    deleted: Any = 0
    id: int | None = None


class PolygonAnnotation(msgspec.Struct):
    """One annotation file."""

    imgHeight: int
    imgWidth: int
    objects: list[Polygon]


def read_polygons(path: Path | str) -> PolygonAnnotation:
    """The objects of an annotation file, in its order."""
    try:
        scene = _decoder.decode(Path(path).read_bytes())
    except OSError as error:
        raise unreadable_label(path, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(f"{path} is no polygon annotation: {error}.", REPAIR) from None
    if scene.imgHeight < 1 or scene.imgWidth < 1 or scene.imgHeight * scene.imgWidth > MAX_PIXELS:
        raise Problem(f"{path} claims to be {scene.imgWidth:,} × {scene.imgHeight:,} pixels.", REPAIR)
    return scene


_decoder = msgspec.json.Decoder(PolygonAnnotation)


def rasterize(path: Path | str, ids: Mapping[str, int], background: int) -> NDArray[np.uint8]:
    """Class ids, (H, W): the objects in file order, the later over the earlier.

    Deleted objects, those of fewer than three points and those whose class `ids` lacks are left out; a class that ends
    in `group` is looked up again without it.
    """
    scene = read_polygons(path)
    pixels = np.full((scene.imgHeight, scene.imgWidth), background, np.uint8)
    draw = ImageDraw.Draw(image_over(pixels))
    for item in scene.objects:
        id_ = ids.get(item.label, ids.get(item.label.removesuffix("group")))
        if id_ is not None and not item.deleted and len(item.polygon) > 2:
            draw.polygon(item.polygon, fill=id_)
    return pixels


def image_over(pixels: NDArray[np.uint8]) -> Image.Image:
    """An image that draws into the array itself: a copy of its pixels would cost more than the drawing."""
    image = Image.frombuffer("L", pixels.shape[::-1], pixels, "raw", "L", 0, 1)
    image.readonly = 0
    return image


def _read(recipe: RemapRecipe, item: LabelToRemap) -> tuple[Ids, int]:
    ids = {name: id_ for id_, name in enumerate(recipe.names)}
    # IDD has a class for what no polygon covers; where a taxonomy has none, those pixels have no class.
    return rasterize(item.source, ids, ids.get(UNLABELED, IGNORED)), 0


POLYGONS = LabelReader("polygons", _read, dump=True)
