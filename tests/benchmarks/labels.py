"""Images per second and core for each family of labels, beside the plain
way to do the same: python -m tests.benchmarks.labels [family …]

Synthetic label maps of the real sizes and weights; plain and ours take turns on the same images, results are compared,
medians are printed.
"""

from __future__ import annotations

import json
import os
import statistics
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mseg_wizard.core.files import write_atomically
from mseg_wizard.labels import png
from mseg_wizard.labels.readers.colors import COLORS
from mseg_wizard.labels.readers.ids import IDS
from mseg_wizard.labels.readers.label_reader import LabelToRemap, RemapRecipe
from mseg_wizard.labels.readers.mat import MAT
from mseg_wizard.labels.readers.panoptic import PANOPTIC
from mseg_wizard.labels.readers.polygons import POLYGONS
from mseg_wizard.labels.remap import apply_table, remap_label
from mseg_wizard.workers.process import keep_memory
from tests.labels.annotated import all_annotations

Pixels = NDArray[Any]

STAGES = ("reading", "table", "coding", "file")
"""Of one image: the raw label read into ids, what they become, the PNG of it, and its file."""

MEMORY = "/dev/shm"
"""Where files cost the same every time; elsewhere a disk that others use too is measured."""


@dataclass(frozen=True)
class Family:
    """One kind of label: how a raw file of it is made, the plain
    way to remap it, and how many times as fast ours must be.
    """

    name: str
    size: tuple[int, int]
    """Height and width."""
    target: float | None
    make: Callable[[Path, int, tuple[int, int]], tuple[RemapRecipe, LabelToRemap]]
    """Folder, number of the image, size → what ours is given; the raw file is in the folder then."""
    plain: Callable[[RemapRecipe, LabelToRemap, Sequence[Path]], None]
    images: int = 12
    rounds: int = 7


def main(wanted: Sequence[str]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    keep_memory()  # as in every worker
    print(f"{'':<74} of ours, %")
    print(
        f"{'family':<22} {'plain ms':>9} {'ours ms':>8} {'ours/s':>7} {'ratio':>7} {'target':>7} {'size':>7} "
        + " ".join(f"{name:>7}" for name in STAGES)
    )
    for family in FAMILIES:
        if not wanted or any(word.lower() in family.name.lower() for word in wanted):
            with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
                measure(family, Path(folder))


def measure(family: Family, folder: Path) -> None:
    """Print one line."""
    work = [family.make(folder, number, family.size) for number in range(family.images)]
    slow, fast, weight = [], [], [0, 0]
    for _ in range(family.rounds):
        # All plain ones, then all of ours: in turn they would disturb
        # each other's memory, as they never do in a worker.
        places = [
            [folder / f"plain-{number}-{target}.png" for target in range(len(item.outputs))]
            for number, (_, item) in enumerate(work)
        ]
        slow += [
            seconds(partial(family.plain, recipe, item, files))
            for (recipe, item), files in zip(work, places, strict=True)
        ]
        made = [tuple(str(file).replace("plain-", "ours-") for file in files) for files in places]
        items = [LabelToRemap(item.source, files, item.segments) for (_, item), files in zip(work, made, strict=True)]
        fast += [seconds(partial(remap_label, recipe, item)) for (recipe, _), item in zip(work, items, strict=True)]
        for place, output in zip(chain(*places), map(Path, chain(*made)), strict=True):
            assert np.array_equal(np.asarray(Image.open(place)), np.asarray(Image.open(output))), (
                f"{family.name}: pixels differ"
            )
            weight = [weight[0] + place.stat().st_size, weight[1] + output.stat().st_size]
            place.unlink()
            output.unlink()
    plain, ours = statistics.median(slow), statistics.median(fast)
    target = f"{family.target:.1f}x" if family.target else "-"
    times = f"{plain * 1e3:9.2f} {ours * 1e3:8.2f} {1 / ours:7.0f} {plain / ours:6.1f}x {target:>7}"
    print(f"{family.name:<22} {times} {weight[1] / weight[0]:7.2f} {stages(work, folder, family.rounds)}", flush=True)


def stages(work: Sequence[tuple[RemapRecipe, LabelToRemap]], folder: Path, rounds: int) -> str:
    """How the time of ours divides among `STAGES`, in percent."""
    spent = [0.0] * len(STAGES)
    for _ in range(rounds):
        for recipe, item in work:
            clock = [time.process_time()]
            ids, _ = recipe.reader.read(recipe, item)
            clock.append(time.process_time())
            maps = [ids if table is None else apply_table(ids, table, item.source) for table in recipe.tables]
            clock.append(time.process_time())
            files = [png.encode(map_) for map_ in maps]
            clock.append(time.process_time())
            for number, content in enumerate(files):
                write_atomically(folder / f"stage-{number}.png", content, durable=False, mode=0o666)
            clock.append(time.process_time())
            spent = [before + end - start for before, (start, end) in zip(spent, pairwise(clock), strict=True)]
    for left in folder.glob("stage-*"):
        left.unlink()
    return " ".join(f"{100 * part / sum(spent):7.0f}" for part in spent)


def seconds(work: Callable[[], object]) -> float:
    """Of the processor: what others do on the machine meanwhile doesn't count."""
    began = time.process_time()
    work()
    return time.process_time() - began


# Raw files


def scene(number: int, size: tuple[int, int], classes: int, objects: int, straight: float = 0.5) -> Pixels:
    """Things before things, (H, W) ids below `classes`.

    `straight`: the share of walls, poles, signs; the rest is rounded.

    With one half, 60 objects have the weight and the row filters of real ADE20K and SUN RGB-D files; streets are
    straighter.
    """
    random = np.random.default_rng(number)
    image = Image.new("I", size[::-1], 0)
    draw = ImageDraw.Draw(image)
    for step in range(objects):
        draw.polygon(outline(random, size, step / objects, straight), fill=int(random.integers(classes)))
    return np.asarray(image)


def outline(
    random: np.random.Generator, size: tuple[int, int], late: float, straight: float = 0.5
) -> list[tuple[float, float]]:
    """A polygon around a random centre; later ones are smaller, as things stand before walls."""
    height, width = size
    reach = max(height, width) * (0.5 * (1 - late) ** 2 + 0.02)
    x, y = random.uniform(0, width), random.uniform(0, height)
    if random.uniform() < straight:
        (w, h), slant = reach * random.uniform(0.2, 1, 2), reach * random.uniform(-0.03, 0.03, 4)
        return [
            (x - w, y - h + slant[0]),
            (x + w + slant[1], y - h),
            (x + w, y + h + slant[2]),
            (x - w + slant[3], y + h),
        ]
    corners = int(random.integers(6, 30))
    angles = np.sort(random.uniform(0, 2 * np.pi, corners))
    radii = reach * random.uniform(0.8, 1.0, corners)
    return [(float(x + r * np.cos(a)), float(y + r * np.sin(a) * 0.7)) for a, r in zip(angles, radii, strict=True)]


def names(count: int) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(count))


