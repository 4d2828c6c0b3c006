"""The end of a tree: names and folders made durable, which says how far it is and can be stopped at any moment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mseg_wizard.archives.atomic_tree import AtomicTree
from mseg_wizard.core.background import Stopped

FOLDERS = 100


@pytest.fixture
def descriptors() -> Iterator[None]:
    """None is left open."""
    before = len(os.listdir("/dev/fd"))
    yield
    assert len(os.listdir("/dev/fd")) == before


def written(into: Path, *, hold: bool, stop_after: int) -> list[tuple[str, int, int]]:
    """What was told until it was stopped, or to the end."""
    heard: list[tuple[str, int, int]] = []

    def told(unit: str, done: int, total: int) -> None:
        heard.append((unit, done, total))
        if len(heard) > stop_after:
            raise Stopped

    with suppress(Stopped), AtomicTree(into, hold=hold) as tree:
        for number in range(FOLDERS):
            tree.write(f"scene{number}/label/{number}.png", [b"x" * number], number)
        tree.finish(told)
    return heard


@pytest.mark.usefixtures("descriptors")
def test_files_that_were_held_and_folders_are_counted_up_to_their_number(tmp_path: Path) -> None:
    heard = written(tmp_path, hold=True, stop_after=10**6)
    for unit, total in (("files", FOLDERS), ("folders", 2 * FOLDERS + 1)):
        counts = [done for said, done, of in heard if said == unit and of == total]
        assert counts == sorted(set(counts))
        assert len(counts) > 2
    assert {unit for unit, _, _ in heard} == {"files", "folders"}


@pytest.mark.usefixtures("descriptors")
@pytest.mark.parametrize("hold", [False, True])
def test_it_ends_at_any_word_and_the_next_one_finishes_it(tmp_path: Path, hold: bool) -> None:
    for stop_after in (0, 1, 2, 3, 20):
        written(tmp_path, hold=hold, stop_after=stop_after)
        assert all(path.stat().st_size == int(path.stem) for path in tmp_path.rglob("[0-9]*.png"))
    written(tmp_path, hold=hold, stop_after=10**6)
    assert len(list(tmp_path.rglob("*.png"))) == FOLDERS
    assert not list(tmp_path.rglob(".*.png*"))
