"""Whole journeys through the practice world: undisturbed ones to
compare with, and ones that are stopped at a chosen moment.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from mseg_wizard.practice.server import PracticeServer, origins
from mseg_wizard.practice.world import World, make_world, toml
from mseg_wizard.state.journal import OWN
from mseg_wizard.tasks.registry import load_steps
from tests.waiting import wait_until
from tests.wizard import Wizard, tree_of

PADDING = 3_000_000
SPEED = 2_000_000
"""Bytes per second: slow enough that a kill finds a download under way, and that little is in flight."""
CALLS = tuple(call.key for step in load_steps() for call in step.calls)
PHASES = {
    "prepare": ("tree", "configure", "install", "space"),
    "fetch": ("download", "expect"),
    "extract": ("extract", "folders"),
    "remap": ("remap",),
    "relabel": ("relabel",),
    "verify": ("verify",),
    "report": ("report",),
    "wipe": ("wipe",),
}
TASK = {call.key: call.task for step in load_steps() for call in step.calls}


def calls_of(phase: str) -> tuple[str, ...]:
    """The calls of one phase, in order."""
    return tuple(key for key in CALLS if TASK[key] in PHASES[phase])


def padded_world(folder: Path) -> World:
    """A practice world whose larger archives take a second to fetch."""
    return make_world(folder, padding=PADDING)


@dataclass
class Journey:
    """One destination and all that a run needs; secrets included, because nothing but the answers holds them here."""

    place: Path
    world: World
    options: Sequence[str | Path] = ()
    mirrored: bool = False
    wizard: Wizard = field(init=False)

    def __post_init__(self) -> None:
        (self.place / "home").mkdir(parents=True)
        self.wizard = Wizard(self.place / "home")
        self.answers = self.place / "answers.toml"
        self.answers.touch(mode=0o600)
        self.answers.write_text(toml(self.world.answers))
        if self.mirrored:
            self.options = (*self.options, "--mirror", self.world.mirror)

    @property
    def destination(self) -> Path:
        return self.place / "d"

    @property
    def dataset(self) -> Path:
        return self.destination / "mseg_dataset"

    @property
    def log(self) -> Path:
        return self.destination / OWN / "log.txt"

    def command(self, *extra: str | Path) -> tuple[str | Path, ...]:
        return ("run", "--dest", self.destination, "--answers", self.answers, "--workers", "2", *self.options, *extra)

    def start(self, *extra: str | Path) -> Running:
        since = self.log.stat().st_size if self.log.exists() else 0
        return Running(self, self.wizard.start(*self.command(*extra)), since)

    def run(self, *extra: str | Path) -> subprocess.CompletedProcess[str]:
        return self.wizard.run(*self.command(*extra))

    def finish(self, *extra: str | Path) -> None:
        """One undisturbed run to the end."""
        done = self.run(*extra)
        assert done.returncode == 0, done.stdout + done.stderr


@dataclass
class Running:
    """One start of the wizard."""

    journey: Journey
    process: subprocess.Popen[str]
    since: int

    def begun(self) -> list[str]:
        """Keys of the calls that began to work since this start, in order."""
        if not self.journey.log.exists():
            return []
        with self.journey.log.open("rb") as file:
            file.seek(self.since)
            lines = file.read().decode(errors="replace").splitlines()
        return [
            line.removesuffix(": begins").rpartition(" mseg_wizard: ")[2] for line in lines if line.endswith(": begins")
        ]

    def wait_for(self, key: str) -> bool:
        """Wait until this call, or a later one, begins; False where the run ended before."""
        at = CALLS.index(key)
        return wait_until(lambda: any(CALLS.index(begun) >= at for begun in self.begun()), self.process)

    def stop(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal; returns the exit code and all that was said."""
        self.process.send_signal(number)
        out, err = self.process.communicate()
        return self.process.returncode, out + err


@contextmanager
def served(
    world: World, cut: int | None = None, limit: int | None = SPEED
) -> Iterator[tuple[PracticeServer, list[str]]]:
    """The practice server, and the routes that lead to it."""
    with PracticeServer(world.mirror, tree=world.tree, cut=cut, limit=limit) as server:
        yield server, [text for origin in origins(load_steps()) for text in ("--route", f"{origin}={server.url}")]


def fetched_again(world: World, server: PracticeServer) -> int:
    """Bytes of archives that the server sent beyond one whole copy of each: what kills and cuts cost."""
    sent: Counter[str] = Counter()
    for request in server.log:
        sent[request.path.rpartition("/")[2]] += request.sent
    # Cityscapes names its archives by number in the query, which is in no log.
    named = [archive for archive in world.archives if archive in sent]
    return sum(max(0, sent[archive] - (world.mirror / archive).stat().st_size) for archive in named)


def expected_tree(place: Path, world: World) -> dict[str, str]:
    """What an undisturbed run leaves below mseg_dataset/."""
    calm = Journey(place, world)
    with served(world, limit=None) as (_, routes):
        calm.finish(*routes)
    return tree_of(calm.dataset)


@dataclass
class Toll:
    """What one killed journey came to."""

    kills: int = 0
    by_phase: Counter[str] = field(default_factory=Counter)
    again: int = 0
    """Bytes that were fetched again."""


def killed_journey(journey: Journey, seed: int, moments: Sequence[tuple[str, float]]) -> Toll:
    """Kill the wizard so long after the beginning of each of these
    calls ("" is the start itself), then let it finish undisturbed.

    A call that is through already before its kill passes for done: only kills that hit a living wizard are counted.
    """
    toll = Toll()
    with served(journey.world, cut=seed) as (server, routes):
        for key, delay in moments:
            running = journey.start(*routes)
            alive = not key or running.wait_for(key)
            if alive:
                time.sleep(delay)
            code, said = running.stop(signal.SIGKILL)
            assert code in (0, -signal.SIGKILL), said
            if code:
                toll.kills += 1
                begun = running.begun()
                toll.by_phase[phase_of(begun[-1]) if begun else "start"] += 1
        journey.finish(*routes)
        toll.again = fetched_again(journey.world, server)
    return toll


def phase_of(key: str) -> str:
    return next(phase for phase, tasks in PHASES.items() if TASK[key] in tasks)


def moments(seed: int, each: int, longest: float = 0.6) -> list[tuple[str, float]]:
    """`each` moments in every phase and at the start, in the order
    of the journey; most follow closely, as many calls are short.
    """
    chance = Random(seed)
    chosen = sorted((chance.choice(calls_of(phase)) for phase in PHASES for _ in range(each)), key=CALLS.index)
    starts = [("", chance.uniform(0, 2 * longest)) for _ in range(each)]
    rows = [(key, longest * chance.random() ** 4) for key in chosen]
    for start in starts:
        rows.insert(chance.randrange(len(rows) + 1), start)
    return rows
