"""Whatever becomes of a finished destination, in whatever order: all channels say the same of it, and none claims more
than was looked at.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from mseg_wizard.context import Context
from mseg_wizard.core.exits import Exit
from mseg_wizard.notify import news
from mseg_wizard.standing.snapshot import MARKS, published, standing
from mseg_wizard.state.journal import OWN
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tui.session import Session
from mseg_wizard.tui.survey import survey_of
from mseg_wizard.tui.text import terminal_title
from mseg_wizard.verification.verdict import read_verdict
from tests.verification.finished import Finished
from tests.waiting import wait_until
from tests.wizard import ANSWERS, hold

pytestmark = pytest.mark.slow

STEPS = load_steps()
CODES = {"done": Exit.DONE, "failed": Exit.FAILED, "waiting": Exit.WAITING, "aside": Exit.ASIDE}
Done = subprocess.CompletedProcess[str]


@dataclass
class Walk:
    """A finished destination, and what was done to it that no verification has looked at since."""

    finished: Finished
    chance: Random
    spoilt: set[Path] = field(default_factory=set)
    copies: int = 0

    @property
    def place(self) -> Path:
        return self.finished.destination

    def run(self, *args: str | Path) -> Done:
        return self.finished.wizard.run(*args)

    def maps(self) -> list[Path]:
        return sorted(self.finished.dataset.rglob("*label19*/*.png")) or sorted(
            path for path in (self.finished.dataset / "KITTI").rglob("*.png") if "image_2" not in path.parts
        )


def verify(walk: Walk) -> Done:
    done = walk.run("verify", "--dest", walk.place)
    assert (done.returncode != Exit.DONE) >= bool(walk.spoilt), "what was spoilt was looked at and not found"
    return done


def repair(walk: Walk) -> Done:
    done = walk.run("verify", "--repair", "--dest", walk.place, "--mirror", walk.place.parent / "mirror")
    if done.returncode == Exit.DONE:
        walk.spoilt.clear()
    return done


def damage(walk: Walk) -> None:
    path = walk.chance.choice(walk.maps())
    path.write_bytes(path.read_bytes()[:-30])
    walk.spoilt.add(path)


def delete(walk: Walk) -> None:
    path = walk.chance.choice(walk.maps())
    path.unlink()
    walk.spoilt.add(path)


def until(walk: Walk) -> Done:
    (walk.place.parent / "a.toml").write_text(ANSWERS)
    return walk.run("run", "--dest", walk.place, "--answers", walk.place.parent / "a.toml", "--until", "prepare")


def interrupted(walk: Walk, number: signal.Signals) -> None:
    process = walk.finished.wizard.start("verify", "--full", "--dest", walk.place)
    wait_until(lambda: published(walk.place).running and published(walk.place).call.startswith("verify/"), process)
    process.send_signal(number)
    process.communicate()


def killed(walk: Walk) -> None:
    interrupted(walk, signal.SIGKILL)


def stopped(walk: Walk) -> None:
    interrupted(walk, signal.SIGTERM)


def second(walk: Walk) -> None:
    """A second wizard is refused, and nothing is said otherwise because of it."""
    before = agreed(walk)
    other = hold(walk.place)
    try:
        assert walk.run("run", "--dest", walk.place).returncode == Exit.LOCKED
        assert agreed(walk) == before
    finally:
        other.kill()
        other.communicate()


def copied(walk: Walk) -> None:
    walk.copies += 1
    copy = walk.place.parent / f"copy {walk.copies}"
    shutil.copytree(walk.place, copy, symlinks=True)
    assert agreed(walk, copy) == agreed(walk)
    shutil.rmtree(copy)


ACTIONS: tuple[Callable[[Walk], Done | None], ...] = (
    verify, repair, damage, delete, until, killed, stopped, second, copied, verify, until,
)  # fmt: skip


def agreed(walk: Walk, elsewhere: Path | None = None, done: Done | None = None) -> tuple[str, str]:
    """What all channels say: how the run stands, and the sentence for a person."""
    place = elsewhere or walk.place
    text = walk.run("status", "--dest", place).stdout
    table = json.loads(walk.run("status", "--dest", place, "--json").stdout)
    now, verdict = published(place), read_verdict(place / OWN)
    stands = standing(now)
    assert (table["run"]["state"], table["run"]["words"]) == (stands.state, stands.words)
    assert terminal_title(now).startswith(MARKS[stands.state])
    assert news(now)[1] in ("", stands.words)
    screen = Session(STEPS, _never, place, viewer=True)
    screen.watch()
    survey = survey_of(screen)
    sentence = standing(screen.snapshot, STEPS, screen.states(survey), sum(survey.faults.values())).text
    assert table["run"]["text"] == sentence
    assert text.splitlines()[1] == sentence
    assert stands.words in text
    if table["verified"]:
        assert "not looked at since" in table["verified"]
        assert verdict and not verdict.faults
    if verdict and verdict.faults and now.complete:
        assert "found something wrong" in sentence
    if done and done.returncode != Exit.LOCKED:
        assert done.returncode == CODES[stands.state], done.stderr
        assert now.problem is None or now.problem.what in done.stderr
    return stands.words, sentence


def _never(place: Path) -> Context:
    raise AssertionError("who looks opens nothing")


@pytest.mark.parametrize("seed", [1, 2])
def test_in_any_order_all_channels_agree_and_none_claims_more_than_was_looked_at(
    finished: Finished, golden: Path, seed: int
) -> None:
    walk = Walk(finished, Random(seed))
    (finished.destination.parent / "mirror").symlink_to(golden / "mirror")
    actions = list(ACTIONS)
    walk.chance.shuffle(actions)
    for action in actions:
        done = action(walk)
        agreed(walk, done=done)
    repair(walk)
    assert verify(walk).returncode == Exit.DONE
    words, _ = agreed(walk)
    assert words == "complete for step 13, Verify"
