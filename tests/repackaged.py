"""The golden kit's archives in the forms that people can get today: other releases, repackagings."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ADE, ADE_2021 = "ADE20K_2016_07_26.zip", "ADE20K_2021_17_01.zip"
BDD, KAGGLE = "bdd100k_seg.zip", "solesensei_bdd100k.zip"
MAPILLARY, MAPILLARY_2 = "mapillary-vistas-dataset_public_v1.1.zip", "mapillary-vistas-dataset_public_v2.0.zip"

Masks = Callable[[str, NDArray[np.uint8]], NDArray[np.uint8]]
"""Stem and pixels of a mask, (H, W, 3) → what it becomes."""


def ade_2021(mirror: Path, to: Path, masks: Masks = lambda stem, pixels: pixels) -> Path:
    """The release of 2021: other folders, a PNG for each instance beside, no `index`."""
    with ZipFile(mirror / ADE) as old, ZipFile(to / ADE_2021, "w", ZIP_STORED) as new:
        for info in old.infolist():
            if info.is_dir() or not info.filename.endswith(("_seg.png", ".jpg")):
                continue
            split = info.filename.split("/")[2]
            name = info.filename.rpartition("/")[2]
            place, content = f"ADE20K_2021_17_01/images/ADE/{split}/urban/street", old.read(info)
            if name.endswith("_seg.png"):
                stem = name.removesuffix("_seg.png")
                with Image.open(io.BytesIO(content)) as image:
                    pixels = np.asarray(image.convert("RGB"))
                changed = masks(stem, pixels)
                if changed is not pixels:
                    content = _png(changed)
                new.writestr(f"{place}/{stem}/instance_000_{stem}.png", _png(pixels[:, :, 2]))
            new.writestr(f"{place}/{name}", content)
    return to / ADE_2021


def bdd_kaggle(mirror: Path, to: Path) -> Path:
    """Kaggle's tree: the folder of 2018 below one more, and images that nobody needs beside it."""
    with ZipFile(mirror / BDD) as old, ZipFile(to / KAGGLE, "w", ZIP_STORED) as new:
        for info in old.infolist():
            if not info.is_dir():
                new.writestr(f"bdd100k_seg/{info.filename}", old.read(info))
        for number in range(3):
            new.writestr(f"bdd100k/bdd100k/images/100k/train/{number}.jpg", b"not needed")
    return to / KAGGLE


def mapillary_2(mirror: Path, to: Path) -> Path:
    """Version 2.0: its labels, and those of version 1.2 in folders of their own."""
    with ZipFile(mirror / MAPILLARY) as old, ZipFile(to / MAPILLARY_2, "w", ZIP_STORED) as new:
        for info in old.infolist():
            if info.is_dir():
                continue
            split, _, rest = info.filename.partition("/")
            versioned = rest.startswith(("labels/", "instances/", "panoptic/"))
            new.writestr(f"{split}/v1.2/{rest}" if versioned else info.filename, old.read(info))
            if rest.startswith("labels/"):
                new.writestr(f"{split}/v2.0/{rest}", b"of 124 classes")
    return to / MAPILLARY_2


def ade_parquet(mirror: Path, to: Path, *, rows: int = 4) -> list[Path]:
    """The columns of Hugging Face's dataset that are read, and those beside them that are large; two files for train.

    `rows`: in each group of a file.
    """
    import pyarrow as pa
    from pyarrow import parquet

    found: dict[str, list[dict[str, object]]] = {"train": [], "validation": []}
    with ZipFile(mirror / ADE) as old:
        for name in old.namelist():
            if not name.endswith("_seg.png"):
                continue
            stem, mask = name.rpartition("/")[2].removesuffix("_seg.png"), old.read(name)
            picture = {"bytes": b"a picture that nobody needs here" * 1000, "path": None}
            masks = [{"bytes": mask, "path": None}, {"bytes": b"of parts", "path": None}]
            row: dict[str, object] = {"image": picture, "segmentations": masks, "filename": f"{stem}.jpg", "scenes": []}
            found["train" if "/training/" in name else "validation"].append(row)
    half = len(found["train"]) // 2
    parts = {
        "train-00000-of-00002": found["train"][:half],
        "train-00001-of-00002": found["train"][half:],
        "validation-00000-of-00001": found["validation"],
    }
    for name, table in parts.items():
        parquet.write_table(pa.Table.from_pylist(table), to / f"{name}.parquet", row_group_size=rows)
    return [to / f"{name}.parquet" for name in parts]


def in_parts(path: Path) -> None:
    """The same zip in parts of 64 kB, `.z01` and on, where Info-ZIP is there to split it."""
    if shutil.which("zip"):
        whole = path.rename(path.with_name("whole.zip"))
        subprocess.run(["zip", "-q", "-s", "64k", whole, "--out", path], check=True)
        whole.unlink()


def _png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
