"""The practice world: whole, lawful and the same every time."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.io import loadmat

from mseg_wizard.labels.records import ImageKey, updates
from mseg_wizard.labels.taxonomy import MsegApiTree
from mseg_wizard.practice.classes import TO_RAW
from mseg_wizard.practice.steps import practice_steps
from mseg_wizard.practice.user import at_hand, gone, put_files_at_hand
from mseg_wizard.practice.world import World, make_world, toml
from mseg_wizard.step import Archive
from mseg_wizard.tasks.registry import load_steps
from tests.labels.relabelings import RELABELINGS
from tests.labels.trees import ROOTS

ARCHIVES = {archive.file: archive for step in load_steps() for archive in step.archives}
MADE = {
    "ade20k-150": "annotations_semseg150/",
    "camvid-11": "semseg11/",
    "cityscapes-19": "gtFine_19cls/",
    "idd-39": "gtFine39/",
    "coco-panoptic-133": "semantic_annotations133/",
    "coco-panoptic-201": "semantic_annotations201/",
    "kitti-19": "training/label19/",
    "pascal-context-60": "Segmentation_GT_60cls/",
    "sunrgbd-37": "semseg-label37/",
    "wilddash-19": "wd_val_19class/",
    "ade20k-150-relabeled": "annotations_semseg150_relabeled/",
    "bdd-relabeled": "seg_relabeled/labels/",
    "cityscapes-19-relabeled": "gtFine_19cls_relabeled/",
    "cityscapes-34-relabeled": "gtFine_34cls_relabeled/",
    "coco-panoptic-133-relabeled": "semantic_relabeled133/",
    "idd-39-relabeled": "gtFine39_relabeled/",
    "sunrgbd-37-relabeled": "semseg-relabeled37/",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("practice"))


@pytest.fixture(scope="module")
def tree(world: World) -> MsegApiTree:
    return MsegApiTree(world.tree, ROOTS)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(world: World, tmp_path: Path) -> None:
    again, other = make_world(tmp_path / "again"), make_world(tmp_path / "other", seed=1)
    assert _sums(again.folder) == _sums(world.folder)
    assert other.archives == world.archives
    assert all(_sums(other.mirror)[name] != _sums(world.mirror)[name] for name in world.archives)


def test_every_archive_of_the_steps_is_there_and_the_whole_stays_small(world: World) -> None:
    assert set(world.archives) == set(ARCHIVES)
    assert sum(path.stat().st_size for path in world.folder.rglob("*") if path.is_file()) < 3_000_000


def test_padding_makes_archives_longer_and_changes_nothing_else(world: World, tmp_path: Path) -> None:
    padded = make_world(tmp_path, padding=1_000_000)
    longer = {
        name
        for name in world.archives
        if (padded.mirror / name).stat().st_size > (world.mirror / name).stat().st_size + 50_000
    }
    assert {"train2017.zip", "idd-segmentation.tar.gz", "sun_rgbd.tgz"} <= longer
    for name in world.archives:
        before, after = _members(world.mirror / name), _members(padded.mirror / name)
        added = after.keys() - before.keys()
        assert before.items() <= after.items()
        assert bool(added) == (name in longer)
        assert all(member.endswith("/README") for member in added)


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_has_the_layout_that_its_step_asks_for(world: World, name: str) -> None:
    members = list(_members(world.mirror / name))
    for pattern in ARCHIVES[name].layout:
        assert any(fnmatchcase(member, pattern) for member in members), pattern
    for wrong in ARCHIVES[name].wrong:
        assert not wrong.layout or not any(fnmatchcase(member, wrong.layout) for member in members), wrong.layout


@pytest.mark.parametrize("name", ARCHIVES)
def test_every_picture_in_an_archive_decodes(world: World, name: str) -> None:
    pictures = {
        member: content
        for member, content in _members(world.mirror / name).items()
        if member.endswith((".png", ".jpg"))
    }
    for member, content in pictures.items():
        with Image.open(BytesIO(content)) as image:
            image.load()
            assert min(image.size) > 1, member
    for member, content in _members(world.mirror / name).items():
        if member.endswith(".json"):
            assert json.loads(content), member
        if member.endswith(".mat") and member.startswith("trainval/"):
            assert loadmat(BytesIO(content))["LabelMap"].dtype == np.uint16, member


@pytest.mark.parametrize("taxonomy", [*dict.fromkeys((*TO_RAW.values(), "bdd", "voc2012"))])
def test_every_listed_image_and_label_is_in_its_archive(world: World, tree: MsegApiTree, taxonomy: str) -> None:
    raw = taxonomy.replace("coco-panoptic-201", "coco-panoptic-inst-201")
    placed = _placed(world)
    for split in tree.splits(raw):
        assert tree.rows(raw, split)
        for row in tree.rows(raw, split):
            paths = [row.image] if row.label is None else [row.image, _source(row.label)]
            missing = [path for path in paths if f"{tree.root(raw)}/{path}" not in placed]
            assert not missing or (taxonomy, split) == ("scannet-41", "test"), missing


def test_labels_have_their_images_size_and_ids_that_the_taxonomy_names(world: World, tree: MsegApiTree) -> None:
    placed = _placed(world)
    seen: set[str] = set()
    for taxonomy in (
        "ade20k-151",
        "bdd",
        "cityscapes-34",
        "kitti-34",
        "scannet-41",
        "sunrgbd-38",
        "voc2012",
        "wilddash-34",
    ):
        legal = {*range(len(tree.names(taxonomy))), 255}
        for row in (row for split in ("train", "val") for row in tree.unique_rows(taxonomy, split)):
            assert row.label
            image, label = (_image(placed[f"{tree.root(taxonomy)}/{path}"]) for path in row)
            assert image.size == label.size
            assert set(np.unique(np.asarray(label)).tolist()) <= legal, row
            seen.add(label.mode)
    assert seen == {"L", "P"}


def test_colour_labels_hold_only_colours_of_classes(world: World, tree: MsegApiTree) -> None:
    placed = _placed(world)
    modes: set[str] = set()
    for taxonomy in ("camvid-32", "mapillary-public66"):
        legal = set(map(tuple, tree.colors(taxonomy).tolist()))
        assert len(legal) == len(tree.names(taxonomy))
        for row in (row for split in ("train", "val") for row in tree.rows(taxonomy, split)):
            label = _image(placed[f"{tree.root(taxonomy)}/{row.label}"])
            modes.add(label.mode)
            assert set(map(tuple, np.asarray(label.convert("RGB")).reshape(-1, 3).tolist())) <= legal
    assert modes == {"RGB", "P"}


@pytest.mark.parametrize(("taxonomy", "folder"), MADE.items())
def test_lists_name_the_folders_that_labels_are_made_in(tree: MsegApiTree, taxonomy: str, folder: str) -> None:
    for split in ("train", "val"):
        assert all(row.label and row.label.startswith(folder) for row in tree.rows(taxonomy, split))


def test_lists_of_labels_beside_the_raw_ones_name_their_folders(tree: MsegApiTree) -> None:
    assert {row.label.split("/")[1] for row in tree.rows("scannet-20", "train") if row.label} == {"label20"}
    assert {row.label.split("/")[0] for row in tree.rows("mapillary-public65", "val") if row.label} == {
        "validation_semseg65"
    }
    assert {row.label.split("/")[0] for row in tree.rows("mapillary-public65-relabeled", "train") if row.label} == {
        "training_semseg65_relabeled"
    }


def test_the_lists_repeat_rows_where_msegs_do(tree: MsegApiTree) -> None:
    assert [*tree.rows("wilddash-34", "train")] == [*tree.rows("wilddash-34", "val")] * 16
    assert tree.rows("pascal-context-460", "train")[-1] == tree.rows("pascal-context-460", "train")[0]
    assert all(
        row.label is None for taxonomy in ("idd-39", "kitti-19", "wilddash-19") for row in tree.rows(taxonomy, "test")
    )


@pytest.mark.parametrize(
    ("target", "source"), [*TO_RAW.items(), *((f"{name}-relabeled", name) for name in RELABELINGS)]
)
def test_the_class_tables_cover_every_class(tree: MsegApiTree, target: str, source: str) -> None:
    table = tree.table(source, target)
    named = range(len(tree.names(source)))
    assert not table.unnamed[list(named)].any()
    assert set(table.values[list(named)].tolist()) >= {*range(len(tree.names(target)) - 4)}
    if target != "pascal-context-60":
        assert table.values[255] == 255


def test_the_master_table_has_a_universal_column(world: World) -> None:
    rows = [
        line.split("\t")
        for line in (world.tree / "mseg/class_remapping_files/MSeg_master.tsv").read_text().splitlines()
    ]
    universal = [row[rows[0].index("universal")] for row in rows[1:]]
    assert {len(row) for row in rows} == {len(rows[0])}
    assert universal[-1] == "unlabeled"
    assert len(set(universal)) == len(universal)


@pytest.mark.parametrize("taxonomy", RELABELINGS)
def test_every_record_names_a_class_an_image_and_a_segment_that_exist(
    world: World, tree: MsegApiTree, taxonomy: str
) -> None:
    found = updates(
        tree, RELABELINGS[taxonomy], taxonomy
    )  # complains about unknown classes, unlisted images and duplicates
    table = tree.table(taxonomy, f"{taxonomy}-relabeled")
    assert {place.split for place in found} == {"train", "val"}
    for place, rows in found.items():
        for row in rows:
            mask, label = _mask(world, tree, taxonomy, place, row.segment)
            assert mask.sum() >= 10, (place, row)
            if label is not None:
                assert set(table.values[label[mask]].tolist()) == {row.old}, (place, row)


def test_records_keep_change_and_unlabel(tree: MsegApiTree) -> None:
    for taxonomy in RELABELINGS:
        rows = [row for updated in updates(tree, RELABELINGS[taxonomy], taxonomy).values() for row in updated]
        assert any(row.new == row.old for row in rows), taxonomy
        assert any(row.new not in (row.old, 255) for row in rows), taxonomy
    assert any(
        row.new == 255
        for taxonomy in RELABELINGS
        for updated in updates(tree, RELABELINGS[taxonomy], taxonomy).values()
        for row in updated
    )


def test_more_images_come_when_they_are_asked_for(tmp_path: Path) -> None:
    tree = MsegApiTree(make_world(tmp_path, images=9).tree)
    assert [len(tree.rows("ade20k-151", split)) for split in ("train", "val")] == [9, 4]
    for taxonomy in RELABELINGS:
        assert updates(tree, RELABELINGS[taxonomy], taxonomy)


def test_answers_are_a_file_that_the_wizard_can_read(world: World) -> None:
    read = tomllib.loads(toml(world.answers))
    assert read.keys() == world.answers.keys()
    steps = {step.id: {field.name for field in step.fields} for step in load_steps()}
    assert all(set(fields) <= steps[step] for step, fields in read.items())
    assert read["cityscapes"]["password"] == world.answers["cityscapes"]["password"]
    assert Path(read["bdd"]["archives"]).is_file()
    assert read["scannet"]["base_url"] in world.scannet_script.read_text()


@pytest.mark.long
def test_the_tree_installs_without_a_network(world: World, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    quiet = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    done = subprocess.run([python, "-m", "pip", "install", "-e", world.tree], env=quiet, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code = "import mseg.label_preparation.dataset_update_records as r; print(r.__file__, r.idd_update_records[0].split)"
    said = subprocess.run(
        [python, "-c", code], env=quiet, capture_output=True, text=True, cwd=tmp_path, check=True
    ).stdout
    assert str(world.tree) in said


def _sums(folder: Path) -> dict[str, str]:
    files = (
        path
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path)
    )
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@cache
def _members(path: Path) -> dict[str, bytes]:
    """Regular members; those of the zips inside too, below the folder of their zip."""
    if path.suffix == ".zip":
        return dict(_of_zip(zipfile.ZipFile(path)))
    with tarfile.open(path) as archive:
        return {member.name: file.read() for member in archive if (file := archive.extractfile(member))}


def _of_zip(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    assert archive.testzip() is None
    for name in archive.namelist():
        if not name.endswith("/"):
            yield name, archive.read(name)
        if name.endswith(".zip"):
            inner = zipfile.ZipFile(BytesIO(archive.read(name)))
            yield from ((f"{name.rpartition('/')[0]}/{member}", content) for member, content in _of_zip(inner))


@cache
def _placed(world: World) -> dict[str, bytes]:
    """Path below mseg_dataset → content, once all archives are unpacked as the steps say."""
    placed = {}
    for name, archive in ARCHIVES.items():
        for member, content in _members(world.mirror / name).items():
            if (path := _place(archive, member)) is not None:
                placed[f"{archive.dataset}/{path}"] = content
    return placed


def _place(archive: Archive, member: str) -> str | None:
    if any(member.startswith(prefix) for prefix in archive.skip):
        return None
    if not archive.take:
        return member
    return next(
        (after + member.removeprefix(before) for before, after in archive.take.items() if member.startswith(before)),
        None,
    )


def _source(label: str) -> str:
    """The file that comes out of an archive for a listed label."""
    if label.startswith("Segmentation_GT_460cls/"):
        return label.replace("Segmentation_GT_460cls/", "trainval/").replace(".png", ".mat")
    return label.replace("_gtFine_labelids.png", "_gtFine_polygons.json")


def _image(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content))


def _mask(
    world: World, tree: MsegApiTree, taxonomy: str, place: ImageKey, segment: int
) -> tuple[NDArray[np.bool_], NDArray[np.uint8] | None]:
    """The segment's pixels, and the label map in `taxonomy` where the segment must lie in one class."""
    placed = _placed(world)
    raw = TO_RAW.get(taxonomy, taxonomy).replace("coco-panoptic-201", "coco-panoptic-inst-201")
    row = next(
        row
        for row in tree.rows(f"{taxonomy}-relabeled", place.split)
        if row.label and row.label.split("/")[-2] == place.folder and Path(row.image).stem == place.stem
    )
    source = next(raw_row for raw_row in tree.rows(raw, place.split) if raw_row.image == row.image)
    assert source.label
    label = f"{tree.root(raw)}/{_source(source.label)}"
    if taxonomy == "ade20k-150":
        seg = next(content for path, content in placed.items() if path.endswith(f"/{place.stem}_seg.png"))
        blue, size = np.asarray(_image(seg))[..., 2], _image(placed[label]).size[::-1]
        rows, columns = (_nearest(new, old) for new, old in zip(size, blue.shape, strict=True))
        return blue[rows[:, None], columns] == segment, None
    if taxonomy.startswith(("cityscapes", "idd")):
        document = json.loads(placed[label.replace("_labelIds.png", "_polygons.json")])
        polygon = next(
            item["polygon"] for index, item in enumerate(document["objects"]) if item.get("id", index) == segment
        )
        canvas = Image.new("1", (document["imgWidth"], document["imgHeight"]))
        ImageDraw.Draw(canvas).polygon([(x, y) for x, y in polygon], fill=1, outline=1)
        return np.asarray(canvas), None
    if taxonomy == "coco-panoptic-133":
        rgb = np.asarray(_image(placed[label])).astype(int)
        mask = rgb @ [1, 256, 65536] == segment
        notes = json.loads(placed[f"{ROOTS['coco-panoptic-133']}/annotations/panoptic_{place.folder}.json"])[
            "annotations"
        ]
        info = next(item["segments_info"] for item in notes if item["file_name"] == f"{place.stem}.png")
        category = next(item["category_id"] for item in info if item["id"] == segment)
        return mask, tree.table("coco-panoptic-201", taxonomy).values[np.full(mask.shape, category)]
    if taxonomy == "mapillary-public65":
        instances = np.asarray(_image(placed[label.replace("/labels/", "/instances/")]))
        colours = np.asarray(_image(placed[label]).convert("RGB"))
        ids = (colours[:, :, None] == tree.colors(raw)).all(-1).argmax(-1)
        return instances == segment, tree.table(raw, taxonomy).values[ids]
    ids = np.asarray(_image(placed[label]))
    ids = tree.table(raw, taxonomy).values[ids] if raw != taxonomy else ids
    return ids == segment, ids


