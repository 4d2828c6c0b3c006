"""Worker processes that are killed, hang or run out of memory
during real work: the image is named, all others are made.
"""

from __future__ import annotations

import functools
import os
import random
import resource
import signal
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from mseg_wizard.context import Context
from mseg_wizard.datasets import label_maps
from mseg_wizard.engine import start
from mseg_wizard.labels.readers import reader_named
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem
from mseg_wizard.tasks import remap as remapping
from mseg_wizard.workers.pool import Pool, each
from tests.faults.bad_work import DEADLY, read_annotations_and_die, remap_or_die
from tests.faults.counts import count
from tests.faults.journeys import Journey
from tests.faults.stages import CALLS, opened_copy, relabelled
from tests.wizard import tree_of

pytestmark = pytest.mark.long

KEY = "remap-open/remap/sunrgbd-38"
BAD = "SUNRGBD/label38/train/00000002.png"


@pytest.fixture(scope="module")
def original(practice_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return relabelled(practice_world, tmp_path_factory)


@pytest.fixture
def ctx(original: Path, practice_world: World, tmp_path: Path) -> Iterator[Context]:
    """All of SUN RGB-D's maps are to be made again."""
    with opened_copy(original, tmp_path, practice_world) as ctx:
        yield ctx


def named_alone(ctx: Context, words: str) -> None:
    """The bad image is the one that is named and not made; once it
    is right again, the call completes with the same tree.
    """
    count("faults tried")
    before = (ctx.dataset_folder / BAD).with_suffix(".right")
    maps = sorted(ctx.dataset_folder.glob("SUNRGBD/semseg-label37/*/*.png"))
    for path in maps:
        path.unlink()
    with pytest.raises(Problem) as caught:
        for _ in start(ctx, CALLS[KEY]):
            pass
    assert len(caught.value.items) == 1, caught.value.items
    assert BAD in caught.value.items[0]
    assert words in caught.value.items[0]
    assert [path.name for path in maps if not path.exists()] == [Path(BAD).name]
    assert KEY not in ctx.store.journal.finished
    before.replace(ctx.dataset_folder / BAD)
    for _ in start(ctx, CALLS[KEY]):
        pass
    assert KEY in ctx.store.journal.finished


def put_aside(ctx: Context) -> Path:
    path = ctx.dataset_folder / BAD
    path.rename(path.with_suffix(".right"))
    return path


def test_an_image_that_takes_its_worker_with_it_is_named(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tree_of(ctx.dataset_folder)
    put_aside(ctx).write_text(DEADLY)
    monkeypatch.setattr(remapping, "remap_label", remap_or_die)
    named_alone(ctx, "the worker process died")
    assert tree_of(ctx.dataset_folder) == expected


def test_an_image_that_never_ends_is_named(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tree_of(ctx.dataset_folder)
    os.mkfifo(put_aside(ctx))  # reading it waits for a writer that never comes
    monkeypatch.setattr(label_maps, "each", functools.partial(each, hangs_after=1.0))
    named_alone(ctx, "does not end")
    assert tree_of(ctx.dataset_folder) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux's")
def test_an_image_that_needs_more_memory_than_there_is_is_named(ctx: Context) -> None:
    expected = tree_of(ctx.dataset_folder)
    put_aside(ctx).write_bytes(large())
    pool = ctx.pool()
    assert isinstance(pool, Pool)
    # So that every worker is there: they start as needed.
    wait([pool.executor().submit(time.sleep, 0.3) for _ in range(pool.workers)])
    assert len(pool.executor()._processes) == pool.workers
    for pid in pool.executor()._processes:
        now = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(pid, resource.RLIMIT_AS, (now + (60 << 20), now + (60 << 20)))
    named_alone(ctx, "emory")
    assert tree_of(ctx.dataset_folder) == expected


def large() -> bytes:
    """A PNG of 99 million pixels that is right in every bit: 12 kB of file, 99 MB decoded."""
    width, height = 11_000, 9_000
    packer = zlib.compressobj(9)
    rows = b"".join([*(packer.compress(bytes(width + 1)) for _ in range(height)), packer.flush()])
    parts = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def test_a_worker_that_dies_over_the_annotations_is_no_fault_of_the_archive(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    count("faults tried")
    call = CALLS["remap-open/remap/coco-panoptic-inst-201"]
    expected = tree_of(ctx.dataset_folder)
    for made in ctx.dataset_folder.glob("COCOPanoptic/semantic_annotations*/val2017/*.png"):
        made.unlink()
    with monkeypatch.context() as deadly, pytest.raises(Problem) as caught:
        panoptic = replace(reader_named("panoptic"), annotations=read_annotations_and_die)
        deadly.setattr(remapping, "reader_named", lambda name: panoptic)
        list(start(ctx, call))
    assert "panoptic_val2017.json could not be read: the worker process died" in caught.value.what
    assert "Unpack" not in caught.value.do, "nothing is known against the archive"
    list(start(ctx, call))
    assert tree_of(ctx.dataset_folder) == expected


def parent_of(pid: int) -> int:
    """The parent of a process, 0 where it ended; a worker's is the fork server, whose parent is the wizard."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_while_workers_are_killed_at_random_no_image_is_lost_silently(
    practice_world: World, original: Path, tmp_path: Path
) -> None:
    journey, chance, killed = Journey(tmp_path, practice_world, mirrored=True), random.Random(5), 0
    running = journey.start("--until", "relabel")
    while running.process.poll() is None:
        time.sleep(chance.uniform(0, 0.1))
        helpers = [
            pid for pid in marked(journey.wizard.mark) if parent_of(pid) not in (running.process.pid, os.getpid(), 0)
        ]
        if helpers and running.begun() and running.begun()[-1].split("/")[1] in ("remap", "relabel"):
            with suppress(ProcessLookupError):
                os.kill(chance.choice(helpers), signal.SIGKILL)
            killed += 1
    out, err = running.process.communicate()
    assert running.process.returncode in (0, 1), out + err
    # The killed may be what starts the workers, too, or the one that reads COCO's annotations, time and again:
    # then that is said, and nothing else is blamed for it.
    ends = ("could not be made into label maps", "worker processes can't be started", "the worker process died")
    assert running.process.returncode == 0 or any(words in err for words in ends), err
    assert "Unpack" not in err
    assert killed
    count("faults tried", killed)
    journey.finish("--until", "relabel")
    assert tree_of(journey.dataset) == tree_of(original / "mseg_dataset")
    assert journey.wizard.left_over() == []


def marked(mark: str) -> list[int]:
    """Process ids of a wizard and all that it started."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found
