"""The order gate: whatever the user, the disk and the power do, no step works before all earlier ones are complete."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mseg_wizard import engine
from mseg_wizard.calls import waiting
from mseg_wizard.context import Context
from mseg_wizard.datasets.inventory import missing_files
from mseg_wizard.datasets.locations import key_of, own_path, sources
from mseg_wizard.datasets.withdrawn import PlaceAnswer, aside_if_withdrawn, stays_aside
from mseg_wizard.engine import Runner, run
from mseg_wizard.progress import Problem, Progress, Waiting
from mseg_wizard.state.journal import ArchiveRecord
from mseg_wizard.state.store import Store
from mseg_wizard.step import Archive, Step
from mseg_wizard.step_files import load
from mseg_wizard.tasks.registry import TASKS
from mseg_wizard.tasks.task import Task
from mseg_wizard.vault import Vault

STEPS = 4
FILES = 3
STEP = """
id = "s{n}"
title = "Step {n}"
summary = "s"
why = "w"
time = "t"
[[fields]]
name = "ready"
kind = "acknowledge"
label = "Ready"
required = {asks}
{fetched}[[tasks]]
task = "make"
title = "make a{n}"
name = "a{n}"
[[tasks]]
task = "make"
title = "make b{n}"
name = "b{n}"
"""
FETCHED = """
[[archives]]
file = "{n}.zip"
dataset = "{n}"
urls = ["https://{n}.example/{n}.zip"]
also = ["nothing brings this"]
[[tasks]]
task = "download"
title = "fetch {n}"
archive = "{n}.zip"
"""


@dataclass(frozen=True)
class Row:
    """What a step file says of `make`."""

    name: str


SITE = """
[[fields]]
name = "username"
kind = "email"
label = "User"
secret = true
only_for = ["gone.zip", "kept.zip"]
[[fields]]
name = "password"
kind = "password"
label = "Password"
secret = true
only_for = ["gone.zip", "kept.zip"]
[[logins]]
id = "site"
name = "The site"
origin = "https://site.example"
path = "/login"
[[archives]]
file = "gone.zip"
dataset = "gone"
login = "site"
login_path = "/gone.zip"
withdrawn = "nothing is made from it"
also = ["there"]
[[archives]]
file = "kept.zip"
dataset = "kept"
login = "site"
login_path = "/kept.zip"
also = ["there"]
[[tasks]]
task = "get"
title = "get gone"
archive = "gone.zip"
[[tasks]]
task = "get"
title = "get kept"
archive = "kept.zip"
"""
"""Of the second step: two archives, of which one may be set aside."""


def steps_in(folder: Path, more: str = "", *, archives: bool = False) -> tuple[Step, ...]:
    folder.mkdir(parents=True)
    for n in range(1, STEPS + 1):
        fetched = FETCHED.format(n=n) if archives else ""
        text = STEP.format(n=n, asks="true" if n % 2 == 0 else "false", fetched=fetched)
        (folder / f"{n:02}-s{n}.toml").write_text(text.replace("[[tasks]]", f"{more}\n[[tasks]]", n == 2))
    return load(folder, {"make": Row, "download": Archive, "get": Archive})


def make(ctx: Context, row: Row) -> Generator[Progress, None, None]:
    """Makes FILES files, one a yield; fails where a file FAIL is there."""
    for number in range(FILES):
        if (ctx.destination / f"FAIL-{row.name}").exists():
            raise Problem(f"{row.name} failed.", "Remove the cause.")
        path = ctx.dataset_folder / row.name / str(number)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            WORKED.append(row.name)
            path.write_text("made")
        yield Progress("making", number, FILES, "files")


def make_missing(ctx: Context, row: Row) -> list[str]:
    return [str(number) for number in range(FILES) if not (ctx.dataset_folder / row.name / str(number)).exists()]


def forget(ctx: Context, row: Row) -> Generator[Progress, None, None]:
    """Returns without having done anything."""
    yield Progress("pretending")


WORKED: list[str] = []
NAMES = [f"{part}{n}" for n in range(1, STEPS + 1) for part in "ab"]


@pytest.fixture
def made_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Step, ...]]:
    monkeypatch.setitem(TASKS, "make", Task(make, make_missing))
    WORKED.clear()
    yield steps_in(tmp_path / "steps")


def opened(steps: tuple[Step, ...], folder: Path) -> Context:
    return Context(steps, Store(folder), Vault("test", backend=None, environment={}))


def answer_all(ctx: Context) -> None:
    for step in ctx.steps:
        ctx.remember(step, {"ready": True})


def test_all_steps_run_in_order_and_a_second_run_does_nothing(made_steps: tuple[Step, ...], tmp_path: Path) -> None:
    ctx = opened(made_steps, tmp_path / "d")
    answer_all(ctx)
    list(run(made_steps, ctx))
    assert [name for name in NAMES for _ in range(FILES)] == WORKED
    list(run(made_steps, ctx))
    assert len(WORKED) == len(NAMES) * FILES
    ctx.close()


def test_it_goes_on_by_itself_and_then_says_what_it_waits_for(made_steps: tuple[Step, ...], tmp_path: Path) -> None:
    ctx = opened(made_steps, tmp_path / "d")
    ctx.remember(made_steps[3], {"ready": True})  # ahead of its turn
    with pytest.raises(Waiting, match=r"Step 2, Step 2, waits for you: Ready") as caught:
        list(run(made_steps, ctx))
    assert (caught.value.step, caught.value.lacks) == ("s2", ("ready",))
    assert set(WORKED) == {"a1", "b1"}
    ctx.close()


def test_a_task_that_returns_without_its_outputs_is_not_done(
    made_steps: tuple[Step, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TASKS, "make", Task(forget, make_missing))
    ctx = opened(made_steps, tmp_path / "d")
    with pytest.raises(Problem, match="3 outputs are not there after the work"):
        list(run(made_steps, ctx))
    assert ctx.store.journal.finished == {}
    ctx.close()


def test_a_task_that_this_version_lacks_is_a_problem_and_never_done(
    made_steps: tuple[Step, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(TASKS, "make")
    ctx = opened(made_steps, tmp_path / "d")
    with pytest.raises(Problem, match="not in this version"):
        list(run(made_steps, ctx))
    assert ctx.store.journal.finished == {}
    ctx.close()


def test_the_runner_stops_between_two_yields_and_goes_on_from_there(
    made_steps: tuple[Step, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = opened(made_steps, tmp_path / "d")
    answer_all(ctx)
    runner = Runner(ctx, made_steps)

    def stopping(ctx: Context, row: Row) -> Generator[Progress, None, None]:
        for progress in make(ctx, row):
            runner.stop()
            yield progress

    monkeypatch.setitem(TASKS, "make", Task(stopping, make_missing))
    runner.start()
    assert runner.join(60)
    assert (runner.snapshot.running, runner.snapshot.complete, runner.snapshot.problem) == (False, False, None)
    assert WORKED == ["a1"]
    monkeypatch.setitem(TASKS, "make", Task(make, make_missing))
    runner.start()
    assert runner.join(60)
    assert runner.snapshot.complete
    assert len(WORKED) == len(NAMES) * FILES
    ctx.close()


def test_the_runner_reports_problems_and_bugs_and_never_dies_silently(
    made_steps: tuple[Step, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = opened(made_steps, tmp_path / "d")
    (tmp_path / "d" / "FAIL-a1").touch()
    runner = Runner(ctx, made_steps)
    runner.start()
    assert runner.join(60)
    assert runner.snapshot.problem is not None
    assert runner.snapshot.problem.what == "a1 failed."

    def broken(ctx: Context, row: Row) -> Generator[Progress, None, None]:
        yield Progress("about to")
        raise RuntimeError("a bug")

    monkeypatch.setitem(TASKS, "make", Task(broken, make_missing))
    runner.start()
    assert runner.join(60)
    assert isinstance(runner.snapshot.crash, RuntimeError)
    assert not runner.snapshot.complete
    ctx.close()


def test_the_time_that_a_person_takes_is_not_the_works(
    made_steps: tuple[Step, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upload(ctx: Context, row: Row) -> Generator[Progress, None, None]:
        for _ in range(4):
            time.sleep(0.25)
            yield Progress("waiting for the file", waiting=True)
        time.sleep(0.25)
        yield Progress("it is here")
        yield from make(ctx, row)

    monkeypatch.setitem(TASKS, "make", Task(upload, make_missing))
    ctx = opened(made_steps, tmp_path / "d")
    with pytest.raises(Waiting):
        list(run(made_steps, ctx))
    assert 0.2 <= ctx.store.journal.seconds["s1/make/a1"] < 1.0
    ctx.close()


@pytest.mark.parametrize("when", ["at work", "looking before", "looking after"])
@pytest.mark.parametrize(
    ("number", "words"), [(errno.EIO, "Look after that disk"), (errno.EAGAIN, "starts no more processes")]
)
def test_what_the_system_refuses_is_a_problem_whenever_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str, number: int, words: str
) -> None:
    refuses = False

    def refused(ctx: Context, row: Row) -> list[str]:
        if refuses and when != "at work":
            raise OSError(number, os.strerror(number), str(ctx.dataset_folder))
        return make_missing(ctx, row)

    def work(ctx: Context, row: Row) -> Generator[Progress, None, None]:
        nonlocal refuses
        yield from make(ctx, row)
        refuses = True
        if when == "at work":
            raise OSError(number, os.strerror(number), str(ctx.dataset_folder))

    monkeypatch.setitem(TASKS, "make", Task(work, refused))
    ctx = opened(steps_in(tmp_path / "steps"), tmp_path / "d")
    try:
        for again in (False, True) if when == "looking before" else (False,):
            ctx.store.finish("s1/make/a1") if again else None
            with pytest.raises(Problem, match=words) as caught:
                list(run(ctx.steps, ctx))
            assert "make a1" in str(caught.value) or number == errno.EAGAIN
    finally:
        ctx.close()


class Order(RuleBasedStateMachine):
    """The user, the disk and the power do what they like; the gate holds."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="order-"))
        TASKS["make"] = Task(self.watched, make_missing)
        self.steps = steps_in(self.folder / "steps")
        self.ctx = opened(self.steps, self.folder / "d")
        self.fetch_on = False
        WORKED.clear()

    def watched(self, ctx: Context, row: Row) -> Generator[Progress, None, None]:
        """`make`, with a look at the earlier steps at the moment its work begins."""
        name = row.name
        for earlier in NAMES[: NAMES.index(name)]:
            assert not make_missing(ctx, Row(earlier)), f"{name} began before {earlier} was complete"
            step = next(step for step in self.steps if step.id == f"s{earlier[1]}")
            if step.fields[0].required:
                assert self.answered.get(step.id) or f"{step.id}/make/{earlier}" in ctx.store.journal.finished
        yield from make(ctx, row)

    @property
    def answered(self) -> dict[str, bool]:
        return {step: bool(table.get("ready")) for step, table in self.ctx.store.journal.answers.items()}

    @rule(number=st.integers(1, STEPS), value=st.booleans())
    def answers(self, number: int, value: bool) -> None:
        self.ctx.remember(self.steps[number - 1], {"ready": value})

    @rule(name=st.sampled_from(NAMES), fails=st.booleans())
    def fails(self, name: str, fails: bool) -> None:
        mark = self.folder / "d" / f"FAIL-{name}"
        mark.touch() if fails else mark.unlink(missing_ok=True)

    @rule(name=st.sampled_from(NAMES), number=st.integers(0, FILES - 1))
    def deletes(self, name: str, number: int) -> None:
        (self.ctx.dataset_folder / name / str(number)).unlink(missing_ok=True)

    @rule(fetch_on=st.booleans())
    def waits_by_fetching(self, fetch_on: bool) -> None:
        self.fetch_on = fetch_on

    @rule(yields=st.integers(1, 60), answered=st.integers(0, STEPS))
    def runs_for_a_while(self, yields: int, answered: int) -> None:
        """`answered`: the number of the step whose form is filled in the middle of it, if one is."""
        work = run(self.steps, self.ctx, fetch_on=self.fetch_on)
        try:
            for done in range(yields):
                next(work)
                if answered and done == yields // 2:
                    self.answers(answered, True)
        except (Problem, StopIteration):
            pass
        finally:
            work.close()

    @rule()
    def runs(self) -> None:
        try:
            list(run(self.steps, self.ctx, fetch_on=self.fetch_on))
        except Problem:
            return
        assert not [name for name in NAMES if make_missing(self.ctx, Row(name))], (
            "it returned before everything was complete"
        )

    @rule()
    def restarts(self) -> None:
        self.ctx.close()
        self.ctx = opened(self.steps, self.folder / "d")

    @invariant()
    def finished_means_it_was_complete(self) -> None:
        if hasattr(self, "ctx"):
            for key in self.ctx.store.journal.finished:
                assert key.split("/")[-1] in WORKED

    def teardown(self) -> None:
        TASKS.pop("make", None)
        if hasattr(self, "ctx"):
            self.ctx.close()
            shutil.rmtree(self.folder)


