"""Verification: what is right passes, every kind of fault is
named with its file and step, and what can be mended is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mseg_wizard.state.journal import OWN
from mseg_wizard.verification.verdict import MISSING, Fault, fault_lines
from tests.verification.finished import Finished, copy
from tests.wizard import compare, tree_of


@pytest.mark.slow
def test_a_finished_tree_is_clean_and_step_13_takes_the_verdict_for_its_own(finished: Finished) -> None:
    before = tree_of(finished.dataset)
    done = finished.wizard.run("verify", "--dest", finished.destination)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No fault was found." in done.stdout
    assert finished.verdict["clean"] is True
    assert finished.verdict["counts"]["targeted pixels"] == 43
    assert finished.verdict["counts"]["relabelled segments"] > 700
    assert tree_of(finished.dataset) == before, "verification only looks"
    status = json.loads(finished.wizard.run("status", "--dest", finished.destination, "--json").stdout)
    assert next(step for step in status["steps"] if step["id"] == "verify")["done"] == 1
    assert finished.wizard.left_over() == []


@pytest.mark.slow
def test_oddities_of_raw_labels_are_counted_and_are_no_faults(finished: Finished) -> None:
    done = finished.wizard.run("verify", "--dest", finished.destination, "--json")
    assert json.loads(done.stdout) == finished.verdict, "stdout is the verdict alone, fit for a program"
    assert "Check files and segments" in done.stderr
    notes = "\n".join(finished.verdict["notes"])
    assert "Camvid: " in notes
    assert "a colour that no class has" in notes
    assert "ADE20K: 96 pixels in 8 labels as they came have an id that no class has" in notes
    assert "ScanNet: 2 frames of its test list are in none of its archives" in notes


def test_a_folder_that_went_is_one_line_and_a_file_that_went_its_own(tmp_path: Path) -> None:
    (tmp_path / "COCO" / "train").mkdir(parents=True)
    faults = [
        Fault("COCO/semseg/train/1.png", MISSING, "remap-open/remap/coco"),
        Fault("COCO/semseg/train/2.png", MISSING, "remap-open/remap/coco"),
        Fault("COCO/train/3.jpg", MISSING, "download-open/extract/train"),
        Fault("COCO/semseg/val/1.png", "2 pixels not as its label gives them", "remap-open/remap/coco"),
        Fault("BDD/a/4.png", MISSING, "bdd/extract/bdd"),
    ]
    assert fault_lines(tmp_path, faults) == [
        "COCO/semseg is gone: 2 files (2 for step remap-open)",
        "BDD/a/4.png is missing · step bdd",
        "COCO/train/3.jpg is missing · step download-open",
        "COCO/semseg/val/1.png 2 pixels not as its label gives them · step remap-open",
    ]


# Faults

Pixels = NDArray[Any]


def rewrite(change: Callable[[Pixels], Pixels]) -> Callable[[Path], None]:
    def plant(path: Path) -> None:
        with Image.open(path) as image:
            pixels = np.array(image)
        Image.fromarray(change(pixels)).save(path, format="PNG")

    return plant


def illegal(pixels: Pixels) -> Pixels:
    pixels[3, 4] = 77
    return pixels


def changed(pixels: Pixels) -> Pixels:
    pixels[0, 0] = 0 if pixels[0, 0] else 1
    return pixels


def as_palette(path: Path) -> None:
    with Image.open(path) as image:
        pixels = np.array(image)
    other = Image.fromarray(pixels).convert("P")
    other.putpalette([value for grey in range(256) for value in (grey, grey, grey)])
    other.frombytes(pixels.tobytes())
    other.save(path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def from_file(old: str, new: str) -> Callable[[Path], None]:
    def plant(path: Path) -> None:
        path.write_bytes(Path(str(path).replace(old, new)).read_bytes())

    return plant


ADE = "ADE20K/ADEChallengeData2016"
CITY = "train/aachen/aachen_000014_000019_gtFine_labelIds.png"
PLANTED: dict[str, tuple[str, Callable[[Path], None], str, str]] = {
    "missing image": (f"{ADE}/images/training/ADE_train_00000001.jpg", Path.unlink, "is missing", "download-open"),
    "missing label map": ("SUNRGBD/semseg-relabeled37/train/00000001.png", Path.unlink, "is missing", "relabel"),
    "missing image of a test list": ("KITTI/testing/image_2/000044_10.png", Path.unlink, "is missing", "kitti"),
    "truncated label map": ("KITTI/training/label19/000198_10.png", cut, "is cut short", "kitti"),
    "truncated raw label": ("KITTI/training/semantic/000198_10.png", cut, "is cut short", "kitti"),
    "truncated image": ("IDD/IDD_Segmentation/leftImg8bit/train/1/148425_leftImg8bit.png", cut, "is damaged", "idd"),
    "empty file": ("SUNRGBD/semseg-label37/train/00000253.png", emptied, "is empty", "remap-open"),
    "empty image": ("SUNRGBD/image/train/img-000253.jpg", emptied, "is empty", "download-open"),
    "illegal id": (
        "BDD/bdd100k/seg_relabeled/labels/train/1cbc711c-205586b2_train_id.png",
        rewrite(illegal),
        "holds ids that no class of bdd-relabeled has: 77 (1 pixel)",
        "relabel",
    ),
    "255 where none can come out": (
        "PASCAL_Context/Segmentation_GT_60cls/2008_000008.png",
        rewrite(lambda pixels: np.full_like(pixels, 255)),
        "holds ids that no class of pascal-context-60 has: 255",
        "remap-open",
    ),
    "wrong size": (
        "ScanNet/scannet_frames_25k/scene0206_02/label20/001800.png",
        rewrite(lambda pixels: pixels[:-1]),
        "its image",
        "scannet",
    ),
    "wrong size of a raw label": (
        "WildDash/wd_val_01/fi0000_100000_labelIds.png",
        rewrite(lambda pixels: pixels[:, :-2]),
        "its image",
        "wilddash",
    ),
    "wrong depth": (
        "WildDash/wd_val_19class/cn0000_100000_labelIds.png",
        rewrite(lambda pixels: pixels.astype(np.uint16)),
        "is stored as 16-bit greyscale instead of 8-bit greyscale",
        "wilddash",
    ),
    "dump of 8 bits": (
        "PASCAL_Context/Segmentation_GT_460cls/2008_001018.png",
        rewrite(lambda pixels: pixels.astype(np.uint8)),
        "is stored as 8-bit greyscale instead of 16-bit greyscale",
        "remap-open",
    ),
    "colours": (
        "Camvid/semseg11/0001TP_008280_L.png",
        rewrite(lambda pixels: np.stack([pixels] * 3, axis=2)),
        "is stored as 8-bit RGB",
        "remap-open",
    ),
    "palette": ("Camvid/semseg11/0001TP_007770_L.png", as_palette, "is stored as 8-bit palette", "remap-open"),
    "one pixel": (
        "MapillaryVistasPublic/training_semseg65/labels/0zy090bBb71pudPWvhvQ2Q.png",
        rewrite(changed),
        "1 pixel not as its label gives them, first row 0, column 0",
        "mapillary",
    ),
    "one pixel of COCO": (
        "COCOPanoptic/semantic_annotations201/train2017/000000000025.png",
        rewrite(changed),
        "1 pixel not as its label gives them",
        "remap-open",
    ),
    "one pixel of a drawn map": (
        "IDD/IDD_Segmentation/gtFine/train/11/307348_gtFine_labelids.png",
        rewrite(changed),
        "1 pixel not as its label gives them",
        "idd",
    ),
    "segments not updated": (
        f"{ADE}/annotations_semseg150_relabeled/training/ADE_train_00016125.png",
        from_file("semseg150_relabeled", "semseg150"),
        "segment 113: ",
        "relabel",
    ),
    "another taxonomy": (
        f"Cityscapes/gtFine_19cls_relabeled/{CITY}",
        from_file("19cls_relabeled", "34cls_relabeled"),
        "not as its label gives",
        "relabel",
    ),
    "the same before relabelling": (
        "COCOPanoptic/semantic_relabeled133/train2017/000000016509.png",
        from_file("relabeled133", "annotations133"),
        "shows shelf instead of seat at a pixel that MSeg's authors looked at",
        "relabel",
    ),
    "damaged masks": (
        "MapillaryVistasPublic/training/instances/1fhI-qv6dVR-1Kc8Oafb3Q.png",
        cut,
        "is cut short",
        "mapillary",
    ),
    "annotations": (
        "COCOPanoptic/annotations/panoptic_val2017.json",
        cut,
        "is no panoptic annotation file",
        "download-open",
    ),
}


@pytest.fixture(scope="module")
def planted(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A tree with one fault of every kind, verified once."""
    finished = copy(original, tmp_path_factory.mktemp("planted"))
    for path, plant, _, _ in PLANTED.values():
        plant(finished.dataset / path)
    done = finished.wizard.run("verify", "--dest", finished.destination, "--workers", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    for path, _, _, step in PLANTED.values():
        assert any(path in line and line.endswith(f"step {step}") for line in done.stdout.splitlines()), (
            f"{path} is not in what it says"
        )
    log = (finished.destination / OWN / "log.txt").read_text()
    assert all(path in log for path, _, _, _ in PLANTED.values())
    return finished


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_fault_is_found_and_named_with_its_step(planted: Finished, kind: str) -> None:
    path, _, words, step = PLANTED[kind]
    what, again = planted.faults()[path]
    assert words in what
    assert again == step


def test_nothing_else_is_called_faulty(planted: Finished) -> None:
    assert set(planted.faults()) == {path for path, _, _, _ in PLANTED.values()}


@pytest.mark.slow
def test_all_that_was_planted_is_mended_from_the_mirror(
    planted: Finished, original: Path, golden: Path, tmp_path: Path
) -> None:
    mended = copy(planted.destination, tmp_path)
    done = mended.wizard.run("verify", "--repair", "--dest", mended.destination, "--mirror", golden / "mirror")
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree_of(mended.dataset) == tree_of(original / "mseg_dataset")
    verdict = compare(golden, mended.dataset)
    assert verdict.returncode == 0, verdict.stdout
    assert mended.verdict["clean"] is True
    assert not (mended.destination / OWN / "faulty").exists()
