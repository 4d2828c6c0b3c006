"""The report's pictures and colours: what they show of odd
images, and that classes can be told apart and recognised.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mseg_wizard.labels.taxonomy import MsegApiTree
from mseg_wizard.reporting.palette import NOTHING, colors_of, distinct, palette_of
from mseg_wizard.reporting.pictures import LabelStyle, PictureJob, PictureResult, Sample, count_pixels, draw_pictures
from tests.labels.trees import make_tree

NAMES = ("road", "sky", "a tree with a very long name that goes on")


def drawn(
    folder: Path, ids: NDArray[np.generic], size: tuple[int, int] | None = None, names: tuple[str, ...] = NAMES
) -> PictureResult:
    """Draw a grey image of `size` (width, height; the label's unless given) with these labels."""
    Image.new("L", size or (ids.shape[1], ids.shape[0]), 128).save(folder / "image.png")
    Image.fromarray(ids).save(folder / "label.png")
    brush = LabelStyle("t", names, palette_of(distinct(len(names))).tobytes())
    return draw_pictures(
        folder,
        PictureJob(
            f"{folder}/image.png", f"{folder}/label.png", brush, "photo.jpg", "overlay.jpg", "plain.png", first=True
        ),
    )


def opened(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_shares_are_of_the_whole_label_map_largest_first(tmp_path: Path) -> None:
    ids = np.zeros((1000, 2000), np.uint8)
    ids[:, 1500:] = 255
    ids[0, 0] = 1
    found = drawn(tmp_path, ids)
    assert found == PictureResult(512, 256, ((0, 0.7499995), (255, 0.25), (1, 0.0000005)))
    assert opened(tmp_path / "plain.png").shape == (256, 512)
    assert set(np.unique(opened(tmp_path / "plain.png"))) <= {0, 1, 255}


def test_unlabeled_pixels_show_the_image_as_it_is(tmp_path: Path) -> None:
    ids = np.full((100, 200), 255, np.uint8)
    ids[:, :100] = 0
    drawn(tmp_path, ids)
    overlay = opened(tmp_path / "overlay.jpg").astype(int)
    assert np.abs(overlay[:, 110:] - 128).max() <= 4
    assert np.abs(overlay[80:, :90] - 128).max() > 20


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (3, 5)])
def test_the_smallest_images_can_be_drawn(tmp_path: Path, shape: tuple[int, int]) -> None:
    found = drawn(tmp_path, np.zeros(shape, np.uint8))
    assert found.shares == ((0, 1.0),)
    assert found.fault == ""


def test_a_label_of_another_size_than_its_image_is_drawn_over_all_of_it(tmp_path: Path) -> None:
    ids = np.repeat(np.array([[0, 1]], np.uint8), 10, axis=0)
    found = drawn(tmp_path, ids, (300, 200))
    assert (found.width, found.height) == (300, 200)
    plain = opened(tmp_path / "plain.png")
    assert (plain[:, :150] == 0).all()
    assert (plain[:, 150:] == 1).all()


def test_ids_that_no_class_has_and_names_in_any_script_are_drawn(tmp_path: Path) -> None:
    ids = np.repeat(np.array([0, 1, 200], np.uint8), 100)[None].repeat(200, axis=0)
    assert drawn(tmp_path, ids, names=("道路\x1b[31m", "\u202eнебо")).fault == ""


@pytest.mark.parametrize(
    ("label", "why"),
    [(b"", "empty"), (b"GIF89a" + bytes(40), "no PNG"), ("deep", "8 bits"), (None, "missing")],
)
def test_what_can_not_be_drawn_is_told(tmp_path: Path, label: bytes | str | None, why: str) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "image.png")
    if label == "deep":
        Image.fromarray(np.full((20, 20), 300, np.uint16)).save(tmp_path / "label.png")
    elif isinstance(label, bytes):
        (tmp_path / "label.png").write_bytes(label)
    brush = LabelStyle("t", NAMES, palette_of(distinct(3)).tobytes())
    shot = PictureJob(
        f"{tmp_path}/image.png", f"{tmp_path}/label.png", brush, "photo.jpg", "overlay.jpg", "plain.png", first=True
    )
    assert why in draw_pictures(tmp_path, shot).fault


def test_an_image_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "label.png")
    (tmp_path / "image.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    brush = LabelStyle("t", NAMES, palette_of(distinct(3)).tobytes())
    shot = PictureJob(
        f"{tmp_path}/image.jpg", f"{tmp_path}/label.png", brush, "photo.jpg", "overlay.jpg", "plain.png", first=True
    )
    assert "can't be read" in draw_pictures(tmp_path, shot).fault


def test_counting_takes_every_pixel_of_a_large_map(tmp_path: Path) -> None:
    ids = (np.arange(1500 * 1501) % 256).astype(np.uint8).reshape(1500, 1501)
    Image.fromarray(ids).save(tmp_path / "label.png")
    counted = np.frombuffer(count_pixels(Sample("t", f"{tmp_path}/label.png")), np.int64)
    assert counted.tolist() == np.bincount(ids.ravel(), minlength=256).tolist()


# Colours


def test_chosen_colours_are_far_apart_also_for_who_sees_no_green() -> None:
    colors = distinct(40)
    assert len({tuple(color) for color in colors.tolist()}) == 40
    assert distinct(40).tolist() == colors.tolist(), "always the same ones"
    assert distinct(10).tolist() == colors[:10].tolist(), "the first ones are the farthest apart"
    no_green = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    )
    for matrix in (np.eye(3), no_green):
        seen = np.clip((colors[:20] / 255.0) ** 2.2 @ matrix.T, 0, 1) ** (1 / 2.2)
        apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + 9 * np.eye(20)
        assert apart.min() > 0.08


def test_a_class_keeps_its_colour_through_remapping_and_relabelling(tmp_path: Path) -> None:
    names = {"a-3": ("road", "sky", "car"), "a-2": ("car", "road"), "a-2-relabeled": ("truck", "car", "unlabeled")}
    tree = make_tree(tmp_path, names, colors={"a-3": [(1, 2, 3), (4, 5, 6), (70, 80, 90)]})
    assert colors_of(tree, ["a-3", "a-2"]).tolist() == [[70, 80, 90], [1, 2, 3]]
    relabeled = colors_of(tree, ["a-3", "a-2", "a-2-relabeled"]).tolist()
    assert relabeled[1:] == [[70, 80, 90], list(NOTHING)]
    assert relabeled[0] not in ([1, 2, 3], [4, 5, 6], [70, 80, 90])


def test_a_colour_file_for_other_classes_is_not_used(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"a-2": ("road", "sky")}, colors={"a-2": [(1, 1, 1)]})
    assert colors_of(tree, ["a-2"]).tolist() == distinct(2).tolist()


@pytest.mark.slow
def test_every_taxonomy_of_mseg_gets_colours(full_tree: Path) -> None:
    tree = MsegApiTree(full_tree)
    for folder in (full_tree / "mseg" / "dataset_lists").iterdir():
        assert colors_of(tree, [folder.name]).shape == (len(tree.names(folder.name)), 3)
