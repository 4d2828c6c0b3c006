"""Disks that fail in the first step and in the last one: told plainly,
nothing half done, and the work goes on when the disk is back.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from mseg_wizard import engine
from mseg_wizard.context import Context, Options
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem, Progress
from mseg_wizard.state.journal import TreeRecord
from mseg_wizard.state.journal_file import read_journal
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.install import install, install_missing
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import Secret, Vault
from tests.faults.counts import count
from tests.faults.test_disk import crowded, full, small
from tests.installed import NOT_INSTALLED
from tests.tasks.preparing import make_tree
from tests.wizard import tree_of

pytestmark = pytest.mark.long

__all__ = ["small"]
COPIED = ("prepare/tree", "prepare/configure", "prepare/space")
WIPE = "finish/wipe"
SECRET = Secret("p&ss + w@rd=100%")


@contextmanager
def gone(destination: Path) -> Iterator[None]:
    """The disk under the whole destination is gone, and comes back."""
    away = destination.with_name("away")
    destination.rename(away)
    try:
        yield
    finally:
        shutil.rmtree(destination, ignore_errors=True)
        away.rename(destination)


@contextmanager
def immutable(destination: Path) -> Iterator[None]:
    """Nothing of the whole destination can be changed any more,
    not even by root. (pip would turn to the user's own folder.)
    """
    # It complains of links, which have no such flag.
    subprocess.run(["chattr", "-R", "-f", "+i", str(destination)], check=False)
    try:
        with suppress(PermissionError):
            (destination / "probe").touch()
            pytest.skip("folders can't be made immutable here")
        yield
    finally:
        subprocess.run(["chattr", "-R", "-f", "-i", str(destination)], check=False)


FAULTS: dict[str, Callable[[Path], AbstractContextManager[None]]] = {
    "full": full, "crowded": crowded, "vanished": gone, "unwritable": immutable,
}  # fmt: skip
EACH = pytest.mark.parametrize(("small", "fault"), [(name, name) for name in FAULTS], indirect=["small"])


def opened(place: Path, world: World) -> Context:
    vault = Vault("test", backend=None, environment={})
    ctx = Context(load_steps(), Store(place / "d"), vault, Options(str(world.mirror), workers=1))
    ctx.store.answer("prepare", "destination", str(ctx.destination))
    ctx.remember(ctx.step("prepare"), {"read": True, "terms": True, "accept_modified_tree": True, "python": ""})
    ctx.remember(ctx.step("finish"), {"confirm": True})
    return ctx


def struck(
    ctx: Context, work: Generator[Progress, None, None], fault: str, due: Callable[[Progress], bool]
) -> Problem | None:
    """Work until `due`; the fault strikes, and the work goes on as far as it gets: what is said of that."""
    count("faults tried")
    assert any(due(progress) for progress in work), "it was over before the fault struck"
    with FAULTS[fault](ctx.destination):
        try:
            for _ in work:
                pass
        except Problem as problem:
            assert problem.what
            assert problem.do, "it says what to do"
            return problem
        finally:
            work.close()
    return None


def finished(ctx: Context) -> set[str]:
    """As the next start will read it."""
    journal = read_journal(ctx.destination)
    return set(journal.finished) if journal else set()


def begins(key: str, late: bool) -> Callable[[Progress], bool]:
    """The moment before a call begins, or (`late`) just after."""
    return lambda progress: progress.call == key and progress.doing.startswith("checking: ") != late


@EACH
def test_a_disk_that_fails_while_mseg_api_is_copied_and_configured(
    practice_world: World, small: Path, fault: str
) -> None:
    told = 0
    for key in COPIED:
        for late in (False, True):
            ctx = opened(small, practice_world)
            try:
                problem = struck(ctx, engine.run(ctx.steps[:1], ctx), fault, begins(key, late))
                told += problem is not None
                assert problem or key in finished(ctx)
            finally:
                ctx.close()
            shutil.rmtree(small / "d")  # each begins from nothing again, but for the last
    ctx = opened(small, practice_world)
    try:
        told += struck(ctx, engine.run(ctx.steps[:1], ctx), fault, begins(COPIED[0], late=True)) is not None
    finally:
        ctx.close()
    assert told
    ctx = opened(small, practice_world)
    try:
        assert list(engine.run(ctx.steps[:1], ctx))[-1].doing == "complete"
        assert list(ctx.destination.glob(".mseg-api.*.tmp")) == []
        copy, lab = tree_of(ctx.destination / "mseg-api"), tree_of(practice_world.tree)
        assert {name for name in lab if copy.get(name) != lab[name]} == {"mseg/utils/dataset_config.py"}
    finally:
        ctx.close()


@pytest.mark.parametrize(
    ("small", "fault"), [(name, name) for name in ("full", "crowded", "vanished")], indirect=["small"]
)
def test_a_disk_that_fails_while_pip_installs_into_an_environment_on_it(
    practice_world: World, small: Path, fault: str, tmp_path: Path
) -> None:
    environment, tree = small / "d" / "env", make_tree(tmp_path / "lab" / "mseg-api")
    made = [sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", str(environment)]
    subprocess.run(made, check=True)
    python = environment / "bin" / "python"
    if subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"{NOT_INSTALLED}pip")
    ctx = opened(small, practice_world)
    try:
        ctx.remember(ctx.step("prepare"), {"python": str(python)})
        ctx.store.keep_tree(
            TreeRecord(
                folder=str(tree),
                kind="folder",
                whole=False,
                pinned=True,
                source="somewhere",
            )
        )
        problem = struck(ctx, install(ctx), fault, lambda _: True)
        assert problem
        assert install_missing(ctx), "what was not seen to work is not called installed"
        assert list(install(ctx))
        assert install_missing(ctx) == []
    finally:
        ctx.close()
    imported = subprocess.run([str(python), "-c", "import mseg"], cwd="/", capture_output=True, text=True, check=False)
    assert imported.returncode == 0, imported.stderr


@EACH
@pytest.mark.parametrize("late", [False, True])
def test_a_disk_that_fails_during_the_wipe_leaves_no_secret_and_no_false_word(
    practice_world: World, small: Path, fault: str, late: bool
) -> None:
    ctx = opened(small, practice_world)
    try:
        ctx.vault.put("cityscapes", "password", SECRET)
        problem = struck(ctx, engine.run(ctx.steps[-1:], ctx), fault, begins(WIPE, late))
        assert problem or ctx.vault.get("cityscapes", "password") is None
        assert (WIPE in finished(ctx)) == (problem is None)
        assert list(engine.run(ctx.steps[-1:], ctx))[-1].doing == "complete"
        assert ctx.vault.get("cityscapes", "password") is None
        assert WIPE in finished(ctx)
    finally:
        ctx.close()


def test_every_call_of_both_steps_is_struck() -> None:
    steps = load_steps()
    assert {call.key for call in (*steps[0].calls, *steps[-1].calls)} == {*COPIED, "prepare/install", WIPE}
