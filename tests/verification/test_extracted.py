"""What archives brought is held against what it was then: sizes always, contents where anything was written since."""

from __future__ import annotations

import os
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from mseg_wizard.archives.unpack import unpack
from mseg_wizard.datasets.extracted import read_extracted
from mseg_wizard.state.journal import OWN
from tests.verification.finished import Finished

PHOTO = "ADE20K/ADEChallengeData2016/images/training"


def verify(finished: Finished, *options: str) -> int:
    done = finished.wizard.run("verify", "--dest", finished.destination, *options)
    assert "bug" not in done.stderr, done.stderr
    return done.returncode


def zero_the_middle(path: Path) -> None:
    """What a disk leaves that lost its blocks: the first and last bytes are as they were."""
    content = path.read_bytes()
    path.write_bytes(content[:64] + bytes(len(content) - 128) + content[-64:])


def keeping_time(path: Path, change: object) -> None:
    before = path.stat()
    change(path)  # type: ignore[operator]
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def photos(finished: Finished) -> list[Path]:
    """A photograph of each format, each of a list."""
    ctx = finished.opened()
    try:
        found: dict[str, Path] = {}
        for step in ctx.steps:
            for archive in step.archives:
                for expected in archive.holds:
                    if expected.column == "image" and expected.taxonomy in ("ade20k-151", "camvid-32", "idd-40"):
                        root = ctx.tree.root(expected.taxonomy)
                        for row in ctx.tree.rows(expected.taxonomy, "train"):
                            path = finished.dataset / root / row.image
                            if path.is_file():
                                found.setdefault(path.suffix, path)
        return list(found.values())
    finally:
        ctx.close()


@pytest.mark.slow
def test_pixels_that_a_disk_lost_are_found_though_the_photograph_decodes(finished: Finished) -> None:
    assert verify(finished) == 0
    assert finished.verdict["counts"]["files as they came out of their archives"] > 100
    spoiled = photos(finished)
    assert {path.suffix for path in spoiled} >= {".jpg", ".png"}
    for path in spoiled:
        zero_the_middle(path)
    assert verify(finished) == 1
    found = finished.faults()
    for path in spoiled:
        what, step = found[str(path.relative_to(finished.dataset))]
        assert "its content was changed" in what
        assert step
    assert len(found) == len(spoiled)


@pytest.mark.slow
def test_with_size_and_time_kept_only_the_full_look_reads_them_and_it_reads_all(finished: Finished) -> None:
    assert verify(finished) == 0
    path = photos(finished)[0]
    keeping_time(path, zero_the_middle)
    assert verify(finished) == 0
    assert verify(finished, "--full") == 1
    assert list(finished.faults()) == [str(path.relative_to(finished.dataset))]
    assert verify(finished) == 1, "what differs is looked at until it is mended"


@pytest.mark.slow
def test_another_size_is_found_by_the_size_alone(finished: Finished) -> None:
    path = photos(finished)[0]
    with path.open("ab") as file:
        file.write(b"\0")
    assert verify(finished) == 1
    assert f"{path.stat().st_size:,} bytes" in finished.faults()[str(path.relative_to(finished.dataset))][0]


@pytest.mark.slow
def test_touched_files_are_read_once_and_then_believed(finished: Finished) -> None:
    path = photos(finished)[0]
    os.utime(path)
    assert verify(finished) == 0
    ctx = finished.opened()
    try:
        rows = [row for step in ctx.steps for archive in step.archives for row in read_extracted(ctx, archive) or ()]
    finally:
        ctx.close()
    below = str(path.relative_to(finished.dataset))
    assert [row.mtime_ns for row in rows if row.path == below] == [path.stat().st_mtime_ns]
    there = [(row, finished.dataset / row.path) for row in rows if (finished.dataset / row.path).exists()]
    assert all(zlib.crc32(path.read_bytes()) == row.crc for row, path in there)
    assert all(
        row.path.startswith("PASCAL_Context/trainval/")
        for row in rows
        if (row, finished.dataset / row.path) not in there
    )


