"""Machines as they are: disks that lack calls, no semaphores, no home, little memory, few processes.

The job works wherever it can; else the reason is named, and `doctor` says what each means.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from mseg_wizard.practice.world import World
from mseg_wizard.state.journal import OWN
from tests.disks import disk
from tests.faults.counts import count
from tests.faults.journeys import Journey
from tests.installed import needs
from tests.once import once
from tests.wizard import hold, tree_of

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="calls are made to fail by Linux's means"),
    pytest.mark.long,
]

UNTIL = ("--until", "remap-open")
POOR = {"flock": errno.ENOLCK, "link": errno.EPERM, "fsync-folder": errno.EINVAL, "chmod": errno.EPERM}
POORER = {"flock": errno.ENOSYS, "link": errno.ENOTSUP, "fsync-folder": errno.ENOTSUP, "chmod": errno.ENOTSUP}
SOMEBODY = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]
READS = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
"""Where the tests run as root, Python may lie where only root can read it."""


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes calls of the system fail, for programs that load it first."""
    needs("cc")

    def build(folder: Path) -> Path:
        made, source = folder / "odd.so", Path(__file__).with_name("odd.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
        return made

    return once(tmp_path_factory, "shim", build)


@pytest.fixture(scope="session")
def calm(practice_world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a machine that lacks nothing makes."""

    def make(place: Path) -> dict[str, str]:
        journey = Journey(place, practice_world, mirrored=True)
        journey.finish(*UNTIL)
        return tree_of(journey.dataset)

    return once(tmp_path_factory, "calm-remap-open", make)


@pytest.fixture
def journey(practice_world: World, tmp_path: Path) -> Journey:
    return Journey(tmp_path, practice_world, mirrored=True)


def failing(shim: Path, calls: Mapping[str, int], at: Path) -> dict[str, str]:
    """The environment in which these calls fail; of chmod's, those below `at`."""
    return {
        "LD_PRELOAD": str(shim),
        "ODD": " ".join(f"{call}={number}" for call, number in calls.items()),
        "ODD_AT": str(at),
    }


def inside(journey: Journey, *before: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A run up to remapping, by way of another program."""
    command = [*before, sys.executable, "-m", "mseg_wizard", *journey.command(*UNTIL)]
    return subprocess.run(
        [*map(str, command)],
        env=journey.wizard.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd or journey.place,
    )


def rows(journey: Journey) -> dict[str, str]:
    """What `doctor` says, by subject."""
    said = journey.wizard.run("doctor", "--dest", journey.destination).stdout
    found, what = dict[str, str](), ""
    for line in said.splitlines():
        what = line[4:16].strip() or what
        found[what] = f"{found.get(what, '')} {line[17:].strip()}".strip()
    return found


@pytest.mark.parametrize("calls", [POOR, POORER], ids=["refused", "unknown"])
def test_a_disk_that_cannot_lock_link_sync_or_keep_rights_is_worked_on(
    journey: Journey, shim: Path, calls: dict[str, int], calm: dict[str, str]
) -> None:
    journey.wizard.extra = failing(shim, calls, journey.destination)
    done = journey.run(*UNTIL)
    count("faults tried", len(calls))
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree_of(journey.dataset) == calm
    assert (journey.destination / OWN / "journal.previous.json").is_file()
    assert "this disk can't lock" in journey.wizard.run("status", "--dest", journey.destination).stdout
    said = rows(journey)
    assert "no second wizard works on the same folder" in said["locks"]
    assert "kept as a copy" in said["links"]
    assert "made again" in said["syncs"]
    assert "can read the journal" in said["rights"]


def test_where_no_lock_holds_a_wizard_that_lives_is_still_seen_and_one_that_died_is_not(
    journey: Journey, shim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journey.wizard.extra = failing(shim, POOR, journey.destination)
    for name, value in journey.wizard.extra.items():
        monkeypatch.setenv(name, value)
    other = hold(journey.destination)
    try:
        done = journey.run(*UNTIL)
        assert done.returncode == 4, done.stdout + done.stderr
        assert f"process {other.pid}" in done.stderr
    finally:
        other.kill()
        other.communicate()
    assert journey.run("--until", "prepare").returncode == 0


def test_raw_labels_that_cannot_be_removed_are_named_and_go_at_the_next_start(
    journey: Journey, shim: Path, calm: dict[str, str]
) -> None:
    left = journey.dataset / "PASCAL_Context" / ".trainval.tmp"
    journey.wizard.extra = failing(shim, {"rmdir": errno.EBUSY}, left)
    done = journey.run(*UNTIL)
    count("faults tried")
    assert done.returncode == 1, done.stdout
    assert f"{left}, which the wizard needs no more, can't be removed" in done.stderr
    journey.wizard.extra = {}
    journey.finish(*UNTIL)
    assert not left.exists()
    assert tree_of(journey.dataset) == calm


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EACCES, errno.ENOENT], ids=errno.errorcode.get)
def test_without_semaphores_what_is_missing_is_named(journey: Journey, shim: Path, number: int) -> None:
    journey.wizard.extra = failing(shim, {"sem_open": number}, journey.destination)
    done = journey.run(*UNTIL)
    count("faults tried")
    assert done.returncode == 1, done.stdout
    assert f"no semaphores ({os.strerror(number)})" in done.stderr
    assert "/dev/shm" in done.stderr
    assert "no semaphores" in rows(journey)["workers"]


@pytest.mark.parametrize("options", ["size=4k,nr_inodes=1", "ro"], ids=["full", "read-only"])
def test_shared_memory_that_takes_nothing_is_named(journey: Journey, options: str) -> None:
    needs("unshare")
    over = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o {options} none /dev/shm && exec "$@"', "sh"]
    if subprocess.run([*over, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no file system of one's own can be mounted here")
    done = inside(journey, *over)
    count("faults tried")
    assert done.returncode == 1, done.stdout
    assert "no semaphores" in done.stderr
    assert "/dev/shm" in done.stderr


@pytest.mark.parametrize("kind", ["long", "full", "read-only", "missing"])
def test_a_folder_for_temporary_files_that_will_not_do_is_done_without(
    journey: Journey, tmp_path: Path, calm: dict[str, str], kind: str
) -> None:
    place = tmp_path / ("t" * (120 if kind == "long" else 4))

    def works() -> None:
        journey.wizard.extra = {"TMPDIR": str(place)}
        done = journey.run(*UNTIL)
        count("faults tried")
        assert done.returncode == 0, done.stdout + done.stderr
        assert tree_of(journey.dataset) == calm

    if kind in ("full", "read-only"):
        with disk(place, "size=4k,nr_inodes=2" if kind == "full" else "ro"):
            works()
    else:
        if kind == "long":
            place.mkdir()
        works()


def test_a_user_without_name_and_home_gets_through(journey: Journey, calm: dict[str, str], tmp_path: Path) -> None:
    needs("setpriv")
    if os.geteuid():
        pytest.skip("only root may be somebody else")
    for folder in (tmp_path, journey.place, journey.place / "home"):
        folder.chmod(0o777)
    os.chown(journey.answers, 54321, 54321)
    done = inside(journey, *SOMEBODY, *READS, "env", "-u", "HOME")
    count("faults tried")
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree_of(journey.dataset) == calm
    assert not (journey.place / "~").exists()


@pytest.mark.parametrize("processes", [8, 16])
def test_where_few_processes_are_allowed_the_limit_is_named(journey: Journey, tmp_path: Path, processes: int) -> None:
    needs("setpriv", "prlimit")
    if os.geteuid():
        pytest.skip("only root may be somebody else")
    for folder in (tmp_path, journey.place, journey.place / "home"):
        folder.chmod(0o777)
    os.chown(journey.answers, 54321, 54321)
    done = inside(journey, *SOMEBODY, *READS, "prlimit", f"--nproc={processes}", "--")
    count("faults tried")
    assert "bug of its own" not in done.stderr
    # Sixteen may do: how many threads are needed at once is a matter of speed.
    if done.returncode or processes == 8:
        assert done.returncode == 1, done.stdout + done.stderr
        assert f"You may have {processes} (`ulimit -u`)" in done.stderr


@pytest.mark.parametrize("megabytes", [300, 400])
def test_where_little_memory_is_allowed_the_limit_is_named(journey: Journey, megabytes: int) -> None:
    needs("prlimit")
    done = inside(journey, "prlimit", f"--as={megabytes}000000", "--")
    count("faults tried")
    assert "bug of its own" not in done.stderr
    assert "Traceback" not in done.stderr
    # 400 may do: how many threads have a stack at once, and where the libraries lie, is a matter of luck.
    if done.returncode or megabytes == 300:
        assert done.returncode == 1, done.stdout
        assert f"A process may have {megabytes} MB (`ulimit -v`)" in done.stderr


@pytest.mark.parametrize("name", ["lock", "log.txt", "journal.json"])
@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_what_stands_where_our_own_files_belong_is_named(journey: Journey, name: str, kind: str) -> None:
    path = journey.destination / OWN / name
    path.parent.mkdir(parents=True)
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    done = journey.run("--until", "prepare")
    count("faults tried")
    assert done.returncode == 1, done.stdout + done.stderr
    assert str(path) in done.stderr
    assert "bug of its own" not in done.stderr
    path.rmdir() if kind == "folder" else path.unlink()
    assert journey.run("--until", "prepare").returncode == 0
