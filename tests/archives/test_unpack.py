"""unpack keeps its promises on good archives: what goes where,
what stays, what a second run does, what is recognised.
"""

from __future__ import annotations

import os
import random
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from mseg_wizard.archives.unpack import unpack
from mseg_wizard.progress import Problem, Progress
from tests.archives.hostile import DEFLATED, FOLDER, STORED, Part, end_of, gzipped, tarred, tree, zipped

FILES = {
    "top/a.png": b"a" * 5000,
    "top/deep/b.json": random.Random(1).randbytes(70_000),
    "top/empty.txt": b"",
    "other/c.txt": b"c",
}
GOOD = {**FILES, "top": None, "top/deep": None, "other": None}
AS_TAR = tarred(*FILES.items())
FORMS: dict[str, bytes] = {
    "deflated zip": zipped(*(Part(name=name, data=data) for name, data in FILES.items())),
    "stored zip": zipped(*(Part(name=name, data=data, method=STORED) for name, data in FILES.items())),
    "zip64": zipped(*(Part(name=name, data=data, wide=True) for name, data in FILES.items()), wide=True),
    "tar": AS_TAR,
    "tar.gz": gzipped(AS_TAR),
    "tar.gz in pieces": gzipped(AS_TAR[:700]) + gzipped(AS_TAR[700:]) + bytes(512),
}

each_form = pytest.mark.parametrize("form", FORMS)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "into"


def saved(tmp_path: Path, data: bytes, name: str = "an archive.bin") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@each_form
def test_an_archive_is_known_by_its_content_not_by_its_name(form: str, tmp_path: Path, into: Path) -> None:
    archive = saved(tmp_path, FORMS[form], "misnamed.rar")
    result = end_of(unpack(archive, into))
    assert tree(into) == GOOD
    assert (result.files, result.bytes, result.written) == (4, sum(map(len, FILES.values())), 4)


KIT = [
    *(
        "SegmentationClassAug.zip",
        "panoptic_annotations_trainval2017.zip",
        "scannet_frames_25k.zip",
        "gtFine_trainvaltest.zip",
    ),
    *("VOCtrainval_11-May-2012.tar", "idd-segmentation.tar.gz", "sun_rgbd.tgz"),
]


@pytest.mark.parametrize("file", KIT)
def test_the_kits_archives_come_out_as_the_standard_library_unpacks_them(
    file: str, golden: Path, tmp_path: Path, into: Path
) -> None:
    path = golden / "mirror" / file
    if file.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "expected")  # noqa: S202 - the kit is ours
    else:
        with tarfile.open(path) as tar:
            tar.extractall(tmp_path / "expected")  # noqa: S202 - the kit is ours
    end_of(unpack(path, into))
    assert tree(into) == tree(tmp_path / "expected")


def test_pascal_context_gets_only_its_images_one_folder_up(golden: Path, into: Path) -> None:
    archive = golden / "mirror/VOCtrainval_03-May-2010.tar"
    end_of(unpack(archive, into, take={"VOCdevkit/VOC2010/JPEGImages/": "JPEGImages/"}))
    with tarfile.open(archive) as tar:
        images = {Path(name).name for name in tar.getnames() if name.endswith(".jpg")}
    assert set(tree(into)) == {"JPEGImages", *(f"JPEGImages/{name}" for name in images)}


def test_sun_rgbds_label37_comes_out_as_label38_and_its_depth_not_at_all(golden: Path, into: Path) -> None:
    archive = golden / "mirror/sun_rgbd.tgz"
    end_of(unpack(archive, into, take={"image/": "image/", "label37/": "label38/"}))
    found = tree(into)
    with tarfile.open(archive) as tar:
        names = [member.name for member in tar if member.isfile()]
    wanted = {name.replace("label37/", "label38/") for name in names if not name.startswith("depth/")}
    assert {name for name, data in found.items() if data is not None} == wanted
    assert {name.partition("/")[0] for name in found} == {"image", "label38"}


def test_camvids_flat_labels_come_out_in_a_folder_of_their_own(golden: Path, into: Path) -> None:
    archive = golden / "mirror/LabeledApproved_full.zip"
    end_of(unpack(archive, into, take={"": "Labels32-RGB/"}))
    with zipfile.ZipFile(archive) as packed:
        assert tree(into) == {
            "Labels32-RGB": None,
            **{f"Labels32-RGB/{name}": packed.read(name) for name in packed.namelist()},
        }


