"""The lists and records of a full mseg-api tree, or a share of them, and tiny pictures of what they name: every segment
that a record names is a box of its old class, so that nothing is at fault in the end.

Lists that are missing in the tree (COCO's 118,287 training images, in the kit beside a checkout) are invented around
the images that its records name. Photographs and label maps that hold no segment are the same bytes over and over.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from io import BytesIO
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from imagecodecs import png_encode
from numpy.typing import NDArray
from PIL import Image

from mseg_wizard.labels.records import ImageKey, Update, image_keys, read_records, updates
from mseg_wizard.labels.relabeling import LABEL_ITSELF, KnownPixel, Relabeling
from mseg_wizard.labels.taxonomy import IGNORED, SPLITS, MsegApiTree
from mseg_wizard.labels.tree_files import ListRow, read_lines
from mseg_wizard.tasks.registry import load_steps

COCO = ("coco-panoptic-inst-201", "coco-panoptic-201", "coco-panoptic-133", "coco-panoptic-133-relabeled")
COCO_TRAIN = 118_287
COCO_SEGMENTS = 16
"""Segments of an image in the annotations, at least."""
INVENTED = 1_000_001
"""The first segment that no record names."""
CHAINS: Mapping[str, tuple[str, ...]] = {
    "ade20k-151": ("ade20k-151", "ade20k-150"),
    "coco-panoptic-inst-201": ("coco-panoptic-201", "coco-panoptic-133"),
    "sunrgbd-38": ("sunrgbd-38", "sunrgbd-37"),
    "bdd": ("bdd",),
    "cityscapes-34": ("cityscapes-34", "cityscapes-19"),
    "idd-40": ("idd-40", "idd-39"),
    "mapillary-public66": ("mapillary-public66", "mapillary-public65"),
}
"""Raw taxonomy → the tables on the way to the one that is relabelled."""
SIDE = 12
"""Rows of an image."""
_CONFIG = '"""Where the datasets are."""\n\nMSEG_DST_DIR = ""\n'
Pixels = NDArray[Any]
Box = tuple[int, int, int, int]


def copy_tree(full: Path, tree: Path, share: int) -> None:
    """`full` with the lists that it lacks; of a `share` n every n-th row of each list."""
    shutil.copytree(full / "mseg", tree / "mseg", copy_function=shutil.copyfile)
    for path in [tree, *tree.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    (tree / "mseg/utils").mkdir(exist_ok=True)
    (tree / "mseg/utils/dataset_config.py").write_text(_CONFIG)
    lists = tree / "mseg/dataset_lists"
    how = _relabelings()["coco-panoptic-133"]
    if not (lists / COCO[0] / "list/train.txt").exists():
        recorded = {
            found[1]
            for record in read_records(MsegApiTree(tree), how.records)
            if record.split == "train"
            for _, line in read_lines(tree / "mseg/relabeled_data" / record.file)
            if (found := how.named_by(line, "train"))
        }
        numbers = {int(stem) for stem in recorded}
        more = (number for number in range(1, 10**6) if number not in numbers)
        stems = sorted([*recorded, *(f"{next(more):012}" for _ in range(COCO_TRAIN - len(recorded)))])
        for taxonomy in COCO:
            row = (lists / taxonomy / "list/val.txt").read_text().splitlines()[0]
            stem = Path(row.split()[0]).stem
            row = row.replace("val2017", "train2017")
            (lists / taxonomy / "list/train.txt").write_text("".join(f"{row.replace(stem, each)}\n" for each in stems))
    if share > 1:
        _thin_out(tree, share)


def _thin_out(tree: Path, share: int) -> None:
    for path in (tree / "mseg/dataset_lists").glob("*/list/*.txt"):
        path.write_text("".join(f"{line}\n" for _, line in read_lines(path)[::share]))
    thinned = MsegApiTree(tree)
    for how in {how.records: how for how in _relabelings().values()}.values():
        kept = {place for split in SPLITS for place in image_keys(thinned, how.makes[0], split)}
        for record in read_records(thinned, how.records):
            path = tree / "mseg/relabeled_data" / record.file
            lines = [line for _, line in read_lines(path)]
            named = [(line, how.named_by(line, record.split)) for line in lines]
            path.write_text(
                "".join(f"{line}\n" for line, found in named if found and ImageKey(record.split, *found[:2]) in kept)
            )


@cache
def _relabelings() -> dict[str, Relabeling]:
    """Taxonomy before relabelling → how that is done."""
    calls = [call.args for step in load_steps() for call in step.calls if call.task == "relabel"]
    return {taxonomy: how for how in calls for taxonomy in how.taxonomies}


@dataclass(frozen=True)
class Drawing:
    """One row of the lists, and what is drawn into it."""

    image: str
    label: str | None
    split: str
    width: int = 2 * SIDE
    height: int = SIDE
    segments: tuple[tuple[int, int], ...] = ()
    """Number and raw class of each segment."""
    boxes: tuple[Box, ...] = ()
    """Left, top, right and bottom of each."""
    background: int = 0

    @property
    def stem(self) -> str:
        return self.image.rpartition("/")[2].rpartition(".")[0]

    def drawn(self, values: Iterable[int], background: int, kind: type = np.uint8) -> Pixels:
        """The boxes in `values`."""
        pixels: Pixels = np.full((self.height, self.width), background, kind)
        for value, (left, top, right, bottom) in zip(values, self.boxes, strict=True):
            pixels[top:bottom, left:right] = value
        return pixels

    @property
    def ids(self) -> bytes:
        """A PNG of raw classes."""
        if not self.segments:
            return _flat(self.width, self.height, self.background)
        return png(self.drawn((raw for _, raw in self.segments), self.background))

    @property
    def photo(self) -> bytes:
        return _photo(self.width, self.height, self.image.rpartition(".")[2])


def png(pixels: Pixels) -> bytes:
    return bytes(png_encode(pixels, level=1))


@cache
def _flat(width: int, height: int, value: int, kind: type = np.uint8) -> bytes:
    return png(np.full((height, width), value, kind))


@cache
def _photo(width: int, height: int, ending: str) -> bytes:
    stream = BytesIO()
    Image.new("RGB", (width, height), (90, 120, 60)).save(stream, {"jpg": "JPEG"}.get(ending, "PNG"))
    return stream.getvalue()


@dataclass
class Dataset:
    """What a dataset's archives are made from: the rows of its raw taxonomy, drawn."""

    tree: MsegApiTree
    raw: str

    @cached_property
    def names(self) -> tuple[str, ...]:
        return self.tree.names(self.raw)

    @cached_property
    def images(self) -> list[Drawing]:
        """All rows of all lists, each once."""
        seen: dict[str, Drawing] = {}
        last = CHAINS.get(self.raw, ("",))[-1]
        how = _relabelings().get(last)
        found, raws = self._records(how, last)
        known = {(pixel.place, pixel.segment): pixel for pixel in how.pixels} if how else {}
        for split in self.tree.splits(self.raw):
            rows = self.tree.rows(self.raw, split)
            places = image_keys(self.tree, how.makes[0], split) if how and split in SPLITS else [None] * len(rows)
            for row, place in zip(rows, places, strict=True):
                if place in found or row.image not in seen:
                    updates_ = found.get(place, ()) if place else ()
                    segments = [(update.segment, raws.get(self._told_by(how, update), 0)) for update in updates_]
                    at = {segment: pixel for (where, segment), pixel in known.items() if where == place}
                    seen[row.image] = self._laid_out(row, split, segments, at)
        return list(seen.values())

    @staticmethod
    def _told_by(how: Relabeling | None, update: Update) -> int:
        return update.segment if how and how.masks == LABEL_ITSELF else update.old

    def _records(
        self, how: Relabeling | None, last: str
    ) -> tuple[Mapping[ImageKey, tuple[Update, ...]], dict[int, int]]:
        """The updates of each image, and which raw class becomes an old one, or the segment's."""
        if how is None:
            return {}, {}
        ids: Pixels = np.arange(len(self.names))
        for source, target in pairwise(CHAINS[self.raw]):
            ids = self.tree.table(source, target).values[ids]
        if how.masks != LABEL_ITSELF:
            table = self.tree.table(last, how.makes[0]).values
            ids = np.where(ids == IGNORED, IGNORED, table[np.minimum(ids, len(table) - 1)])
        return updates(self.tree, how, last), {int(id_): raw for raw, id_ in reversed(list(enumerate(ids)))}

    def _laid_out(
        self, row: ListRow, split: str, segments: list[tuple[int, int]], at: Mapping[int, KnownPixel]
    ) -> Drawing:
        """A box for each segment, from left to right; around a pixel whose class is known where there is one."""
        if self.raw == COCO[0]:
            more = (number for number in count(INVENTED) if number not in {segment for segment, _ in segments})
            segments = segments + [(next(more), 1) for _ in range(COCO_SEGMENTS - len(segments))]
        boxes = [
            (at[segment].column - 2, at[segment].row - 2, at[segment].column + 3, at[segment].row + 3)
            if segment in at
            else (2 * number, 0, 2 * number + 2, SIDE - 2)
            for number, (segment, _) in enumerate(segments)
        ]
        width = max([2 * SIDE, *(right + 1 for _, _, right, _ in boxes)])
        height = max([SIDE, *(bottom + 1 for *_, bottom in boxes)])
        used = {raw for _, raw in segments}
        background = next(raw for raw in range(len(self.names)) if raw not in used)
        return Drawing(row.image, row.label, split, width, height, tuple(segments), tuple(boxes), background)
