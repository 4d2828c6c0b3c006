"""Every step on a world of MSeg's size with tiny pixels: python -m tests.benchmarks.large [--share 4] [--beside 8]

The lists and records are those of the tree that MSEG_WIZARD_FULL_TREE names (see `full_world`); with `--share 4` every
fourth row of each. The whole makes 1.2 million files of 6 GB beside archives of 1 GB. The pixels are tiny, so that what
is measured is everything but these: lists, listings, the parent's work for each image, writing, syncing.

For each call: seconds, the parent's and the workers' processor seconds and memory, the longest time without a change on
the screen, the longest between two moments at which a stop is obeyed. Then a second run on the finished tree, and
`status`. `--stops` stops every long call once, two seconds after it began, and says how long the end took and what
starting again did. `--beside 8` runs a smaller share before, and names what is slower than linear. `--scheduler`: on
the workers of a Dask scheduler.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from mseg_wizard.context import Context, Options
from mseg_wizard.engine import run
from mseg_wizard.state.store import Store
from mseg_wizard.step import Step
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import Vault
from mseg_wizard.workers.pool import prepare_start

WORKERS = 2
LONG = 2.0
"""Seconds of silence that a person notices, and after which a call is stopped."""
LISTED = 25
"""Calls in the table: the slowest."""
LINEAR = 1.3
"""Times as long as the size says: slower than linear."""
ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Phase:
    """What one call took."""

    seconds: float = 0.0
    parent: float = 0.0
    workers: float = 0.0
    memory: float = 0.0
    """The parent's at its highest so far, in MB."""
    worker: float = 0.0
    """The largest worker's."""
    silent: float = 0.0
    during: str = ""
    """What it said in its longest silence."""
    unstoppable: float = 0.0
    images: int = 0


class Place(NamedTuple):
    """Where the archives are, and what is answered."""

    mirror: Path
    answers: Mapping[str, Mapping[str, Any]]


def main(
    share: int = 1, beside: int = 0, keep: Path | None = None, *, stops: bool = False, scheduler: str = ""
) -> None:
    prepare_start()
    full = Path(os.environ.get("MSEG_WIZARD_FULL_TREE", ROOT / "../shared/mseg-api")).resolve()
    before: dict[str, Phase] = {}
    with ExitStack() as ends:
        for each in filter(None, (beside, share)):
            place = (keep or Path(ends.enter_context(tempfile.TemporaryDirectory()))) / f"{each}"
            began = time.perf_counter()
            # By another process: what that loads is not the wizard's to have.
            with ProcessPoolExecutor(1, get_context("spawn")) as maker:
                world = maker.submit(_make, place / "world", full, each).result()
            print(f"made one {each}th of everything in {time.perf_counter() - began:.0f} s", flush=True)
            phases = all_steps(world, place / "d", stops=stops and each == share, scheduler=scheduler)
            if before:
                _slower_than_linear(before, phases, beside / share)
            before = phases
            began = time.perf_counter()
            told = subprocess.run(
                [sys.executable, "-m", "mseg_wizard", "status", "--dest", place / "d"], check=True, capture_output=True
            )
            assert b"done" in told.stdout
            print(f"status: {time.perf_counter() - began:.2f} s")


def _make(folder: Path, full: Path, share: int) -> Place:
    from tests.benchmarks.full_world import make_full_world

    world = make_full_world(folder, full, share=share)
    return Place(world.mirror, world.answers)


def all_steps(world: Place, destination: Path, *, stops: bool = False, scheduler: str = "") -> dict[str, Phase]:
    """What the steps took on an empty disk; both runs are printed."""
    steps = load_steps()
    first: dict[str, Phase] = {}
    for title in ("an empty disk", "the finished tree"):
        with _context(steps, world, destination, scheduler) as ctx:
            phases = stopped(steps, ctx) if stops and not first else measured(steps, ctx)
            report(title, phases)
        first = first or phases
    return first


@contextmanager
def _context(steps: Sequence[Step], world: Place, destination: Path, scheduler: str) -> Iterator[Context]:
    vault = Vault("benchmark", backend=None, environment={})
    options = Options(mirror=str(world.mirror), workers=WORKERS, scheduler=scheduler)
    ctx = Context(tuple(steps), Store(destination), vault, options)
    try:
        prepare = {**world.answers["prepare"], "destination": str(destination)}
        for step, table in {**world.answers, "prepare": prepare}.items():
            ctx.remember(ctx.step(step), table)
        yield ctx
    finally:
        ctx.close()


def stopped(steps: Sequence[Step], ctx: Context) -> dict[str, Phase]:
    """As `measured`, every call that is long being stopped once."""
    phases: dict[str, Phase] = {}
    once: set[str] = set()
    left = True
    while left:
        left = False
        begun: dict[str, float] = {}
        work = run(steps, ctx)
        began = time.perf_counter()
        for progress in _measured(work, phases):
            now = time.perf_counter()
            if progress not in begun and now - began > LONG and progress not in once:
                print(f"    {now - began:.1f} s from the start to {progress}")
            if now - begun.setdefault(progress, now) > LONG and progress not in once:
                once.add(progress)
                left = True
                break
        if left:
            began = time.perf_counter()
            work.close()
            print(f"    stopped in {time.perf_counter() - began:.2f} s: {progress}", flush=True)
    return phases


