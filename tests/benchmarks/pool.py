"""What the worker processes cost beside the work itself: python -m tests.benchmarks.pool [images]

Prints the start-up for 2 to 16 workers, the bytes that are sent per image, the images per second that one process can
feed to workers, the cost of progress, and for each family of labels how much of twice the speed two workers reach. Runs
of one and of two workers take turns; beside them stands what two processes reach on this machine that share nothing,
not even a pool, and the share of both cores that this process takes for itself.
"""

from __future__ import annotations

import functools
import os
import pickle
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mseg_wizard.labels import relabel
from mseg_wizard.labels.readers import reader_named
from mseg_wizard.labels.readers.label_reader import LabelToRemap, RemapRecipe
from mseg_wizard.labels.records import Update
from mseg_wizard.labels.remap import remap_label
from mseg_wizard.progress import Meter, Progress
from mseg_wizard.workers.batches import with_wait
from mseg_wizard.workers.pool import LARGEST, Pool, each, prepare_start, run_batch
from tests.benchmarks.labels import FAMILIES, MEMORY, Family

PLACE = "/data/mseg/mseg_dataset/COCOPanoptic/annotations/panoptic_train2017/"
ROUNDS = 3


def main(images: int, rounds: int = ROUNDS, families: Sequence[Family] = FAMILIES) -> None:
    prepare_start()
    start_up((2,) if images < 100 else (2, 4, 8, 16))
    sent()
    fed(max(10, images) * 50)
    progress()
    print(
        f"\n{'family':<22} {'images':>7} {'1 worker, images/s':>19} {'2 workers':>10} {'efficiency':>11} "
        f"{'machine':>8} {'own':>6}"
    )
    for family in families:
        with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
            efficiency(family, Path(folder), images, rounds)


def start_up(counts: Sequence[int]) -> None:
    """Until every worker has loaded its libraries and given a first answer."""
    for count in counts:
        took = []
        for _ in range(ROUNDS):
            pool, began = Pool(count), time.perf_counter()
            executor = pool.executor()
            for answer in [executor.submit(time.sleep, 0.02) for _ in range(count)]:
                answer.result()
            took.append(time.perf_counter() - began - 0.02)
            pool.close()
        print(f"start-up of {count:2} workers: {statistics.median(took):.2f} s", flush=True)


def sent() -> None:
    """Bytes that a worker is sent for one image, in batches of 2 and of the largest size."""
    print(
        f"\n{'bytes sent per image':<22} {'recipe':>7} {'image':>6} {'in batches of 2':>16} {'of ' + str(LARGEST):>6}"
    )
    for what, (work, items) in samples().items():
        recipe, batch = (
            len(pickle.dumps(work)),
            [len(pickle.dumps((run_batch, work, items[:count]))) for count in (2, LARGEST)],
        )
        each_one = (batch[1] - batch[0]) / (LARGEST - 2)
        print(f"{what:<22} {recipe:7,} {each_one:6,.0f} {batch[0] / 2:16,.0f} {batch[1] / LARGEST:6,.0f}")


def samples() -> dict[str, tuple[Any, list[Any]]]:
    """Work and items as the tasks send them, with names of the lengths that are usual."""

    def items(count: int, segments: bytes | None = None) -> list[Any]:
        names = [f"{PLACE}{number:012}.png" for number in range(LARGEST)]
        return [
            LabelToRemap(name, (f"{name[:-4]}_of.png",) * count, segments and os.urandom(len(segments)))
            for name in names
        ]

    def recipe(reader: str, classes: int, tables: tuple[bytes | None, ...], colors: bytes = b"") -> Any:
        return functools.partial(
            remap_label,
            RemapRecipe(
                reader_named(reader), tuple(f"class number {number}" for number in range(classes)), colors, tables
            ),
        )

    updates = [tuple(Update(1_000_000 + number + part, 17, 18) for part in range(3)) for number in range(LARGEST)]
    relabelled = [
        relabel.ImageToRelabel((item.source,), item.outputs, item.source, (more,))
        for item, more in zip(items(1), updates, strict=True)
    ]
    tables = bytes(256)
    return {
        "ids": (recipe("ids", 151, (tables,)), items(1)),
        "colours": (recipe("colors", 66, (tables,), bytes(66 * 3)), items(1)),
        "COCO, 11 segments": (recipe("panoptic", 201, (None, tables)), items(2, bytes(88))),
        "PASCAL .mat": (recipe("mat", 460, (None, bytes(460))), items(2)),
        "IDD polygons": (recipe("polygons", 41, (None, tables)), items(2)),
        "relabel, 3 segments": (
            functools.partial(relabel.relabel_image, relabel.RelabelRecipe("panoptic", True, (tables,))),
            relabelled,
        ),
    }


