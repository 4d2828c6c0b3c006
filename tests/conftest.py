"""What several tests need: the golden kit, where there is one, and what the fault matrix counted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mseg_wizard.practice.world import World, make_world
from tests.faults.counts import COUNTS, line
from tests.golden_tree import GoldenTree, unpack

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def golden() -> Path:
    """The golden kit: miniature raw archives and the label maps that MSeg's own code made of them."""
    folder = Path(os.environ.get("MSEG_WIZARD_GOLDEN") or ROOT / "../shared/golden").resolve()
    if not (folder / "expected.tsv").is_file():
        pytest.skip("no golden kit: set MSEG_WIZARD_GOLDEN to its folder")
    return folder


@pytest.fixture(scope="session")
def full_tree() -> Path:
    """MSeg's own class tables, lists and records at full size: the folder that holds mseg/."""
    folder = Path(os.environ.get("MSEG_WIZARD_FULL_TREE") or ROOT / "../shared/mseg-api").resolve()
    if not (folder / "mseg" / "class_remapping_files").is_dir():
        pytest.skip("no full-size mseg-api tree: set MSEG_WIZARD_FULL_TREE to the folder that holds mseg/")
    return folder


@pytest.fixture(scope="session")
def golden_tree(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> GoldenTree:
    """The golden kit's archives unpacked once for all tests, where `#` and blanks are in the path.

    Add files, change none.
    """
    return unpack(golden, tmp_path_factory.mktemp("golden") / "my images #1" / "mseg_dataset")


@pytest.fixture(scope="session")
def practice_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The practice world's archives and mseg-api tree, made once for all tests. Change nothing in it."""
    return make_world(tmp_path_factory.mktemp("practice"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if COUNTS:
        terminalreporter.write_line(f"fault matrix: {line()}")
