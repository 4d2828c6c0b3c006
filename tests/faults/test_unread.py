"""Output that nobody reads: a full pipe, a terminal at the other end of a line that is down. The work goes on, a signal
is obeyed, and the journal is true.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mseg_wizard.core.output import Output
from mseg_wizard.standing.snapshot import published
from mseg_wizard.state.lock import working
from tests.waiting import PATIENCE, wait_until
from tests.wizard import ANSWERS, Wizard

pytestmark = pytest.mark.slow

SMALL = 4096
SET_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)


def full_pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    if SET_SIZE is not None:
        fcntl.fcntl(writing, SET_SIZE, SMALL)
    fill(writing)
    return reading, writing


def full_terminal() -> tuple[int, int]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    fill(slave)
    return master, slave


def fill(descriptor: int) -> None:
    os.set_blocking(descriptor, False)
    with suppress(BlockingIOError):
        while True:
            os.write(descriptor, b"x")
    os.set_blocking(descriptor, True)


@pytest.fixture(params=[full_pipe, full_terminal], ids=["pipe", "terminal"])
def unread(request: pytest.FixtureRequest) -> Iterator[int]:
    make: Callable[[], tuple[int, int]] = request.param
    reading, writing = make()
    yield writing
    for descriptor in (reading, writing):
        os.close(descriptor)


def _works(place: Path) -> bool:
    """Is it past its first step? Later ones may be over before they are seen."""
    now = published(place)
    return now.running and not now.call.startswith("prepare/")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_what_nobody_reads_holds_up_neither_the_work_nor_its_end(
    golden: Path, unread: int, number: signal.Signals, code: int, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    answers = tmp_path / "a.toml"
    answers.write_text(ANSWERS)
    wizard, place = Wizard(tmp_path / "home"), tmp_path / "d"
    options = ["--dest", place, "--mirror", golden / "mirror", "--answers", answers]
    command = [sys.executable, "-m", wizard.program, "run", *map(str, options)]
    process = subprocess.Popen(
        command, env=wizard.environment(), stdin=subprocess.DEVNULL, stdout=unread, stderr=unread, cwd=wizard.home
    )
    try:
        assert wait_until(lambda: _works(place), process), "it works all the same"
        process.send_signal(number)
        assert wait_until(lambda: process.poll() is not None, patience=PATIENCE)
        assert process.returncode == code
    finally:
        process.kill()
        process.wait()
    assert not working(place)
    assert wizard.left_over() == []
    run = json.loads(wizard.run("status", "--dest", place, "--json").stdout)["run"]
    assert run["state"] == "stopped"
    assert "killed" not in run["words"]


def test_a_reader_that_comes_late_gets_all_of_it_in_order() -> None:
    reading, writing = full_pipe()
    output = Output(writing)
    for number in range(1000):
        output.put(f"{number}\n".encode())
    assert not output.wait(0.01)
    with os.fdopen(reading) as file:
        text = file.readline().lstrip("x") + "".join(file.readline() for _ in range(999))
    assert text.split() == [str(number) for number in range(1000)]
    assert output.wait(PATIENCE)
    output.put(b"to nobody")
    assert output.wait(PATIENCE), "a reader that is gone is not waited for"
    os.close(writing)


def test_where_no_thread_can_be_had_lines_are_written_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    reading, writing = os.pipe()
    output = Output(writing)
    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", refused)
        for line in (b"one\n", b"two\n"):
            output.put(line)
            assert output.wait(0)
    output.put(b"three\n")
    assert output.wait(PATIENCE)
    assert os.read(reading, 100) == b"one\ntwo\nthree\n"
    for descriptor in (reading, writing):
        os.close(descriptor)
