"""How long all label work takes on how many cores, and what bounds it: python -m tests.benchmarks.simulation [--quick]

A simulation of the real thing: batches, stragglers, one storage for all, one process that feeds. Costs per image are
those that `tests.benchmarks.labels` and its like print; counts are those of the full lists. First it is held against
measured runs of a sample with one and two workers, then it prints all of remapping and relabelling, beside what MSeg's
instructions say of their own scripts.
"""

from __future__ import annotations

import functools
import heapq
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mseg_wizard.labels.readers.label_reader import LabelToRemap
from mseg_wizard.labels.remap import remap_label
from mseg_wizard.workers.dask import Cluster
from mseg_wizard.workers.pool import BATCH, LARGEST, Pool, each, prepare_start, run_batch
from tests.benchmarks.labels import FAMILIES, MEMORY, Family


@dataclass(frozen=True)
class Work:
    """One call: so many images that cost the same on average."""

    phase: str
    dataset: str
    images: int
    ms: float
    """Of one core, for one image."""
    read: tuple[int, float]
    """Files of one image, and their kB together."""
    written: tuple[int, float]


@dataclass(frozen=True)
class Machine:
    """What work runs on."""

    cores: int
    mb: float = 1000.0
    """MB per second that the storage takes and gives, for all together."""
    files: float = 20_000.0
    """Files per second that it opens or creates, for all together."""
    feed: float = 150_000.0
    """Images per second that the wizard's own process hands out (`tests.benchmarks.pool`)."""
    start: float = 0.07
    """Seconds until one worker more is there."""
    batch: float = BATCH
    overhead: float = 0.0005
    """Seconds that a batch takes beside its images."""
    spread: float = 0.4
    """Standard deviation of the images' costs, as a share of their average."""
    plan: float = 25e-6
    """Seconds of the wizard's own process for one image, before workers begin: lists, names, what is missing."""
    sync: float = 0.00023
    """Seconds until the disk holds one file for certain; the wizard asks for it file by file at a call's end."""


FULL = (
    Work("remap", "ADE20K", 22_210, 1.3, (1, 18), (1, 16)),
    Work("remap", "CamVid", 701, 5.2, (1, 30), (1, 15)),
    Work("remap", "COCO, two maps", 123_287, 3.0, (1, 20), (2, 14)),
    Work("remap", "PASCAL Context, two maps", 10_103, 1.0, (1, 10), (2, 16)),
    Work("remap", "SUN RGB-D", 5_760, 1.3, (1, 14), (1, 12)),
    Work("remap", "Cityscapes", 3_475, 4.8, (1, 45), (1, 40)),
    Work("remap", "IDD, two maps", 7_974, 5.3, (1, 90), (2, 60)),
    Work("remap", "KITTI", 200, 1.5, (1, 20), (1, 18)),
    Work("remap", "Mapillary, 12 megapixels", 20_000, 22.0, (1, 180), (1, 160)),
    Work("remap", "ScanNet", 24_902, 1.0, (1, 9), (1, 8)),
    Work("remap", "WildDash", 70, 4.8, (1, 45), (1, 40)),
    Work("relabel", "ADE20K, with segments", 9_385, 12.0, (2, 60), (1, 16)),
    Work("relabel", "ADE20K, without", 12_825, 1.3, (1, 16), (1, 16)),
    Work("relabel", "BDD, with segments", 2_950, 3.5, (1, 25), (1, 22)),
    Work("relabel", "BDD, without", 5_050, 2.4, (1, 25), (1, 22)),
    Work("relabel", "Cityscapes, with segments, two maps", 1_278, 24.0, (3, 130), (2, 80)),
    Work("relabel", "Cityscapes, without, two maps", 2_197, 9.6, (2, 80), (2, 80)),
    Work("relabel", "COCO, with segments", 56_782, 5.6, (2, 27), (1, 7)),
    Work("relabel", "COCO, without", 66_505, 1.3, (1, 7), (1, 7)),
    Work("relabel", "IDD, with segments", 6_834, 13.6, (2, 120), (1, 30)),
    Work("relabel", "IDD, without", 1_140, 4.8, (1, 30), (1, 30)),
    Work("relabel", "Mapillary, with segments", 822, 84.0, (2, 400), (1, 160)),
    Work("relabel", "Mapillary, without", 19_178, 25.0, (1, 160), (1, 160)),
    Work("relabel", "SUN RGB-D, with segments", 3_949, 1.8, (1, 12), (1, 12)),
    Work("relabel", "SUN RGB-D, without", 1_811, 1.3, (1, 12), (1, 12)),
)
"""Counts of the full lists and records; costs as measured; kB are usual sizes of such files."""

CORES = (1, 2, 16, 100, 1000)