def fed(images: int) -> None:
    """Images per second that this process can hand to workers who
    do nothing with them: listing, making, pickling and results.
    """
    _, some = samples()["COCO, 11 segments"]
    pool, rates = Pool(2), []
    list(each(pool, nothing, some))
    for _ in range(ROUNDS):
        items = [
            LabelToRemap(f"{PLACE}{number:012}.png", some[0].outputs, some[number % LARGEST].segments)
            for number in range(images)
        ]
        began, used = time.perf_counter(), time.process_time()
        for _ in each(pool, nothing, items):
            pass
        rates.append((images / (time.perf_counter() - began), images / (time.process_time() - used)))
    pool.close()
    wall, own = (statistics.median(column) for column in zip(*rates, strict=True))
    print(f"\nfeed: {wall:,.0f} images/s to 2 workers, {own:,.0f} by this process's own time")


def nothing(item: object) -> None:
    """The least that can be done with an image."""


def progress() -> None:
    """What a Progress for every batch costs."""
    pool, meter = Pool(1), Meter()
    began = time.perf_counter()
    for number in range(10_000):
        with_wait(pool, Progress("remapping", number, 10_000, "images", meter.rate(number)))
    one = (time.perf_counter() - began) / 10_000
    share = one / pool.seconds
    print(
        f"progress: {one * 1e6:.1f} µs for each batch of {pool.seconds} s: {share:.4%}, with 100 workers "
        f"{share * 100:.2%} of one core"
    )


def efficiency(family: Family, folder: Path, images: int, rounds: int) -> None:
    """One worker, two workers, and two processes with half of the images each, in turns."""
    count = max(2, min(images, int(images * 3e5 / (family.size[0] * family.size[1]))))
    made = [family.make(folder, number, family.size) for number in range(min(family.images, count))]
    recipe = made[0][0]
    items = []
    for number in range(count):
        _, item = made[number % len(made)]
        outputs = tuple(str(folder / f"out-{number}-{target}.png") for target in range(len(item.outputs)))
        items.append(LabelToRemap(item.source, outputs, item.segments))
    work, pools = functools.partial(remap_label, recipe), {1: Pool(1), 2: Pool(2)}
    for pool in pools.values():
        list(each(pool, work, items[: 4 * pool.workers]))
    took: dict[Any, list[float]] = {1: [], 2: [], "machine": [], "own": []}
    for _ in range(rounds):
        for workers, pool in pools.items():
            began, used = time.perf_counter(), time.process_time()
            faults = [outcome.fault for outcomes in each(pool, work, items) for outcome in outcomes if outcome.fault]
            took[workers].append(time.perf_counter() - began)
            assert not faults, faults[0]
        took["own"].append((time.process_time() - used) / took[2][-1] / 2)
        took["machine"].append(apart(work, items))
    for pool in pools.values():
        pool.close()
    best = {key: min(values) for key, values in took.items()}
    ratio, machine = best[1] / best[2] / 2, best[1] / best["machine"] / 2
    rates = f"{count:7,} {count / best[1]:19,.0f} {count / best[2]:10,.0f}"
    print(f"{family.name:<22} {rates} {ratio:11.0%} {machine:8.0%} {best['own']:6.1%}", flush=True)


def apart(work: Any, items: Sequence[Any]) -> float:
    """Two processes that each do half, with nothing between them: what this machine can reach."""
    pools = [Pool(1), Pool(1)]
    for pool in pools:
        pool.executor().submit(nothing, None).result()
    began = time.perf_counter()
    for answer in [
        pool.executor().submit(run_batch, work, list(items[number::2])) for number, pool in enumerate(pools)
    ]:
        answer.result()
    took = time.perf_counter() - began
    for pool in pools:
        pool.close()
    return took


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
