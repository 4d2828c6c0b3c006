"""What tests need: they skip where it is not installed, and with --no-skips they fail, for it could have been."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

NOT_INSTALLED = "not installed: "
"""Begins the reason of every skip that an installation would spare. Other reasons are of the machine itself."""


def needs(*programs: str | Path) -> None:
    """Skip the test, or all that a fixture is for, where one of the programs is not here."""
    if lacking := [str(program) for program in programs if not shutil.which(program)]:
        pytest.skip(NOT_INSTALLED + ", ".join(lacking))
