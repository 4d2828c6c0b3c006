"""Ctrl+C, SIGTERM and hang-up during the work of every phase: the
documented exit code, a true journal, nothing left running.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from random import Random

import pytest

from mseg_wizard.context import Context, Options
from mseg_wizard.practice.world import World
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.registry import TASKS, load_steps
from mseg_wizard.vault import Vault
from tests.faults.counts import count
from tests.faults.journeys import CALLS, PHASES, Journey, calls_of, phase_of, served
from tests.wizard import tree_of

pytestmark = pytest.mark.long

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
EACH = 2


def untrue(journey: Journey, routes: Sequence[str]) -> list[str]:
    """Calls that the journal calls finished though something of theirs is missing."""
    options = Options(routes=tuple(routes[1::2]))
    ctx = Context(load_steps(), Store(journey.destination), Vault("test", backend=None, environment={}), options)
    try:
        calls = [call for step in ctx.steps for call in step.calls if call.key in ctx.store.journal.finished]
        return [f"{call.key}: {missing}" for call in calls if (missing := TASKS[call.task].missing(ctx, *call.given))]
    finally:
        ctx.close()


def test_stopped_in_every_phase_it_says_so_and_goes_on_where_it_was(
    world: World, expected: dict[str, str], tmp_path: Path
) -> None:
    journey, chance, numbers = Journey(tmp_path, world), Random(11), cycle(CODES)
    chosen = sorted((chance.choice(calls_of(phase)) for phase in PHASES for _ in range(EACH)), key=CALLS.index)
    stopped = set()
    with served(world, cut=11) as (_, routes):
        for key in chosen:
            running, number = journey.start(*routes), next(numbers)
            if running.wait_for(key):
                time.sleep(chance.uniform(0, 0.3) ** 2)  # mostly at once: some phases last a tenth of a second here
            code, said = running.stop(number)
            if "\nComplete: " not in said:  # it may come too late for anyone to heed it
                assert code == CODES[number], said
                assert "Stopped. What is done stays" in said
                assert f"--dest {journey.destination}" in said
                stopped.add(phase_of(running.begun()[-1]))
                count("stops")
            assert journey.wizard.left_over() == []
            assert untrue(journey, routes) == []
        journey.finish(*routes)
    # Which phase a signal meets is a matter of this machine's speed; that they are spread is not.
    assert len(stopped) >= 3, stopped
    assert tree_of(journey.dataset) == expected
