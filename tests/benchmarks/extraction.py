"""Unpacking beside what is usually typed: python -m tests.benchmarks.extraction [files]

The same archives of synthetic images, unpacked in memory by `unzip` or `tar` and by ours, in turns, each ending with
its barrier (`sync`, ours with its own); on one core, then on all. On a disk creating files dominates: give --on FOLDER
to see how much, as a report only.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from mseg_wizard.archives.unpack import unpack
from mseg_wizard.workers.pool import Pool

MEMORY = "/dev/shm"
ROUNDS = 5
KINDS = {"deflated.zip": "deflated zip", "stored.zip": "stored zip", "images.tar.gz": "tar.gz"}
TARGETS = {"deflated zip": (2.0, 4.0), "stored zip": (2.0, 4.0), "tar.gz": (1.6, 2.0)}
"""At least so many times as fast, on one core and on two."""


def content(number: int) -> bytes:
    """Half noise, as in JPEG; half what deflate shrinks, as in PNG of labels: 20 to 120 KB."""
    dice = random.Random(number)
    noise = dice.randbytes(dice.randrange(10_000, 60_000))
    runs = b"".join(bytes([dice.randrange(40)]) * dice.randrange(1, 60) for _ in range(len(noise) // 30))
    return noise + runs


def make(folder: Path, count: int) -> None:
    """The archives, which hold the same files."""
    deflated, stored, packed = (folder / name for name in KINDS)
    raw = folder / "raw"
    with zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as a, zipfile.ZipFile(stored, "w") as b:
        for number in range(count):
            path = raw / f"images/{number % 20}/{number:06}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content(number))
            for archive in (a, b):
                archive.write(path, path.relative_to(raw).as_posix())
    with tarfile.open(packed, "w:gz", compresslevel=6) as tar:
        tar.add(raw / "images", "images")
    shutil.rmtree(raw)


def plain(path: Path, into: Path) -> None:
    """What is usually typed."""
    how = (
        ["unzip", "-q", str(path), "-d", str(into)]
        if path.suffix == ".zip"
        else ["tar", "xzf", str(path), "-C", str(into)]
    )
    subprocess.run(how, check=True)
    subprocess.run(["sync", "-f", str(into)], check=True)  # this file system alone: others write to others


def ours(path: Path, into: Path, pool: Pool) -> None:
    for _ in unpack(path, into, pool=pool, expands=3.0):
        pass


def timed(work: Callable[[Path], None], folder: Path) -> float:
    into = folder / "into"
    into.mkdir()
    gc.collect()
    began = time.perf_counter()
    work(into)
    taken = time.perf_counter() - began
    shutil.rmtree(into)
    return taken


def measure(kind: str, path: Path, folder: Path, cores: int) -> str:
    """A line of the table: medians of rounds in turns, after one round that is not counted."""
    total = sum(info.file_size for info in zipfile.ZipFile(path).infolist()) if path.suffix == ".zip" else 0
    pool = Pool(cores)
    theirs: list[float] = []
    mine: list[float] = []
    for _ in range(ROUNDS + 1):
        theirs.append(timed(lambda into: plain(path, into), folder))
        mine.append(timed(lambda into: ours(path, into, pool), folder))
    pool.close()
    ratio = statistics.median(a / b for a, b in zip(theirs[1:], mine[1:], strict=True))
    a, b = statistics.median(theirs[1:]), statistics.median(mine[1:])
    rate = f"{total / b / 1e6:6.0f} MB/s" if total else " " * 11
    target = TARGETS[kind][cores - 1] if cores <= 2 else ""
    return f"{kind:<14} {cores:>5} {a:>8.2f} s {b:>8.2f} s {rate} {ratio:>6.1f} {target:>7}"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.extraction")
    parser.add_argument("files", nargs="?", type=int, default=8000)
    parser.add_argument("--on", type=Path, default=Path(MEMORY))
    parser.add_argument("--at", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    # Once more, on the cores that it was given: workers inherit them from whoever started the first of them.
    if given.at:
        for path in sorted(given.at.iterdir()):
            if path.is_file():
                print(measure(KINDS[path.name], path, given.at, len(os.sched_getaffinity(0))), flush=True)
        return
    if not (shutil.which("unzip") and shutil.which("tar")):
        sys.exit("unzip and tar are what this compares with: install them first.")
    every = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(dir=given.on) as place:
        make(Path(place), given.files)
        print(f"{given.files:,} files on {given.on}")
        print(
            f"{'archive':<14} {'cores':>5} {'plain':>10} {'ours':>10} {'':>11} {'ratio':>6} {'target':>7}", flush=True
        )
        for cores in sorted({1, len(every)}):
            os.sched_setaffinity(0, set(every[-cores:]))
            subprocess.run([sys.executable, "-m", "tests.benchmarks.extraction", "--at", place], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
