"""No dead end: every cause that stops a journey is made, what its message advises is done, and the journey goes on to
its end. Which test does that for the others stands in a list, so that a new problem without one is seen.
"""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mseg_wizard import engine
from mseg_wizard.context import Consent, Context, Options
from mseg_wizard.datasets.locations import own_path
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem, Waiting
from mseg_wizard.step import Step
from mseg_wizard.tasks.extract import extract
from tests.conftest import ROOT
from tests.journeys.proven_ways_out import NAMED, PROVEN
from tests.registered import archive, downloaded, opened, run

KITTI = "data_semantics.zip"
CONFIG = "mseg/utils/dataset_config.py"
RAW = "mseg_dataset/KITTI/training/semantic"


@dataclass
class Bench:
    """A destination, and a lab's folder with copies of all archives that the cause may spoil."""

    world: World
    place: Path
    ctx: Context
    step: str = "kitti"

    @property
    def lab(self) -> Path:
        return self.place / "lab"

    @property
    def destination(self) -> Path:
        return self.place / "d"

    def again(self, **answers: dict[str, object]) -> None:
        """End, and start again: nothing of the session before is known."""
        self.ctx.close()
        vault = self.ctx.vault
        self.ctx = opened(self.world, self.destination, answers=answers, options=self.ctx.options)
        self.ctx.vault = vault

    def steps(self) -> tuple[Step, ...]:
        return (self.ctx.step(self.step),)

    def own(self, file: str = KITTI) -> Path:
        """Where an archive is uploaded to."""
        path = own_path(self.ctx, archive(self.ctx, file))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def copy(self, to: Path, file: str = KITTI) -> None:
        shutil.copy(self.world.mirror / file, to)

    def go(self) -> None:
        """To the end; raises what stops it."""
        list(engine.run(self.steps(), self.ctx))

    def finished(self) -> bool:
        return all(self.ctx.store.journal.done(call.key) for step in self.steps() for call in step.calls)


@pytest.fixture
def bench(practice_world: World, tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "lab").mkdir()
    options = Options(mirror=str(tmp_path / "lab"), workers=1)
    made = Bench(practice_world, tmp_path, opened(practice_world, tmp_path / "d", options=options))
    made.copy(made.lab)
    yield made
    made.ctx.close()


def raws(it: Bench) -> list[Path]:
    return sorted((it.destination / RAW).glob("*.png"))


def unpacked(it: Bench) -> None:
    """Through to the remapping, which is yet to come."""
    step = it.ctx.step("kitti")
    list(engine.run([replace(step, calls=step.calls[:2])], it.ctx))


