"""Damaged archives: the tree comes out as it should be, or there
is a Problem; never a wrong file under its name, never a crash.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mseg_wizard.archives.layout import check_layout
from mseg_wizard.archives.reader import members
from mseg_wizard.archives.unpack import unpack
from mseg_wizard.progress import Problem, printable
from tests.archives.damage import damage
from tests.archives.hostile import FOLDER, STORED, Part, end_of, gzipped, tarred, tree, zipped

NOISE = random.Random(5)
FILES = {"top/a.txt": b"abc" * 60, "top/b.bin": NOISE.randbytes(90), "left out/c": b"c" * 40}
GOOD = {"top": None, **{name: data for name, data in FILES.items() if name.startswith("top")}}
TAR = tarred(("top/", b""), *FILES.items())
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Thousands of small trees are synced here: a disk would take minutes over it."""
ARCHIVES = {
    "zip": zipped(
        Part(name="top/", attributes=FOLDER, method=STORED),
        Part(name="top/a.txt", data=FILES["top/a.txt"]),
        Part(name="top/b.bin", data=FILES["top/b.bin"], method=STORED),
        Part(name="left out/c", data=FILES["left out/c"]),
        comment=b"a comment",
    ),
    "zip64": zipped(*(Part(name=name, data=data, wide=True) for name, data in FILES.items()), wide=True),
    "tar": TAR,
    "tar.gz": gzipped(TAR),
}