def measured(steps: Sequence[Step], ctx: Context) -> dict[str, Phase]:
    """Run all there is to do; key of a call → what it took."""
    phases: dict[str, Phase] = {}
    began = time.perf_counter()
    for number, _ in enumerate(_measured(run(steps, ctx), phases)):
        if number == 0:
            print(f"first line after {time.perf_counter() - began:.2f} s")
    return phases


def _measured(work: Iterator, phases: dict[str, Phase]) -> Iterator[str]:  # type: ignore[type-arg]
    """The key of the call at each of the work's yields."""
    changed = last = time.perf_counter()
    parent, children = time.process_time(), _children()
    shown: object = None
    call = said = ""
    for progress in work:
        now = time.perf_counter()
        phase = phases.setdefault(progress.call, Phase())
        phase.seconds += now - last
        phase.unstoppable = max(phase.unstoppable, now - last)
        spent = time.process_time()
        phase.parent, parent = phase.parent + spent - parent, spent
        if progress.call != call:  # looking at all processes takes milliseconds
            worked = _children()
            if call:
                phases[call].workers += max(0.0, worked - children)
                phases[call].memory = _highest("self")
                phases[call].worker = max([0.0, *map(_highest, _worker_pids())])
            call, children = progress.call, worked
            parent = time.process_time()
        if (progress.call, progress.doing, progress.done) != shown:
            if now - changed > phase.silent:
                phase.silent, phase.during = now - changed, said
            shown, changed, said = (progress.call, progress.doing, progress.done), now, progress.doing
        if progress.unit == "images" and progress.total:
            phase.images = progress.total
        yield progress.call
        last = time.perf_counter()


def report(title: str, phases: dict[str, Phase]) -> None:
    whole = [sum(getattr(phase, name) for phase in phases.values()) for name in ("seconds", "parent", "workers")]
    print(
        f"\n{title}: {whole[0]:.1f} s; processor seconds: {whole[1]:.1f} of the parent, {whole[2]:.1f} of the workers"
    )
    heads = ("s", "images/s", "parent s", "workers s", "µs/image", "parent MB", "worker MB", "silent s", "no stop s")
    print(f"{'call':<46}" + "".join(f"{head:>10}" for head in heads))
    for key, phase in sorted(phases.items(), key=lambda row: -row[1].seconds)[:LISTED]:
        rate = f"{phase.images / phase.seconds:,.0f}" if phase.images else ""
        each = f"{phase.parent / phase.images * 1e6:.0f}" if phase.images else ""
        print(
            f"{key[:46]:<46}{phase.seconds:>10.1f}{rate:>10}{phase.parent:>10.1f}{phase.workers:>10.1f}{each:>10}"
            f"{phase.memory:>10.0f}{phase.worker:>10.0f}{phase.silent:>10.2f}{phase.unstoppable:>10.2f}"
        )
    for words, name in (("without a change", "silent"), ("between two moments at which it stops", "unstoppable")):
        key = max(phases, key=lambda key: getattr(phases[key], name))
        print(f"longest time {words}: {getattr(phases[key], name):.2f} s, {key}")
    for key, phase in phases.items():
        if phase.silent > LONG:
            print(f"    {phase.silent:.1f} s in {key}: {phase.during}")
    print(
        f"memory at its highest: parent {_highest('self'):.0f} MB, workers "
        + ", ".join(f"{_highest(pid):.0f}" for pid in _worker_pids())
        + " MB",
        flush=True,
    )


def _slower_than_linear(before: dict[str, Phase], after: dict[str, Phase], times: float) -> None:
    for key, phase in after.items():
        small = before[key].seconds if key in before else 0.0
        if small > 0.5 and phase.seconds > small * times * LINEAR:
            print(f"slower than linear: {key}, {small:.1f} s and {phase.seconds:.1f} s for {times:.0f} times as much")


def _worker_pids() -> list[str]:
    """This process's children and theirs."""
    found, rows = {str(os.getpid())}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            rows[path.parent.name] = path.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
    for _ in range(3):
        found |= {pid for pid, above in rows.items() if above in found}
    return sorted(found - {str(os.getpid())})


def _children() -> float:
    """Processor seconds of the workers so far."""
    ticks = 0
    for pid in _worker_pids():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _highest(pid: str) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", type=int, default=1)
    parser.add_argument("--beside", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--stops", action="store_true")
    parser.add_argument("--scheduler", default="")
    asked = parser.parse_args()
    main(asked.share, asked.beside, asked.keep, stops=asked.stops, scheduler=asked.scheduler)
