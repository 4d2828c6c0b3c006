"""Fetching ahead: several hosts at once, nothing else before its turn, and nothing twice whatever ends it."""

from __future__ import annotations

import io
import random
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mseg_wizard.ahead import Ahead
from mseg_wizard.calls import waiting
from mseg_wizard.context import Context, Options
from mseg_wizard.datasets import disk_space
from mseg_wizard.datasets.disk_space import FreeSpace
from mseg_wizard.datasets.stages import stage_of, stages_in
from mseg_wizard.engine import Runner, fetch_all, run
from mseg_wizard.notify import Notifier, news
from mseg_wizard.progress import Progress, Waiting
from mseg_wizard.standing.snapshot import published, standing
from mseg_wizard.standing.step_states import overview
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import Vault
from tests.http.faulty_server import Answer, FaultyServer, Line, serving
from tests.waiting import wait_until

HOSTS = 5
SIZE = 600_000
HEAD = """
id = "{id}"
title = "{id}"
summary = "s"
why = "w"
time = "t"
"""
FIRST = """
[[tasks]]
task = "folders"
title = "folders"
folders = ["first"]
"""
LINK = """
[[fields]]
name = "url"
kind = "url"
secret = true
label = "Link"
"""
ARCHIVE = """
[[archives]]
file = "{name}.zip"
dataset = "{name}"
{where}
about = {size}
layout = ["{name}/*"]
take = {{ "{name}/" = "" }}
also = ["0.bin", "1.bin"]
"""
TASKS = """
[[tasks]]
task = "download"
title = "download {name}"
archive = "{name}.zip"
[[tasks]]
task = "extract"
title = "extract {name}"
archive = "{name}.zip"
"""