@contextmanager
def unpacking(data: bytes, into: Path | None = None) -> Iterator[tuple[dict[str, bytes | None], Problem | None]]:
    """What came out of an archive, and the Problem if there was one."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder, "damaged.bin")
        path.write_bytes(data)
        into = into or Path(folder, "into")
        into.mkdir(exist_ok=True)
        problem = None
        try:
            end_of(unpack(path, into, take={"top/": "top/"}))
        except Problem as caught:
            problem = caught
        yield tree(into), problem


def right_or_a_problem(data: bytes) -> Problem | None:
    with unpacking(data) as (came, problem):
        if problem is None:
            assert came == GOOD
        else:
            assert came.items() <= GOOD.items()
            assert printable(str(problem), 10_000) == str(problem) and "damaged.bin" in str(problem)
        return problem


@pytest.mark.parametrize("form", ["zip", "zip64", "tar.gz"])
def test_a_flipped_bit_anywhere_never_makes_a_wrong_file(form: str) -> None:
    good = ARCHIVES[form]
    problems = 0
    for at in range(len(good)):
        data = bytearray(good)
        data[at] ^= 1 << at % 8
        problems += right_or_a_problem(bytes(data)) is not None
    assert problems > len(good) / 3


@pytest.mark.slow
def test_a_flipped_bit_in_a_tars_headers_never_makes_a_wrong_file() -> None:
    """A plain tar has no checksum over its content: those (PASCAL's two) are known by the hash of the whole file."""
    headers = [at for at in range(0, len(TAR), 512) if TAR[at + 257 : at + 262] == b"ustar"]
    assert len(headers) == 4
    problems = 0
    for at in (header + at for header in headers for at in range(512)):
        data = bytearray(TAR)
        data[at] ^= 1 << at % 8
        problems += right_or_a_problem(bytes(data)) is not None
    assert problems > 2000


@pytest.mark.parametrize("form", ARCHIVES)
def test_an_archive_cut_short_anywhere_never_passes_for_whole(form: str) -> None:
    good = ARCHIVES[form]
    for length in sorted({*range(0, len(good), len(good) // 400 or 1), *range(0, len(good), 512)}):
        problem = right_or_a_problem(good[:length])
        assert problem or (form == "tar" and not good[length:].strip(b"\0"))


@pytest.mark.parametrize("form", ARCHIVES)
def test_what_a_damaged_archive_left_is_put_right_by_a_good_one(form: str, tmp_path: Path) -> None:
    good = ARCHIVES[form]
    for at in range(0, len(good), len(good) // 120):
        data = bytearray(good)
        data[at] ^= 0x10
        into = tmp_path / "into"
        with unpacking(bytes(data), into):
            pass
        with unpacking(good, into) as (came, problem):
            assert (came, problem) == (GOOD, None)
        shutil.rmtree(into)


def test_members_of_a_tar_gz_get_no_name_before_the_archives_checksum_was_right() -> None:
    broken = bytearray(gzipped(tarred(*((f"top/{i}", NOISE.randbytes(50_000)) for i in range(100)))))
    broken[-8] ^= 1
    with unpacking(bytes(broken)) as (came, problem):
        assert problem and "checksum" in str(problem)
        assert came == {"top": None}


def test_an_archive_inside_one_that_was_cut_short_is_not_taken_for_it() -> None:
    inner = ARCHIVES["zip"]
    outer = zipped(
        Part(name="top/inner.zip", data=inner, method=STORED),
        Part(name="top/more", data=NOISE.randbytes(3000), method=STORED),
    )
    cut = outer[: outer.index(b"PK\5\6") + 22]
    with unpacking(cut) as (came, problem):
        assert problem and not came


ZIP = ARCHIVES["zip"]
BREAKS = {
    "at top/b.bin: its checksum differs": (ZIP, ZIP.index(FILES["top/b.bin"]) + 5),
    "at top/b.bin: it stands under another name": (ZIP, ZIP.index(b"top/b.bin")),
    "at top/b.bin: its header is not where": (ZIP, ZIP.index(b"top/b.bin") - 30),
    "at top/a.txt: its directory does not hold together": (ZIP, ZIP.rindex(b"top/b.bin") - 46),
    "at top/a.txt: the header after it is broken": (TAR, TAR.index(b"top/b.bin")),
}


@pytest.mark.parametrize("message", BREAKS)
def test_the_message_names_the_archive_and_the_member(message: str) -> None:
    good, at = BREAKS[message]
    data = bytearray(good)
    data[at] ^= 1
    with unpacking(bytes(data)) as (_, problem):
        assert f"damaged.bin is damaged {message}" in str(problem)


def takes_any(data: bytes) -> None:
    """Everything that reads archives takes any bytes: it ends, or says what the problem is."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder, "any.bin")
        path.write_bytes(data)
        found = damage(path)
        assert found is None or isinstance(found, Problem)
        layout = check_layout(path, ["*.png"])
        assert layout is None or isinstance(layout, Problem)
        try:
            listed = list(members(path, at_most=1000))
            result = end_of(unpack(path, Path(folder, "into")))
        except Problem as problem:
            assert printable(str(problem), 10_000) == str(problem)
        else:
            assert found is None and result.files == sum(not member.folder for member in listed)
        assert {item.name for item in Path(folder).iterdir()} <= {"any.bin", "into"}


ENDS = [b"", *(archive[-60:] for archive in ARCHIVES.values())]
STARTS = [b"", b"PK\3\4", b"PK\5\6", b"\x1f\x8b\x08\0\0\0\0\0\0\3", *(archive[:600] for archive in ARCHIVES.values())]


@settings(deadline=None, max_examples=200)
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=700), end=st.sampled_from(ENDS))
@example(b"", bytes(512), b"")
@example(b"", bytes(10240), b"")
@example(b"PK\5\6", bytes(18), b"")
def test_any_bytes_are_an_archive_or_a_problem(start: bytes, rest: bytes, end: bytes) -> None:
    takes_any(start + rest + end)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(ARCHIVES[draw(st.sampled_from(sorted(ARCHIVES)))])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 40))
        kind = draw(st.sampled_from(["write", "drop", "repeat", "insert"]))
        if kind == "write":
            data[at : at + length] = draw(st.binary(min_size=length, max_size=length))
        elif kind == "drop":
            del data[at : at + length]
        elif kind == "repeat":
            data[at:at] = data[at : at + length]
        else:
            data[at:at] = draw(st.binary(max_size=length))
    return bytes(data)


@settings(deadline=None, max_examples=300)
@given(mutated())
def test_any_change_to_an_archive_makes_a_problem_or_an_archive(data: bytes) -> None:
    takes_any(data)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([TAR, gzipped(TAR)]),
    st.lists(st.tuples(st.integers(0, 511), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_a_tar_header_that_fits_its_checksum_may_still_say_anything(tar: bytes, changes: list[tuple[int, int]]) -> None:
    data = bytearray(TAR)
    for at, value in changes:
        data[512 + at] = value
    header = data[512:1024]
    total = sum(header) - sum(header[148:156]) + 8 * 32
    data[512 + 148 : 512 + 156] = b"%06o\0 " % total
    takes_any(bytes(data) if tar is TAR else gzipped(bytes(data)))
