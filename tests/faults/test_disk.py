"""Disks that fill up, run out of inodes, turn read-only or vanish in
every phase: told plainly, nothing spoiled, and the work goes on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mseg_wizard.practice.world import World
from tests.disks import disk
from tests.faults.counts import count
from tests.faults.journeys import PHASES, Journey, calls_of, phase_of, served
from tests.wizard import tree_of

pytestmark = pytest.mark.long

SIZE = "size=200m,nr_inodes=20000"
"""A download leaves 67 MB free."""
MIDDLE = ("download-open/download/train2017.zip", "download-open/extract/train2017.zip", "remap-open/remap/ade20k-151",
          "mapillary/extract/mapillary-vistas-dataset_public_v1.1.zip", "mapillary/remap/mapillary-public66",
          "relabel/relabel/ade20k-150", "relabel/relabel/idd-39", "verify/verify", "verify/report")  # fmt: skip
"""Calls at whose beginning the fault strikes."""


@contextmanager
def full(destination: Path) -> Iterator[None]:
    """Something else takes every byte."""
    filler = destination / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))
    yield
    filler.unlink()


@contextmanager
def crowded(destination: Path) -> Iterator[None]:
    """Something else takes every inode."""
    (folder := destination / "filler").mkdir(exist_ok=True)
    with suppress(OSError):
        for number in range(100_000):
            (folder / str(number)).touch()
    yield
    shutil.rmtree(folder)


@contextmanager
def unwritable(destination: Path) -> Iterator[None]:
    """The datasets' folders take nothing new, not even from root."""
    dataset = destination / "mseg_dataset"
    done = subprocess.run(["chattr", "-R", "+i", dataset], capture_output=True, text=True)
    if done.returncode:
        subprocess.run(["chattr", "-R", "-f", "-i", dataset], check=False)
        pytest.skip(f"folders can't be made immutable here: {done.stderr.strip()[:200]}")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-R", "-i", dataset], check=True)


@contextmanager
def vanished(destination: Path) -> Iterator[None]:
    """A disk under the datasets is gone, and comes back."""
    dataset, away = destination / "mseg_dataset", destination / "away"
    dataset.rename(away)
    yield
    shutil.rmtree(dataset, ignore_errors=True)
    away.rename(dataset)


FAULTS: dict[str, Callable[[Path], object]] = {
    "full": full,
    "crowded": crowded,
    "unwritable": unwritable,
    "vanished": vanished,
}


@pytest.fixture
def small(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A place on a small disk, where the fault is about its size."""
    if request.param in ("unwritable", "vanished"):
        if request.param == "unwritable" and (sys.platform != "linux" or os.geteuid()):
            pytest.skip("only root on Linux can make folders immutable")
        yield tmp_path
        return
    with disk(tmp_path / "disk", SIZE) as place:
        yield place


@pytest.mark.parametrize(("small", "fault"), [(name, name) for name in FAULTS], indirect=["small"])
def test_a_disk_that_fails_in_any_phase_is_told_and_when_it_is_back_the_work_goes_on(
    world: World, expected: dict[str, str], small: Path, fault: str
) -> None:
    journey, told = Journey(small, world), set()
    with served(world) as (_, routes):
        if fault == "vanished":  # what was unpacked while it was away went with it: that is asked for, and here allowed
            routes += [text for file in world.archives for text in ("--allow", f"again:{file}")]
        for key in MIDDLE:
            running = journey.start(*routes)
            assert running.wait_for(key), "".join(running.process.communicate())
            with FAULTS[fault](journey.destination):  # type: ignore[attr-defined]
                out, err = running.process.communicate()
                code = running.process.returncode
                if key == MIDDLE[0]:  # a start on such a disk is as plain
                    again = journey.run(*routes)
                    assert again.returncode in (1, 3) or fault == "vanished", again.stderr
                    err += again.stderr
            print("=====", fault, key, code, err, sep="\n")
            assert "bug of its own" not in err, err + journey.log.read_text()[-3000:]
            assert "Traceback" not in out + err
            assert code in (0, 1, 3), out + err
            if code:
                assert err.startswith("mseg-wizard: "), err
                told.add(phase_of(key))
            count("faults tried")
            assert journey.wizard.left_over() == []
            came = tree_of(journey.dataset)
            if fault != "vanished":
                wrong = {name for name, content in came.items() if name in expected and content != expected[name]}
                assert not wrong, f"{key}: {wrong}"
        journey.finish(*routes)
    assert tree_of(journey.dataset) == expected
    assert told, "the fault never struck"


def test_a_destination_on_a_read_only_disk_is_refused_plainly(practice_world: World, tmp_path: Path) -> None:
    journey = Journey(tmp_path / "journey", practice_world, mirrored=True)
    with disk(tmp_path / "disk", "ro") as place:
        said = journey.wizard.run("run", "--dest", place / "d", "--answers", journey.answers)
    assert said.returncode == 1
    assert "can't be used: Read-only file system" in said.stderr
    count("faults tried")


def test_every_phase_is_struck() -> None:
    assert {phase_of(key) for key in MIDDLE} >= set(PHASES) - {"prepare", "wipe"}
    assert all(key in calls_of(phase_of(key)) for key in MIDDLE)
