"""How much is still to come: the published sums, and what is there already taken off them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mseg_wizard.context import Context
from mseg_wizard.datasets import disk_space
from mseg_wizard.datasets.disk_space import (
    FULL_ARCHIVES_LEFT,
    FULL_AT_ONCE,
    FULL_BYTES,
    FULL_FETCHED,
    FULL_FILES,
    DiskChange,
    space_needs,
    space_table,
    still_to_come,
)
from mseg_wizard.labels.taxonomy import MsegApiTree
from mseg_wizard.state.journal import ArchiveRecord, TreeRecord
from tests.labels.trees import ROOTS
from tests.tasks.preparing import opened

COCO_TRAIN = 118_287


@pytest.fixture(scope="module")
def complete_tree(full_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MSeg's own lists. COCO's train lists are large and not everywhere: rows like those of val stand for them."""
    source = full_tree / "mseg"
    tree = tmp_path_factory.mktemp("full") / "mseg-api"
    shutil.copytree(
        source, tree / "mseg", copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("relabeled_data")
    )
    (tree / "mseg/relabeled_data").symlink_to(source / "relabeled_data")
    for folder in (tree / "mseg/dataset_lists").glob("coco-panoptic-*/list"):
        folder.chmod(0o755)
        row = (folder / "val.txt").read_text().splitlines()[0].replace("val2017", "train2017")
        stem = next(part for part in row.replace(".", "/").split("/") if len(part) == 12 and part.isdecimal())
        if not (folder / "train.txt").exists():
            (folder / "train.txt").write_text(
                "".join(row.replace(stem, f"{number:012}") + "\n" for number in range(COCO_TRAIN))
            )
    return tree


@pytest.fixture(scope="module")
def full_reader(complete_tree: Path) -> MsegApiTree:
    return MsegApiTree(complete_tree, ROOTS)


@pytest.fixture
def full(complete_tree: Path, full_reader: MsegApiTree, tmp_path: Path) -> Iterator[Context]:
    """An empty disk and the published tree, whose 800,000 rows are read once for all tests."""
    with opened(tmp_path / "d") as ctx:
        ctx.store.keep_tree(TreeRecord(folder=str(complete_tree), pinned=True))
        ctx._trees[complete_tree, ""] = full_reader
        yield ctx


@pytest.fixture
def kit(golden: Path, tmp_path: Path) -> Iterator[Context]:
    """An empty disk, the golden kit's tree, and its archives as a mirror on this machine."""
    with opened(tmp_path / "d", mirror=golden / "mirror", accept_modified_tree=True) as ctx:
        ctx.store.keep_tree(TreeRecord(folder=str(golden / "mirror" / "mseg-api"), pinned=False))
        yield ctx


def of(changes: list[DiskChange], key: str) -> DiskChange:
    return next(change for change in changes if change.call.key == key)


def written(changes: list[DiskChange]) -> int:
    return sum(change.bytes for change in changes)


