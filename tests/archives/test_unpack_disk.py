"""unpack against the machine: killed at any moment, disks that fill up, directories whose count wraps."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from mseg_wizard.archives.reader import members
from mseg_wizard.archives.unpack import unpack
from mseg_wizard.progress import Problem
from mseg_wizard.workers.pool import Pool
from tests.archives.hostile import STORED, Part, end_of, gzipped, tarred, tree, zipped
from tests.disks import change, disk
from tests.waiting import wait_until

NOISE = random.Random(6)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same 3000 files, one of them large, in every kind of archive."""
    files = {f"top/{i % 7}/{i}.png": NOISE.randbytes(3_000_000 if i == 1500 else 3_000) for i in range(3000)}
    tar = tarred(*files.items())
    forms = {
        "zip": zipped(*(Part(name=name, data=data) for name, data in files.items())),
        "tar": tar,
        "tar.gz": gzipped(tar),
    }
    folder = tmp_path_factory.mktemp("many")
    for form, data in forms.items():
        (folder / form).write_bytes(data)
    return {form: folder / form for form in forms}


@pytest.mark.long
@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
def test_killed_at_any_moment_it_goes_on_to_the_same_tree(form: str, many: dict[str, Path], tmp_path: Path) -> None:
    end_of(unpack(many[form], tmp_path / "expected"))
    expected, into = tree(tmp_path / "expected"), tmp_path / "into"
    code = (
        "import sys, pathlib, mseg_wizard.archives.unpack as task; list(task.unpack(*map(pathlib.Path, sys.argv[1:])))"
    )
    killed = 0
    for seen in (1, 500, 1400, 2500):
        process = subprocess.Popen([sys.executable, "-c", code, many[form], into])
        wait_until(lambda seen=seen: count(into) >= seen, process)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        came = tree(into)
        # Under its own name every file is whole, at any moment.
        assert {name: data for name, data in came.items() if not name.endswith(".tmp")}.items() <= expected.items()
        if form == "tar.gz" and process.returncode:
            assert not any(data for name, data in came.items() if not name.endswith(".tmp"))
    assert killed
    end_of(unpack(many[form], into))
    assert tree(into) == expected


def count(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


@pytest.mark.slow
def test_what_a_killed_run_wrote_is_not_written_again(many: dict[str, Path], tmp_path: Path) -> None:
    into = tmp_path / "into"
    end_of(unpack(many["zip"], into))
    kept = into / "top/3/3.png"
    before = kept.stat().st_ino
    (into / "top/4/4.png").unlink()
    assert end_of(unpack(many["zip"], into)).written == 1
    assert kept.stat().st_ino == before


@pytest.mark.long
@pytest.mark.parametrize("wide", [False, True])
def test_a_directory_of_more_than_65535_members_is_read_to_its_end(wide: bool, tmp_path: Path) -> None:
    """COCO's nested archives have 118287 members, and a count of 52751."""
    parts = [
        Part(name=f"{'last' if i >= 69_900 else 'first'}/{i}", data=b"%d" % i, method=STORED) for i in range(70_000)
    ]
    archive = tmp_path / "many.zip"
    archive.write_bytes(zipped(*parts, wide=wide))
    assert sum(1 for _ in members(archive)) == 70_000
    end_of(unpack(archive, tmp_path / "into", take={"last/": ""}))
    assert tree(tmp_path / "into") == {str(i): b"%d" % i for i in range(69_900, 70_000)}


@pytest.mark.long
def test_a_zip_in_a_zip_may_have_such_a_directory_too(tmp_path: Path) -> None:
    inner = zipped(*(Part(name=str(i), method=STORED) for i in range(66_000)))
    archive = tmp_path / "outer.zip"
    archive.write_bytes(zipped(Part(name="inner.zip", data=inner)))
    end_of(unpack(archive, tmp_path))
    assert sum(1 for _ in members(tmp_path / "inner.zip")) == 66_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A file system of a few megabytes or inodes; calling it again changes its limits."""
    folder = tmp_path / "small disk"

    def mounted(options: str) -> Path:
        if not folder.exists():
            return stack.enter_context(disk(folder, options))
        change(folder, options)
        return folder

    with ExitStack() as stack:
        yield mounted


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
def test_a_disk_that_is_too_small_is_told_before_the_first_byte(
    form: str, many: dict[str, Path], small_disk: Callable[[str], Path]
) -> None:
    into = small_disk("size=6m") / "into"
    with pytest.raises(Problem, match=r"needs 1\d\.\d MB, and .* has 6\.\d MB free\. Free"):
        end_of(unpack(many[form], into))
    assert tree(into) == {}


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_too_few_inodes_are_told_before_the_first_byte(
    form: str, many: dict[str, Path], small_disk: Callable[[str], Path]
) -> None:
    into = small_disk("size=50m,nr_inodes=1000") / "into"
    with pytest.raises(Problem, match=r"needs 3,008 files \(inodes\), and .* has room for 99\d\."):
        end_of(unpack(many[form], into))
    assert tree(into) == {}


SMALL, FEW = "size=6m,nr_inodes=9000", "size=60m,nr_inodes=1000"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "limit", "workers"),
    [("zip", SMALL, 0), ("zip", SMALL, 2), ("tar", SMALL, 0), ("tar.gz", SMALL, 0), ("tar.gz", FEW, 0)],
)
def test_a_disk_that_fills_up_meanwhile_spoils_nothing(
    form: str,
    limit: str,
    workers: int,
    many: dict[str, Path],
    small_disk: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = Pool(workers) if workers else None
    end_of(unpack(many[form], tmp_path / "expected"))
    expected = tree(tmp_path / "expected")
    into = small_disk(limit) / "into"
    room = SimpleNamespace(f_bavail=1 << 40, f_frsize=1, f_files=0, f_favail=0)
    full = pytest.raises(Problem, match=r"The disk is full, .* Make room, then start again")
    with monkeypatch.context() as before, full:
        before.setattr(os, "statvfs", lambda _: room)  # which others take while it runs
        end_of(unpack(many[form], into, expands=0, pool=pool))
    came = tree(into)
    assert {name: data for name, data in came.items() if not name.endswith(".tmp")}.items() <= expected.items()
    assert sum(data is not None for data in came.values()) > 100
    small_disk("size=60m,nr_inodes=9000")
    end_of(unpack(many[form], into, pool=pool))
    assert tree(into) == expected
    if pool:
        pool.close()