def main(*, quick: bool = False) -> None:
    prepare_start()
    validate(
        images=40 if quick else 400,
        rounds=1 if quick else 3,
        families=FAMILIES[2:3] if quick else (*FAMILIES[:3], FAMILIES[8]),
    )
    print(f"\n{'':<10} {'cores':>6} {'work':>9} {'with sync':>10}   bound by")
    totals = {}
    for phase in ("remap", "relabel"):
        for cores in CORES:
            machine = Machine(cores, batch=BATCH if cores <= 16 else Cluster.seconds)
            ends = [simulate(work, machine) for work in FULL if work.phase == phase]
            wall, made = sum(end.wall for end in ends) + machine.start * min(cores, 100), sum(end.sync for end in ends)
            totals[phase, cores] = wall + made
            shares = {
                what: sum(end.wall for end in ends if end.bound == what)
                for what in dict.fromkeys(end.bound for end in ends)
            }
            order = sorted(shares, key=lambda what: -shares[what])
            bound = ", ".join(f"{what} {shares[what] / sum(shares.values()):.0%}" for what in order)
            print(f"{phase:<10} {cores:6,} {said(wall):>9} {said(wall + made):>10}   {bound}")
    mapillary = simulate(
        next(work for work in FULL if work.dataset.startswith("Mapillary")), Machine(100, batch=Cluster.seconds)
    )
    print(f"\n{'':<34} {'MSeg says':>22} {'here':>9}")
    print(f"{'Mapillary, 100 workers':<34} {'2 h':>22} {said(mapillary.wall + mapillary.sync):>9}")
    print(f"{'relabelling, 100 cores':<34} {'45 min':>22} {said(totals['relabel', 100]):>9}")
    print(
        f"{'all label work, 100 cores':<34} {'40 h with downloads':>22} "
        f"{said(totals['remap', 100] + totals['relabel', 100]):>9}"
    )


@dataclass(frozen=True)
class End:
    """What became of one call."""

    wall: float
    """Seconds until every output has its name."""
    sync: float
    bound: str


def simulate(work: Work, machine: Machine) -> End:
    """Play one call through, batch by batch."""
    chance = random.Random(work.dataset)
    free = [0.0] * min(machine.cores, work.images)
    busy = {"cpu": 0.0, "storage bytes": 0.0, "storage files": 0.0, "feed": 0.0}
    storage, handed, last, left = 0.0, work.images * machine.plan, 0.0, work.images
    heapq.heapify(free)
    largest = max(1, min(LARGEST if machine.batch == BATCH else Cluster.largest, int(machine.batch * 1000 / work.ms)))
    while left:
        size = min(largest, math.ceil(left / (2 * machine.cores)))
        left -= size
        handed += size / machine.feed
        begin = max(heapq.heappop(free), handed)
        cpu = size * work.ms / 1000 * max(0.2, chance.gauss(1, machine.spread / math.sqrt(size))) + machine.overhead
        moved = size * (work.read[1] + work.written[1]) / 1000 / machine.mb
        opened = size * (work.read[0] + work.written[0]) / machine.files
        # The storage serves all in turn; a worker goes on when both its processor and the storage are done.
        storage = max(storage, begin) + max(moved, opened)
        end = max(begin + cpu, storage)
        heapq.heappush(free, end)
        last = max(last, end)
        for what, seconds in (
            ("cpu", cpu / len(free)),
            ("storage bytes", moved),
            ("storage files", opened),
            ("feed", size / machine.feed),
        ):
            busy[what] += seconds
    busy["feed"] += work.images * machine.plan
    bound = max(busy, key=lambda what: busy[what])
    return End(
        last, work.images * work.written[0] * machine.sync, bound if busy[bound] > last / 2 else "the last batches"
    )


def validate(images: int, rounds: int, families: Sequence[Family]) -> None:
    """What is predicted for one and two workers beside what a run of the sample takes."""
    print(
        f"{'sample':<22} {'images':>7} {'ms each':>8} {'workers':>8} {'predicted s':>12} {'measured s':>11} "
        f"{'off by':>7}"
    )
    for family in families:
        with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
            place = Path(folder)
            made = [family.make(place, number, family.size) for number in range(min(family.images, images))]
            count = max(2, min(images, int(images * 3e5 / (family.size[0] * family.size[1]))))
            items = [
                LabelToRemap(
                    item.source,
                    tuple(f"{place}/out-{number}-{target}.png" for target in range(len(item.outputs))),
                    item.segments,
                )
                for number in range(count)
                for _, item in [made[number % len(made)]]
            ]
            compare(family.name, functools.partial(remap_label, made[0][0]), items, rounds)


def compare(name: str, work: Any, items: list[Any], rounds: int) -> None:
    pools = {workers: Pool(workers) for workers in (1, 2)}
    for pool in pools.values():
        list(each(pool, work, items[:8]))
    costs: dict[int, list[float]] = {1: [], 2: []}
    took: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers, pool in pools.items():
            # As many at once as there will be: they share the machine's
            # memory, and its cores with whatever else runs on it.
            parts = [pool.executor().submit(run_batch, work, items[part::workers]) for part in range(workers)]
            costs[workers].append(sum(row[2] for part in parts for row in part.result()) / len(items))
            began = time.perf_counter()
            for _ in each(pool, work, items):
                pass
            took[workers].append(time.perf_counter() - began)
    for pool in pools.values():
        pool.close()
    for workers in (1, 2):
        ms = statistics.median(costs[workers]) * 1000
        predicted = simulate(Work("", name, len(items), ms, (1, 0), (1, 0)), Machine(workers, files=1e9, plan=0.0)).wall
        measured = statistics.median(took[workers])
        row = f"{name:<22} {len(items):7,} {ms:8.2f} {workers:8} {predicted:12.2f} {measured:11.2f}"
        print(f"{row} {predicted / measured - 1:7.0%}", flush=True)


def said(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
