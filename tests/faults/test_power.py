"""Power cuts: files that have their names and not their content,
downloads and journals that are behind; and clocks that are wrong.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import pytest

from mseg_wizard.context import Context
from mseg_wizard.core import host
from mseg_wizard.engine import start
from mseg_wizard.practice.world import World
from mseg_wizard.state.journal import OWN
from mseg_wizard.step import ExpectedFiles
from tests.conftest import ROOT
from tests.faults.counts import count
from tests.faults.journeys import Journey, served
from tests.faults.stages import CALLS, opened_copy, relabelled
from tests.http.downloading import noted
from tests.waiting import wait_until
from tests.wizard import tree_of

pytestmark = pytest.mark.long

CONSUMED = "download-open/extract/trainval.tar.gz"
"""What it brings is removed by a later call: nobody unpacks it again."""
LOST: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
}


@pytest.fixture(scope="module")
def original(practice_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return relabelled(practice_world, tmp_path_factory)


@pytest.fixture
def ctx(original: Path, practice_world: World, tmp_path: Path) -> Iterator[Context]:
    with opened_copy(original, tmp_path, practice_world) as ctx:
        yield ctx


@pytest.mark.parametrize("task", ["extract", "remap", "relabel"])
def test_what_a_power_cut_left_empty_or_short_is_made_again(
    ctx: Context, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = tree_of(ctx.dataset_folder)
    for call in (call for call in CALLS.values() if call.task == task and call.key != CONSUMED):
        # Which files a call makes is seen when they are gone: here it is told by their folder or their list.
        made = sorted(path for path in outputs(ctx, call.key, expected) if path.exists())
        assert made, call.key
        for path, how in zip(made, cycle((*LOST.values(), None)), strict=False):
            if how is None:
                path.unlink()
            else:
                path.write_bytes(how(path.read_bytes()))
        ctx.store.reopen(call.key)
        with monkeypatch.context() as before:
            before.setattr(host, "boot_id", lambda: "the boot before")
            ctx.store.start(call.key)
        for _ in start(ctx, call):
            pass
        assert tree_of(ctx.dataset_folder) == expected, call.key
        count("faults tried")


def outputs(ctx: Context, key: str, tree: dict[str, str]) -> set[Path]:
    """Files that a call made, as far as they were not consumed since."""
    call = CALLS[key]
    if call.task == "extract":
        assert call.archive
        listed = [
            name for holding in call.archive.holds if holding.column != "records" for name in _listed(ctx, holding)
        ]
        folders = tuple(
            f"{call.archive.dataset}/{holding.folder}/" for holding in call.archive.holds if holding.column == "records"
        )
        return {ctx.dataset_folder / name for name in tree if name in listed or (folders and name.startswith(folders))}
    taxonomies = call.makes
    if call.task == "remap" and call.args.consumes:  # what it dumped was on the disk before the raw labels went
        taxonomies = taxonomies[1:]
    rows = {row.label for name in taxonomies for split in ("train", "val") for row in ctx.tree.rows(name, split)}
    root = ctx.tree.root(taxonomies[0])
    return {ctx.dataset_folder / root / label for label in rows if label}


def _listed(ctx: Context, holding: ExpectedFiles) -> Iterator[str]:
    """The holding's files as they came: those that a later call consumed are not there."""
    for split in holding.splits:
        for row in ctx.tree.rows(holding.taxonomy, split) if split in ctx.tree.splits(holding.taxonomy) else ():
            path = (row.image if holding.column == "image" else row.label) or ""
            if holding.match in path:
                for old, new in holding.replace.items():
                    path = path.replace(old, new)
                yield f"{ctx.tree.root(holding.taxonomy)}/{path}"


def test_a_download_whose_last_bytes_never_reached_the_disk_is_not_built_upon(
    world: World, expected: dict[str, str], tmp_path: Path
) -> None:
    journey = Journey(tmp_path, world)
    part = journey.dataset / "COCOPanoptic" / "train2017.zip.part"
    note = journey.destination / OWN / "train2017.zip.part.json"
    with served(world, limit=1_000_000) as (_, routes):
        running = journey.start(*routes)
        half = lambda: note.exists() and part.exists() and part.stat().st_size >= 500_000  # noqa: E731
        assert wait_until(half, running.process)
        running.stop(signal.SIGKILL)
        table, lines = noted(note)
        note.write_text(
            json.dumps(table | {"boot": "the boot before"})
            + "\n"
            + "".join(f"{start} {stop}\n" for start, stop in lines)
        )
        safe = bytearray(part.stat().st_size)
        for start, stop in table["spread"] or [(0, table["synced"])]:
            safe[start:stop] = part.read_bytes()[start:stop]
        part.write_bytes(safe)
        count("faults tried")
        journey.finish(*routes)
    assert tree_of(journey.dataset) == expected


def test_with_a_journal_that_is_one_write_behind_it_ends_with_the_same_tree(
    world: World, expected: dict[str, str], tmp_path: Path
) -> None:
    journey = Journey(tmp_path, world)
    own = journey.destination / OWN
    keys = (
        "download-open/download/sun_rgbd.tgz",
        "remap-open/remap/coco-panoptic-inst-201",
        "scannet/extract/scannet_frames_25k.zip",
        "relabel/relabel/idd-39",
        "verify/verify",
    )
    with served(world, limit=None) as (_, routes):
        for key in keys:
            running = journey.start(*routes)
            assert running.wait_for(key), key
            running.stop(signal.SIGKILL)
            (own / "journal.previous.json").replace(own / "journal.json")
            count("faults tried")
        journey.finish(*routes)
    assert tree_of(journey.dataset) == expected


CLOCK = """
import os, time
shift, now, now_ns = int(os.environ["CLOCK"]), time.time, time.time_ns
time.time, time.time_ns = lambda: now() + shift, lambda: now_ns() + shift * 10**9
"""


def test_a_clock_that_jumps_a_day_forth_and_back_changes_nothing(
    world: World, expected: dict[str, str], tmp_path: Path
) -> None:
    journey = Journey(tmp_path, world, mirrored=True)
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(CLOCK)
    for shift, until in ((86_400, "remap-open"), (-86_400, "kitti"), (86_400, "relabel"), (0, "finish")):
        journey.wizard.extra = {"PYTHONPATH": f"{tmp_path / 'clock'}:{ROOT}", "CLOCK": str(shift)}
        done = journey.run("--until", until)
        assert done.returncode == 0, done.stderr
        assert "fetch: downloading" not in done.stdout
        count("faults tried")
    kept = {name for name in expected if name.endswith(".zip")}  # archives that are kept lie in the mirror
    assert tree_of(journey.dataset) == {name: content for name, content in expected.items() if name not in kept}
    log = journey.log.read_text()
    again = [key for key in CALLS if log.count(f"{key}: begins") > 1]
    assert again == [], "work that was done was begun again"
