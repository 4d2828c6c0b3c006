"""A zip in parts, as Info-ZIP and others split it: read where the parts lie, and told where one is missing."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from mseg_wizard.archives.layout import check_layout
from mseg_wizard.archives.unpack import unpack
from mseg_wizard.progress import Problem
from mseg_wizard.workers.pool import Pool
from tests.wizard import tree_of

pytestmark = pytest.mark.skipif(not shutil.which("zip"), reason="needs Info-ZIP's zip, to split one")


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """Four parts of 64 kB, of which members cross the borders."""
    noise = random.Random(7)
    for number in range(9):
        file = tmp_path / "top" / "images" / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(noise.randbytes(23_000 + number))
    subprocess.run(["zip", "-q", "-r", "-s", "64k", "split.zip", "top"], cwd=tmp_path, check=True)
    assert len(list(tmp_path.glob("split.z*"))) == 4
    return tmp_path / "split.zip"


@pytest.mark.parametrize("workers", [0, 2])
def test_the_parts_are_read_as_one(split: Path, tmp_path: Path, workers: int) -> None:
    before = tree_of(split.parent)
    into = tmp_path / "into"
    into.mkdir()
    pool = Pool(workers, tmp_path / "log") if workers else None
    try:
        assert check_layout(split, ["top/images/*.jpg"]) is None
        for _ in unpack(split, into, pool=pool):
            pass
    finally:
        if pool:
            pool.close()
    assert tree_of(into / "top") == tree_of(tmp_path / "top")
    assert {name: sum_ for name, sum_ in tree_of(split.parent).items() if name in before} == before


def test_a_part_that_is_missing_is_named(split: Path, tmp_path: Path) -> None:
    split.with_suffix(".z02").unlink()
    problem = check_layout(split, ["top/images/*.jpg"])
    assert problem is not None
    assert "split.z02 is not beside it" in problem.what
    with pytest.raises(Problem, match=r"split\.z02"):
        list(unpack(split, tmp_path / "top"))


def test_a_damaged_part_is_noticed(split: Path, tmp_path: Path) -> None:
    part = split.with_suffix(".z02")
    content = bytearray(part.read_bytes())
    content[30_000] ^= 1
    part.write_bytes(content)
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(Problem, match="checksum differs"):
        list(unpack(split, into))
