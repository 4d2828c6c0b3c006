"""A finished destination to verify: made once by the wizard itself from the golden kit, copied for each test."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mseg_wizard.context import Context, Options
from mseg_wizard.state.journal import OWN
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import Vault
from tests.once import once
from tests.wizard import ANSWERS, Wizard


@dataclass
class Finished:
    """One copy, with the wizard that works on it.

    No archive is on this machine any more, except where a test brings the mirror.
    """

    wizard: Wizard
    destination: Path

    @property
    def dataset(self) -> Path:
        return self.destination / "mseg_dataset"

    @property
    def verdict(self) -> dict[str, Any]:
        """What is on record."""
        table: dict[str, Any] = json.loads((self.destination / OWN / "verdict.json").read_text())
        return table

    def faults(self) -> dict[str, tuple[str, str]]:
        """File → what is wrong with it and the step to run again, from the record."""
        return {fault["file"]: (fault["what"], fault["step"]) for fault in self.verdict["faults"]}

    def opened(self) -> Context:
        return Context(
            load_steps(), Store(self.destination), Vault("test", backend=None, environment={}), Options(workers=2)
        )


def make(golden: Path, places: pytest.TempPathFactory, until: str) -> Path:
    """A destination on which all steps up to `until` are done, from a mirror that is gone afterwards. Made once."""
    return once(places, f"{golden.name}-{until}", lambda place: _make(golden, place, until))


def _make(golden: Path, place: Path, until: str) -> Path:
    (place / "home").mkdir(parents=True)
    (place / "answers.toml").write_text(ANSWERS)
    shutil.copytree(golden / "mirror", place / "mirror")
    options = ("--mirror", place / "mirror", "--answers", place / "answers.toml", "--until", until)
    done = Wizard(place / "home").run("run", "--dest", place / "d", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(place / "mirror")
    return place / "d"


def copy(original: Path, place: Path) -> Finished:
    """The same destination at another place, as if it had been made there."""
    shutil.copytree(original, place / "d")
    for file in (place / "d" / OWN / "journal.json", place / "d" / "mseg-api" / "mseg" / "utils" / "dataset_config.py"):
        file.write_text(file.read_text().replace(str(original), str(place / "d")))
    (place / "home").mkdir()
    return Finished(Wizard(place / "home"), place / "d")