def table(classes: int, length: int = 256) -> bytes:
    random = np.random.default_rng(classes)
    values = np.zeros(length, np.uint8)
    values[:classes] = random.integers(0, 250, classes)
    return values.tobytes()


def outputs(count: int) -> tuple[str, ...]:
    return ("",) * count


def make_ids(classes: int, objects: int, straight: float = 0.5, *, wide: bool = False) -> Any:
    def make(folder: Path, number: int, size: tuple[int, int]) -> tuple[RemapRecipe, LabelToRemap]:
        source = folder / f"{number}.png"
        ids = scene(number, size, classes, objects, straight)
        Image.fromarray(ids.astype(np.uint16 if wide else np.uint8)).save(source)
        return RemapRecipe(IDS, names(classes), b"", (table(classes, max(256, classes)),)), LabelToRemap(
            str(source), outputs(1)
        )

    return make


def make_colors(classes: int, objects: int, palette: bool) -> Any:
    def make(folder: Path, number: int, size: tuple[int, int]) -> tuple[RemapRecipe, LabelToRemap]:
        colors = (
            np.random.default_rng(classes)
            .permutation(1 << 24)[:classes]
            .astype("<u4")
            .view(np.uint8)
            .reshape(-1, 4)[:, :3]
        )
        ids = scene(number, size, classes, objects, 0.8).astype(np.uint8)
        source = folder / f"{number}.png"
        if palette:
            image = Image.fromarray(ids)
            image.putpalette(colors.tobytes())
            image.save(source)
        else:
            Image.fromarray(np.ascontiguousarray(colors)[ids]).save(source)
        return RemapRecipe(COLORS, names(classes), colors.tobytes(), (table(classes),)), LabelToRemap(
            str(source), outputs(1)
        )

    return make


