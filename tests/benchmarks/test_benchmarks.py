"""The benchmarks run, in the smallest size that they have; what they measure is not looked at here."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.benchmarks import journey, large, loading, pool, simulation, start
from tests.benchmarks.journey import Load, Network, walls
from tests.benchmarks.labels import FAMILIES
from tests.benchmarks.simulation import FULL, Machine, simulate


@pytest.mark.long
def test_the_pools_benchmark_prints_all_that_it_promises(capsys: pytest.CaptureFixture[str]) -> None:
    pool.main(images=4, rounds=1, families=FAMILIES[4:5])
    printed = capsys.readouterr().out
    for words in (
        "start-up of  2 workers",
        "bytes sent per image",
        "feed:",
        "progress:",
        "efficiency",
        "SUN RGB-D ids",
    ):
        assert words in printed


@pytest.mark.long
def test_the_start_is_measured_beside_the_smallest_textual_app(capsys: pytest.CaptureFixture[str]) -> None:
    start.main(rounds=1)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in printed] == ["started", *start.STARTS]


def test_loading_is_measured_on_the_full_lists(full_tree: Path) -> None:
    seconds, _, count = loading.measured(loading.tables, full_tree)
    assert seconds > 0
    assert count > 1000


@pytest.mark.long
def test_the_simulation_prints_a_prediction_beside_a_measurement_and_all_of_the_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    simulation.main(quick=True)
    printed = capsys.readouterr().out
    assert "predicted" in printed
    assert "relabelling, 100 cores" in printed


def test_more_cores_are_never_slower_and_one_core_is_never_faster_than_its_work() -> None:
    for work in FULL:
        walls = [simulate(work, Machine(cores)).wall for cores in (1, 2, 16, 100)]
        assert walls[0] > work.images * work.ms / 1000 * 0.9
        assert all(after < before * 1.05 for before, after in pairwise(walls)), work.dataset


def test_a_slow_storage_bounds_a_thousand_cores() -> None:
    mapillary = next(work for work in FULL if work.dataset.startswith("Mapillary"))
    assert simulate(mapillary, Machine(1000, mb=50)).bound == "storage bytes"
    assert simulate(mapillary, Machine(1000, mb=1e6, files=100)).bound == "storage files"
    assert simulate(mapillary, Machine(1)).bound == "cpu"


LOADS = [Load(1, "a", 100e6, 2), Load(1, "b", 50e6, 1), Load(2, "a", 30e6, 0)]


def test_in_order_a_step_waits_for_its_own_archives_and_the_next_begins_after_it() -> None:
    assert walls(LOADS, {1: 10, 2: 5}, Network(10, hosts=0)) == {1: 26, 2: 34}


def test_ahead_of_its_turn_an_archive_comes_while_others_do_and_waits_for_its_host() -> None:
    assert walls(LOADS, {1: 10, 2: 5}, Network(10, hosts=4)) == {1: 23, 2: 28}
    assert walls(LOADS, {2: 5}, Network(10, hosts=4)) == {1: 13, 2: 18}


def test_all_hosts_share_the_line() -> None:
    loads = [Load(1, host, 40e6, 0) for host in "abcd"]
    assert walls(loads, {}, Network(10, line=20)) == {1: 8}
    assert walls(loads, {}, Network(10, line=1000, hosts=2)) == {1: 8}


@pytest.mark.long
def test_the_whole_journey_is_simulated_beside_a_measured_one(capsys: pytest.CaptureFixture[str]) -> None:
    journey.main(quick=True)
    printed = capsys.readouterr().out
    assert "five hosts" in printed
    assert "a mirror" in printed


@pytest.mark.long
def test_every_step_is_measured_on_a_share_of_the_full_lists(
    capsys: pytest.CaptureFixture[str], full_tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSEG_WIZARD_FULL_TREE", str(full_tree))
    large.main(share=400)
    printed = capsys.readouterr().out
    for words in ("an empty disk", "the finished tree", "longest time without a change", "status: "):
        assert words in printed
