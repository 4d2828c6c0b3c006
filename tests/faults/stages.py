"""A destination that has come so far, made once with archives that stay where they are, and opened copies of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mseg_wizard.context import Context, Options
from mseg_wizard.practice.world import World
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import Vault
from tests.faults.journeys import Journey
from tests.once import once
from tests.verification.finished import copy

CALLS = {call.key: call for step in load_steps() for call in step.calls}


def relabelled(world: World, places: pytest.TempPathFactory) -> Path:
    """A destination on which every step up to relabelling is done."""

    def make(place: Path) -> Path:
        journey = Journey(place, world, ("--mirror", world.mirror, "--until", "relabel"))
        journey.finish()
        return journey.destination

    return once(places, "relabelled", make)


@contextmanager
def opened_copy(original: Path, place: Path, world: World) -> Iterator[Context]:
    """For work in this process."""
    finished = copy(original, place)
    vault = Vault("test", backend=None, environment={})
    ctx = Context(load_steps(), Store(finished.destination), vault, Options(str(world.mirror), workers=2))
    try:
        yield ctx
    finally:
        ctx.close()
