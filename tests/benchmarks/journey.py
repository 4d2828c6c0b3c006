"""How long the whole journey takes, on which network, disk and cores: python -m tests.benchmarks.journey [--quick]

A simulation with the archives' real sizes and hosts; what labels cost is `tests.benchmarks.simulation`'s. First it is
held against runs of a small world: five hosts on this machine, each with a bandwidth of its own. A person's time, for
licences and uploads, is not in it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from mseg_wizard.engine import run
from mseg_wizard.progress import duration
from mseg_wizard.step import Step
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tui.eta import host_of
from mseg_wizard.workers.dask import Cluster
from mseg_wizard.workers.pool import BATCH
from tests.benchmarks.simulation import FULL, Machine, simulate
from tests.http.faulty_server import Answer, Line, serving
from tests.spine.test_ahead import HOSTS, SIZE, World

MB = 1e6
RATES = (2, 5, 10, 30, 100)
"""MB per second that a host gives, over all connections to it. Assumed: what such servers gave people."""
LINE = 125
"""MB per second of the wizard's own line: one gigabit."""
DISKS = {"network disk": 100, "hard disk": 150, "SSD": 400}
"""MB per second that come out of archives onto it."""
CORES = (1, 2, 16, 100, 1000)
MSEG = "40 h"
"""What MSeg's instructions say of all of it."""


@dataclass(frozen=True)
class Load:
    """One archive: bytes, host, and seconds from its last byte until what is in it is unpacked."""

    step: int
    host: str
    bytes: float
    unpack: float


@dataclass(frozen=True)
class Network:
    """What fetching runs on; MB per second."""

    rates: Mapping[str, float] | float
    """Of each host, or of all alike."""
    line: float = LINE
    hosts: int = 4
    """From so many at once; 0: each archive in its turn."""

    def rate(self, host: str, busy: int) -> float:
        own = self.rates if isinstance(self.rates, int | float) else self.rates[host]
        return min(own, self.line / max(1, busy)) * MB


def walls(loads: Sequence[Load], work: Mapping[int, float], network: Network) -> dict[int, float]:
    """Seconds at which each step is complete: first all its archives are here and unpacked, then its work is done."""
    if not network.hosts:
        return _in_order(loads, work, network)
    arrived = _arrivals(loads, network)
    now, ends = 0.0, {}
    for step in sorted({*work, *(load.step for load in loads)}):
        for load in (load for load in loads if load.step == step):
            now = max(now, arrived[load]) + load.unpack
        now += work.get(step, 0.0)
        ends[step] = now
    return ends


def _in_order(loads: Sequence[Load], work: Mapping[int, float], network: Network) -> dict[int, float]:
    """Within a step an archive comes while the one before is unpacked."""
    now, ends = 0.0, {}
    for step in sorted({*work, *(load.step for load in loads)}):
        here = now
        for load in (load for load in loads if load.step == step):
            here += load.bytes / network.rate(load.host, 1)
            now = max(now, here) + load.unpack
        now += work.get(step, 0.0)
        ends[step] = now
    return ends


def _arrivals(loads: Sequence[Load], network: Network) -> dict[Load, float]:
    """When each archive is here: one from each host, from so many hosts at once, the earlier step's first."""
    waiting, left, arrived, now = list(loads), dict[Load, float](), dict[Load, float](), 0.0
    while waiting or left:
        for load in list(waiting):
            if len(left) < network.hosts and load.host not in {other.host for other in left}:
                waiting.remove(load)
                left[load] = load.bytes
        rates = {load: network.rate(load.host, len(left)) for load in left}
        first = min(left[load] / rates[load] for load in left)
        now += first
        left = {load: rest - first * rates[load] for load, rest in left.items()}
        for load in [load for load, rest in left.items() if rest <= 1]:
            arrived[load] = now
            del left[load]
    return arrived


def full_loads(steps: Sequence[Step], disk: float) -> list[Load]:
    """The real archives. A link's host is not known before it comes: one for each."""
    return [
        Load(step.number, host_of(call), archive.size, archive.size * archive.expands / (disk * MB))
        for step in steps
        for call in step.calls
        if call.task == "download" and (archive := call.archive)
    ]