def test_wilddashs_shared_files_are_those_of_the_archive_that_came_first(golden: Path, into: Path) -> None:
    shared = ("anonymized/", "authors.txt", "license.txt", "readme.txt")
    first, second = golden / "mirror/wd_both_01.zip", golden / "mirror/wd_val_01.zip"
    end_of(unpack(first, into, shared=shared))
    (into / "license.txt").write_bytes(b"read, and left as it is")
    before = tree(into)
    end_of(unpack(second, into, shared=shared))
    after = tree(into)
    assert before.items() <= after.items()
    with zipfile.ZipFile(second) as packed:
        assert set(after) == set(before) | {name.removesuffix("/") for name in packed.namelist()}


@each_form
def test_what_a_killed_run_brought_of_shared_files_has_its_sums_all_the_same(
    form: str, tmp_path: Path, into: Path
) -> None:
    archive = saved(tmp_path, FORMS[form])
    sums = end_of(unpack(archive, into, shared=("",))).sums
    assert end_of(unpack(archive, into, shared=("",))).sums == sums, "what was there is this archive's own"
    (into / "top/a.png").write_bytes(b"x" * len(FILES["top/a.png"]))
    assert end_of(unpack(archive, into, shared=("",))).sums == {
        path: found for path, found in sums.items() if path != "top/a.png"
    }, "what another archive brought is not"


def test_a_shared_file_that_a_power_cut_left_empty_is_written(tmp_path: Path, into: Path) -> None:
    archive = saved(tmp_path, zipped(Part(name="license.txt", data=b"terms"), Part(name="empty.txt")))
    into.mkdir()
    (into / "license.txt").touch()
    (into / "empty.txt").touch()
    assert end_of(unpack(archive, into, shared=("",))).written == 1
    assert tree(into) == {"license.txt": b"terms", "empty.txt": b""}


@each_form
def test_what_is_skipped_or_under_no_prefix_is_left_out(form: str, tmp_path: Path, into: Path) -> None:
    end_of(unpack(saved(tmp_path, FORMS[form]), into, take={"top/": "t/", "top/deep/": "d/"}, skip=("top/empty",)))
    assert tree(into) == {"t": None, "t/a.png": FILES["top/a.png"], "d": None, "d/b.json": FILES["top/deep/b.json"]}


def test_an_archive_inside_an_archive_is_unpacked_where_it_stands(tmp_path: Path, into: Path) -> None:
    folder = Part(name="masks/", attributes=FOLDER, method=STORED)
    inner = zipped(folder, Part(name="masks/1.png", data=b"mask"), Part(name="__MACOSX/x"))
    parts = (
        Part(name="annotations/masks.zip", data=inner, method=STORED),
        Part(name="annotations/masks.json", data=b"{}"),
    )
    outer = saved(tmp_path, zipped(*parts))
    end_of(unpack(outer, into))
    end_of(unpack(into / "annotations/masks.zip", into / "annotations", skip=("__MACOSX/",)))
    (into / "annotations/masks.zip").unlink()
    assert tree(into) == {
        "annotations": None,
        "annotations/masks.json": b"{}",
        "annotations/masks": None,
        "annotations/masks/1.png": b"mask",
    }


def test_names_that_gnu_and_pax_headers_carry_are_found(tmp_path: Path, into: Path) -> None:
    source = tmp_path / "source"
    long = "a long folder name/" * 8 + "ünicode-" + "x" * 120 + ".png"
    (source / long).parent.mkdir(parents=True)
    (source / long).write_bytes(b"pixels")
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "a.tar", "w", format=form) as tar:
            tar.add(source, ".")
        end_of(unpack(tmp_path / "a.tar", into / str(form)))
        assert tree(into / str(form))[long] == b"pixels"


def test_names_without_the_utf8_flag_are_read_as_unzip_reads_them(tmp_path: Path, into: Path) -> None:
    macos, dos = "Straße é.png", "Straße.png"
    archive = saved(tmp_path, zipped(Part(name=macos.encode(), data=b"1"), Part(name=dos.encode("cp437"), data=b"2")))
    end_of(unpack(archive, into))
    assert tree(into) == {macos: b"1", dos: b"2"}


@pytest.mark.slow
def test_a_member_that_is_too_large_for_one_piece_comes_out_whole(tmp_path: Path, into: Path) -> None:
    data = random.Random(2).randbytes(9 << 20) + bytes(9 << 20)
    archive = saved(tmp_path, zipped(Part(name="d", data=data), Part(name="s", data=data, method=STORED)))
    end_of(unpack(archive, into))
    assert tree(into) == {"d": data, "s": data}
    for name, data_of_tar in (
        ("t.tar", tarred(("d", data), ("s", data))),
        ("t.tgz", gzipped(tarred(("d", data), ("s", data)))),
    ):
        assert end_of(unpack(saved(tmp_path, data_of_tar, name), into)).written == 0