def _nearest(new: int, old: int) -> NDArray[np.intp]:
    """Which of `old` rows each of `new` rows comes from."""
    rows: NDArray[np.intp] = np.floor(np.arange(new) * (1.0 / (new / old))).astype(np.intp)
    return rows.clip(max=old - 1)


def test_the_steps_of_practice_have_its_own_sizes_and_show_what_to_paste(practice_world: World, tmp_path: Path) -> None:
    put_files_at_hand(tmp_path / "desk", practice_world)
    given = at_hand(tmp_path / "desk")
    steps = practice_steps(load_steps(), practice_world, given)
    for step in steps:
        for archive in step.archives:
            assert archive.size == (practice_world.mirror / archive.file).stat().st_size
        assert all(call.archive is None or call.archive in step.archives for call in step.calls)
        assert all(call.seconds <= 1 for call in step.calls), "the full data's hours would count"
    tree = MsegApiTree(practice_world.tree, ROOTS)
    relabels = [(call.title, call.args) for step in steps for call in step.calls if call.task == "relabel"]
    assert len(relabels) == 7
    for title, how in relabels:
        counts = {sum(map(len, updates(tree, how, taxonomy).values())) for taxonomy in how.taxonomies}
        assert title.rpartition(": ")[2] in {f"{count:,} segments" for count in counts}, title
    told = {step.id: step for step in steps if step.id in given}
    assert told.keys() == given.keys() == {"download-open", "bdd", "kitti", "wilddash"}
    for step_id, step in told.items():
        assert step.links[-1] == given[step_id].link
        assert step.field(given[step_id].field).help.startswith("Practice: ")
        assert step_id == "kitti" or Path(step.links[-1].url).is_file()


def test_what_is_gone_in_practice_has_no_other_address_that_goes_with_it() -> None:
    steps = load_steps()
    dead = gone(steps)
    places = {
        archive.file: [urlsplit(url).path for url in archive.urls] or [archive.login_path]
        for step in steps
        for archive in step.archives
    }
    hit = {file: [path in dead for path in paths] for file, paths in places.items() if dead & {*paths}}
    assert hit == {"ADE20K_2016_07_26.zip": [True], "701_StillsRaw_full.zip": [True, False], "wd_both_01.zip": [True]}


def test_how_much_of_it_is_made_is_told_as_it_grows(tmp_path: Path) -> None:
    heard: list[float] = []
    make_world(tmp_path, images=1, told=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 1
