"""What several tests need: the golden kit, where there is one, and what the fault matrix counted."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

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


def pytest_configure() -> None:
    """Let the programs that tests start be interrupted, though a script that runs us with `&` had SIGINT ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In one of several test processes: hand its counts to the one that prints them."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["counts"] = dict(COUNTS)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    COUNTS.update(getattr(node, "workeroutput", {}).get("counts", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if COUNTS:
        terminalreporter.write_line(f"fault matrix: {line()}")
