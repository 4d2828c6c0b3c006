"""What the tests of the screen share: five small steps, a task
that does as it is told, and a pilot that can wait and read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from mseg_wizard.context import Context, Options, open_context
from mseg_wizard.progress import Progress
from mseg_wizard.step import Step
from mseg_wizard.step_files import load
from mseg_wizard.tasks.registry import TASKS
from mseg_wizard.tasks.task import Task
from mseg_wizard.tui.app import Wizard
from mseg_wizard.tui.session import Session
from mseg_wizard.tui.widgets.frame import StepList
from mseg_wizard.vault import Vault
from tests.waiting import PATIENCE

FILES = {
    "01-prepare.toml": """
id = "prepare"
title = "Prepare"
summary = "Say where"
why = "So that the rest knows where to go."
time = "a minute"
[[links]]
label = "The paper"
url = "https://example.org/paper.pdf?page=1"
[[links]]
label = "The code"
url = "https://example.org/code"
[[fields]]
name = "read"
kind = "acknowledge"
label = "I have read the paper"
[[fields]]
name = "destination"
kind = "path"
label = "Folder for everything"
help = "It needs room."
[[fields]]
name = "workers"
kind = "number"
label = "Worker processes"
default = 0
required = false
[[fields]]
name = "python"
kind = "choice"
label = "Python to install into"
choices = ["", "this one"]
free = true
default = ""
required = false
[[tasks]]
task = "folders"
title = "Make the folders"
folders = ["BDD", "KITTI"]
""",
    "02-open.toml": """
id = "open"
title = "Open datasets"
summary = "No account"
why = "Anyone may download these."
time = "an hour"
[[tasks]]
task = "work"
title = "Fetch things"
name = "open"
""",
    "03-city.toml": """
id = "city"
title = "Cityscapes"
summary = "An account"
why = "Streets."
time = "an hour"
[[fields]]
name = "username"
kind = "text"
label = "User name"
secret = true
[[fields]]
name = "password"
kind = "password"
label = "Password"
secret = true
[[fields]]
name = "archives"
kind = "sources"
label = "Archives that you have"
required = false
[[archives]]
file = "gtFine.zip"
dataset = "Cityscapes"
[[archives]]
file = "leftImg8bit.zip"
dataset = "Cityscapes"
[[tasks]]
task = "work"
title = "Fetch the streets"
name = "city"
""",
    "04-idd.toml": """
id = "idd"
title = "IDD"
summary = "A link"
why = "Streets of India."
time = "an hour"
[[fields]]
name = "url"
kind = "url"
label = "Link from the browser"
secret = true
[[tasks]]
task = "work"
title = "Fetch more streets"
name = "idd"
""",
    "05-finish.toml": """
id = "finish"
title = "Finish"
summary = "The end"
why = "Done."
time = "a second"
[[fields]]
name = "confirm"
kind = "acknowledge"
label = "Wipe what is stored"
[[tasks]]
task = "work"
title = "Tidy up"
name = "finish"
""",
}


class Ring:
    """A keyring in memory; `slow` seconds for each answer."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}
        self.slow = 0.0

    def get_password(self, service: str, name: str) -> str | None:
        time.sleep(self.slow)
        return self.held.get((service, name))

    def set_password(self, service: str, name: str, value: str) -> None:
        time.sleep(self.slow)
        self.held[service, name] = value

    def delete_password(self, service: str, name: str) -> None:
        self.held.pop((service, name), None)


Behaviour = Callable[[Context], Generator[Progress, None, None]]


