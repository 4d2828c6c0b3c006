"""The wizard killed at seeded moments of every phase: one undisturbed
run later the tree is the one that no kill would have changed.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from mseg_wizard.context import Options
from mseg_wizard.http.partial_file import PartialFile
from mseg_wizard.practice.world import World
from mseg_wizard.state.journal import OWN
from mseg_wizard.state.store import Store
from tests.faults.counts import count
from tests.faults.journeys import SPEED, Journey, Running, fetched_again, killed_journey, moments, served
from tests.waiting import wait_until
from tests.wizard import tree_of

EACH = 2
MOST_LOST = 1 << 20
"""Bytes of download that one kill, or one connection that broke, may cost."""
CUTS = 3
"""Connections at most that the server breaks for one archive."""


@pytest.mark.long
def test_killed_in_every_phase_it_ends_with_the_same_tree_and_loses_little(
    world: World, expected: dict[str, str], tmp_path: Path
) -> None:
    journey = Journey(tmp_path, world)
    toll = killed_journey(journey, 7, moments(7, EACH))
    assert journey.wizard.left_over() == []
    assert tree_of(journey.dataset) == expected
    # Which phase a kill meets is a matter of this machine's speed; that they are spread is not.
    assert len(toll.by_phase) >= 3, toll.by_phase
    # Most kills meet no download: those that do pay for all.
    assert toll.again <= MOST_LOST * (toll.by_phase["fetch"] + CUTS), toll
    assert secrets_in(tmp_path, journey) == []
    count("kills survived", toll.kills)
    count("bytes re-fetched", toll.again)


@pytest.mark.long
def test_killed_while_several_hosts_give_archives_ahead_of_their_turn(
    world: World, expected: dict[str, str], tmp_path: Path
) -> None:
    """Each kill meets two archives at least that are on their way, and one at least whose turn has not come."""
    journey, kills = Journey(tmp_path, world), 0
    with served(world, limit=SPEED // 4) as (server, routes):
        for _ in range(3):
            running = journey.start(*routes)

            def several(running: Running = running) -> bool:
                parts = {part.name.removesuffix(".part") for part in journey.dataset.rglob("*.part")}
                return len(parts) > 1 and bool(parts - {key.rpartition("/")[2] for key in running.begun()})

            if wait_until(several, running.process):
                code, _ = running.stop(signal.SIGKILL)
                kills += code == -signal.SIGKILL
        journey.finish(*routes)
        again = fetched_again(world, server)
    assert kills
    assert journey.wizard.left_over() == []
    assert tree_of(journey.dataset) == expected
    assert again <= MOST_LOST * kills * Options.hosts
    assert secrets_in(tmp_path, journey) == []
    count("kills survived", kills)
    count("bytes re-fetched", again)


def secrets_in(folder: Path, journey: Journey) -> list[str]:
    """Files, but for the answers, that hold a password or a signed link of the journey."""
    given = [
        str(value)
        for table in journey.world.answers.values()
        for name, value in table.items()
        if name in ("password", "url")
    ]
    secrets = [text.rpartition("X-Amz-Signature=")[2].encode() for text in given]
    assert len(secrets) == 5
    found = [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and path != journey.answers and any(secret in path.read_bytes() for secret in secrets)
    ]
    count("secrets found", len(found))
    return found


def test_what_a_kill_left_half_written_beside_notes_and_journal_is_swept(tmp_path: Path) -> None:
    stale = [
        tmp_path / ".a.zip.part.json.123.tmp",
        tmp_path / OWN / ".journal.json.123.tmp",
        tmp_path / OWN / ".verdict.json.7.tmp",
    ]
    Store(tmp_path).close()
    for path in stale:
        path.touch()
    Store(tmp_path).close()
    PartialFile(tmp_path / "a.zip").close()
    assert not [path for path in stale if path.exists()]
