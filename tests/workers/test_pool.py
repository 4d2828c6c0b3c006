"""The pool: every item has an outcome, whatever becomes of the
worker that had it, and no worker outlives the wizard.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mseg_wizard.workers.batches import Outcome
from mseg_wizard.workers.pool import Pool, each
from tests.conftest import ROOT
from tests.waiting import wait_until
from tests.workers import pool_work


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    pool = Pool(2, tmp_path / "workers.log")
    yield pool
    pool.close()


def outcomes(batches: Iterator[list[Outcome[int, int]]]) -> dict[int, Outcome[int, int]]:
    seen: dict[int, Outcome[int, int]] = {}
    for batch in batches:
        for outcome in batch:
            assert outcome.item not in seen, "an item had two outcomes"
            seen[outcome.item] = outcome
    return seen


def test_every_item_has_its_result(pool: Pool) -> None:
    seen = outcomes(each(pool, pool_work.square, range(1000)))
    assert {item: outcome.result for item, outcome in seen.items()} == {n: n * n for n in range(1000)}


def test_no_items_is_no_work(pool: Pool) -> None:
    assert list(each(pool, pool_work.square, [])) == []


def test_a_failing_item_is_named_and_the_rest_goes_on(pool: Pool) -> None:
    seen = outcomes(each(pool, pool_work.one_bad, range(200)))
    assert len(seen) == 200
    assert {item: outcome.fault for item, outcome in seen.items() if outcome.fault} == {
        13: "13 is unlucky. Use 14.",
        17: "ValueError: not 17",
    }


def test_an_item_that_kills_its_worker_is_tried_twice_then_named_and_the_rest_goes_on(pool: Pool) -> None:
    seen = outcomes(each(pool, pool_work.one_kills, range(100)))
    assert len(seen) == 100
    faults = {item: outcome.fault for item, outcome in seen.items() if outcome.fault}
    assert list(faults) == [13]
    assert "worker process died" in faults[13]


def test_an_item_whose_worker_died_by_accident_is_done_at_the_second_try(pool: Pool, tmp_path: Path) -> None:
    items = [(number, str(tmp_path / "mark")) for number in range(100)]
    done = [outcome for batch in each(pool, pool_work.one_kills_once, items) for outcome in batch]
    assert len(done) == 100
    assert not [outcome for outcome in done if outcome.fault]


def test_an_item_that_hangs_is_named_and_the_rest_goes_on(pool: Pool) -> None:
    seen = outcomes(each(pool, pool_work.one_hangs, range(40), hangs_after=1.0))
    assert len(seen) == 40
    faults = {item: outcome.fault for item, outcome in seen.items() if outcome.fault}
    assert list(faults) == [13]
    assert "does not end" in faults[13]


def test_closing_in_the_middle_ends_the_workers_and_the_pool_works_again(pool: Pool) -> None:
    work = each(pool, pool_work.slow, range(1000))
    next(work)
    workers = list(pool.executor()._processes)
    assert workers
    work.close()
    assert not [pid for pid in workers if alive(pid)]
    assert len(outcomes(each(pool, pool_work.square, range(10)))) == 10


def test_workers_end_while_they_are_handed_more_than_a_pipe_holds(pool: Pool, tmp_path: Path) -> None:
    """Before 3.11.5 the standard library waits for ever for what it can't hand out any more."""
    for number in range(4):
        pool.submit(pool_work.mark_and_hang, [(str(tmp_path / f"mark {number}"), bytes(1_000_000))], alone=False)
    wait_until(lambda: len(list(tmp_path.glob("mark *"))) == 2)
    pool.kill()
    assert len(outcomes(each(pool, pool_work.square, range(10)))) == 10


def test_it_says_something_at_least_twice_a_second(pool: Pool) -> None:
    last, longest = time.monotonic(), 0.0
    for _ in each(pool, pool_work.one_hangs, [*range(5), 13], hangs_after=2.0):
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    # Starting new workers after the hang may take longer on a busy machine; looking at them does not.
    assert longest < 30


def test_what_workers_print_goes_to_the_log_and_not_to_the_screen(
    pool: Pool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    outcomes(each(pool, pool_work.prints, range(300)))
    lines = (tmp_path / "workers.log").read_text().splitlines()
    assert sorted(lines) == sorted(
        [f"a worker's words {number}" for number in range(300)] + ["and its complaints"] * 300
    )
    assert "words" not in "".join(capfd.readouterr())


def test_workers_end_when_the_wizard_is_killed(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom mseg_wizard.workers.pool import Pool, each\nfrom tests.workers import "
        "pool_work\n"
        f"pool = Pool(2, Path({str(tmp_path / 'log')!r}))\n"
        "for _ in each(pool, pool_work.slow, range(100000)):\n"
        "    print(*pool.executor()._processes, flush=True)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert parent.stdout is not None
    workers: list[int] = []
    while len(workers) < 2:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    wait_until(lambda: not [pid for pid in workers if alive(pid)])


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
