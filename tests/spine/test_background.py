"""Blocking work in a thread: whoever waits sees that it goes on, and a stop ends it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mseg_wizard.core.background import Job, Stopped, background, looked
from mseg_wizard.datasets import inventory
from mseg_wizard.datasets.inventory import FolderListings
from mseg_wizard.progress import Progress


def test_paths_that_are_looked_at_are_counted_from_one_word_to_the_next() -> None:
    go = [threading.Event() for _ in range(3)]

    def work(job: Job) -> str:
        looked(3000)
        go[0].wait()
        looked(1000)
        go[1].wait()
        job.say(Progress("writing"))
        go[2].wait()
        return "done"

    told: list[str] = []
    task = background(work, Progress("looking"), 0.01)
    with pytest.raises(StopIteration) as end:
        while True:
            said = next(task).doing
            if said not in told[-1:]:
                told.append(said)
            for wanted, event in zip(("looking (3,000 paths)", "looking (4,000 paths)", "writing"), go, strict=True):
                if said == wanted:
                    event.set()
    assert end.value.value == "done"
    assert [said for said in told if said != "looking"] == ["looking (3,000 paths)", "looking (4,000 paths)", "writing"]


@pytest.mark.parametrize("place", ["the call", "a folder listing"])
def test_a_stop_ends_a_look_that_says_nothing_itself(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "AT_ONCE", 10)
    folders = FolderListings(tmp_path)
    look: Callable[[], object] = (lambda: looked(1)) if place == "the call" else (lambda: folders.has("a/b"))
    ended = threading.Event()

    def work(_: Job) -> None:
        try:
            while True:
                look()
        except Stopped:
            ended.set()
            raise

    task = background(work, Progress("looking"), 0.01)
    while "paths" not in next(task).doing:
        pass
    task.close()
    assert ended.is_set()


def test_a_look_that_nobody_waits_for_counts_nothing() -> None:
    looked(5)
    assert list(background(lambda _: None, Progress("looking"), 0.01))[-1:] in ([], [Progress("looking")])