class SetAside(Order):
    """The same with two archives in the second step: one may be set aside once it is gone, and nothing else may."""

    @initialize(withdrawn=st.booleans(), kept=st.sampled_from(["404", "the file"]))
    def begin(self, withdrawn: bool, kept: str) -> None:
        """`withdrawn`: begin where an archive is gone and may be set aside: few walks get there.

        `kept`: what the site answers then for the one that may not.
        """
        super().begin()
        self.ctx.close()
        TASKS["get"] = Task(self.get, missing_files)
        self.says, self.proven = {"gone.zip": "error", "kept.zip": "error"}, False
        self.steps = steps_in(self.folder / "steps-with-a-site", SITE)
        self.archives = self.steps[1].archives
        self.ctx = opened(self.steps, self.folder / "d")
        if withdrawn:
            answer_all(self.ctx)
            self.logs_in(True)
            self.allows()
            self.says = {"gone.zip": "404", "kept.zip": kept}

    def watched(self, ctx: Context, row: Row) -> Generator[Progress, None, None]:
        for archive in self.archives if row.name[1] >= "2" else ():
            there = stays_aside(ctx, archive) or not missing_files(ctx, archive)
            assert there, f"{row.name} began without {archive.file}"
        yield from super().watched(ctx, row)

    def get(self, ctx: Context, archive: Archive) -> Generator[Progress, None, None]:
        """As `download` does it, but that what the site answers is drawn."""
        yield Progress("asking")
        places = list(sources(ctx, archive))
        there = ctx.dataset_folder / archive.dataset / "there"
        if any(place.path for place in places) or (places and self.says[archive.file] == "the file"):
            there.parent.mkdir(parents=True, exist_ok=True)
            there.touch()
            WORKED.append(archive.file)
            ctx.store.keep_archive(archive.file, ArchiveRecord("", 0, 0, "", "fetched", ""))
            return
        gone = self.says[archive.file] in ("404", "410")
        if aside_if_withdrawn(
            ctx, archive, [PlaceAnswer(key_of(ctx, place), place.kind, "words", gone) for place in places]
        ):
            self.proven = self.proven or (gone and bool(places) and "aside:s2" in ctx.consents)
            GONE.append(archive.file)
            return
        raise Problem(f"{archive.file} could not be had.", "Try again.")

    @rule(file=st.sampled_from(["gone.zip", "kept.zip"]), says=st.sampled_from(["404", "410", "the file", "error"]))
    def the_site_says(self, file: str, says: str) -> None:
        self.says[file] = says

    @rule(known=st.booleans())
    def logs_in(self, known: bool) -> None:
        login = {"username": "a@b.example", "password": "secret word"}
        if known:
            self.ctx.remember(self.steps[1], login)
        else:
            self.ctx.vault.wipe([("s2", name) for name in login])

    @rule()
    def allows(self) -> None:
        self.ctx.consents.add("aside:s2")

    @rule(archive=st.integers(0, 1), there=st.booleans())
    def brings(self, archive: int, there: bool) -> None:
        path = own_path(self.ctx, self.archives[archive])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if there else path.unlink(missing_ok=True)

    @rule()
    def runs(self) -> None:
        super().runs()
        if self.ctx.store.journal.done(f"s{STEPS}/make/b{STEPS}"):
            gone, kept = self.archives
            assert not missing_files(self.ctx, kept)
            assert self.ctx.store.journal.aside or not missing_files(self.ctx, gone)

    @invariant()
    def only_what_is_known_to_be_gone_is_set_aside_and_never_done(self) -> None:
        if hasattr(self, "ctx") and (aside := self.ctx.store.journal.aside):
            assert list(aside) == ["gone.zip"]
            assert self.proven
            assert not self.ctx.store.journal.done("s2/get/gone.zip")

    def teardown(self) -> None:
        TASKS.pop("get", None)
        super().teardown()