def full_work(steps: Sequence[Step], cores: int) -> dict[int, float]:
    """Seconds of label work by step; checking reads what was read and made, and is taken as long as making it."""
    machine = Machine(cores, batch=BATCH if cores <= 16 else Cluster.seconds)
    numbers = {step.id: step.number for step in steps}
    check = next(step.number for step in steps if step.has("verify"))
    work: dict[int, float] = {}
    for row in FULL:
        end = simulate(row, machine)
        own = "relabel" if row.phase == "relabel" else row.dataset.split(",")[0].lower()
        number = numbers.get(own, numbers["remap-open"])
        work[number] = work.get(number, 0.0) + end.wall + end.sync
        work[check] = work.get(check, 0.0) + end.wall
    return work


def validate(rounds: int, rate: float = SIZE / 6) -> list[float]:
    """Walls of the small world, each divided by what is predicted for it; prints a row for each way."""
    print(f"{'five hosts, MB/s':<32} {'way':<12} {'predicted':>10} {'measured':>9} {'off by':>7} {'slowest host':>13}")
    factors = (1.0, 1.4, 2.0, 0.8, 1.2)
    found = []
    for way, hosts in (("in order", 0), ("two hosts", 2), ("five hosts", HOSTS)):
        own = statistics.median(_measured(hosts, None, factors) for _ in range(rounds))
        took = statistics.median(_measured(hosts, rate, factors) for _ in range(rounds))
        # What its calls cost by themselves: the same world with a line that takes no time.
        loads = [Load(number, str(number), SIZE, 0.0) for number in range(HOSTS)]
        rates = {str(number): rate * factors[number] / MB for number in range(HOSTS)}
        network = Network(rates, line=1e9, hosts=hosts)
        predicted = max(walls(loads, dict.fromkeys(range(HOSTS), own / HOSTS), network).values())
        path = max(SIZE / (rate * factor) for factor in factors)
        found.append(took / predicted)
        named = ", ".join(f"{rate * factor / MB:.2f}" for factor in factors)
        print(
            f"{named:<32} {way:<12} {predicted:8.1f} s {took:7.1f} s {predicted / took - 1:7.0%} {path:11.1f} s",
            flush=True,
        )
    return found


def _measured(hosts: int, rate: float | None, factors: Sequence[float]) -> float:
    """Seconds of the small world; `rate`: bytes per second of a host, times its factor."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ends:
        world = World([ends.enter_context(serving({})) for _ in range(HOSTS)], Path(folder))
        world.steps()
        for number in range(HOSTS):
            limited = Answer(piece=4096, line=Line(rate * factors[number])) if rate else None
            world.answer(number, limited)
        with world.opened(hosts=hosts) as ctx:
            began = time.monotonic()
            for _ in run(ctx.steps, ctx):
                pass
            return time.monotonic() - began


def main(*, quick: bool = False) -> None:
    validate(rounds=1 if quick else 3, rate=SIZE / (1 if quick else 6))
    steps = load_steps()
    print(f"\nall 14 steps; MSeg speaks of {MSEG}. A line of {LINE} MB/s, an SSD, 16 cores:\n")
    print(f"{'MB/s of each host':<20} {'in order':>10} {'2 hosts':>10} {'4 hosts':>10} {'8 hosts':>10} {'largest':>10}")
    loads, work = full_loads(steps, DISKS["SSD"]), full_work(steps, 16)
    for rate in RATES:
        row = [max(walls(loads, work, Network(rate, hosts=hosts)).values()) for hosts in (0, 2, 4, 8)]
        by_host: dict[str, float] = {}
        for load in loads:
            by_host[load.host] = by_host.get(load.host, 0.0) + load.bytes
        alone = max(by_host.values()) / (min(rate, LINE) * MB)
        print(f"{rate:<20} " + " ".join(f"{duration(wall):>10}" for wall in row) + f" {duration(alone):>10}")
    mirror = [replace(load, host="mirror") for load in loads]
    print(f"{'a mirror, 100':<20} {duration(max(walls(mirror, work, Network(100)).values())):>10}")
    print(f"\n{'cores':<20} " + " ".join(f"{disk:>14}" for disk in DISKS) + "   (hosts of 10 MB/s, four at once)")
    for cores in CORES:
        row = [
            max(walls(full_loads(steps, disk), full_work(steps, cores), Network(10)).values())
            for disk in DISKS.values()
        ]
        print(f"{cores:<20,} " + " ".join(f"{duration(wall):>14}" for wall in row))


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
