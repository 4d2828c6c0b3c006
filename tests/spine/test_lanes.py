"""Two lanes within a step: what the network brings beside what
the processors do, and never anything before its turn.
"""

from __future__ import annotations

import io
import os
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mseg_wizard.archives.atomic_tree import _Group
from mseg_wizard.context import Context, Options
from mseg_wizard.engine import Runner, due, run
from mseg_wizard.progress import Problem
from mseg_wizard.state.store import Store
from mseg_wizard.step import Archive, Call, Step
from mseg_wizard.step_files import load
from mseg_wizard.tasks.registry import TASKS
from mseg_wizard.vault import Vault
from tests.http.faulty_server import Answer, Asked, FaultyServer

ARCHIVES = 10
FILES = 700
HEAD = """
id = "{id}"
title = "{id}"
summary = "s"
why = "w"
time = "t"
"""
ARCHIVE = """
[[archives]]
file = "{name}.zip"
dataset = "{name}"
urls = ["{url}/{name}.zip"]
about = 1_000_000
layout = ["{name}/*"]
take = {{ "{name}/" = "" }}
also = ["0000.bin", "{last:04}.bin"]
"""
TASK = """
[[tasks]]
task = "{task}"
title = "{task} {name}"
archive = "{name}.zip"
"""


@st.composite
def plans(draw: st.DrawFn) -> list[Step]:
    """Steps of calls in the orders that step files may have: of each
    archive a download before its extraction, others anywhere.
    """
    steps = []
    for number in range(draw(st.integers(1, 3))):
        archives = [Archive(file=f"{number}{letter}.zip", dataset="d") for letter in "abc"[: draw(st.integers(0, 3))]]
        calls = [(archive, task) for archive in archives for task in ("download", "extract")]
        calls = draw(st.permutations(calls))
        calls = sorted(calls, key=lambda call: call[1] == "extract") if draw(st.booleans()) else calls
        ordered: list[Call] = []
        for archive, _ in calls:
            task = "extract" if any(call.archive == archive for call in ordered) else "download"
            ordered.append(Call(f"{number}/{task}/{archive.file}", task, task, archive))
        for extra in range(draw(st.integers(0 if ordered else 1, 2))):
            place = draw(st.integers(0, len(ordered)))
            ordered.insert(place, Call(f"{number}/remap/{extra}", "remap", "remap"))
        steps.append(Step(f"s{number}", number, "t", "s", "w", "t", "", (), (), (), (), tuple(ordered)))
    return steps


