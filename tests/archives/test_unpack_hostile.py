"""Archives made to do harm: each is refused with the member's name, and nothing is written outside the folder."""

from __future__ import annotations

import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from mseg_wizard.archives.member import Member, MemberPaths, why_unsafe
from mseg_wizard.archives.unpack import unpack
from mseg_wizard.progress import Problem, printable
from tests.archives.hostile import (
    FILE,
    FOLDER,
    LINK,
    STORED,
    Part,
    deflated,
    end_of,
    gzipped,
    special,
    tarred,
    tree,
    zipped,
)

NAMES = {
    "../evil": "leads out of its folder",
    "a/../../evil": "leads out of its folder",
    "a/..": "leads out of its folder",
    "..": "leads out of its folder",
    "/evil": "absolute path",
    "//host/evil": "absolute path",
    "C:evil": "drive letter",
    "C:/evil": "drive letter",
    "a//evil": "empty part",
    "a/./evil": "empty part",
    "a\\..\\..\\evil": "backslash",
    "..\\evil": "backslash",
    "evil\n[2J": "can't be shown",
    "evil\x1b]0;title\x07": "can't be shown",
    "evil\x9b31m": "can't be shown",
    "evil\u202egpj.exe": "can't be shown",
    "evil\x7f": "can't be shown",
    "e" * 250: "too long",
    "ü" * 130: "too long",
    "deep/" * 210 + "evil": "too long",
    ".evil.unpack.tmp": "temporary file",
    "a/.evil.tmp/b": "temporary file",
}


def problem_with(path: Path, into: Path, **kwargs: object) -> str:
    """The Problem that unpacking meets; nothing but `path`, `into` and what is in it may be there afterwards."""
    outside = {
        name: data
        for name, data in tree(path.parent).items()
        if name != into.name and not name.startswith(into.name + "/")
    }
    with pytest.raises(Problem) as caught:
        end_of(unpack(path, into, **kwargs))  # type: ignore[arg-type]
    after = {
        name: data
        for name, data in tree(path.parent).items()
        if name != into.name and not name.startswith(into.name + "/")
    }
    assert after == outside
    text = f"{caught.value} {' '.join(caught.value.items)}"
    assert printable(text, 10_000) == text
    return text


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "into"


