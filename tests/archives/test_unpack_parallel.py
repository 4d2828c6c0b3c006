"""A zip's members shared out to the workers: the same tree, the same promises, whoever dies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from mseg_wizard.archives import unpack as unpacking
from mseg_wizard.archives.member import Damaged
from mseg_wizard.archives.unpack import Unpacked, unpack
from mseg_wizard.progress import Problem
from mseg_wizard.workers.pool import Pool
from tests.archives.hostile import STORED, Part, end_of, tree, zipped
from tests.waiting import wait_until

NOISE = random.Random(8)
FILES = {f"top/{i % 5}/{i}.bin": NOISE.randbytes(20_000) for i in range(3000)}
STOPPED = 60
"""Seconds after which a worker that should have ended counts as left behind."""


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pool = Pool(2)
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 MB in 3000 files, stored and deflated."""
    path = tmp_path_factory.mktemp("archive") / "many.zip"
    path.write_bytes(
        zipped(*(Part(name=name, data=data, method=i % 2 * 8) for i, (name, data) in enumerate(FILES.items())))
    )
    return path


def named(came: dict[str, bytes | None]) -> dict[str, bytes]:
    """The files under their own names."""
    return {name: data for name, data in came.items() if data is not None and not name.endswith(".tmp")}


@pytest.mark.parametrize(
    "file", ["SegmentationClassAug.zip", "scannet_frames_25k.zip", "ADEChallengeData2016.zip", "train2017.zip"]
)
def test_the_kits_archives_come_out_as_one_thread_unpacks_them(
    file: str, golden: Path, tmp_path: Path, pool: Pool
) -> None:
    alone = end_of(unpack(golden / "mirror" / file, tmp_path / "alone"))
    shared = end_of(unpack(golden / "mirror" / file, tmp_path / "shared", pool=pool))
    assert tree(tmp_path / "shared") == tree(tmp_path / "alone")
    assert shared == alone


def test_what_is_there_stays_and_what_differs_is_put_right(archive: Path, tmp_path: Path, pool: Pool) -> None:
    into = tmp_path / "into"
    sums = {name: (len(content), zlib.crc32(content)) for name, content in FILES.items()}
    assert end_of(unpack(archive, into, pool=pool)) == Unpacked(3000, sum(map(len, FILES.values())), 3000, sums)
    kept = (into / "top/3/3.bin").stat().st_ino
    (into / "top/4/4.bin").write_bytes(b"")
    (into / "top/0/5.bin").write_bytes(bytes(20_000))
    (into / "top/1/.6.bin.unpack.tmp").write_bytes(b"of a killed run")
    assert end_of(unpack(archive, into, pool=pool)).written == 2
    assert tree(into) == {**FILES, "top": None, **{f"top/{i}": None for i in range(5)}}
    assert (into / "top/3/3.bin").stat().st_ino == kept


def test_large_members_and_empty_folders_come_too(tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "LARGE", 100_000)
    files = {"a/small": b"s", "a/large": NOISE.randbytes(300_000), "b/small": b"t"}
    path = tmp_path / "mixed.zip"
    path.write_bytes(
        zipped(*(Part(name=name, data=data) for name, data in files.items()), Part(name="c/", method=STORED))
    )
    seen = list(unpack(path, tmp_path / "into", pool=pool))
    assert tree(tmp_path / "into") == {**files, "a": None, "b": None, "c": None}
    assert seen[-1].total == 300_002
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)


def test_a_flipped_bit_is_found_by_whichever_worker_meets_it(tmp_path: Path, pool: Pool) -> None:
    files = {f"top/{i}": NOISE.randbytes(300) for i in range(4)}
    good = zipped(*(Part(name=name, data=data, method=8 * (i % 2)) for i, (name, data) in enumerate(files.items())))
    found = 0
    for at in range(0, len(good), 37):
        path, into = tmp_path / f"{at}.zip", tmp_path / str(at)
        path.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
        try:
            end_of(unpack(path, into, pool=pool))
        except Problem as problem:
            found += isinstance(problem, Damaged)
            assert named(tree(into)).items() <= files.items()
        else:
            assert named(tree(into)) == files
    assert found > 20


@pytest.mark.long
def test_killed_at_any_moment_it_goes_on_to_the_same_tree(archive: Path, tmp_path: Path, pool: Pool) -> None:
    into = tmp_path / "into"
    code = (
        "import sys, pathlib, mseg_wizard.archives.unpack as task, mseg_wizard.workers.pool as pool\n"
        "if __name__ == '__main__':\n"
        "    list(task.unpack(*map(pathlib.Path, sys.argv[1:]), pool=pool.Pool(2)))"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    killed = 0
    for seen in (1, 600, 1500, 2400):
        process = subprocess.Popen(
            [sys.executable, script, archive, into], start_new_session=True, stderr=subprocess.DEVNULL
        )
        wait_until(lambda seen=seen: len(named_in(into)) >= seen, process)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        # its workers notice that it is gone
        wait_until(lambda group=process.pid: not lives(group))  # type: ignore[misc]
        assert named(tree(into)).items() <= FILES.items()
    assert killed
    end_of(unpack(archive, into, pool=pool))
    assert named(tree(into)) == FILES
    assert not [name for name in tree(into) if name.endswith(".tmp")]


def named_in(folder: Path) -> list[str]:
    return [name for _, _, names in os.walk(folder) for name in names if not name.endswith(".tmp")]


def lives(group: int) -> bool:
    with suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False


def test_workers_that_are_killed_cost_nothing_but_time(archive: Path, tmp_path: Path) -> None:
    into, pool = tmp_path / "into", Pool(2)
    killed: list[int] = []

    def kill() -> None:
        for seen in (200, 1200):
            wait_until(lambda seen=seen: len(named_in(into)) >= seen)  # type: ignore[misc]
            for pid in list((pool.executor()._processes or {}).keys())[:1]:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    result = end_of(unpack(archive, into, pool=pool))
    killer.join()
    pool.close()
    assert killed
    assert result.files == len(FILES)
    assert named(tree(into)) == FILES
    assert not [name for name in tree(into) if name.endswith(".tmp")]


def test_a_stop_ends_the_workers_and_leaves_only_whole_files(archive: Path, tmp_path: Path) -> None:
    into, pool = tmp_path / "into", Pool(2)
    processes: list[BaseProcess] = []

    def hold() -> None:
        """Have them stand still in the middle: a fast disk would have everything before the next word comes."""
        while len(named_in(into)) <= 100:
            pass
        processes.extend((pool.executor()._processes or {}).values())
        for process in processes:
            os.kill(process.pid or 0, signal.SIGSTOP)

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    work = unpack(archive, into, pool=pool)
    while holder.is_alive():
        next(work)
    assert processes
    for process in processes:
        os.kill(process.pid or 0, signal.SIGCONT)
    work.close()
    for process in processes:
        process.join(STOPPED)
        assert process.exitcode is not None
    assert named(tree(into)).items() < FILES.items()
    end_of(unpack(archive, into, pool=pool))
    assert named(tree(into)) == FILES
    assert not [name for name in tree(into) if name.endswith(".tmp")]
    pool.close()
