"""`mseg-wizard universal` killed and stopped as each of its calls begins: the next start leaves what no kill would."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from mseg_wizard.practice.world import World
from mseg_wizard.state.journal import OWN
from mseg_wizard.tasks.registry import load_steps, universal_step
from tests.faults.counts import count
from tests.faults.stages import relabelled
from tests.verification.finished import Finished, copy
from tests.wizard import tree_of

CALLS = [call.key for call in universal_step(load_steps()).calls]


@pytest.fixture(scope="module")
def original(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Change nothing in it."""
    return relabelled(world, tmp_path_factory)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_at_each_of_its_calls_it_ends_with_the_same_files(
    original: Path, tmp_path: Path, number: signal.Signals
) -> None:
    calm, troubled = copy(original, tmp_path / "calm"), copy(original, tmp_path / "troubled")
    finish(calm)
    log = troubled.destination / OWN / "log.txt"
    hit = 0
    for key in CALLS:
        since = log.stat().st_size
        process = troubled.wizard.start("universal", "--dest", troubled.destination, "--workers", "2")
        while process.poll() is None and f"{key}: begins" not in log.read_text(errors="replace")[since:]:
            time.sleep(0.002)
        process.send_signal(number)
        process.communicate()
        hit += process.returncode != 0
    # A call that is through before its kill passes for done; that most are hit is no matter of speed.
    assert hit > len(CALLS) // 2
    count("kills survived" if number == signal.SIGKILL else "stops", hit)
    assert troubled.wizard.left_over() == []
    finish(troubled)
    assert made(troubled) == made(calm)


def finish(finished: Finished) -> None:
    done = finished.wizard.run("universal", "--dest", finished.destination, "--workers", "2")
    assert done.returncode == 0, done.stdout + done.stderr


def made(finished: Finished) -> dict[str, str]:
    """All but the README, which tells the time; half-written files would be among them."""
    files = tree_of(finished.destination / "mseg_universal")
    assert files.pop("README.md")
    return files