def damage_label(it: Bench) -> None:
    unpacked(it)
    data = bytearray(raws(it)[0].read_bytes())
    data[len(data) // 2] ^= 0xFF
    raws(it)[0].write_bytes(data)


def upload_another(it: Bench) -> None:
    (it.lab / KITTI).unlink()
    it.copy(it.own(), "wd_val_01.zip")


def damage_archive(it: Bench) -> None:
    data = (it.world.mirror / KITTI).read_bytes()
    middle = len(data) // 2
    (it.lab / KITTI).write_bytes(
        data[:middle] + bytes(byte ^ 0xFF for byte in data[middle : middle + 99]) + data[middle + 99 :]
    )


def cut_archive(it: Bench) -> None:
    (it.lab / KITTI).write_bytes((it.world.mirror / KITTI).read_bytes()[:-500])


def tidied_away_and_lost(it: Bench) -> None:
    """It was uploaded, unpacked and removed, and a file of it is gone."""
    (it.lab / KITTI).unlink()
    it.copy(it.own())
    unpacked(it)
    assert not it.own().exists()
    raws(it)[0].unlink()


def unmounted(it: Bench) -> None:
    unpacked(it)
    shutil.rmtree(it.destination / "mseg_dataset/KITTI")


def of_another_program(it: Bench) -> None:
    unpacked(it)
    maps = it.destination / "mseg_dataset/KITTI/training/label19"
    target = it.ctx.tree.rows("kitti-19", "train")[0].label
    assert target
    place = it.destination / "mseg_dataset/KITTI" / target
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(raws(it)[0], place)
    assert maps.parent.exists()


def in_the_way(it: Bench) -> None:
    (it.destination / "mseg_dataset/KITTI").mkdir(parents=True, exist_ok=True)
    (it.destination / "mseg_dataset/KITTI/training").write_text("a file of mine")


def no_source(it: Bench) -> None:
    (it.lab / KITTI).unlink()


def read_no_more(it: Bench) -> None:
    """What was fetched goes between its check and its unpacking."""
    it.copy(it.own())
    (it.lab / KITTI).unlink()
    downloaded(it.ctx, KITTI)
    it.own().unlink()
    it.copy(it.lab)
    run(extract(it.ctx, archive(it.ctx, KITTI)))


def nothing_there(it: Bench) -> None:
    it.ctx.store.answer("kitti", "archives", [str(it.place / "nowhere")])
    (it.lab / KITTI).unlink()


def preparing(it: Bench, **answers: object) -> None:
    """Step 1, with the practice world's tree as a folder of the user's."""
    it.step = "prepare"
    tree = it.place / "tree"
    shutil.copytree(it.world.tree, tree)
    it.ctx.store.answer("prepare", "destination", str(it.destination))
    given = {"read": True, "terms": True, "mseg_api": str(tree), "python": "", **answers}
    it.ctx.remember(it.ctx.step("prepare"), given)


def no_python(it: Bench) -> None:
    preparing(it, python=str(it.place / "lab" / KITTI))


def no_tree(it: Bench) -> None:
    preparing(it)
    (it.place / "tree").rename(it.place / "other tree")


def no_line(it: Bench) -> None:
    preparing(it)
    file = it.place / "tree" / CONFIG
    file.write_text(file.read_text().replace("MSEG_DST_DIR", "MSEG_HOME"))


def without_python(it: Bench, problem: Problem) -> None:
    it.again(prepare={"python": ""})


def another_tree(it: Bench, problem: Problem) -> None:
    it.again(prepare={"mseg_api": str(it.place / "other tree")})


def give_it_its_line(it: Bench, problem: Problem) -> None:
    assert f"{it.place / 'tree'} can't be configured, by its {CONFIG}" in problem.what
    file = it.place / "tree" / CONFIG
    line = next(re.finditer(r"one line (.*), as MSeg", problem.do))[1]
    file.write_text(f"{file.read_text()}\n{line}\n")
    it.again()


def allow(it: Bench, problem: Problem) -> None:
    assert isinstance(problem, Consent)
    assert f"--allow {problem.key}" in problem.do
    it.again()
    it.ctx.consents.add(problem.key)


def remove_named(it: Bench, problem: Problem) -> None:
    """Remove what the message names, and nothing else."""
    named = [Path(text.rstrip(".:;,")) for item in (problem.what, *problem.items) for text in re.findall(r"/\S+", item)]
    there = {path for path in named if path.is_file()}
    assert there, problem
    for path in there:
        path.unlink()


def give_the_right_one(it: Bench, problem: Problem) -> None:
    it.copy(it.lab)


def name_it(it: Bench, problem: Problem) -> None:
    assert isinstance(problem, Waiting)
    assert problem.step == "kitti"
    (it.place / "mine").mkdir()
    it.copy(it.place / "mine")
    it.again(kitti={"archives": [str(it.place / "mine")]})


def move_away(it: Bench, problem: Problem) -> None:
    named = next(re.finditer(r"(/.*) is in the way", problem.what))[1]
    Path(named).rename(it.place / "moved away")


def only_again(it: Bench, problem: Problem) -> None:
    assert "Start again" in problem.do


@dataclass(frozen=True)
class Case:
    """A cause, the words of its message, and what these advise."""

    cause: Callable[[Bench], None]
    words: str
    advice: str
    remedies: tuple[Callable[[Bench, Problem], None], ...]
    """One for each message: the first remedy may lead to another question."""


WALKED = {
    "a damaged label": Case(damage_label, "could not be made into label maps", "Mend what is named", (remove_named,)),
    "another archive uploaded": Case(
        upload_another, "not the archive that is wanted", "Take the right one", (lambda it, _: it.copy(it.own()),)
    ),
    "a damaged archive": Case(damage_archive, "is damaged", "copy it again", (give_the_right_one,)),
    "an archive cut short": Case(
        cut_archive, KITTI, "copy it again|from its publisher|Fetch it again", (give_the_right_one,)
    ),
    "files lost after their archive": Case(
        tidied_away_and_lost,
        rf"Files of {KITTI} are gone \(1\), such as KITTI/training/semantic/",
        "Fill in the form",
        (name_it,),
    ),
    "a disk that is not mounted": Case(unmounted, "empty or not there", "Allow that", (allow,)),
    "maps of another program": Case(of_another_program, "were not", "Allow that they are made again", (allow,)),
    "a file in the way": Case(in_the_way, "is in the way", "Move it away", (move_away,)),
    "nothing to get it from": Case(no_source, "waits for you: KITTI download link", "Fill in the form", (name_it,)),
    "a named folder that is gone": Case(nothing_there, "nowhere can't be listed", "Fill in the form", (name_it,)),
    "a Python that is none": Case(no_python, "is no P|can't be run|no program", "empty|python", (without_python,)),
    "a tree that is not there": Case(no_tree, "nothing is there", "mseg_api|form", (another_tree,)),
    "settings without their line": Case(no_line, "can't be configured", "Give that file one line", (give_it_its_line,)),
    "an archive gone before it was unpacked": Case(
        read_no_more, "gone before it was unpacked", "Start again", (only_again,)
    ),
}


@pytest.mark.parametrize("name", WALKED)
def test_what_a_message_advises_leads_on_to_the_end(bench: Bench, name: str) -> None:
    case = WALKED[name]
    problem: Problem | None = None
    try:
        case.cause(bench)
        bench.go()
    except Problem as found:
        problem = found
    assert problem is not None
    for remedy in case.remedies:
        assert re.search(case.words, problem.what), problem
        assert re.search(case.advice, problem.do), problem
        remedy(bench, problem)
    if case.remedies[-1] not in (allow, name_it):
        bench.again()
    bench.go()
    assert bench.finished()


JOURNEY = ("archives", "core", "datasets", "http", "labels", "tasks", "verification", "workers", "answers", "state")
SPINE = ("calls.py", "context.py", "engine.py", "ahead.py")


def _kinds() -> set[str]:
    """Every class of problem that the wizard has."""
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "mseg_wizard").rglob("*.py")]
    classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    kinds, before = {"Problem"}, set[str]()
    while kinds != before:
        before = set(kinds)
        kinds |= {node.name for node in classes if {getattr(base, "id", "") for base in node.bases} & kinds}
    return kinds


