"""The line that says what to do next: whatever stands in it can be
read to its end, on the smallest screen and with the longest paths.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mseg_wizard.progress import Problem, Progress, Waiting
from mseg_wizard.standing.snapshot import Snapshot, StepState
from mseg_wizard.tui import status_lines
from mseg_wizard.tui.app import Wizard
from mseg_wizard.tui.widgets.frame import MessageLine
from tests.tui.kit import Desk, desk_at, screen, until

LONG = "/net/storage7/projects/computer-vision/semantic-segmentation-of-everything/people/maximiliane.musterfrau" * 2
CALL = "/".join(("city", "work", "city"))
SCP = (
    "Waiting for bdd100k_seg.zip. Upload it: scp -P 2222 -s bdd100k_seg.zip "
    f"'maximiliane@login.cluster.uni-example.de:{LONG}/'"
)
NEED = (
    "Step 9, Mapillary Vistas, waits for you: Mapillary download link. The server says that the link has expired: "
    "ask for a fresh one."
)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.delenv("TMUX", raising=False)
    with desk_at(tmp_path, monkeypatch) as desk:
        yield desk


@dataclass
class Case:
    """One thing that the line says: how it comes about, and what must be in it."""

    name: str
    snapshot: Snapshot
    says: tuple[str, ...]
    done: int = 0
    rest: str = "waiting"
    """State of the steps after those that are done."""
    first: Callable[[Wizard], object] = lambda app: None


def at_work(doing: str, *, waiting: bool = False) -> Snapshot:
    return Snapshot(running=True, calls=(CALL,), progress={CALL: Progress(doing, call=CALL, waiting=waiting)})


def told(app: Wizard, remark: str = "", *, stopping: bool = False) -> None:
    app.main.remark, app.main.stopping = remark, stopping


def unopened(app: Wizard) -> None:
    app.session.ctx = None


def in_a_form(app: Wizard) -> None:
    unopened(app)
    page = next(page for page in app.main.panes.values() if page.display)
    next(iter(page.rows.values())).target().focus()


def viewed(app: Wizard, *, released: bool = False, locked: str = "") -> None:
    session = app.session
    session.viewer, session.released, session.locked = True, released, locked


LOCKED = (
    f"Another wizard works in {LONG}: process 4194304 on login-node-17.cluster.uni-example.de. Wait for it, or "
    "stop it there."
)
CASES = [
    Case("a remark", Snapshot(), ("…end",), first=lambda app: told(app, remark=f"Copied: https://host{LONG}…end")),
    Case(
        "another wizard",
        Snapshot(),
        (LONG, "stop it there.", "only shows how far it is"),
        first=lambda app: viewed(app, locked=LOCKED),
    ),
    Case("a viewer by choice", Snapshot(), ("only shows how far the work is",), first=lambda app: viewed(app)),
    Case("the other has ended", Snapshot(), ("F5 takes over here",), first=lambda app: viewed(app, released=True)),
    Case("stopping", at_work("x"), ("F10 again leaves at once",), first=lambda app: told(app, stopping=True)),
    Case("an upload", at_work(SCP, waiting=True), ("give the file in the form", SCP)),
    Case(
        "a form while archives come",
        replace(at_work("x"), progress={CALL: Progress(NEED, call=CALL, waiting=True, lacks=("username",))}),
        (NEED, "goes on by itself", "archives are fetched meanwhile"),
    ),
    Case(
        "a command",
        at_work(f"For the other machine: dask worker --local-directory {LONG} tcp://10.0.0.1:8786"),
        (LONG, "10.0.0.1:8786"),
    ),
    Case(
        "at work",
        replace(at_work("x"), progress={CALL: Progress("x", 1, 10, "files")}),
        ("Working.", "mseg-wizard --dest", LONG),
    ),
    Case(
        "waiting",
        Snapshot(calls=(CALL,), problem=Waiting(NEED, "do", "city", ("username",))),
        (NEED, "goes on by itself"),
    ),
    Case(
        "a problem",
        Snapshot(calls=(CALL,), problem=Problem(f"{LONG}x.zip is damaged.", "do")),
        (LONG, "F5 tries again"),
    ),
    Case(
        "much to say",
        Snapshot(calls=(CALL,), problem=Problem("all too long " * 200, "do")),
        ("all too long", "… F5 tries again"),
    ),
    Case("a bug", Snapshot(calls=(CALL,), crash=ValueError()), ("F5 tries again", "the log (F7)")),
    Case("complete", Snapshot(complete=True), ("Every step is complete", "F12", "F10 ends", "mseg_dataset"), done=5),
    Case("complete, unopened", Snapshot(complete=True), ("Every step is complete. F10 ends.",), done=5, first=unopened),
    Case("set aside", Snapshot(), ("F5 goes on once you gave it in the form of step 5.",), done=4, rest="aside"),
    Case("at first", Snapshot(), ("Enter goes into a step's form",), first=unopened),
    Case("stopped", Snapshot(calls=(CALL,)), ("F5 goes on",)),
    Case("to go on", Snapshot(), ("F5 goes on. Step 3 will want something from you first.",), done=2),
    Case("at work, in a form", at_work("x"), ("Working. You can fill in the later forms",), first=in_a_form),
    Case("in a form", Snapshot(), ("Tab goes to the next field",), first=in_a_form),
]
SAME_WAY = {"much to say"}
"""Cases of a branch that another case is of, too."""


@pytest.mark.slow
@pytest.mark.parametrize("size", [(60, 20), (80, 24)], ids=str)
async def test_whatever_the_hint_says_can_be_read_to_its_end(
    desk: Desk, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.session.ctx)
        session, ctx, runner, states = app.session, app.session.ctx, app.session.runner, app.session.states
        assert ctx is not None
        assert runner is not None
        # No disk here takes such a folder.
        monkeypatch.setattr(type(ctx), "dataset_folder", Path(LONG) / "mseg_dataset")
        session.destination = Path(LONG)
        for case in CASES:
            session.viewer, session.released, session.locked, session.ctx = False, False, "", ctx
            app.main.remark, app.main.stopping = "", False
            runner.snapshot = case.snapshot
            made = [
                StepState(step.id, "done" if at < case.done else case.rest) for at, step in enumerate(session.steps)
            ]
            monkeypatch.setattr(session, "states", lambda found, made=made: made)
            case.first(app)
            app.main.draw()
            await pilot.pause()
            for part in case.says:  # the keyboard may be on its way into a form yet
                await until(pilot, lambda: flat(part) in hint(app), f"{case.name}: {part!r}")  # noqa: B023 - awaited
            assert app.main.query_one("#body").size.height >= 4, f"{case.name}\n{screen(app)}"
        session.viewer, session.ctx, runner.snapshot = False, ctx, Snapshot()
        monkeypatch.setattr(session, "states", states)


def test_no_branch_of_the_hint_is_without_a_case() -> None:
    branches = [made for name, made in vars(status_lines).items() if name.startswith(("hint", "_hint"))]
    ways = sum(inspect.getsource(method).count("return ") for method in branches)
    handed_on = inspect.getsource(status_lines.hint).count("return _hint")
    assert ways - handed_on == len({case.name for case in CASES} - SAME_WAY)


def hint(app: Wizard) -> str:
    """What is seen in the hint's lines."""
    region = app.main.query_one("#hint", MessageLine).region
    return flat("".join(screen(app).splitlines()[region.y : region.bottom]))


def flat(text: str) -> str:
    return "".join(text.split())
