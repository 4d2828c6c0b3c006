"""The practice world's mseg-api tree: lists, class tables,
records, and a package that pip installs without a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mseg_wizard.practice.classes import master, tables
from mseg_wizard.practice.parts import DatasetContent
from mseg_wizard.practice.pixels import palette
from mseg_wizard.practice.records import records_files

_MADE: tuple[tuple[str, str, str, str], ...] = (
    ("ade20k-151", "ade20k-150", "annotations/", "annotations_semseg150/"),
    ("camvid-32", "camvid-11", "Labels32-RGB/", "semseg11/"),
    ("cityscapes-34", "cityscapes-19", "gtFine/", "gtFine_19cls/"),
    ("coco-panoptic-inst-201", "coco-panoptic-201", "annotations/panoptic_", "semantic_annotations201/"),
    ("coco-panoptic-201", "coco-panoptic-133", "semantic_annotations201/", "semantic_annotations133/"),
    ("idd-40", "idd-39", "gtFine/", "gtFine39/"),
    ("kitti-34", "kitti-19", "training/semantic/", "training/label19/"),
    ("mapillary-public66", "mapillary-public65", "/labels/", "_semseg65/labels/"),
    ("pascal-context-460", "pascal-context-60", "Segmentation_GT_460cls/", "Segmentation_GT_60cls/"),
    ("scannet-41", "scannet-20", "/label/", "/label20/"),
    ("sunrgbd-38", "sunrgbd-37", "label38/", "semseg-label37/"),
    ("wilddash-34", "wilddash-19", "wd_val_01/", "wd_val_19class/"),
    ("ade20k-150", "ade20k-150-relabeled", "_semseg150/", "_semseg150_relabeled/"),
    ("bdd", "bdd-relabeled", "seg/labels/", "seg_relabeled/labels/"),
    ("cityscapes-19", "cityscapes-19-relabeled", "gtFine_19cls/", "gtFine_19cls_relabeled/"),
    ("cityscapes-34", "cityscapes-34-relabeled", "gtFine/", "gtFine_34cls_relabeled/"),
    ("coco-panoptic-133", "coco-panoptic-133-relabeled", "semantic_annotations133/", "semantic_relabeled133/"),
    ("idd-39", "idd-39-relabeled", "gtFine39/", "gtFine39_relabeled/"),
    ("mapillary-public65", "mapillary-public65-relabeled", "_semseg65/", "_semseg65_relabeled/"),
    ("sunrgbd-37", "sunrgbd-37-relabeled", "semseg-label37/", "semseg-relabeled37/"),
)
"""(taxonomy, one made from it, text in its label paths, what takes that text's place)."""

_WITH_COLOURS = (
    "ade20k-150",
    "bdd",
    "camvid-32",
    "cityscapes-19",
    "coco-panoptic-133",
    "kitti-19",
    "mapillary-public66",
)

_CONFIG = '''"""Where the datasets are."""

# the folder that the prepared datasets are in
MSEG_DST_DIR = ""

PRACTICE = True
'''
_RECORD = '''"""Relabelling records of the practice world."""

from typing import NamedTuple


class DatasetClassUpdateRecord(NamedTuple):
    dataset: str
    split: str
    orig_class: str
    relabeled_class: str
    txt_fpath: str
'''
_PYPROJECT = """[build-system]
requires = []
build-backend = "practice_backend"
backend-path = ["."]

[project]
name = "mseg"
version = "1.0.0"
"""
_BACKEND = '''"""Builds the practice package with the standard library alone: installing it needs no network."""

import zipfile
from pathlib import Path

_INFO = {
    "mseg-1.0.0.dist-info/METADATA": (
        "Metadata-Version: 2.1\\nName: mseg\\nVersion: 1.0.0\\nSummary: practice package of mseg-wizard\\n"
    ),
    "mseg-1.0.0.dist-info/WHEEL": (
        "Wheel-Version: 1.0\\nGenerator: practice\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    ),
}


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, {"__mseg_practice.pth": f"{Path.cwd()}\\n"})


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    files = {path.as_posix(): path.read_text() for path in Path("mseg").rglob("*") if path.is_file()}
    return _wheel(wheel_directory, files)


def _wheel(folder, files):
    name = "mseg-1.0.0-py3-none-any.whl"
    files = {**files, **_INFO}
    record = "".join(f"{path},,\\n" for path in (*files, "mseg-1.0.0.dist-info/RECORD"))
    with zipfile.ZipFile(Path(folder) / name, "w") as wheel:
        for path, text in {**files, "mseg-1.0.0.dist-info/RECORD": record}.items():
            wheel.writestr(path, text)
    return name
'''


def tree_files(parts: Iterable[DatasetContent], names: Mapping[str, list[str]]) -> dict[str, str]:
    """Path below mseg-api/ → text of every file."""
    parts = list(parts)
    files = {
        "README.md": (
            "# mseg-api, for practice\n\nInvented classes under the names of MSeg's taxonomies. Not MSeg's tree.\n"
        ),
        "pyproject.toml": _PYPROJECT,
        "practice_backend.py": _BACKEND,
        "mseg/__init__.py": '"""The practice world\'s stand-in for MSeg\'s package."""\n',
        "mseg/utils/__init__.py": "",
        "mseg/utils/dataset_config.py": _CONFIG,
        "mseg/label_preparation/__init__.py": _RECORD,
    }
    for (taxonomy, split), rows in _lists(parts).items():
        files[f"mseg/dataset_lists/{taxonomy}/list/{split}.txt"] = "\n".join(rows) + "\n"
    for taxonomy, words in names.items():
        ending = "\r\n" if taxonomy in ("ade20k-151", "bdd") else "\n"  # both are met in MSeg's files
        last = "" if taxonomy.endswith("-relabeled") else ending
        files[f"mseg/dataset_lists/{taxonomy}/{taxonomy}_names.txt"] = ending.join(words) + last
    for taxonomy in _WITH_COLOURS:
        gap, ending = ("\t", "\r\n") if taxonomy == "camvid-32" else (" ", "\n")
        rows = [
            gap.join(f"{part:3}" if gap == " " else str(part) for part in colour) for colour in palette(names[taxonomy])
        ]
        files[f"mseg/dataset_lists/{taxonomy}/{taxonomy}_colors.txt"] = ending.join(rows) + ending
    for (source, target), table in tables(names).items():
        files[f"mseg/class_remapping_files/{source}_to_{target}.tsv"] = _tsv([[source, target], *map(list, table)])
    files["mseg/class_remapping_files/MSeg_master.tsv"] = _tsv(master(names))
    code, lines = records_files(segment for part in parts for segment in part.segments)
    files["mseg/label_preparation/dataset_update_records.py"] = code
    files.update({f"mseg/relabeled_data/{name}": text for name, text in lines.items()})
    return files


def _lists(parts: Iterable[DatasetContent]) -> dict[tuple[str, str], list[str]]:
    """Every taxonomy's rows: the raw ones as the datasets gave them, the others with the label's folder changed."""
    lists = {key: rows for part in parts for key, rows in part.rows.items()}
    for source, target, before, after in _MADE:
        for (taxonomy, split), rows in list(lists.items()):
            if taxonomy == source:
                lists[target, split] = [_with_label(row, before, after) for row in rows]
    return lists


def _with_label(row: str, before: str, after: str) -> str:
    image, *label = row.split(" ")
    return " ".join([image, *(path.replace(before, after, 1) for path in label)])


def _tsv(rows: Iterable[Iterable[str]]) -> str:
    return "\r\n".join("\t".join(row) for row in rows)
