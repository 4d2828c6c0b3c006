"""The checks of single files: what an image's size is taken from, and what is a fault and what an oddity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mseg_wizard.labels.codec import image_shape
from mseg_wizard.labels.readers.ids import IDS
from mseg_wizard.labels.readers.label_reader import RemapRecipe
from mseg_wizard.labels.records import image_keys, updates
from mseg_wizard.labels.taxonomy import MsegApiTree
from mseg_wizard.progress import Problem
from mseg_wizard.verification.checks import IMAGE, RAW, ImageToCheck, Rules, check
from mseg_wizard.verification.map_faults import MadeMap
from tests.labels.relabelings import RELABELINGS

NAMES = ("sky", "road", "tree")


def save(path: Path, height: int, width: int, value: int = 1) -> str:
    Image.fromarray(np.full((height, width), value, np.uint8)).save(path)
    return str(path)


def photo(path: Path, height: int = 40, width: int = 60) -> str:
    noise = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(noise).save(path, quality=90)
    return str(path)


@pytest.mark.parametrize("name", ["x.jpg", "x.png"])
def test_the_size_of_an_image_comes_from_its_header_whatever_follows_its_end(tmp_path: Path, name: str) -> None:
    path = photo(tmp_path / name)
    assert image_shape(path) == (40, 60)
    with Path(path).open("ab") as file:
        file.write(b"\0\0 what some cameras add")
    assert image_shape(path) == (40, 60)


@pytest.mark.parametrize("name", ["x.jpg", "x.png"])
def test_an_image_without_its_end_is_damaged(tmp_path: Path, name: str) -> None:
    path = Path(photo(tmp_path / name))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(Problem, match="is damaged"):
        image_shape(str(path))
    path.write_bytes(b"<html>")
    with pytest.raises(Problem, match="is no image"):
        image_shape(str(path))


def test_a_label_that_stays_as_it_came_may_have_another_size_than_its_image(tmp_path: Path) -> None:
    rules = Rules(RemapRecipe(IDS, NAMES, b"", ()), (), ())
    seen = check(rules, ImageToCheck("x", photo(tmp_path / "x.jpg"), save(tmp_path / "x.png", 39, 60)))
    assert (seen.faults, seen.odd_size) == ((), True)


@pytest.mark.parametrize(
    ("raw", "made", "at_fault"), [((40, 50), (40, 60), RAW), ((40, 50), (40, 50), IMAGE), ((40, 60), (40, 50), 0)]
)
def test_of_image_label_and_made_map_that_one_is_at_fault_that_differs(
    tmp_path: Path, raw: tuple[int, int], made: tuple[int, int], at_fault: int
) -> None:
    table = bytes(range(256))
    rules = Rules(RemapRecipe(IDS, NAMES, b"", (table,)), (MadeMap("x", NAMES, table),), (RAW,))
    item = ImageToCheck(
        "x", photo(tmp_path / "x.jpg"), save(tmp_path / "raw.png", *raw), (save(tmp_path / "made.png", *made),)
    )
    (fault,) = check(rules, item).faults
    assert fault[0] == at_fault
    assert "pixels, its" in fault[1]


def test_a_made_map_is_still_looked_at_where_its_label_cannot_be_read(tmp_path: Path) -> None:
    rules = Rules(RemapRecipe(IDS, NAMES, b"", (b"",)), (MadeMap("three", NAMES, b""),), (RAW,))
    (tmp_path / "raw.png").write_bytes(b"")
    item = ImageToCheck(
        "x", photo(tmp_path / "x.jpg"), str(tmp_path / "raw.png"), (save(tmp_path / "made.png", 40, 60, 9),)
    )
    assert dict(check(rules, item).faults) == {
        RAW: "is empty",
        0: "holds ids that no class of three has: 9 (2,400 pixels)",
    }


@pytest.mark.slow
def test_every_targeted_pixel_lies_in_a_segment_that_msegs_records_give_its_class(full_tree: Path) -> None:
    tree = MsegApiTree(full_tree)
    known = {how.taxonomies[0]: how.pixels for how in RELABELINGS.values()}
    assert sum(map(len, known.values())) == 43
    for taxonomy, pixels in known.items():
        relabeled = f"{taxonomy}-relabeled"
        names = tree.names(relabeled)
        if taxonomy == "coco-panoptic-133" and "train" not in tree.splits(relabeled):
            assert {pixel.name for pixel in pixels} <= set(names)  # a tree without its largest list
            continue
        found = updates(tree, RELABELINGS[taxonomy], taxonomy)
        listed = {place for split in ("train", "val") for place in image_keys(tree, relabeled, split)}
        for pixel in pixels:
            assert pixel.place in listed
            classes = {update.segment: update.new for update in found[pixel.place]}
            assert classes[pixel.segment] == names.index(pixel.name)