class AheadOfOrder(Order):
    """The same with an archive in each step: fetching runs ahead, once the first step is complete, and nothing else."""

    @initialize(answered=st.booleans())
    def begin(self, answered: bool) -> None:
        """`answered`: begin with every form complete: few walks get there."""
        super().begin()
        self.fetch_on = True
        self.wrong: list[str] = []
        self.real = TASKS["download"]
        TASKS["download"] = Task(self.fetched, self.lacks, Archive, network=True)
        self.ctx.close()
        self.steps = steps_in(self.folder / "steps-with-archives", archives=True)
        self.ctx = opened(self.steps, self.folder / "d")
        if answered:
            answer_all(self.ctx)

    def path(self, archive: Archive) -> Path:
        return own_path(self.ctx, archive)

    def lacks(self, ctx: Context, archive: Archive) -> list[str]:
        return [] if self.path(archive).exists() else [archive.file]

    def fetched(self, ctx: Context, archive: Archive) -> Generator[Progress, None, None]:
        """A toy of a download; it looks whether it may begin."""
        number = int(archive.dataset)
        early = [name for name in NAMES if int(name[1]) < number and make_missing(ctx, Row(name))]
        if early:
            EARLY.append(archive.file)
        # Noted, not raised: what goes wrong with an archive ahead of its turn stops nothing.
        self.wrong += [f"{archive.file} before {name}" for name in early if name[1] == "1"]
        if early and ctx.store.journal.begun(f"s{number}/download/{archive.file}"):
            self.wrong.append(f"{archive.file}: its call counts as begun")
        if waiting(self.steps[number - 1], ctx):
            self.wrong.append(f"{archive.file} before its form is complete")
        part = self.path(archive).with_suffix(".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        for done in range(FILES):
            part.write_text("some")
            yield Progress("fetching", done, FILES, "B")
        part.replace(self.path(archive))
        found = self.path(archive).stat()
        record = ArchiveRecord(str(self.path(archive)), found.st_size, found.st_mtime_ns, "", "fetched", "a toy")
        ctx.store.keep_archive(archive.file, record)

    def watched(self, ctx: Context, row: Row) -> Generator[Progress, None, None]:
        for step in self.steps[: int(row.name[1]) - 1]:
            assert not self.lacks(ctx, step.archives[0]), f"{row.name} began before {step.archives[0].file} was here"
        yield from super().watched(ctx, row)
        for rounds in range(300):  # until something was fetched meanwhile, where anything can be
            if rounds >= 3 and EARLY:
                break
            time.sleep(0.003)
            yield Progress("making")

    @invariant()
    def finished_means_it_was_complete(self) -> None:
        if hasattr(self, "wrong"):
            assert not self.wrong
            for key in self.ctx.store.journal.finished:
                assert "/download/" in key or key.split("/")[-1] in WORKED

    def teardown(self) -> None:
        TASKS["download"] = self.real
        super().teardown()


EARLY: list[str] = []


def test_fetching_runs_ahead_of_the_order_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LANE_POLL", 0.001)
    sizes = settings(TestOrder.settings, max_examples=10, stateful_step_count=12)
    run_state_machine_as_test(AheadOfOrder, settings=sizes)
    assert EARLY, "nothing was fetched ahead"


@pytest.mark.slow
def test_only_what_is_known_to_be_gone_is_set_aside_and_the_order_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LANE_POLL", 0.001)
    run_state_machine_as_test(SetAside, settings=settings(TestOrder.settings, max_examples=40))
    assert GONE, "nothing was set aside"


GONE: list[str] = []

TestOrder = pytest.mark.slow(Order.TestCase)
TestOrder.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