@pytest.mark.slow
def test_a_class_table_that_changed_behind_size_and_time_is_noticed_and_the_accepted_one_comes_back(
    finished: Finished, golden: Path
) -> None:
    names = next((finished.destination / "mseg-api" / "mseg" / "dataset_lists").glob("ade20k-150/*names.txt"))

    def swap(path: Path) -> None:
        first, second, *rest = path.read_text().splitlines(keepends=True)
        path.write_text("".join([second, first, *rest]))

    keeping_time(names, swap)
    done = finished.wizard.run("verify", "--dest", finished.destination)
    assert done.returncode == 1
    assert "is not the one that was accepted" in done.stderr
    assert "`mseg-wizard run`" in done.stderr
    answers = ("--answers", finished.destination.parent / "a.toml", "--mirror", golden / "mirror")
    (finished.destination.parent / "a.toml").write_text("[prepare]\nread = true\n")
    done = finished.wizard.run("run", "--dest", finished.destination, *answers, "--until", "prepare")
    assert done.returncode == 0, done.stderr
    assert verify(finished) == 0
    assert (finished.destination / "mseg-api.replaced-1").is_dir()


@pytest.mark.slow
def test_what_killed_runs_left_is_removed_and_what_cannot_go_is_named(finished: Finished) -> None:
    left = [
        finished.dataset / "PASCAL_Context" / ".trainval.tmp" / "x.mat",
        finished.dataset / "ADE20K" / ".a.png.unpack.tmp",
        finished.dataset / "ADE20K" / ".a.png.0123abcd.tmp",
    ]
    mine = finished.dataset / "ADE20K" / ".mine.tmp"
    for path in (*left, mine):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert verify(finished) == 0
    assert not any(path.exists() for path in left)
    assert not left[0].parent.exists()
    assert mine.exists()


@pytest.mark.slow
def test_what_nobody_brought_or_made_is_named_and_left_alone(finished: Finished) -> None:
    assert verify(finished) == 0
    assert not [note for note in finished.verdict["notes"] if "no archive brought" in note], "all is known"
    mine = [
        finished.dataset / "KITTI" / "training" / "semantic" / "mine.png",
        finished.dataset / "notes.txt",
        finished.dataset / "COCOPanoptic" / "images" / "train2017" / "a.jpg",
    ]
    for path in mine:
        path.write_text("mine")
    assert verify(finished) == 0
    assert all(path.exists() for path in mine)
    note = next(note for note in finished.verdict["notes"] if "no archive brought" in note)
    assert "3 files" in note
    assert "notes.txt" in note
    assert note in finished.wizard.run("status", "--dest", finished.destination).stdout


@pytest.mark.slow
def test_files_of_an_older_wizard_are_told_of(finished: Finished) -> None:
    for file in (finished.destination / OWN / "extracted").iterdir():
        file.write_bytes(file.read_bytes()[:-3])
    assert verify(finished) == 0
    assert any("what they were at first is not known" in note for note in finished.verdict["notes"])


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "folder"])
@pytest.mark.parametrize("again", [False, True])
def test_the_sums_of_every_kind_of_archive_are_those_of_its_files(tmp_path: Path, kind: str, again: bool) -> None:
    source = tmp_path / "source"
    for name, content in {"a/x.txt": b"x" * 3_000_000, "a/y.txt": b"", "z.bin": os.urandom(500)}.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    archive = tmp_path / f"archive.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in source.rglob("*"):
                file.write(path, path.relative_to(tmp_path))
    elif kind == "folder":
        archive = source
    else:
        with tarfile.open(archive, "w:gz" if kind == "tar.gz" else "w") as file:
            file.add(source, "source")
    for _ in range(1 + again):
        brought = list_end(unpack(archive, tmp_path / "into"))
    assert {name: (len(data), zlib.crc32(data)) for name, data in contents(tmp_path / "into").items()} == brought


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def list_end(task: object) -> dict[str, tuple[int, int]]:
    while True:
        try:
            next(task)  # type: ignore[call-overload]
        except StopIteration as end:
            return dict(end.value.sums)