def _sites() -> set[str]:
    """`room/file.py: function` of everything that makes a problem a journey can meet."""
    kinds, found = _kinds(), set[str]()

    def look(node: ast.AST, file: str, within: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = child.name if isinstance(child, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) else ""
            if isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id in kinds:
                found.add(f"{file}: {within}")
            look(child, file, name or within)

    top = ROOT / "mseg_wizard"
    for path in (*(path for room in JOURNEY for path in (top / room).rglob("*.py")), *(top / name for name in SPINE)):
        look(ast.parse(path.read_text("utf-8")), path.relative_to(top).as_posix(), "")
    return found


def test_every_problem_of_a_journey_has_a_test_that_does_what_it_advises() -> None:
    sites = _sites()
    files = {site.partition(": ")[0] for site in sites}
    listed = PROVEN.keys() | NAMED.keys()
    known = {site for site in sites if site in listed or site.partition(": ")[0] in listed}
    assert sorted(sites - known) == [], "say in proven_ways_out which test does what they advise"
    assert sorted(listed - sites - files) == [], "these make no problem any more"
    assert not PROVEN.keys() & NAMED.keys()


@pytest.mark.parametrize("proof", sorted({*NAMED.values(), *(proof for proofs in PROVEN.values() for proof in proofs)}))
def test_the_proof_of_a_way_out_is_there(proof: str) -> None:
    where, _, name = proof.partition("::")
    if where == "walked":
        assert name in WALKED
        return
    tree = ast.parse((ROOT / "tests" / where).read_text("utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