@dataclass
class Desk:
    """One destination, and what its tasks are told to do."""

    folder: Path
    steps: tuple[Step, ...]
    ring: Ring = field(default_factory=Ring)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    release: threading.Event = field(default_factory=threading.Event)
    environment: dict[str, str] = field(default_factory=dict)
    keyring: bool = True
    ran: list[str] = field(default_factory=list)

    @property
    def destination(self) -> Path:
        return self.folder / "data"

    def open(self, destination: Path) -> Context:
        ctx = open_context(self.steps, destination, Options(attended=True), remember=False)
        ring = self.ring
        backend = (lambda: ring) if self.keyring else None
        ctx.vault = Vault(ctx.store.journal.id, backend=backend, environment=self.environment)
        return ctx

    def wizard(
        self,
        destination: Path | None = None,
        *,
        viewer: bool = False,
        preset: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Wizard:
        return Wizard(Session(self.steps, self.open, destination, viewer=viewer, preset=preset))

    def ready(self, **answers: Mapping[str, Any]) -> Path:
        """A destination with a journal: step 1 is answered, and what else is given."""
        ctx = self.open(self.destination)
        for step, table in ({"prepare": {"read": True}} | answers).items():
            ctx.remember(ctx.step(step), table)
        ctx.close()
        return self.destination

    def run(self, ctx: Context, row: SimpleNamespace) -> Generator[Progress, None, None]:
        name = row.name
        self.ran.append(name)
        yield Progress(f"working on {name}", 0, 10, "files", 5.0)
        if name in self.behaviours:
            yield from self.behaviours[name](ctx)
        (ctx.own / f"{name}.done").touch()

    def missing(self, ctx: Context, row: SimpleNamespace) -> list[str]:
        return [] if (ctx.own / f"{row.name}.done").exists() else [row.name]

    def until_released(self, ctx: Context) -> Generator[Progress, None, None]:
        """Work that goes on until the test says so."""
        while not self.release.wait(0.02):
            yield Progress("downloading leftImg8bit.zip", 3_000_000_000, 10_000_000_000, "B", 20_000_000)


@contextmanager
def desk_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    desk = Desk(folder, write_steps(folder / "steps"))
    monkeypatch.setitem(TASKS, "work", Task(desk.run, desk.missing))
    yield desk
    desk.release.set()


def write_steps(folder: Path) -> tuple[Step, ...]:
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    kinds = {name: task.arguments for name, task in TASKS.items()} | {"work": SimpleNamespace}
    return load(folder, kinds)


def screen(app: Wizard) -> str:
    """What is on the screen, as text."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def until(pilot: Pilot[None], met: Callable[[], object], what: str = "") -> None:
    """Wait for something that threads bring about; gives up only where it would wait for ever."""
    app = pilot.app
    assert isinstance(app, Wizard)
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        if met():
            await pilot.pause()
            return
        await pilot.pause(0.02)
    raise AssertionError(f"never: {what}\n{screen(app)}")


async def says(pilot: Pilot[None], *texts: str) -> None:
    """Wait until the screen shows all of these, however the lines are broken."""
    app = pilot.app
    assert isinstance(app, Wizard)
    await until(pilot, lambda: all(said(app, text) for text in texts), " and ".join(texts))


def said(app: Wizard, text: str) -> bool:
    """Does the screen show this: in a dialog, or to the left or right of the line between steps and step?"""
    lines = screen(app).splitlines()
    parts = [line.partition("│") for line in lines]
    dialog = "".join(line.split("┃")[1] for line in lines if line.count("┃") == 2)
    left, right = "".join(part[0] for part in parts), "".join(part[2].rstrip("▁▂▃▄▅▆▇█ ") for part in parts)
    return any("".join(text.split()) in "".join(each.split()) for each in (dialog, left + right))


async def into(pilot: Pilot[None], app: Wizard, step: str) -> None:
    """Into the form of a step, by keys: from the overview, from another form, or from the list of steps."""
    if app.main.at_overview:
        await pilot.press("f2")
    elif not isinstance(app.focused, StepList):
        await pilot.press("escape")
    await until(pilot, lambda: isinstance(app.focused, StepList), "the list of steps has the keyboard")
    await pilot.press("home", *["down"] * [each.id for each in app.session.steps].index(step))
    await until(pilot, lambda: app.main.chosen == step and step in app.main.panes)
    await pilot.press("enter")
    page = app.main.panes[step]
    first = page.first(())
    await until(pilot, lambda: page.has_focus_within or not (first and first.focusable), f"the form of {step}")


async def read_on(pilot: Pilot[None], *texts: str) -> None:
    """Scroll down until the screen shows all of these."""
    app = pilot.app
    assert isinstance(app, Wizard)
    while not all(said(app, text) for text in texts):
        before = screen(app)
        await pilot.press("pagedown")
        await until(pilot, lambda: screen(app) != before, f"more below, with {texts}")  # noqa: B023 - awaited at once


async def paste(pilot: Pilot[None], text: str) -> None:
    focused = pilot.app.focused
    assert focused is not None
    focused.post_message(events.Paste(text))
    await pilot.pause()


async def type_in(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*text)
