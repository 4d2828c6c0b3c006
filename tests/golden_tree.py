"""The golden kit's archives unpacked where label code looks for them, and what MSeg's own code made of them."""

from __future__ import annotations

import csv
import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mseg_wizard.labels.taxonomy import MsegApiTree
from tests.labels.trees import ROOTS

PLACES = {
    "ADE20K_2016_07_26.zip": {"": "ADE20K"},
    "ADEChallengeData2016.zip": {"": "ADE20K"},
    "701_StillsRaw_full.zip": {"": "Camvid"},
    "LabeledApproved_full.zip": {"": "Camvid/Labels32-RGB"},
    "panoptic_annotations_trainval2017.zip": {"": "COCOPanoptic"},
    "train2017.zip": {"": "COCOPanoptic/images"},
    "val2017.zip": {"": "COCOPanoptic/images"},
    "trainval.tar.gz": {"": "PASCAL_Context"},
    "VOCtrainval_03-May-2010.tar": {"VOCdevkit/VOC2010/JPEGImages/": "PASCAL_Context/JPEGImages"},
    "sun_rgbd.tgz": {"image/": "SUNRGBD/image", "label37/": "SUNRGBD/label38"},
    "bdd100k_seg.zip": {"": "BDD"},
    "gtFine_trainvaltest.zip": {"": "Cityscapes"},
    "leftImg8bit_trainvaltest.zip": {"": "Cityscapes"},
    "idd-segmentation.tar.gz": {"": "IDD"},
    "data_semantics.zip": {"": "KITTI"},
    "mapillary-vistas-dataset_public_v1.1.zip": {"": "MapillaryVistasPublic"},
    "scannet_frames_25k.zip": {"": "ScanNet"},
    "wd_both_01.zip": {"": "WildDash"},
    "wd_val_01.zip": {"": "WildDash"},
}
"""Archive → prefix of its members → folder below mseg_dataset. Where a prefix is named, other members are left out."""


@dataclass(frozen=True)
class GoldenTree:
    """Unpacked archives under `dataset`, MSeg's tree, and the pixels that are expected of every label map."""

    dataset: Path
    tree: MsegApiTree
    expected: dict[str, tuple[str, str, str]]
    """Path below mseg_dataset → dtype, shape ("HxW"), sha256 of the pixels; what MSeg's code made only."""

    def listed(self, taxonomy: str, *splits: str) -> list[str]:
        """Paths below mseg_dataset of the taxonomy's label maps, each once."""
        root = self.tree.root(taxonomy)
        return list(dict.fromkeys(f"{root}/{row.label}" for split in splits for row in self.tree.rows(taxonomy, split)))

    def differences(self, paths: list[str]) -> list[str]:
        """Which of the label maps are not as expected."""
        return [path for path in paths if pixels_of(self.dataset / path) != self.expected[path]]


def unpack(golden: Path, dataset: Path) -> GoldenTree:
    """Unpack all archives below `dataset`."""
    for archive, places in PLACES.items():
        for name, content in _members(golden / "mirror" / archive):
            for prefix, folder in places.items():
                if name.startswith(prefix):
                    file = dataset / folder / name[len(prefix) :]
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(content)
    for nested in (dataset / "COCOPanoptic" / "annotations").glob("panoptic_*2017.zip"):
        for name, content in _members(nested):
            file = nested.parent / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    with (golden / "expected.tsv").open(newline="") as lines:
        rows = [
            row for row in csv.DictReader(lines, delimiter="\t") if row["kind"] == "label" and row["origin"] == "made"
        ]
    expected = {row["path"]: (row["dtype"], row["shape"], row["pixel_sha256"]) for row in rows}
    return GoldenTree(dataset, MsegApiTree(golden / "mirror" / "mseg-api", ROOTS), expected)


def pixels_of(path: Path) -> tuple[str, str, str]:
    """dtype, shape and sha256 of a label map's pixels, as Pillow reads them: not with the code under test."""
    with Image.open(path) as image:
        assert image.mode in ("L", "I;16"), f"{path} is stored as {image.mode}"
        ids: NDArray[np.generic] = np.asarray(image)
    return (
        str(ids.dtype),
        "x".join(map(str, ids.shape)),
        hashlib.sha256(np.ascontiguousarray(ids).tobytes()).hexdigest(),
    )


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    if archive.suffix == ".zip":
        with ZipFile(archive) as zipped:
            yield from ((info.filename, zipped.read(info)) for info in zipped.infolist() if not info.is_dir())
    else:
        with tarfile.open(archive) as tarred:
            for member in tarred:
                if member.isfile():
                    content = tarred.extractfile(member)
                    assert content is not None
                    yield member.name, content.read()
