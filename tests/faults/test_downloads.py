"""A download over several connections, killed at seeded moments:
every byte is right in the end, and few were fetched twice.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from mseg_wizard.http.download import fetch
from mseg_wizard.http.remote_file import Location
from tests.conftest import ROOT
from tests.faults.counts import count
from tests.http.downloading import QUICK, finish, leftovers, noted, part, zipped
from tests.http.faulty_server import Answer, serving
from tests.http.test_download_stops import FETCH
from tests.waiting import wait_until

pytestmark = pytest.mark.long

BODY = zipped(21, 12_000_000)
SLOW = Answer(body=BODY, piece=20_000, pause=0.02, headers=(("Accept-Ranges", "bytes"),))
KILLS = 5
MOST_LOST = 1 << 20
"""Bytes that each connection may cost that a kill ends, or that is broken off to make room for others."""


def test_killed_while_several_connections_run_it_ends_with_the_right_file_and_loses_little(tmp_path: Path) -> None:
    target, note = tmp_path / "a.zip", tmp_path / "a.zip.part.json"
    chance = Random(3)
    with serving({"/a.zip": SLOW}) as server:
        for _ in range(KILLS):
            before = server.most_open = server.open
            child = subprocess.Popen(
                [sys.executable, "-c", FETCH, target, f"{server.url}/a.zip"], stdout=subprocess.DEVNULL, cwd=ROOT
            )
            with child:
                wait_until(lambda: server.most_open >= before + 3, child)  # noqa: B023 - looked at in this turn
                time.sleep(chance.uniform(0, 0.1))
                child.kill()
            assert child.returncode == -9
            wait_until(lambda: not server.open)  # the server knows
            assert only_right_bytes(part(target), note)
        began = len(server.log)
        server.answers["/a.zip"] = Answer(body=BODY)
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        again = sum(server.sent("/a.zip")) - len(BODY)
        assert all(server.ranges("/a.zip")[began:])
    assert target.read_bytes() == BODY
    assert leftovers(target) == []
    assert again <= MOST_LOST * began
    count("kills survived", KILLS)
    count("bytes re-fetched", again)


def only_right_bytes(file: Path, note: Path) -> bool:
    """Whether all is as the server has it that the note calls here."""
    table, lines = noted(note)
    data = file.read_bytes()
    return all(data[start:stop] == BODY[start:stop] for start, stop in [*table["spread"], *lines])
