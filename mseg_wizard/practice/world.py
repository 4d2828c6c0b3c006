"""The practice world: a miniature MSeg made of nothing but code,
with every archive, the mseg-api tree, and answers for the forms.

The server that hands it out is in practice.server.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from mseg_wizard.practice import datasets_open, datasets_registered
from mseg_wizard.practice.classes import taxonomies
from mseg_wizard.practice.logins import ACCOUNTS, LINKS, sign_link
from mseg_wizard.practice.mseg_api_files import tree_files
from mseg_wizard.practice.packing import make_archive
from mseg_wizard.practice.parts import DatasetContent, DatasetMaker
from mseg_wizard.tasks.registry import load_steps

_DATASETS: tuple[Callable[[DatasetMaker], DatasetContent], ...] = (
    datasets_open.ade20k,
    datasets_open.camvid,
    datasets_open.coco,
    datasets_open.pascal_context,
    datasets_open.voc2012,
    datasets_open.sun_rgbd,
    datasets_registered.bdd,
    datasets_registered.cityscapes,
    datasets_registered.idd,
    datasets_registered.kitti,
    datasets_registered.mapillary,
    datasets_registered.scannet,
    datasets_registered.wilddash,
)

DRAWN = 2 / 3
"""Part of the time that goes into the pictures; the rest goes into packing them."""
_PADDED: Mapping[str, str] = {
    "train2017.zip": "train2017/README",
    "VOCtrainval_11-May-2012.tar": "VOCdevkit/VOC2012/Annotations/README",
    "sun_rgbd.tgz": "depth/README",
    "leftImg8bit_trainvaltest.zip": "leftImg8bit/README",
    "idd-segmentation.tar.gz": "IDD_Segmentation/README",
    "mapillary-vistas-dataset_public_v1.1.zip": "testing/README",
    "scannet_frames_25k.zip": "scannet_frames_25k/README",
}
"""Archive → the member that makes it longer: one that nobody unpacks, or misses."""

_SCRIPT = f"""# practice: what ScanNet's e-mail brings
BASE_URL = '{LINKS}/scannet/'
TOS_URL = BASE_URL + 'terms.pdf'
"""

PracticeAnswers = dict[str, dict[str, str | bool | int]]


@dataclass(frozen=True)
class World:
    """Where a practice world is, and what is in it."""

    folder: Path
    mirror: Path
    """The archives by name, and `mseg-api/`: what `--mirror` expects, and what the server hands out."""
    tree: Path
    """The mseg-api tree, inside the mirror."""
    archives: tuple[str, ...]
    scannet_script: Path
    """What ScanNet's e-mail brings: a script that holds the base URL."""
    segments: tuple[tuple[str, int], ...]
    """Each list of records, and how many segments it names."""

    @property
    def answers(self) -> PracticeAnswers:
        """What a practising user may answer, as `--answers` takes it, but
        for the destination; the links are good for a day from now.

        They lead to LINKS, which has to be routed to the practice server.
        """
        users: PracticeAnswers = {
            step: {"username": user, "password": password} for step, (user, password) in ACCOUNTS.items()
        }
        return {
            "prepare": {
                "read": True,
                "terms": True,
                "workers": 2,
                "mseg_api": "fetch",
                "accept_modified_tree": True,
                "python": "",
            },
            "bdd": {"archives": str(self.mirror / "bdd100k_seg.zip")},
            "cityscapes": users["cityscapes"],
            "idd": {"url": sign_link(f"{LINKS}/signed/idd-segmentation.tar.gz")},
            "kitti": {"url": sign_link(f"{LINKS}/signed/data_semantics.zip")},
            "mapillary": {"url": sign_link(f"{LINKS}/signed/mapillary-vistas-dataset_public_v1.1.zip")},
            "scannet": {"base_url": f"{LINKS}/scannet/"},
            "wilddash": users["wilddash"],
            "finish": {"confirm": True},
        }


def make_world(
    folder: Path, *, seed: int = 0, images: int = 4, padding: int = 0, told: Callable[[float], object] = bool
) -> World:
    """Write a miniature MSeg below `folder`: `images` train images a dataset, half as many (at least two) for val.

    `padding` bytes of noise go into the archive whose real one is largest, and into other large ones the share that the
    real ones have of that, so that a person sees their bars move.
    The same arguments give the same bytes. `told` hears how much of it is done, 0 to 1.
    """
    names = taxonomies()
    make = DatasetMaker(seed, images, names)
    parts = []
    for dataset in _DATASETS:
        parts.append(dataset(make))
        told(DRAWN * len(parts) / len(_DATASETS))
    mirror = folder / "mirror"
    mirror.mkdir(parents=True, exist_ok=True)
    archives = {name: members for part in parts for name, members in part.archives.items()}
    sizes = {archive.file: archive.size for step in load_steps() for archive in step.archives}
    for at, (name, members) in enumerate(archives.items(), 1):
        filler = _filler(seed, name, padding * sizes.get(name, 0) // max(sizes.values()))
        (mirror / name).write_bytes(make_archive(name, {**members, **filler}, stored=filler))
        told(DRAWN + (1 - DRAWN) * at / len(archives))
    for path, text in tree_files(parts, names).items():
        file = mirror / "mseg-api" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="")
    script = folder / "download-scannet.py"
    script.write_text(_SCRIPT, encoding="utf-8")
    segments = Counter(f"{segment.table}_update_records" for part in parts for segment in part.segments)
    return World(folder, mirror, mirror / "mseg-api", tuple(sorted(archives)), script, tuple(segments.items()))


def toml(answers: PracticeAnswers) -> str:
    """Answers as the text of a file for `--answers`. It holds passwords: write it for its owner alone."""
    tables = []
    for step, fields in answers.items():
        # a JSON string, number or boolean is a TOML value too
        tables.append("".join([f"[{step}]\n", *(f"{key} = {json.dumps(value)}\n" for key, value in fields.items())]))
    return "\n".join(tables)


def _filler(seed: int, name: str, count: int) -> dict[str, bytes]:
    """What makes an archive longer: so many bytes of noise."""
    if name not in _PADDED or count <= 0:
        return {}
    noise = Random(f"{seed}/{name}").randbytes(count)  # noqa: S311  (noise, not a key)
    return {_PADDED[name]: b"Noise, so that the practice archive takes a while to download.\n\n" + noise}
