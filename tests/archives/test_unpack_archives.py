"""Archives are told apart by content, listed, recognised by their layout and tested, without unpacking them."""

from __future__ import annotations

import io
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mseg_wizard.archives.layout import check_layout
from mseg_wizard.archives.member import Damaged
from mseg_wizard.archives.reader import members
from mseg_wizard.archives.unpack import unpack
from mseg_wizard.progress import Problem
from mseg_wizard.step import Lookalike
from tests.archives.damage import damage
from tests.archives.hostile import FOLDER, STORED, Part, end_of, gzipped, zipped
from tests.archives.test_unpack import AS_TAR, FILES, FORMS, each_form, saved


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "into"


@each_form
def test_members_are_listed_without_unpacking(form: str, tmp_path: Path) -> None:
    archive = saved(tmp_path, FORMS[form])
    assert {member.name: member.size for member in members(archive)} == {
        name: len(data) for name, data in FILES.items()
    }
    assert len(list(members(archive, at_most=2))) == 2
    assert list(tmp_path.iterdir()) == [archive]


@each_form
def test_the_right_archive_is_known_by_its_layout(form: str, tmp_path: Path) -> None:
    archive = saved(tmp_path, FORMS[form])
    assert check_layout(archive, ["top/*.png", "*.json"]) is None
    assert check_layout(archive, []) is None
    missing = str(check_layout(archive, ["top/*.png", "labels/*.png"]))
    assert "labels/*.png" in missing and "top/a.png" in missing


def test_folders_alone_do_not_make_a_layout(tmp_path: Path) -> None:
    archive = saved(tmp_path, zipped(Part(name="images/", attributes=FOLDER, method=STORED)))
    assert isinstance(check_layout(archive, ["images/*"]), Problem)


@each_form
def test_a_file_that_people_take_for_the_right_one_is_named_with_its_reason(form: str, tmp_path: Path) -> None:
    archive = saved(tmp_path, FORMS[form])
    by_layout = Lookalike(reason="it is version 2", layout="other/*")
    assert "it is version 2" in str(check_layout(archive, ["top/*"], [by_layout]))
    by_hash = Lookalike(reason="it is PASCAL-Part", md5="0" * 32)
    assert "it is PASCAL-Part" in str(check_layout(archive, ["top/*"], [by_hash], md5="0" * 32))
    assert check_layout(archive, ["top/*"], [by_hash], md5="1" * 32) is None
    assert check_layout(archive, ["top/*"], [by_hash]) is None


def test_of_a_large_tar_gz_only_the_beginning_is_looked_at(tmp_path: Path) -> None:
    noise = random.Random(4)
    archive = tmp_path / "large.tgz"
    with tarfile.open(archive, "w:gz", compresslevel=0) as tar:
        for i in range(600):
            folder = tarfile.TarInfo(f"top/images/{i}")
            folder.type = tarfile.DIRTYPE
            tar.addfile(folder)
        for i in range(1000):
            info = tarfile.TarInfo(f"top/images/{i}.jpg")
            info.size = 70_000
            tar.addfile(info, io.BytesIO(noise.randbytes(70_000)))
    with archive.open("r+b") as file:
        file.truncate(archive.stat().st_size - 1)
    assert check_layout(archive, ["top/images/*", "labels/*"]) is None
    assert check_layout(archive, ["top/images/val/*.png"]) is None  # it may come later
    told = str(check_layout(archive, ["top/labels/val/*"]))
    assert "called top/labels/val/*; it begins with top/images/0.jpg" in told
    assert isinstance(check_layout(archive, ["*/labels/*", "*_L.png"]), Problem)
    assert check_layout(archive, ["*9.jpg"]) is None
    assert "broken copy" in str(
        check_layout(archive, ["top/images/*"], [Lookalike(reason="broken copy", layout="top/images/300.jpg")])
    )
    with pytest.raises(Damaged):
        list(members(archive))


PAGES: dict[str, Callable[[], bytes]] = {
    "a web page": lambda: b"\n<!DOCTYPE html><title>Please log in</title>",
    "empty": lambda: b"",
    "neither": lambda: b"\x89PNG\r\n\x1a\n" + bytes(600),
    "no end": lambda: FORMS["deflated zip"][:-30],
    "cut short": lambda: gzipped(AS_TAR)[:-100],
}


@pytest.mark.parametrize("what", PAGES)
def test_what_is_no_archive_is_a_problem_that_says_so(what: str, tmp_path: Path, into: Path) -> None:
    path = saved(tmp_path, PAGES[what](), "train.zip")
    for attempt in (lambda: end_of(unpack(path, into)), lambda: list(members(path))):
        with pytest.raises(Damaged, match=f"train.zip is damaged.*{what}"):
            attempt()
    assert what in str(check_layout(path, ["no such member"]))
    assert what in str(damage(path))


@pytest.mark.parametrize("name", ["nowhere.zip", "a folder", "a pipe"])
def test_what_is_no_file_is_a_problem(name: str, tmp_path: Path, into: Path) -> None:
    (tmp_path / "a folder").mkdir()
    os.mkfifo(tmp_path / "a pipe")
    with pytest.raises(Problem, match=name):
        end_of(unpack(tmp_path / name, into))
    assert isinstance(check_layout(tmp_path / name, ["*"]), Problem)


@each_form
def test_a_test_of_a_whole_archive_finds_nothing(form: str, tmp_path: Path) -> None:
    assert damage(saved(tmp_path, FORMS[form])) is None