def make_panoptic(folder: Path, number: int, size: tuple[int, int]) -> tuple[RemapRecipe, LabelToRemap]:
    random = np.random.default_rng(number)
    segments = scene(number, size, 12, 30)
    ids = random.permutation(1 << 24)[:13]
    pixels = ids[segments]
    Image.fromarray(np.stack([pixels % 256, pixels // 256 % 256, pixels // 65536], axis=2).astype(np.uint8)).save(
        folder / f"{number}.png"
    )
    rows = [{"id": int(ids[part]), "category_id": int(random.integers(1, 201))} for part in np.unique(segments)]
    (folder / "annotations.json").write_text(json.dumps({"annotations": [{"file_name": "x", "segments_info": rows}]}))
    segments_of = all_annotations(folder / "annotations.json")["x"]
    return RemapRecipe(PANOPTIC, names(201), b"", (None, table(201))), LabelToRemap(
        str(folder / f"{number}.png"), outputs(2), segments_of
    )


def make_mat(folder: Path, number: int, size: tuple[int, int]) -> tuple[RemapRecipe, LabelToRemap]:
    ids = scene(number, size, 460, 25).astype("<u2")
    parts = [(6, struct.pack("<II", 11, 0)), (5, struct.pack("<ii", *size)), (1, b"LabelMap"), (4, ids.tobytes("F"))]
    content = b"".join(struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8) for kind, data in parts)
    packed = zlib.compress(struct.pack("<II", 14, len(content)) + content)
    data = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + struct.pack("<II", 15, len(packed)) + packed
    (folder / f"{number}.mat").write_bytes(data)
    return RemapRecipe(MAT, names(460), b"", (None, table(460, 460))), LabelToRemap(
        str(folder / f"{number}.mat"), outputs(2)
    )


def make_polygons(folder: Path, number: int, size: tuple[int, int]) -> tuple[RemapRecipe, LabelToRemap]:
    random = np.random.default_rng(number)
    shapes = [(f"class {random.integers(34)}", outline(random, size, step / 110)) for step in range(110)]
    objects = [
        {"id": step, "label": label, "polygon": points, "deleted": 0} for step, (label, points) in enumerate(shapes)
    ]
    (folder / f"{number}.json").write_text(json.dumps({"imgHeight": size[0], "imgWidth": size[1], "objects": objects}))
    classes = (*names(34), "unlabeled")
    return RemapRecipe(POLYGONS, classes, b"", (None, table(35))), LabelToRemap(
        str(folder / f"{number}.json"), outputs(2)
    )


# The plain ways


def lut(recipe: RemapRecipe, number: int) -> Pixels:
    return np.frombuffer(recipe.tables[number] or b"", np.uint8)


def plain_ids(recipe: RemapRecipe, item: LabelToRemap, places: Sequence[Path]) -> None:
    Image.fromarray(lut(recipe, 0)[np.asarray(Image.open(item.source))]).save(places[0])


def plain_colors(recipe: RemapRecipe, item: LabelToRemap, places: Sequence[Path]) -> None:
    rgb = np.asarray(Image.open(item.source).convert("RGB"))
    ids = np.zeros(rgb.shape[:2], np.uint8)
    for id_, color in enumerate(np.frombuffer(recipe.colors, np.uint8).reshape(-1, 3)):
        ids[(rgb == color).all(axis=2)] = id_
    Image.fromarray(lut(recipe, 0)[ids]).save(places[0])


def plain_panoptic(recipe: RemapRecipe, item: LabelToRemap, places: Sequence[Path]) -> None:
    rgb = np.asarray(Image.open(item.source)).astype(np.uint32)
    numbers = rgb[:, :, 0] + 256 * rgb[:, :, 1] + 65536 * rgb[:, :, 2]
    ids = np.full(numbers.shape, 255, np.uint8)
    for id_, category in np.frombuffer(item.segments or b"", "<u4").reshape(-1, 2):
        ids[numbers == id_] = category
    Image.fromarray(ids).save(places[0])
    Image.fromarray(lut(recipe, 1)[ids]).save(places[1])


def plain_mat(recipe: RemapRecipe, item: LabelToRemap, places: Sequence[Path]) -> None:
    ids = scipy.io.loadmat(item.source)["LabelMap"]
    Image.fromarray(ids).save(places[0])
    Image.fromarray(lut(recipe, 1)[ids]).save(places[1])


def plain_polygons(recipe: RemapRecipe, item: LabelToRemap, places: Sequence[Path]) -> None:
    scene = json.loads(Path(item.source).read_bytes())
    image = Image.new("L", (scene["imgWidth"], scene["imgHeight"]), len(recipe.names) - 1)
    for thing in scene["objects"]:
        ImageDraw.Draw(image).polygon(
            [tuple(point) for point in thing["polygon"]], fill=recipe.names.index(thing["label"])
        )
    image.save(places[0])
    Image.fromarray(lut(recipe, 1)[np.asarray(image)]).save(places[1])


FAMILIES = (
    Family("ADE20K ids", (512, 683), 4.0, make_ids(151, 60), plain_ids, 16, 15),
    Family("CamVid colours", (720, 960), 100.0, make_colors(32, 60, palette=False), plain_colors, 6, 5),
    Family("COCO panoptic", (480, 640), 12.0, make_panoptic, plain_panoptic, 12, 9),
    Family("PASCAL .mat", (375, 500), 5.0, make_mat, plain_mat, 16, 15),
    Family("SUN RGB-D ids", (530, 730), 3.8, make_ids(38, 60), plain_ids, 16, 15),
    Family("PASCAL 16 bit", (375, 500), 3.3, make_ids(460, 25, wide=True), plain_ids, 16, 15),
    Family("ScanNet ids", (480, 640), 3.8, make_ids(41, 40), plain_ids, 16, 15),
    Family("BDD ids", (720, 1280), 4.5, make_ids(19, 90, 0.8), plain_ids, 12, 9),
    Family("Cityscapes ids", (1024, 2048), 4.5, make_ids(34, 110, 0.8), plain_ids, 8, 9),
    Family("IDD polygons", (1080, 1920), None, make_polygons, plain_polygons, 8, 9),
    Family("Mapillary colours", (3024, 4032), 100.0, make_colors(66, 160, palette=False), plain_colors, 2, 2),
    Family("Mapillary palette", (3024, 4032), 100.0, make_colors(66, 160, palette=True), plain_colors, 2, 2),
)

if __name__ == "__main__":
    main(sys.argv[1:])
