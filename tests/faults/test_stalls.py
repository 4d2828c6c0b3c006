"""Servers and proxies that accept and then say nothing: the wizard
says so, goes on or ends plainly, and stops when told to.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mseg_wizard.practice.world import World
from mseg_wizard.state.journal import OWN
from tests.faults.counts import count
from tests.faults.journeys import Journey, served
from tests.http.faulty_server import Answer, Asked, page, serving
from tests.wizard import tree_of

pytestmark = pytest.mark.long

ENDS = 5.0
"""Seconds that a stop may take, as promised."""


@dataclass
class Hole:
    """Takes every connection and says nothing; `met`: somebody has sent something."""

    listener: socket.socket
    met: threading.Event = field(default_factory=threading.Event)
    connections: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
                self.connections.append(connection)
                if connection.recv(1):
                    self.met.set()
            except OSError:  # closed
                return


@contextmanager
def hole() -> Iterator[Hole]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = Hole(listener)
        thread = threading.Thread(target=silent.accept, daemon=True)
        thread.start()
        yield silent
        listener.shutdown(socket.SHUT_RDWR)
        for connection in silent.connections:
            connection.close()


def test_a_lab_server_that_stalls_costs_time_and_nothing_else(
    world: World, expected: dict[str, str], tmp_path: Path
) -> None:
    turns: dict[str, int] = {}

    def answer(asked: Asked) -> Answer:
        file = asked.path.rpartition("/")[2]
        if not (world.mirror / file).is_file():
            return page("Not Found", status=404)
        turns[file] = turns.get(file, 0) + 1
        right = (world.mirror / file).read_bytes()
        count("faults tried", turns[file] == 1)
        if turns[file] > 1:
            return Answer(body=right)
        return Answer(mute=True) if len(turns) % 2 else Answer(body=right, stall=len(right) // 2)

    journey = Journey(tmp_path, world)
    journey.wizard.program = "tests.faults.hurried"
    with (
        serving(dict.fromkeys((f"/lab/{file}" for file in world.archives[:6]), answer)) as lab,
        served(world, limit=None) as (_, routes),
    ):
        done = journey.run(*routes, "--mirror", f"{lab.url}/lab")
        assert done.returncode == 0, done.stderr
    assert sum(turns.values()) > len(turns) > 3
    assert "trying again" in journey.log.read_text()
    assert tree_of(journey.dataset) == expected


def test_a_proxy_that_hangs_ends_with_a_plain_word(practice_world: World, tmp_path: Path) -> None:
    journey = Journey(tmp_path, practice_world)
    journey.wizard.program = "tests.faults.hurried"
    with hole() as proxy:
        named = proxy.url
        journey.wizard.extra = {"HTTPS_PROXY": named, "HTTP_PROXY": named}
        done = journey.run()
        count("faults tried")
        assert proxy.met.is_set()
    assert done.returncode == 1, done.stdout
    assert "mseg-api.zip" in done.stderr
    assert "Traceback" not in done.stderr
    assert f"the proxy {named} that HTTPS_PROXY names does not answer" in done.stderr
    assert "3 times in a row" in done.stderr


@pytest.mark.parametrize("where", ["before the answer", "in the middle", "in the proxy"])
def test_a_stop_during_a_stall_is_heeded_at_once(practice_world: World, tmp_path: Path, where: str) -> None:
    """With the real patience of a minute: a wizard that waited for the server would not end in time."""
    journey = Journey(tmp_path, practice_world)
    with hole() as silent, serving({}) as lab, served(practice_world, limit=None) as (_, routes):
        if where == "in the proxy":
            journey.wizard.extra = {"HTTPS_PROXY": silent.url, "HTTP_PROXY": silent.url}
            process, stalled = journey.wizard.start(*journey.command()), silent.met
        else:
            file = "ADE20K_2016_07_26.zip"
            body = (practice_world.mirror / file).read_bytes()
            lab.answers[f"/lab/{file}"] = Answer(body=body, mute=where == "before the answer", stall=len(body) // 2)
            process, stalled = (
                journey.wizard.start(*journey.command(*routes, "--mirror", f"{lab.url}/lab")),
                lab.stalled,
            )
        assert stalled.wait(60), process.communicate(timeout=1)
        since = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
        took = time.monotonic() - since
    count("stops")
    assert process.returncode == 143, err
    assert took < ENDS
    assert "To go on" in (said := out + err) or "to go on" in said
    assert journey.wizard.left_over() == []
    assert (journey.destination / OWN / "journal.json").is_file()