@pytest.mark.long
def test_the_published_tree_and_an_empty_disk_come_to_what_the_words_say(full: Context) -> None:
    changes = still_to_come(full)
    assert written(changes) == pytest.approx(FULL_BYTES, rel=0.1)
    assert sum(change.files for change in changes) == pytest.approx(FULL_FILES, rel=0.1)
    assert sum(change.fetched for change in changes) == pytest.approx(FULL_FETCHED, rel=0.01)
    (need,) = space_needs(changes)
    assert need.bytes == pytest.approx(FULL_AT_ONCE, rel=0.02)
    at_the_end = sum(change.bytes - change.gone + change.files * need.room.block // 2 for change in changes)
    assert at_the_end == pytest.approx(FULL_AT_ONCE, rel=0.02)
    left = [change.call.key.replace("extract", "download") for change in changes if change.unpacked and not change.gone]
    assert sum(of(changes, key).fetched for key in left) == pytest.approx(FULL_ARCHIVES_LEFT, rel=0.01)
    assert need.place == full.dataset_folder


@pytest.mark.long
def test_each_step_has_its_line(full: Context) -> None:
    rows = space_table(still_to_come(full))
    assert [row.partition(".")[0] for row in rows[:-1]] == ["2", "3", "5", "6", "7", "8", "9", "10", "11", "12"]
    assert "GB to fetch" in rows[0]
    assert "GB out of archives" in rows[0]
    assert rows[1].count("label maps") == 1
    assert rows[-1].startswith("All together: 94")


@pytest.mark.slow
def test_finished_calls_count_nothing(full: Context) -> None:
    before = still_to_come(full)
    for change in before:
        if change.step.id == "download-open":
            full.store.finish(change.call.key)
    after = still_to_come(full)
    assert written(after) == written([change for change in before if change.step.id != "download-open"])
    for change in after:
        full.store.finish(change.call.key)
    assert space_table(still_to_come(full)) == ["All together: nothing; 0 files"]
    assert space_needs(still_to_come(full)) == []


@pytest.mark.slow
def test_a_partial_download_is_taken_off(full: Context) -> None:
    part = full.dataset_folder / "COCOPanoptic" / "val2017.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(1000))
    assert of(still_to_come(full), "download-open/download/val2017.zip").fetched == 815585330 - 1000


@pytest.mark.slow
def test_an_archive_that_is_there_is_not_fetched_and_its_own_size_counts(full: Context) -> None:
    archive = full.dataset_folder / "Camvid" / "LabeledApproved_full.zip"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(bytes(5000))
    changes = still_to_come(full)
    assert of(changes, "download-open/download/LabeledApproved_full.zip").bytes == 0
    unpack = of(changes, "download-open/extract/LabeledApproved_full.zip")
    assert (unpack.unpacked, unpack.gone) == (5000, 5000)


@pytest.mark.slow
def test_an_archive_brought_by_the_user_is_neither_fetched_nor_removed(full: Context, tmp_path: Path) -> None:
    brought = tmp_path / "data_semantics.zip"
    brought.write_bytes(bytes(7000))
    full.store.answer("kitti", "archives", [str(brought)])
    changes = still_to_come(full)
    assert of(changes, "kitti/download/data_semantics.zip").bytes == 0
    assert (
        of(changes, "kitti/extract/data_semantics.zip").unpacked,
        of(changes, "kitti/extract/data_semantics.zip").gone,
    ) == (7000, 0)
    found = brought.stat()
    record = ArchiveRecord(str(brought), 7000, found.st_mtime_ns, "", "brought", "")
    full.store.keep_archive("data_semantics.zip", record)
    assert of(still_to_come(full), "kitti/extract/data_semantics.zip").gone == 0


@pytest.mark.slow
def test_archives_that_stay_are_not_counted_as_going(full: Context) -> None:
    changes = still_to_come(full)
    assert of(changes, "mapillary/extract/mapillary-vistas-dataset_public_v1.1.zip").gone == 0
    assert of(changes, "idd/extract/idd-segmentation.tar.gz").gone == 18_500_000_000


@pytest.mark.long
def test_label_maps_and_images_that_are_there_are_taken_off(full: Context) -> None:
    before = of(still_to_come(full), "remap-open/remap/camvid-32")
    row = full.tree.unique_rows("camvid-11", "train")[0]
    for path in (row.image, row.label):
        file = full.dataset_folder / "Camvid" / str(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    changes = still_to_come(full)
    assert of(changes, "remap-open/remap/camvid-32").files == before.files - 1
    assert of(changes, "download-open/extract/701_StillsRaw_full.zip").files == 700


@pytest.mark.slow
def test_what_is_unpacked_already_is_not_fetched(full: Context) -> None:
    for split in ("train", "val", "test"):
        for row in full.tree.rows("camvid-32", split):
            (full.dataset_folder / "Camvid" / row.image).parent.mkdir(parents=True, exist_ok=True)
            (full.dataset_folder / "Camvid" / row.image).touch()
    keys = {change.call.key for change in still_to_come(full)}
    assert "download-open/download/701_StillsRaw_full.zip" not in keys
    assert "download-open/extract/701_StillsRaw_full.zip" not in keys


@pytest.mark.slow
def test_the_need_at_once_has_archives_and_what_came_out_of_them_together(full: Context) -> None:
    only = [change for change in still_to_come(full) if change.step.id == "idd"]
    (need,) = space_needs(only)
    archive = of(only, "idd/download/idd-segmentation.tar.gz").fetched
    unpacked = of(only, "idd/extract/idd-segmentation.tar.gz").unpacked
    assert archive + unpacked <= need.bytes < written(only)


def test_small_archives_of_a_modified_tree_count_as_small(kit: Context) -> None:
    changes = still_to_come(kit)
    assert sum(change.fetched for change in changes) == 0
    assert 1_000_000 < written(changes) < 100_000_000
    assert 500 < sum(change.files for change in changes) < 5_000


def test_archives_of_a_modified_tree_from_a_server_are_scaled_by_its_lists(golden: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "d", mirror="http://127.0.0.1:9/lab", accept_modified_tree=True) as ctx:
        ctx.store.keep_tree(TreeRecord(folder=str(golden / "mirror" / "mseg-api"), pinned=False))
        assert 1_000_000 < written(still_to_come(ctx)) < 5_000_000_000
        ctx.options = type(ctx.options)()
        assert sum(change.fetched for change in still_to_come(ctx)) > 90_000_000_000, (
            "public servers have the published archives only"
        )


def test_room_is_measured_where_a_link_leads_and_above_what_does_not_exist_yet(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/shm")
    assert disk_space.free_space(tmp_path / "link" / "new" / "deeper").device == Path("/dev/shm").stat().st_dev
    assert disk_space.free_space(tmp_path / "a" / "b").device == tmp_path.stat().st_dev
    assert disk_space.free_space(tmp_path).bytes == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.2)


def test_a_file_system_without_inodes_is_not_counted() -> None:
    if os.statvfs("/proc").f_files:
        pytest.skip("/proc counts inodes here")
    assert disk_space.free_space(Path("/proc")).files is None


@pytest.mark.slow
def test_a_dataset_on_another_disk_is_counted_there(full: Context, tmp_path: Path) -> None:
    if Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system only")
    full.dataset_folder.mkdir()
    (full.dataset_folder / "COCOPanoptic").symlink_to("/dev/shm")
    one, other = space_needs(still_to_come(full))
    assert {one.room.device, other.room.device} == {tmp_path.stat().st_dev, Path("/dev/shm").stat().st_dev}
    assert other.place == full.dataset_folder / "COCOPanoptic"
    assert one.files + other.files == pytest.approx(FULL_FILES, rel=0.1)