def saved(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "hostile.bin"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
def test_a_name_that_leads_elsewhere_or_deceives_is_refused(name: str, form: str, tmp_path: Path, into: Path) -> None:
    tar = tarred(("good", b"good"), (name, b"evil"))
    data = {
        "zip": zipped(Part(name="good", data=b"good"), Part(name=name, data=b"evil")),
        "tar": tar,
        "tar.gz": gzipped(tar),
    }[form]
    text = problem_with(saved(tmp_path, data), into)
    assert NAMES[name] in text and printable(name, 200)[:100] in text
    assert not [path for path in into.rglob("*") if path.is_file()] if into.exists() else True


def test_a_nul_in_a_zips_name_is_refused(tmp_path: Path, into: Path) -> None:
    assert "can't be shown" in problem_with(saved(tmp_path, zipped(Part(name="good.png\0.exe"))), into)


def test_a_name_that_is_not_utf8_is_refused_in_a_tar(tmp_path: Path, into: Path) -> None:
    assert "can't be shown" in problem_with(saved(tmp_path, tarred(("caf\udce9", b""))), into)


def test_pax_and_long_names_are_judged_like_any_other(tmp_path: Path, into: Path) -> None:
    name = "a/" * 60 + "../" * 61 + "evil"
    for data in (tarred((name, b"evil"), form=tarfile.PAX_FORMAT), tarred((name, b"evil"), form=tarfile.GNU_FORMAT)):
        text = problem_with(saved(tmp_path, data), into)
        assert "leads out of its folder" in text


SPECIAL = {
    "symbolic link": special("evil", tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": special("evil", tarfile.LNKTYPE, "../../etc/passwd"),
    "pipe": special("evil", tarfile.FIFOTYPE),
    "device": special("evil", tarfile.CHRTYPE),
    "a device": special("evil", tarfile.BLKTYPE),
    "sparse": special("evil", tarfile.GNUTYPE_SPARSE),
    "unknown kind": special("evil", b"V"),
}


@pytest.mark.parametrize("what", SPECIAL)
def test_a_tars_links_devices_and_pipes_are_refused(what: str, tmp_path: Path, into: Path) -> None:
    for data in (tarred(SPECIAL[what]), gzipped(tarred(("good", b"good"), SPECIAL[what]))):
        text = problem_with(saved(tmp_path, data), into)
        assert "evil" in text and what in text


def test_a_link_that_is_left_out_does_no_harm_and_is_no_reason_to_refuse(tmp_path: Path, into: Path) -> None:
    path = saved(tmp_path, tarred(SPECIAL["symbolic link"], ("good/1", b"1"), ("../evil", b"2")))
    end_of(unpack(path, into, take={"good/": ""}))
    assert tree(into) == {"1": b"1"}


ZIPS = {
    "symbolic link": zipped(Part(name="evil", data=b"/etc/passwd", attributes=LINK)),
    "encrypted": zipped(Part(name="evil", data=b"x", flags=1)),
    "LZMA (14)": zipped(Part(name="evil", data=b"x", method=14)),
    "an unknown method (77)": zipped(Part(name="evil", data=b"x", method=77)),
    "folder with content": zipped(Part(name="evil/", data=b"x", attributes=FOLDER)),
    "without the slash": zipped(Part(name="evil", attributes=FOLDER, method=STORED)),
    "is a device": zipped(Part(name="evil", attributes=0o020666 << 16, method=STORED)),
    "unknown kind": zipped(Part(name="evil", attributes=0o170000 << 16, method=STORED)),
    "another name": zipped(Part(name="evil", local_name="good", data=b"x")),
    "comes twice": zipped(Part(name="evil", data=b"1"), Part(name="evil", data=b"2")),
    "member a comes twice": zipped(Part(name="a", data=b"1"), Part(name="a", data=b"2")),
    "both a file and a folder": zipped(Part(name="evil", data=b"1"), Part(name="evil/inside", data=b"2")),
    "upper and lower case": zipped(Part(name="Top/evil", data=b"1"), Part(name="top/good", data=b"2")),
    "differs from evil.png": zipped(Part(name="evil.png", data=b"1"), Part(name="Evil.PNG", data=b"2")),
    "differs from Évil": zipped(Part(name="\u00c9vil", data=b"1"), Part(name="e\u0301vil", data=b"2")),
    "hostile.bin promises": zipped(Part(name="evil", packed=b"\3\0", size=1 << 40)),
    "multi-part": zipped(Part(name="evil", data=b"1"), disks=1),
    "one part of": zipped(Part(name="evil", data=b"1", disk=3)),
    "directory is not where": zipped(Part(name="evil", data=b"1"))[:-30] + zipped(Part(name="evil", data=b"1"))[-22:],
}


@pytest.mark.parametrize("what", ZIPS)
def test_what_a_zip_may_not_hold_is_refused(what: str, tmp_path: Path, into: Path) -> None:
    text = problem_with(saved(tmp_path, ZIPS[what]), into)
    assert what in text and ("vil" in text or "hostile.bin" in text)
    assert tree(into) == {}


def test_a_folder_may_come_as_often_as_it_likes_before_and_after_its_files_but_only_once_as_a_member(
    tmp_path: Path, into: Path
) -> None:
    folder = Part(name="top/", attributes=FOLDER, method=STORED)
    for parts in ([folder, folder, Part(name="top/1", data=b"1")], [Part(name="top/1", data=b"1"), folder]):
        end_of(unpack(saved(tmp_path, zipped(*parts)), into))
        assert tree(into) == {"top": None, "top/1": b"1"}


def test_more_than_the_header_says_never_comes_out(tmp_path: Path, into: Path) -> None:
    for length, promised in ((3 << 20, 1000), (30 << 20, 1000), (30 << 20, 17 << 20)):
        text = problem_with(saved(tmp_path, zipped(Part(name="evil", data=bytes(length), size=promised, crc=0))), into)
        assert "evil" in text and "more than" in text.replace("more comes out than", "more than")
        assert tree(into) == {}


def test_less_than_the_header_says_is_damage(tmp_path: Path, into: Path) -> None:
    for size in (3000, 17 << 20):
        lying = Part(name="evil", data=bytes(100_000)[:2000], packed=deflated(bytes(2000)) + bytes(20_000), size=size)
        assert "less comes out" in problem_with(saved(tmp_path, zipped(lying)), into)


def test_members_that_share_their_bytes_are_refused(tmp_path: Path, into: Path) -> None:
    kernel = Part(name="a", data=bytes(1 << 20))
    assert "overlaps" in problem_with(saved(tmp_path, zipped(kernel, replace(kernel, name="b", offset=0))), into)
    quoted = Part(name="b", data=b"x", offset=10)
    assert "overlaps" in problem_with(saved(tmp_path, zipped(kernel, quoted)), into)
    assert "overlaps" in problem_with(saved(tmp_path, zipped(replace(kernel, packed_size=10_000))), into)


def test_more_than_the_caller_expects_is_refused(tmp_path: Path, into: Path) -> None:
    bomb = tarred(("evil", bytes(20 << 20)))
    for data in (zipped(Part(name="evil", data=bytes(20 << 20))), bomb, gzipped(bomb)):
        assert "holds more than" in problem_with(saved(tmp_path, data), into, at_most=10 << 20)
        assert not [path for path in into.rglob("*") if path.is_file()] if into.exists() else True


@pytest.mark.long
def test_a_small_archive_may_not_fill_the_disk_whoever_unpacks_it(tmp_path: Path, into: Path) -> None:
    many = [(f"evil{number}", bytes(20 << 20)) for number in range(30)]
    parts = [Part(name=name, data=data) for name, data in many]
    bomb = gzipped(tarred(*many))
    assert len(bomb) < 700_000
    for data in (bomb, zipped(*parts)):
        text = problem_with(saved(tmp_path, data), into)
        assert "far more than it should" in text
        assert not [path for path in into.rglob("*") if path.is_file()] if into.exists() else True


def test_a_small_archive_of_texts_that_pack_well_is_believed(tmp_path: Path, into: Path) -> None:
    texts = {f"{number}.json": bytes(100_000) for number in range(300)}
    for data in (
        gzipped(tarred(*texts.items())),
        zipped(*(Part(name=name, data=text) for name, text in texts.items())),
    ):
        target = into / str(len(data))
        target.mkdir(parents=True)
        assert end_of(unpack(saved(tmp_path, data), target)).bytes == 30_000_000


def test_no_member_takes_the_archives_own_place(into: Path) -> None:
    into.mkdir()
    path = into / "Evil.zip"
    for name in ("Evil.zip", "evil.zip", "Evil.zip/inside"):
        path.write_bytes(data := zipped(Part(name="top/" + name, data=b"not an archive")))
        with pytest.raises(Problem, match="the archive's own name"):
            end_of(unpack(path, into, take={"top/": ""}))
        assert tree(into) == {"Evil.zip": data}


@pytest.mark.parametrize("form", ["zip", "tar.gz"])
def test_a_link_that_stands_in_the_folder_is_not_followed(form: str, tmp_path: Path, into: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(b"kept")
    into.mkdir()
    tar = tarred(("folder/kept", b"evil"), ("kept", b"evil"))
    data = (
        gzipped(tar)
        if form == "tar.gz"
        else zipped(Part(name="folder/kept", data=b"evil"), Part(name="kept", data=b"evil"))
    )
    path = saved(tmp_path, data)
    for link, target in (("folder", outside), ("folder", tmp_path / "nowhere"), ("kept", outside / "kept")):
        (into / link).symlink_to(target)
        with pytest.raises(Problem, match=f"into/{link}/? is in the way"):
            end_of(unpack(path, into))
        (into / link).unlink()
    assert {item.name: item.read_bytes() for item in outside.iterdir()} == {"kept": b"kept"}
    shutil.rmtree(into)
    (into / "folder").mkdir(parents=True)
    (into / "folder/.kept.unpack.tmp").symlink_to(outside / "kept")
    with pytest.raises(Problem):
        end_of(unpack(path, into))
    assert (outside / "kept").read_bytes() == b"kept"


def test_the_folder_itself_may_be_reached_through_a_link(tmp_path: Path, into: Path) -> None:
    (tmp_path / "large disk").mkdir()
    into.symlink_to(tmp_path / "large disk")
    end_of(unpack(saved(tmp_path, zipped(Part(name="top/1", data=b"1"))), into))
    assert tree(tmp_path / "large disk") == {"top": None, "top/1": b"1"}


def test_a_folder_or_a_file_in_the_way_is_named(tmp_path: Path, into: Path) -> None:
    path = saved(tmp_path, zipped(Part(name="top/1", data=b"1")))
    (into / "top/1/mine").mkdir(parents=True)
    assert "into/top/1 is in the way" in problem_with(path, into)
    (into / "top/1/mine").rmdir()
    (into / "top/1").rmdir()
    (into / "top").rmdir()
    (into / "top").write_bytes(b"mine")
    assert "into/top is in the way" in problem_with(path, into)


def test_a_prefix_that_is_cut_off_does_not_make_a_path_absolute() -> None:
    for name, take in (("image/x", {"image": ""}), ("ax", {"a": "/"}), ("a/x", {"a/": "../"})):
        with pytest.raises(Problem):
            MemberPaths("archive", take).place(Member(name, 1))


def test_ordinary_names_of_the_datasets_are_safe() -> None:
    assert why_unsafe("gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png") == ""
    for name in ("__MACOSX/._x", "a b (1)+[x]{y}~#&=@,;!'.jpg", "..a/b..", "Zürich/é.png", "ab:c/C:", "folder/"):
        assert why_unsafe(name) == ""


def test_every_refused_name_is_refused_as_a_part_too() -> None:
    for name in ("..", ".", "", "\\", "\x00", "x" * 250):
        for path in (name, f"a/{name}", f"a/{name}/b", f"{name}/b"):
            assert why_unsafe(path) or path in ("a/",), path


def test_executable_and_setuid_bits_and_foreign_modes_do_not_matter(tmp_path: Path, into: Path) -> None:
    end_of(
        unpack(
            saved(tmp_path, zipped(Part(name="f", attributes=0o106777 << 16), Part(name="g", attributes=FILE | 0x10))),
            into,
        )
    )
    assert os.access(into / "f", os.R_OK) and not (into / "f").stat().st_mode & 0o7111
