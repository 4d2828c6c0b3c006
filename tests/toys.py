"""A dataset of a few small images that a screen of the tests remaps, and what of it the screen shows."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mseg_wizard.context import Context
from mseg_wizard.progress import Progress
from mseg_wizard.state.journal import TreeRecord
from mseg_wizard.tasks.registry import TASKS
from mseg_wizard.tasks.remap import remap_missing
from mseg_wizard.tasks.task import Task
from mseg_wizard.tui.app import Wizard
from mseg_wizard.workers import pool
from tests.labels.trees import make_tree
from tests.tui import kit
from tests.tui.kit import Desk, desk_at

STEP = """
id = "open"
title = "Toys"
summary = "Small things"
why = "To be looked at."
time = "a second"
[[fields]]
name = "word"
kind = "text"
label = "A word"
required = false
[[archives]]
file = "toy.zip"
dataset = "toy"
[[archives.holds]]
taxonomy = "toy-3"
column = "label"
[[tasks]]
task = "remap"
title = "Toys 3 to 2"
source = "toy-3"
targets = ["toy-2"]
reader = "ids"
"""
REMAP = TASKS["remap"]
SKY, ROAD, WHITE = (70, 130, 180), (128, 64, 128), (255, 255, 255)
STEMS = ("street", "lane", "square")


@dataclass
class Toys:
    """A desk whose second step makes toy/toy-2/<stem>.png. The work shows what `made` names until it is released."""

    desk: Desk
    made: str = ""
    destination: Path = field(default_factory=Path)

    @property
    def folder(self) -> Path:
        return self.destination / "mseg_dataset" / "toy"

    def name(self, stem: str) -> None:
        """Say that this label map was made last."""
        self.made = f"toy/toy-2/{stem}.png"

    def run(self, ctx: Context, *args: Any) -> Generator[Progress, None, None]:
        while not self.desk.release.wait(0.02):
            yield Progress("remapping toy-3", 1, 4, "images", made=self.made)

    def missing(self, ctx: Context, *args: Any) -> list[str]:
        return [] if self.desk.release.is_set() else ["more"]

    def make(self) -> None:
        """The label maps, as the real work makes them: the upper three quarters are sky."""
        for stem in STEMS:
            write(self.folder / "toy-2" / f"{stem}.png", labels())


@contextmanager
def toys_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toys]:
    """Raw labels and images of all stems are there; the terminal has colours."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setitem(kit.FILES, "02-open.toml", STEP)
    with desk_at(folder, monkeypatch) as desk:
        toys = Toys(desk, destination=desk.ready())
        monkeypatch.setitem(TASKS, "remap", Task(toys.run, toys.missing, REMAP.arguments))
        lists = {
            (name, "train"): [f"image/{stem}.jpg {name}/{stem}.png" for stem in STEMS] for name in ("toy-3", "toy-2")
        }
        lists |= {(name, "val"): lists[name, "train"][:1] for name in ("toy-3", "toy-2")}
        tree = make_tree(
            folder / "tree", {"toy-3": ["sky", "lane", "road"], "toy-2": ["sky", "road"]},
            tables={("toy-3", "toy-2"): [("sky", "sky"), ("lane", "road"), ("road", "road")]},
            colors={"toy-2": [SKY, ROAD]}, lists=lists,
        )  # fmt: skip
        for stem in STEMS:
            write(toys.folder / "toy-3" / f"{stem}.png", labels() * 2)
            photo = toys.folder / "image" / f"{stem}.jpg"
            photo.parent.mkdir(exist_ok=True)
            Image.fromarray(np.full((120, 160, 3), WHITE, np.uint8)).save(photo)
        ctx = desk.open(toys.destination)
        ctx.store.keep_tree(TreeRecord(folder=str(tree.path), pinned=False))
        ctx.close()
        yield toys


def really(toys: Toys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the real task work, which then waits with what it showed last."""
    pool.prepare_start()
    work = REMAP.run

    def run(ctx: Context, *args: Any) -> Generator[Progress, None, None]:
        for progress in work(ctx, *args):
            yield progress
            while progress.made and not toys.desk.release.wait(0.02):
                yield progress

    monkeypatch.setitem(TASKS, "remap", Task(run, remap_missing, REMAP.arguments))


def labels() -> NDArray[np.uint8]:
    ids = np.zeros((120, 160), np.uint8)
    ids[90:] = 1
    return ids


def write(path: Path, ids: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ids).save(path)


def cells(app: Wizard) -> dict[tuple[int, ...], int]:
    """How often each colour stands in half a cell of the pictures on the screen."""
    found: dict[tuple[int, ...], int] = {}
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            if segment.style and set(segment.text) <= {"▀", " "}:
                halves = (segment.style.bgcolor, segment.style.color if "▀" in segment.text else segment.style.bgcolor)
                for color in halves:
                    if color and color.triplet:
                        found[tuple(color.triplet)] = found.get(tuple(color.triplet), 0) + len(segment.text)
    return found