@each_form
def test_a_second_run_writes_nothing_and_touches_no_file(form: str, tmp_path: Path, into: Path) -> None:
    archive = saved(tmp_path, FORMS[form])
    end_of(unpack(archive, into))
    before = {path: path.stat().st_ino for path in into.rglob("*")}
    result = end_of(unpack(archive, into))
    assert (result.files, result.written) == (4, 0)
    assert {path: path.stat().st_ino for path in into.rglob("*")} == before


@each_form
def test_a_file_of_the_right_size_and_the_wrong_content_is_written_again(form: str, tmp_path: Path, into: Path) -> None:
    archive = saved(tmp_path, FORMS[form])
    end_of(unpack(archive, into))
    (into / "top/a.png").write_bytes(b"b" * 5000)
    assert end_of(unpack(archive, into)).written == 1
    assert tree(into) == GOOD


@pytest.mark.parametrize("change", [0, 5 << 20, (9 << 20) - 1])
def test_a_large_file_that_differs_anywhere_is_written_again(change: int, tmp_path: Path, into: Path) -> None:
    data = random.Random(3).randbytes(9 << 20)
    for name, packed in {"z": zipped(Part(name="d", data=data, method=STORED)), "t": tarred(("d", data))}.items():
        archive = saved(tmp_path, packed, name)
        end_of(unpack(archive, into))
        with (into / "d").open("r+b") as file:
            file.seek(change)
            file.write(bytes([data[change] ^ 1]))
        assert end_of(unpack(archive, into)).written == 1
        assert tree(into) == {"d": data}


@each_form
def test_a_file_that_a_power_cut_left_empty_and_stale_temporaries_are_put_right(
    form: str, tmp_path: Path, into: Path
) -> None:
    archive = saved(tmp_path, FORMS[form])
    (into / "top").mkdir(parents=True)
    (into / "top/a.png").touch()
    (into / "top/.a.png.unpack.tmp").write_bytes(b"a" * 6000)
    (into / "top/.empty.txt.unpack.tmp").write_bytes(b"not empty")
    (into / "top/.gone.unpack.tmp").write_bytes(b"of an earlier version")
    end_of(unpack(archive, into))
    assert tree(into) == GOOD


@each_form
def test_stopping_at_any_moment_leaves_only_whole_files_and_the_next_run_ends_it(
    form: str, tmp_path: Path, into: Path
) -> None:
    archive = saved(tmp_path, FORMS[form])
    for seen in range(3):
        task = unpack(archive, into)
        for _ in range(seen):
            next(task, None)
        task.close()
        # Only what came out of a tar.gz waits for the archive's end under temporary names.
        whole = {name: data for name, data in tree(into).items() if "tar.gz" not in form or not name.endswith(".tmp")}
        assert whole.items() <= GOOD.items()
    end_of(unpack(archive, into))
    assert tree(into) == GOOD


def test_progress_is_in_bytes_and_says_what_is_unpacked(tmp_path: Path, into: Path) -> None:
    archive = saved(
        tmp_path, zipped(*(Part(name=f"top/{i}", data=bytes(1 << 20), method=STORED) for i in range(60))), "train.zip"
    )
    said: list[Progress] = list(unpack(archive, into))
    assert all("train.zip" in progress.doing for progress in said)
    seen = [progress for progress in said if not progress.doing.startswith("saving")]
    assert all(progress.unit == "B" for progress in seen)
    assert all(progress.total in (None, 60 << 20) and progress.done <= 60 << 20 for progress in seen)
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)


def test_permissions_follow_the_users_umask_not_the_archive(tmp_path: Path, into: Path) -> None:
    archive = saved(tmp_path, zipped(Part(name="top/run", data=b"#!", attributes=0o104777 << 16)))
    before = os.umask(0o022)
    try:
        end_of(unpack(archive, into))
    finally:
        os.umask(before)
    assert (into / "top/run").stat().st_mode & 0o7777 == 0o644
    assert (into / "top").stat().st_mode & 0o7777 == 0o755


def test_members_that_do_not_fit_on_the_disk_are_refused_before_the_first_byte(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = saved(tmp_path, zipped(Part(name="a", data=b"a", method=DEFLATED)))
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=1, f_frsize=1024, f_files=0, f_favail=0))
    with pytest.raises(Problem, match=r"needs 4\.1 kB, and .* has 1\.0 kB free"):
        end_of(unpack(archive, into))
    assert tree(into) == {}
