"""Archives that nobody packed: what comes out is what their sums say and lies where it may, or there is a Problem."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mseg_wizard.archives.layout import check_layout
from mseg_wizard.archives.reader import members
from mseg_wizard.archives.unpack import unpack
from mseg_wizard.progress import Problem
from tests.archives.damage import damage
from tests.archives.hostile import (
    DEFLATED,
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
from tests.fuzz.mutations import BINARY, MEMORY, free, hostile, mutated, tar_summed, tried

FILES = {"top/a.txt": b"abc" * 60, "top/b.bin": bytes(range(90)), "out/c": b"c" * 40}
GOOD = {"top": None, **{name: data for name, data in FILES.items() if name.startswith("top")}}
PAX = tarfile.TarInfo("x")
PAX.type, PAX.size = b"x", 40
ZIPS = (
    zipped(
        Part(name="top/", attributes=FOLDER),
        *(Part(name=name, data=data) for name, data in FILES.items()),
        comment=b"a",
    ),
    zipped(*(Part(name=name, data=data, wide=True) for name, data in FILES.items()), wide=True),
)
TARS = (
    tarred(("top/", b""), *FILES.items()),
    tarred(special("l" * 120, b"2", "y"), ("é" * 90, b"z"), form=tarfile.PAX_FORMAT) + tarred(*FILES.items()),
    tarred(("top/" + "d" * 130, b"z"), ("./a", b"a"), form=tarfile.GNU_FORMAT),
    PAX.tobuf(tarfile.GNU_FORMAT)
    + b"15 path=top/ab\n12 size=180\n13 comment=x\n".ljust(512, b"\0")
    + tarred(*FILES.items()),
)
NAMES = st.one_of(
    st.sampled_from(
        [
            "a",
            "a/",
            "a/b",
            "A",
            "a/b/c",
            "./a",
            "../a",
            "/a",
            "a//b",
            "a\\b",
            "C:a",
            "a\0b",
            ".a.unpack.tmp",
            "x" * 300,
            "",
        ]
    ),
    st.sampled_from(["é", "e\u0301"]),
    st.text(max_size=5),
    st.binary(max_size=5),
)
PARTS = st.builds(
    Part,
    name=NAMES,
    data=st.binary(max_size=60),
    method=st.sampled_from([DEFLATED, DEFLATED, STORED, 12, 99]),
    flags=st.sampled_from([0, 0, 0, 1, 8, 0x800]),
    attributes=st.sampled_from([FILE, FILE, FOLDER, LINK, 0, 0xFFFFFFFF]),
    local_name=st.one_of(st.none(), st.none(), NAMES),
    packed=st.one_of(st.none(), st.none(), st.binary(max_size=30), st.just(deflated(bytes(5000)))),
    size=st.one_of(st.none(), st.none(), st.sampled_from(BINARY)),
    packed_size=st.one_of(st.none(), st.none(), st.sampled_from(BINARY)),
    crc=st.one_of(st.none(), st.none(), st.integers(0, (1 << 32) - 1)),
    offset=st.one_of(st.none(), st.none(), st.sampled_from(BINARY)),
    disk=st.sampled_from([0, 0, 0, 0, 1]),
    wide=st.booleans(),
)


@contextmanager
def lying(data: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder, "archive.bin")
        path.write_bytes(data)
        yield path
        left = {name for name in os.listdir(folder) if name != "into"}
        assert left == {"archive.bin"} and path.read_bytes() == data


def came(path: Path, take: dict[str, str] | None) -> tuple[dict[str, bytes | None], bool]:
    """What an archive brought, and whether it is said to be all."""
    into = path.with_name("into")
    into.mkdir()
    whole = False
    with hostile():
        end_of(unpack(path, into, take=take))
        whole = True
    return tree(into), whole


@pytest.mark.slow
@given(st.one_of(mutated(*ZIPS), mutated(*map(gzipped, TARS[:1]))))
@tried(500)
def test_no_damage_to_an_archive_with_sums_passes(data: bytes) -> None:
    with lying(data) as path:
        found, whole = came(path, {"top/": "top/"})
        assert {name: content for name, content in found.items() if content is not None}.items() <= GOOD.items()
        if whole and data[:2] == b"PK":
            assert found == GOOD or found.keys() < GOOD.keys()


@pytest.mark.slow
@given(st.lists(PARTS, max_size=4), st.sampled_from([None, 0, 3, 0xFFFF]), st.booleans(), st.binary(max_size=5))
@tried(500)
def test_a_zip_of_any_members_brings_what_they_say_or_nothing(
    parts: list[Part], count: int | None, wide: bool, gap: bytes
) -> None:
    with lying(zipped(*parts, count=count, wide=wide, gap=gap)) as path:
        found, whole = came(path, None)
        right = [part.data for part in parts] + [bytes(5000)] + [part.packed for part in parts]
        assert all(content is None or content in right for content in found.values()), found
        assert not whole or len([content for content in found.values() if content is not None]) <= len(parts)
        looked(path)


@pytest.mark.slow
@given(
    st.one_of(mutated(*TARS).map(tar_summed), mutated(*TARS).map(tar_summed).map(gzipped), mutated(*map(gzipped, TARS)))
)
@tried(600)
def test_a_tar_is_unpacked_below_its_folder_or_refused(data: bytes) -> None:
    with lying(data) as path:
        found, _ = came(path, None)
        assert not [name for name in found if name.endswith(".unpack.tmp")]
        looked(path)


@given(
    st.one_of(
        free(),
        free().map(lambda data: b"PK\3\4" + data),
        free().map(lambda data: b"\x1f\x8b\x08\0" + data),
        free().map(gzipped),
        free(600).map(lambda data: data + TARS[0]),
        free().map(lambda data: data + ZIPS[0]),
    )
)
@tried(300)
def test_what_is_no_archive_is_told_to_be_none(data: bytes) -> None:
    with lying(data) as path:
        looked(path)


def looked(path: Path) -> None:
    """Listed, recognised and read through."""
    with hostile():
        for member in members(path):
            assert member.size >= 0
    with hostile():
        if problem := check_layout(path, ["top/*", "a"]):
            raise problem
    with hostile():
        if isinstance(found := damage(path), Problem):
            raise found
