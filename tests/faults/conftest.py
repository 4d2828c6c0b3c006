"""What the fault matrix shares: a world whose downloads take a moment, and the tree that an undisturbed run makes."""

from __future__ import annotations

import pytest

from mseg_wizard.practice.world import World
from tests.faults.journeys import expected_tree, padded_world
from tests.once import once


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Change nothing in it."""
    return once(tmp_path_factory, "world", padded_world)


@pytest.fixture(scope="session")
def expected(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What an undisturbed run over the network leaves below mseg_dataset/."""
    return once(tmp_path_factory, "calm", lambda place: expected_tree(place, world))