@given(plans(), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_whatever_ends_first_every_call_comes_in_its_turn(steps: list[Step], dice: object) -> None:
    checked: set[str] = set()
    begun: list[tuple[Step, Call]] = []
    everything = [call for step in steps for call in step.calls]
    while len(checked) < len(everything):
        begun += due(steps, checked, {call.key for _, call in begun})
        assert begun, "it stands still"
        assert len({TASKS[call.task].network for _, call in begun}) == len(begun), "two in one lane"
        for step, call in begun:
            earlier = step.calls[: step.calls.index(call)]
            assert all(other.key in checked for before in steps[: steps.index(step)] for other in before.calls), (
                "a later step has begun"
            )
            lane = [other for other in earlier if TASKS[other.task].network == TASKS[call.task].network]
            assert all(other.key in checked for other in lane), "out of order in its lane"
            assert all(other.key in checked for other in earlier if other.archive == call.archive), (
                "before its archive was there"
            )
            if call.task == "remap":
                assert all(other.key in checked for other in earlier), "before what it may need"
        ended = begun.pop(dice.randrange(len(begun)))  # type: ignore[attr-defined]
        checked.add(ended[1].key)
    assert not list(due(steps, checked, set()))


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes its time: a real one may have all of an
    archive in no time, and then there is nothing to overlap.
    """
    save = _Group.save

    def slowly(group: _Group) -> None:
        time.sleep(0.15)
        save(group)

    monkeypatch.setattr(_Group, "save", slowly)


def zipped(name: str) -> bytes:
    """An archive of many small files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(FILES):
            archive.writestr(f"{name}/{number:04}.bin", os.urandom(2000))
    return content.getvalue()


@pytest.fixture(scope="module")
def archives() -> dict[str, bytes]:
    return {f"/a{number}.zip": zipped(f"a{number}") for number in range(ARCHIVES)}


@contextmanager
def destination(folder: Path, step: str, options: Options) -> Iterator[Context]:
    """A destination with one step; opened again where it was before."""
    (folder / "steps").mkdir(parents=True, exist_ok=True)
    (folder / "steps" / "01-fetch.toml").write_text(step)
    ctx = Context(load(folder / "steps"), Store(folder / "d"), Vault("test", backend=None, environment={}), options)
    try:
        yield ctx
    finally:
        ctx.close()


@contextmanager
def opened(folder: Path, url: str) -> Iterator[Context]:
    """A destination with one step of ten archives."""
    names = [f"a{number}" for number in range(ARCHIVES)]
    text = HEAD.format(id="fetch")
    text += "".join(ARCHIVE.format(name=name, url=url, last=FILES - 1) for name in names)
    text += "".join(TASK.format(task=task, name=name) for name in names for task in ("download", "extract"))
    with destination(folder, text, Options(workers=2)) as ctx:
        yield ctx


@pytest.mark.long
@pytest.mark.usefixtures("slow_disk")
def test_a_step_takes_hardly_longer_than_the_slower_of_its_lanes(archives: dict[str, bytes], tmp_path: Path) -> None:
    """The server gives 0.75 MB a second to a connection.

    Lanes and whole are of one run; one of three must be undisturbed by others.
    """
    answers = {path: Answer(body=body, piece=60_000, pause=0.08) for path, body in archives.items()}
    measured = []
    for number in range(3):
        server = FaultyServer(answers)
        with opened(tmp_path / str(number), server.url) as ctx:
            measured.append(lanes(ctx))
        server.close()
        wall, network, processors = measured[-1]
        assert processors > 0.15 * network, "there was little to overlap"
        if wall <= 1.1 * max(network, processors):
            return
    raise AssertionError(measured)


def lanes(ctx: Context) -> tuple[float, float, float]:
    """Seconds of a whole run, and of each of its lanes by itself."""
    began = time.monotonic()
    told = [progress.call.removeprefix("fetch/") for progress in run(ctx.steps, ctx)]
    wall = time.monotonic() - began
    for number in range(ARCHIVES - 1):
        after = len(told) - told[::-1].index(f"extract/a{number}.zip")
        assert told.index(f"download/a{number + 1}.zip") < after, (
            f"nothing was fetched while a{number}.zip was unpacked"
        )
    for number in range(ARCHIVES):
        assert len(list((ctx.dataset_folder / f"a{number}").iterdir())) == FILES
    spent = ctx.store.journal.seconds
    network, processors = (sum(spent[key] for key in spent if f"/{task}/" in key) for task in ("download", "extract"))
    return wall, network, processors


def test_what_ends_one_lane_ends_the_other_at_once_and_names_its_own_call(
    archives: dict[str, bytes], tmp_path: Path
) -> None:
    """The second archive, uploaded, is damaged: the third one's download ends too, keeps what it has, and goes on from
    there.
    """
    slow = Answer(body=archives["/a2.zip"], piece=20_000, pause=0.5)
    server = FaultyServer({**archives, "/a2.zip": slow})
    with opened(tmp_path, server.url) as ctx:
        (ctx.dataset_folder / "a1").mkdir(parents=True)
        (ctx.dataset_folder / "a1" / "a1.zip").write_bytes(damaged(archives["/a1.zip"]))
        runner = Runner(ctx, ctx.steps)
        runner.start()
        assert runner.join(120)
        assert isinstance(runner.snapshot.problem, Problem)
        assert "a1.zip is damaged" in runner.snapshot.problem.what
        assert f"It lies at {ctx.dataset_folder / 'a1' / 'a1.zip'}." in runner.snapshot.problem.what
        assert "copy it again" in runner.snapshot.problem.do
        assert runner.snapshot.calls == ("fetch/extract/a1.zip",)
        part = ctx.dataset_folder / "a2" / "a2.zip.part"
        had = part.stat().st_size
        assert 0 < had < len(archives["/a2.zip"])
        assert "fetch/download/a3.zip" not in ctx.store.journal.started
        (ctx.dataset_folder / "a1" / "a1.zip").unlink()
        server.answers.update(archives)
        runner.start()
        assert runner.join(120)
        assert runner.snapshot.complete, runner.snapshot.problem
        assert server.sent("/a2.zip")[-1] == len(archives["/a2.zip"]) - had
    server.close()


def test_what_was_fetched_and_is_damaged_is_fetched_once_more(archives: dict[str, bytes], tmp_path: Path) -> None:
    """By the same run, which goes on with it, and says so; the others are fetched once."""
    bad, good = damaged(archives["/a1.zip"]), archives["/a1.zip"]

    def answer(request: Asked) -> Answer:
        return Answer(body=good if ctx.store.archive("a1.zip") else bad)

    server = FaultyServer({**archives, "/a1.zip": answer})
    with opened(tmp_path, server.url) as ctx:
        said = [(progress.call, progress.doing) for progress in run(ctx.steps, ctx)]
        assert ("fetch/extract/a1.zip", "It is damaged: it is fetched once more, then unpacked") in said
        for number in range(ARCHIVES):
            assert len(list((ctx.dataset_folder / f"a{number}").iterdir())) == FILES
            assert len(server.sent(f"/a{number}.zip")) == (2 if number == 1 else 1)
        (remark,) = ctx.store.journal.remarks("fetch/download/a1.zip")
        assert remark.startswith("a1.zip had to be fetched once more: a1.zip is damaged at a1/")
    server.close()


def damaged(archive: bytes) -> bytes:
    """With a bit turned that only the archive's own sum of a member shows."""
    broken = bytearray(archive)
    broken[len(broken) // 2] ^= 1
    return bytes(broken)


@pytest.mark.long
@pytest.mark.usefixtures("slow_disk")
def test_both_lanes_show_while_they_work(archives: dict[str, bytes], tmp_path: Path) -> None:
    answers = {path: Answer(body=body, piece=60_000, pause=0.02) for path, body in archives.items()}
    server = FaultyServer(answers)
    with opened(tmp_path, server.url) as ctx:
        runner = Runner(ctx, ctx.steps)
        runner.start()
        seen: set[tuple[str, ...]] = set()
        while not runner.join(0.01):
            seen.add(tuple(sorted(key.split("/")[1] for key in runner.snapshot.calls)))
        assert runner.snapshot.complete
        assert ("download", "extract") in seen
        assert all(len(set(tasks)) == len(tasks) for tasks in seen), "two of one lane at once"
    server.close()
