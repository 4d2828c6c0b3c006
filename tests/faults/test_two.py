"""Two wizards on one destination, also by two paths; locks of hosts
that are gone; journals that can't be read while work is half done.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mseg_wizard.practice.world import World
from mseg_wizard.state.journal import OWN
from tests.faults.counts import count
from tests.faults.journeys import Journey, served
from tests.wizard import tree_of

pytestmark = pytest.mark.long

KEY = "download-open/download/train2017.zip"
ON_THE_WAY = 256 << 10
"""Bytes that the system's buffers take on loopback before the far end has read any."""


def refused(journey: Journey, destination: Path, routes: list[str], first: int) -> None:
    """Every command that would write exits with 4 and names the first wizard; `status` works."""
    for command in ("run", "verify", "report"):
        extra: tuple[str | Path, ...] = (*routes, "--answers", journey.answers) if command == "run" else ()
        second = journey.wizard.run(command, "--dest", destination, *extra)
        assert second.returncode == 4, f"{command}: {second.stdout}{second.stderr}"
        assert f"process {first}" in second.stderr
        count("faults tried")
    status = journey.wizard.run("status", "--dest", destination, "--json")
    assert status.returncode == 0, status.stderr
    assert "running" in {step["state"] for step in json.loads(status.stdout)["steps"]}


@pytest.mark.parametrize("way", ["same path", "link", "second mount"])
def test_a_second_wizard_is_refused_by_whatever_path_it_comes_and_the_first_works_on(
    world: World, expected: dict[str, str], tmp_path: Path, way: str
) -> None:
    journey = Journey(tmp_path, world)
    other = tmp_path / "other"
    with served(world, limit=400_000) as (server, routes):
        # One archive after the other, so that it still works while the others are refused.
        running = journey.start(*routes, "--until", "remap-open", "--in-order")
        assert running.wait_for(KEY)
        if way == "second mount":
            if sys.platform != "linux" or os.geteuid():
                running.stop(signal.SIGKILL)
                pytest.skip("only root on Linux can mount a folder twice")
            other.mkdir()
            done = subprocess.run(["mount", "--bind", journey.destination, other], capture_output=True, text=True)
            if done.returncode:
                running.stop(signal.SIGKILL)
                pytest.skip(f"a folder can't be mounted twice here: {done.stderr.strip()}")
        elif way == "link":
            other.symlink_to(journey.destination)
        else:
            other = journey.destination
        try:
            refused(journey, other, routes, running.process.pid)
            out, err = running.process.communicate()
        finally:
            if way == "second mount":
                subprocess.run(["umount", other], check=True)
        assert running.process.returncode == 0, out + err
        sent = [request.sent for request in server.log if request.path.endswith("/train2017.zip")]
        # Over several connections, each of which may have a little more on its way when it is not needed any more.
        assert sum(sent) < (world.mirror / "train2017.zip").stat().st_size + len(sent) * ON_THE_WAY, "fetched again"
    came = tree_of(journey.dataset)
    assert came
    assert came.items() <= expected.items()


def killed_at(key: str, place: Path, world: World) -> Journey:
    """A journey that was killed when this call had begun."""
    journey = Journey(place, world, mirrored=True)
    running = journey.start()
    assert running.wait_for(key)
    running.stop(signal.SIGKILL)
    return journey


def test_a_lock_of_another_host_in_the_middle_of_the_work_is_explained_and_taken_only_when_told(
    practice_world: World, tmp_path: Path
) -> None:
    journey = killed_at("remap-open/remap/ade20k-151", tmp_path, practice_world)
    lock = journey.destination / OWN / "lock"
    owner = {"host": "a-host-that-is-gone", "pid": 4711, "boot": "x", "since": "2020-01-01T00:00:00+00:00"}
    lock.write_text(json.dumps(owner))
    before = tree_of(journey.dataset)
    second = journey.run()
    assert second.returncode == 4, second.stderr
    assert "process 4711 on a-host-that-is-gone" in second.stderr
    assert "--take-over" in second.stderr
    assert tree_of(journey.dataset) == before
    assert json.loads(lock.read_text()) == owner
    count("faults tried")
    journey.finish("--take-over")


@pytest.mark.parametrize("content", ["", "half", '{"version": 99}'])
def test_a_journal_that_cannot_be_read_in_the_middle_stops_the_start_and_its_way_out_works(
    practice_world: World, tmp_path: Path, content: str
) -> None:
    journey = killed_at("remap-open/remap/sunrgbd-38", tmp_path, practice_world)
    path = journey.destination / OWN / "journal.json"
    right = path.read_text()
    path.unlink()
    path.write_text(right[: len(right) // 2] if content == "half" else content)
    before = tree_of(journey.dataset)
    for command in ("run", "status", "verify"):
        done = journey.run() if command == "run" else journey.wizard.run(command, "--dest", journey.destination)
        assert done.returncode == 1, done.stdout + done.stderr
        assert str(path) in done.stderr
        assert ("newer mseg-wizard" if "99" in content else "journal.previous.json") in done.stderr
        assert tree_of(journey.dataset) == before
        assert path.read_text() != right
    count("faults tried")
    # The way out that it names:
    path.with_name("journal.previous.json").replace(path)
    journey.finish()
    begun = journey.log.read_text()
    assert begun.count("download-open/extract/train2017.zip: begins") == 1, "what was done is not done again"


def test_with_the_journal_moved_away_nothing_is_trusted_unseen(practice_world: World, tmp_path: Path) -> None:
    journey = Journey(tmp_path, practice_world, mirrored=True)
    journey.finish("--until", "remap-open")
    expected = tree_of(journey.dataset)
    for name in ("journal.json", "journal.previous.json"):
        (journey.destination / OWN / name).unlink()
    done = journey.run("--until", "remap-open")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "were not made by this wizard" in done.stderr
    assert "--allow remake:" in done.stderr
    assert tree_of(journey.dataset) == expected
    count("faults tried")