def zipped(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(2):
            archive.writestr(f"{name}/{number}.bin", random.Random(f"{name}{number}").randbytes(SIZE // 2))
    return content.getvalue()


@dataclass
class World:
    """A step without archives, then one with an archive of each host."""

    servers: list[FaultyServer]
    folder: Path
    bodies: dict[str, bytes] = field(default_factory=dict)

    def answer(self, number: int, answer: Answer | None = None) -> None:
        """How a host gives its archive; else well, and at once."""
        name = f"a{number}"
        self.bodies.setdefault(name, zipped(name))
        self.servers[number].answers[f"/{name}.zip"] = replace(answer or Answer(), body=self.bodies[name])

    def steps(
        self, *, links: tuple[int, ...] = (), hosts: Callable[[int], int] = lambda number: number, more: str = ""
    ) -> None:
        place = self.folder / "steps"
        place.mkdir()
        (place / "01-first.toml").write_text(HEAD.format(id="first") + FIRST)
        for number in range(HOSTS):
            name, url = f"a{number}", f"{self.servers[hosts(number)].url}/a{number}.zip"
            where = 'link_field = "url"' if number in links else f'urls = ["{url}"]'
            text = HEAD.format(id=f"s{number}") + (LINK if number in links else "")
            text += ARCHIVE.format(name=name, where=f"{where}\n{more}", size=SIZE) + TASKS.format(name=name)
            (place / f"{number + 2:02}-s{number}.toml").write_text(text)

    @contextmanager
    def opened(self, hosts: int = Options.hosts, folder: str = "d") -> Iterator[Context]:
        options = Options(workers=1, hosts=hosts)
        ctx = Context(
            load_steps(self.folder / "steps"),
            Store(self.folder / folder),
            Vault("t", backend=None, environment={}),
            options,
        )
        try:
            yield ctx
        finally:
            ctx.close()

    def starts(self, file: str) -> list[int]:
        """The first byte that each request for an archive asked for."""
        ranges = [asked.headers.get("Range", "bytes=0-") for server in self.servers for asked in server.log
                  if asked.path == f"/{file}"]  # fmt: skip
        return [int(text.removeprefix("bytes=").partition("-")[0]) for text in ranges]

    def sent(self, number: int) -> int:
        """Bytes of an archive that its host sent in all."""
        return sum(asked.sent for server in self.servers for asked in server.log if asked.path == f"/a{number}.zip")

    def tree(self, folder: str = "d") -> dict[str, bytes]:
        top = self.folder / folder / "mseg_dataset"
        return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as ends:
        world = World([ends.enter_context(serving({})) for _ in range(HOSTS)], tmp_path)
        for number in range(HOSTS):
            world.answer(number)
        yield world


def slow(rate: float) -> Answer:
    return Answer(piece=4096, line=Line(rate))


def ahead_of(ctx: Context, work: Iterator[Progress]) -> dict[str, list[str]]:
    """Work to the end: key → what its archive went through ahead of its turn."""
    seen: dict[str, list[str]] = {}
    for progress in work:
        if progress.ahead and seen.setdefault(progress.call, [])[-1:] != [progress.ahead]:
            seen[progress.call].append(progress.ahead)
    return seen


def test_archives_of_later_steps_come_from_all_hosts_while_an_earlier_one_is_fetched(world: World) -> None:
    """Each host takes its time, whether the others do or not: they are all asked before the first has ended."""
    world.steps()
    for number in range(HOSTS):
        world.answer(number, slow(SIZE / 2))
    with world.opened(hosts=HOSTS) as ctx:
        work = run(ctx.steps, ctx)
        for progress in work:
            if all(server.open for server in world.servers):
                break
            assert not progress.call.startswith("s0/extract"), "the first was complete before all had begun"
        assert list(ctx.store.journal.started) == ["s0/download/a0.zip"] or not ctx.store.journal.started
        for number in range(HOSTS):
            world.answer(number)
        list(work)
        assert all(ctx.store.journal.done(call.key) for step in ctx.steps for call in step.calls)
    assert world.tree().keys() == {f"a{number}/{file}.bin" for number in range(HOSTS) for file in range(2)}


def test_in_order_nothing_is_asked_before_its_turn_and_both_ways_give_the_same(world: World) -> None:
    world.steps()
    with world.opened(hosts=0, folder="in-order") as ctx:
        for progress in run(ctx.steps, ctx):
            assert not progress.ahead
            asked = {asked.path for server in world.servers for asked in server.log}
            begun = {call.archive.file for step in ctx.steps for call in step.calls
                     if call.archive and ctx.store.journal.begun(call.key)}  # fmt: skip
            assert asked <= {f"/{file}" for file in begun}
    with world.opened() as ctx:
        list(run(ctx.steps, ctx))
    assert world.tree("in-order") == world.tree()


@pytest.mark.parametrize("hosts", [1, 2, 3])
def test_from_no_host_two_at_once_and_from_no_more_hosts_than_asked(world: World, hosts: int) -> None:
    """All archives are of two hosts; so many connections as there are bodies at a time are of one archive each."""
    world.steps(hosts=lambda number: number % 2)
    for number in range(HOSTS):
        body, path = zipped(f"a{number}"), f"/a{number}.zip"
        world.servers[number % 2].answers[path] = Answer(body=body, piece=16_384, line=Line(SIZE * 2), ranges=False)
    with world.opened(hosts=hosts) as ctx:
        list(run(ctx.steps, ctx))
    assert all(server.most_open == 1 for server in world.servers[:2])
    assert all(world.sent(number) >= len(zipped(f"a{number}")) for number in range(HOSTS))


def test_a_refused_link_of_a_later_step_is_told_and_waits_while_all_others_go_on(world: World) -> None:
    world.steps(links=(3,))
    world.answer(0, slow(SIZE))
    world.servers[3].answers["/a3.zip"] = Answer(status=403)
    with world.opened() as ctx:
        ctx.remember(ctx.step("s3"), {"url": f"{world.servers[3].url}/a3.zip"})
        runner = Runner(ctx, ctx.steps)
        runner.start()
        wait_until(lambda: bool(runner.snapshot.refused) or not runner.snapshot.running)
        assert runner.snapshot.refused == ("s3/download/a3.zip",)
        key, words = news(runner.snapshot)
        assert words.startswith("goes on, and waits for you besides: ")
        assert news(runner.snapshot, {key}) == (None, "")
        row = next(row for row in stages_in(ctx.steps) if row.folder == "a3")
        assert stage_of(row, "fetch", ctx.store.journal, runner.snapshot).state == "waiting"
        assert runner.join(60)
        assert isinstance(runner.snapshot.problem, Waiting)
        assert runner.snapshot.problem.lacks == ("url",)
        assert all(ctx.store.journal.done(call.key) for step in ctx.steps[:4] for call in step.calls)
        assert not any(ctx.store.journal.begun(call.key) for call in ctx.step("s4").calls), "only fetching runs ahead"
        assert len(world.servers[3].log) == 1, "a refused link was used again"
        world.answer(3)
        ctx.remember(ctx.step("s3"), {"url": f"{world.servers[3].url}/a3.zip?anew"})
        list(run(ctx.steps, ctx))
    assert len(world.tree()) == 2 * HOSTS


def test_a_fresh_link_is_used_while_the_work_goes_on(world: World) -> None:
    world.steps(links=(3,))
    world.answer(0, slow(SIZE / 4))
    world.servers[3].answers["/a3.zip"] = Answer(status=403)
    with world.opened() as ctx:
        ctx.remember(ctx.step("s3"), {"url": f"{world.servers[3].url}/a3.zip"})
        runner = Runner(ctx, ctx.steps)
        runner.start()
        wait_until(lambda: runner.snapshot.refused or not runner.snapshot.running)
        world.answer(3)
        ctx.remember(ctx.step("s3"), {"url": f"{world.servers[3].url}/a3.zip?anew"})
        wait_until(lambda: ctx.store.journal.holds("a3.zip") or not runner.snapshot.running)
        assert not runner.snapshot.refused
        assert not ctx.store.journal.done("s0/download/a0.zip")
        world.answer(0)
        assert runner.join(60)
        assert runner.snapshot.complete, runner.snapshot.problem


def test_while_a_step_waits_for_its_form_archives_still_come_and_it_goes_on_by_itself_after_the_answer(
    world: World,
) -> None:
    world.steps(links=(1,))
    for number in (2, 3, 4):
        world.answer(number, slow(SIZE / 4))
    with world.opened() as ctx:
        runner = Runner(ctx, ctx.steps, fetch_on=True)
        runner.start()
        wait_until(lambda: (runner.snapshot.awaits and len(runner.snapshot.ahead) == 3) or not runner.snapshot.running)
        now = runner.snapshot
        assert now.awaits == "s1/download/a1.zip"
        states = overview(ctx.steps, ctx.store.journal, now, lambda step: waiting(step, ctx))
        stands = standing(now, ctx.steps, states)
        assert (stands.state, stands.step, stands.field) == ("waiting", "s1", "url")
        assert "waits for you: Link" in stands.text
        assert next(state for state in states if state.id == "s1").waits_for == ("url",)
        wait_until(lambda: published(ctx.destination).awaits == now.awaits)
        key, words = news(now)
        assert key
        assert words.startswith("waits for you: ")
        assert not any(ctx.store.journal.begun(call.key) for call in ctx.step("s2").calls), "only fetching runs ahead"
        ctx.remember(ctx.step("s1"), {"url": f"{world.servers[1].url}/a1.zip"})
        wait_until(lambda: ctx.store.journal.done("s1/extract/a1.zip") or not runner.snapshot.running)
        for number in (2, 3, 4):
            world.answer(number)
        assert runner.join(60)
        assert runner.snapshot.complete, runner.snapshot.problem
    assert len(world.tree()) == 2 * HOSTS


def test_it_ends_waiting_when_nothing_more_can_be_fetched_and_says_that_once(world: World) -> None:
    world.steps(links=(1, 3))
    world.servers[3].answers["/a3.zip"] = Answer(status=403)
    with world.opened() as ctx:
        ctx.remember(ctx.step("s3"), {"url": f"{world.servers[3].url}/a3.zip"})
        told = world.folder / "told"
        notifier = Notifier(("sh", "-c", f"cat >> {told}"), ctx.destination)
        runner = Runner(ctx, ctx.steps, fetch_on=True)
        runner.start()
        while not runner.join(0.01):
            notifier.follow(runner.snapshot)
        notifier.follow(runner.snapshot)
        notifier.close()
        problem = runner.snapshot.problem
        assert isinstance(problem, Waiting)
        assert (problem.step, problem.lacks) == ("s1", ("url",))
        assert told.read_text().count("step 3, s1, waits for you".capitalize()) == 1
        assert all(ctx.store.journal.holds(f"a{number}.zip") for number in (2, 4))
        assert len(world.servers[3].log) == 1
        assert not any(ctx.store.journal.begun(call.key) for step in ctx.steps[3:] for call in step.calls)


@pytest.mark.parametrize("hosts", [0, 4])
def test_a_link_that_is_refused_in_its_turn_waits_the_same_way_unless_all_is_in_order(world: World, hosts: int) -> None:
    world.steps(links=(0,))
    world.servers[0].answers["/a0.zip"] = Answer(status=403)
    with world.opened(hosts=hosts) as ctx:
        ctx.remember(ctx.step("s0"), {"url": f"{world.servers[0].url}/a0.zip"})
        with pytest.raises(Waiting) as caught:
            list(run(ctx.steps, ctx, fetch_on=True))
        assert (caught.value.step, caught.value.lacks) == ("s0", ("url",))
        assert len(world.servers[0].log) == 1
        came = [number for number in range(1, HOSTS) if ctx.store.journal.holds(f"a{number}.zip")]
        assert came == ([1, 2, 3, 4] if hosts else [])


def test_the_link_that_expires_first_goes_first(world: World) -> None:
    world.steps(links=(2, 4))
    with world.opened(hosts=1) as ctx:
        for number, hours in ((2, 9), (4, 3)):
            ends = int((datetime.now(UTC) + timedelta(hours=hours)).timestamp())
            link = f"{world.servers[number].url}/a{number}.zip?Expires={ends}&Signature=s"
            ctx.remember(ctx.step(f"s{number}"), {"url": link})
        seen = ahead_of(ctx, run(ctx.steps, ctx))
    first = [asked.path for server in world.servers for asked in server.log]
    assert set(first) == {f"/a{number}.zip" for number in range(HOSTS)}
    assert next(iter(seen)) == "s4/download/a4.zip"


@pytest.mark.parametrize("fit", [1, 2, 3])
def test_no_more_archives_are_here_at_once_than_leave_the_rest_the_room_that_it_needs(
    world: World, monkeypatch: pytest.MonkeyPatch, fit: int
) -> None:
    """What comes out of them takes a tenth of their room by their step files, which decide."""
    world.steps(more="expands = 0.1")
    folder = world.folder / "d" / "mseg_dataset"
    real = disk_space.free_space

    def archives() -> list[Path]:
        return [*folder.rglob("*.zip"), *folder.rglob("*.part")]

    def little(path: Path) -> FreeSpace:
        taken = 0
        for archive in archives():
            with suppress(FileNotFoundError):  # renamed just now
                taken += archive.stat().st_size
        return replace(real(path), bytes=int((fit + 0.8) * SIZE) - taken)

    monkeypatch.setattr(disk_space, "free_space", little)
    with world.opened() as ctx:
        most = 0
        for _ in run(ctx.steps, ctx):
            most = max(most, len({path.name.removesuffix(".part") for path in archives()}))
        assert most == fit
        assert all(ctx.store.journal.done(call.key) for step in ctx.steps for call in step.calls)


def test_fetch_only_brings_the_archives_and_nothing_else(world: World) -> None:
    world.steps(links=(1,))
    world.servers[2].answers["/a2.zip"] = Answer(status=404)
    with world.opened() as ctx:
        with pytest.raises(Waiting) as caught:
            list(fetch_all(ctx.steps, ctx))
        one, two = caught.value.items
        assert one.startswith("a1.zip (600 kB; step 3, s1): ")
        assert "Link" in one
        assert two.startswith("a2.zip (600 kB; step 4, s2): ")
        assert "404" in two
        assert world.tree().keys() == {f"a{number}/a{number}.zip" for number in (0, 3, 4)}
        assert not [key for key in ctx.store.journal.finished if "extract" in key]
        ctx.remember(ctx.step("s1"), {"url": f"{world.servers[1].url}/a1.zip"})
        world.answer(2)
        sent = [world.sent(number) for number in (0, 3, 4)]
        list(fetch_all(ctx.steps, ctx))
        assert len(world.tree()) == HOSTS
        list(run(ctx.steps, ctx))
        assert [world.sent(number) for number in (0, 3, 4)] == sent, "what was here was fetched again"


def test_stopped_at_any_moment_it_gives_the_same_tree_and_fetches_nothing_twice(world: World) -> None:
    world.steps()
    for number in range(HOSTS):
        world.answer(number, slow(SIZE * 3))
    dice = random.Random("stops")
    held: dict[str, int] = {}
    for _ in range(10):
        with world.opened() as ctx:
            work = run(ctx.steps, ctx)
            stop_at = time.monotonic() + dice.uniform(0.05, 0.8)
            with suppress(StopIteration):
                while time.monotonic() < stop_at:
                    next(work)
            work.close()
            for file in ctx.store.journal.archives:
                held.setdefault(file, len(world.starts(file)))
    with world.opened() as ctx:
        list(run(ctx.steps, ctx))
    assert world.tree().keys() == {f"a{number}/{file}.bin" for number in range(HOSTS) for file in range(2)}
    for number in range(HOSTS):
        starts = world.starts(f"a{number}.zip")
        assert starts == sorted(starts), "it began again before where it was"
    assert {file: len(world.starts(file)) for file in held} == held, "what was here was asked for again"


def test_an_archive_that_is_cut_off_ahead_of_its_turn_goes_on_from_there(world: World) -> None:
    world.steps()
    world.answer(0, slow(SIZE))
    for number in range(1, HOSTS):
        world.answer(number, Answer(cut=SIZE // 3))
    with world.opened() as ctx:
        list(run(ctx.steps, ctx))
    assert len(world.tree()) == 2 * HOSTS
    for number in range(1, HOSTS):
        assert world.sent(number) == len(world.bodies[f"a{number}"])


def test_a_close_leaves_nothing_running(world: World) -> None:
    world.steps()
    for number in range(HOSTS):
        world.answer(number, Answer(piece=1000, pause=0.2))
    with world.opened() as ctx:
        ahead = Ahead(ctx, ctx.steps)
        checked = {call.key for call in ctx.steps[0].calls}
        wait_until(lambda: bool(list(ahead.poll(checked, ())) and len(ahead.held) == 2 * Options.hosts))
        ahead.close()
        wait_until(lambda: not any(server.open for server in world.servers))
        assert not ahead.held
