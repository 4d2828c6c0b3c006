"""The small picture of a label map that was just made: what it shows, and that no file can do harm by it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mseg_wizard.context import Context
from mseg_wizard.reporting.preview import MOST, Preview, preview
from tests.golden_tree import GoldenTree
from tests.tasks.making import CALLS, opened
from tests.toys import ROAD, SKY, Toys, toys_at, write

MADE = "toy/toy-2/street.png"


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toys]:
    with toys_at(tmp_path, monkeypatch) as toys:
        toys.make()
        yield toys


@pytest.fixture
def ctx(toys: Toys) -> Iterator[Context]:
    ctx = toys.desk.open(toys.destination)
    yield ctx
    ctx.close()


def seen(ctx: Context, made: str = MADE, columns: int = 36, rows: int = 14) -> Preview | None:
    return preview(ctx, ctx.step("open").calls[0], made, columns, rows)


def shown(ctx: Context, made: str = MADE, columns: int = 36, rows: int = 14) -> Preview:
    found = seen(ctx, made, columns, rows)
    assert found
    return found


def test_image_and_labels_have_one_size_and_the_images_shape(ctx: Context) -> None:
    for columns, rows, height, width in ((36, 14, 28, 36), (36, 9, 18, 24), (10, 14, 8, 10)):
        found = shown(ctx, columns=columns, rows=rows)
        assert found.photo.shape == found.labels.shape == (height, width, 3)
        assert found.photo.dtype == found.labels.dtype == np.uint8
    assert (found.image, found.taxonomy) == ("street.jpg", "toy-2")


def test_labels_have_the_colours_of_classes_and_none_between_two(toys: Toys, ctx: Context) -> None:
    ids = np.random.default_rng(1).integers(0, 2, (333, 257)).astype(np.uint8)
    ids[:, :7] = 255
    ids[0, 0] = 200
    write(toys.folder / "toy-2" / "street.png", ids)
    found = shown(ctx)
    assert {tuple(color) for color in found.labels.reshape(-1, 3).tolist()} <= {SKY, ROAD, (0, 0, 0), (255, 255, 255)}
    assert {share.name for share in found.shares} == {"sky", "road", "unlabeled", "id 200"}


def test_shares_are_of_all_pixels_the_largest_first(ctx: Context) -> None:
    assert [(share.name, share.color, share.part) for share in shown(ctx).shares] == [
        ("sky", SKY, 0.75),
        ("road", ROAD, 0.25),
    ]


def test_a_panorama_and_a_single_pixel_can_be_shown(toys: Toys, ctx: Context) -> None:
    for shape in ((3, 2000), (2000, 3), (1, 1)):
        write(toys.folder / "toy-2" / "street.png", np.zeros(shape, np.uint8))
        found = shown(ctx)
        assert found.labels.shape[0] % 2 == 0
        assert found.labels.shape[0] <= 28
        assert found.labels.shape[1] <= 36


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def claim(path: Path) -> None:
    """A PNG that says it has 40,000 × 40,000 pixels, and has next to none."""
    head = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(100_000))), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ))  # fmt: skip


def larger(path: Path) -> None:
    """A whole image of more pixels than are opened."""
    Image.new("L", (MOST // 1000 + 1, 1000)).save(path, "PNG", compress_level=1)


def text(path: Path) -> None:
    path.write_text("<html>no image</html>")


@pytest.mark.parametrize("file", ["image/street.jpg", "toy-2/street.png"])
@pytest.mark.parametrize("spoil", [cut, claim, larger, text, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_file_that_cant_be_shown_makes_no_picture(
    toys: Toys, ctx: Context, file: str, spoil: Callable[[Path], None]
) -> None:
    assert seen(ctx)
    spoil(toys.folder / file)
    assert seen(ctx) is None


def test_dumps_of_16_bits_and_what_no_list_names_make_no_picture(toys: Toys, ctx: Context) -> None:
    write(toys.folder / "toy-2" / "stray.png", np.zeros((12, 16), np.uint8))
    write(toys.folder / "toy-2" / "street.png", np.full((12, 16), 300, np.uint16))
    for made in (MADE, "toy/toy-2/stray.png", "toy/toy-2", "", "../../etc/passwd", "toy/toy-3/street.png"):
        assert seen(ctx, made) is None


@pytest.mark.parametrize(
    "key", ["remap-open/remap/ade20k-151", "remap-open/remap/camvid-32", "relabel/relabel/cityscapes-19"]
)
def test_the_calls_of_the_step_files_have_pictures_in_their_last_taxonomy(
    golden_tree: GoldenTree, tmp_path: Path, key: str
) -> None:
    """Of a label map that stands where such a call would have made it."""
    taxonomy = {"ade": "ade20k-150", "cam": "camvid-11", "cit": "cityscapes-34-relabeled"}[key.rpartition("/")[2][:3]]
    assert key in CALLS
    with opened(tmp_path / "d", golden_tree, golden_tree.tree.root(taxonomy).split("/")[0]) as ctx:
        call = next(call for step in ctx.steps for call in step.calls if call.key == key)
        row = ctx.tree.rows(taxonomy, "val")[0]
        made = f"{ctx.tree.root(taxonomy)}/{row.label}"
        write(ctx.dataset_folder / made, np.arange(150, dtype=np.uint8).reshape(10, 15) % len(ctx.tree.names(taxonomy)))
        found = preview(ctx, call, made, 30, 10)
        assert found
        assert (found.taxonomy, found.image) == (taxonomy, row.image.rpartition("/")[2])
        assert found.photo.shape == (20, 30, 3)
