"""Every step on a large world of practice: python -m tests.benchmarks.large [--images 400] [--keep DIR]

`--images`: train images of each of the 13 datasets, half as many for val; 400 make 8,000 images and 40,000 files,
12,000 as many as the full data. They are tiny, so that what is measured is everything but pixels: lists, listings, the
parent's work for each image, writing, syncing. For each call: seconds, the parent's and the workers' processor seconds,
the longest time without a change on the screen, the longest between two moments at which a stop is obeyed. Then a
second run on the finished tree, and `status`. What is slower than linear shows beside a run of half the size.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mseg_wizard.context import Context, Options
from mseg_wizard.engine import run
from mseg_wizard.practice.world import make_world
from mseg_wizard.step import Step
from mseg_wizard.store import Store
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import Vault
from mseg_wizard.workers.pool import prepare_start

WORKERS = 2
LONG = 2.0
"""Seconds of silence that a person notices."""
LISTED = 12
"""Calls in the table: the slowest."""


@dataclass
class Phase:
    """What one call took."""

    seconds: float = 0.0
    parent: float = 0.0
    workers: float = 0.0
    silent: float = 0.0
    during: str = ""
    """What it said in its longest silence."""
    unstoppable: float = 0.0
    images: int = 0


def main(images: int = 400, keep: Path | None = None) -> None:
    prepare_start()
    with ExitStack() as ends:
        place = keep or Path(ends.enter_context(tempfile.TemporaryDirectory()))
        began = time.perf_counter()
        world = make_world(place / "world", images=images)
        print(f"made {images} train images of each dataset in {time.perf_counter() - began:.0f} s", flush=True)
        steps = load_steps()
        for title in ("an empty disk", "the finished tree"):
            vault = Vault("benchmark", backend=None, environment={})
            ctx = Context(steps, Store(place / "d"), vault, Options(mirror=str(world.mirror), workers=WORKERS))
            try:
                for step, table in {
                    **world.answers,
                    "prepare": {**world.answers["prepare"], "destination": str(place / "d")},
                }.items():
                    ctx.remember(ctx.step(step), table)
                report(title, measured(steps, ctx))
            finally:
                ctx.close()
        began = time.perf_counter()
        told = subprocess.run(
            [sys.executable, "-m", "mseg_wizard", "status", "--dest", place / "d"], check=True, capture_output=True
        )
        assert b"done" in told.stdout
        print(f"status: {time.perf_counter() - began:.2f} s")


def measured(steps: Sequence[Step], ctx: Context) -> dict[str, Phase]:
    """Run all there is to do; key of a call → what it took."""
    phases: dict[str, Phase] = {}
    changed = last = time.perf_counter()
    parent, children = time.process_time(), _children()
    shown: object = None
    call = said = ""
    for progress in run(steps, ctx):
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
            call, children = progress.call, worked
            parent = time.process_time()
        if (progress.call, progress.doing, progress.done) != shown:
            if now - changed > phase.silent:
                phase.silent, phase.during = now - changed, said
            shown, changed, said = (progress.call, progress.doing, progress.done), now, progress.doing
        if progress.unit == "images" and progress.total:
            phase.images = progress.total
        last = time.perf_counter()
    return phases


def report(title: str, phases: dict[str, Phase]) -> None:
    whole = [sum(getattr(phase, name) for phase in phases.values()) for name in ("seconds", "parent", "workers")]
    print(
        f"\n{title}: {whole[0]:.1f} s; processor seconds: {whole[1]:.1f} of the parent, {whole[2]:.1f} of the workers"
    )
    print(f"{'call':<46} {'s':>7} {'parent':>7} {'workers':>8} {'µs/image':>9} {'silent s':>9} {'no stop for s':>14}")
    for key, phase in sorted(phases.items(), key=lambda row: -row[1].seconds)[:LISTED]:
        each = f"{phase.parent / phase.images * 1e6:.0f}" if phase.images else ""
        print(
            f"{key[:46]:<46} {phase.seconds:>7.1f} {phase.parent:>7.1f} {phase.workers:>8.1f} {each:>9} "
            f"{phase.silent:>9.2f} {phase.unstoppable:>14.2f}"
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
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    main(asked.images, asked.keep)
