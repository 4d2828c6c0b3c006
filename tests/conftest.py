"""What several tests need: the golden kit, where there is one, and what the fault matrix counted."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mseg_wizard.core.host import cores
from mseg_wizard.practice.world import World, make_world
from tests.faults.counts import COUNTS, line
from tests.golden_tree import GoldenTree, unpack
from tests.installed import NOT_INSTALLED
from tests.once import once

ROOT = Path(__file__).resolve().parent.parent
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.fixture(scope="session")
def golden() -> Path:
    """The golden kit: miniature raw archives and the label maps that MSeg's own code made of them."""
    return _found("MSEG_WIZARD_GOLDEN", "golden", "expected.tsv")


@pytest.fixture(scope="session")
def full_tree() -> Path:
    """MSeg's own class tables, lists and records at full size: the folder that holds mseg/."""
    return _found("MSEG_WIZARD_FULL_TREE", "mseg-api", "mseg/class_remapping_files")


def _found(variable: str, name: str, mark: str) -> Path:
    """The folder that the variable names, else the one beside the checkout; told by what is in it."""
    named = os.environ.get(variable)
    folder = Path(named or ROOT / "../shared" / name).resolve()
    if (folder / mark).exists():
        return folder
    if named:
        pytest.fail(f"{variable} is {named}, where no {mark} is")
    pytest.skip(f"no {name} beside the checkout: set {variable} to the folder that holds {mark}")


@pytest.fixture(scope="session")
def golden_tree(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> GoldenTree:
    """The golden kit's archives unpacked once for all tests, where `#` and blanks are in the path.

    Add files, change none.
    """
    return unpack(golden, tmp_path_factory.mktemp("golden") / "my images #1" / "mseg_dataset")


@pytest.fixture(scope="session")
def practice_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The practice world's archives and mseg-api tree, made once for all tests. Change nothing in it."""
    return once(tmp_path_factory, "practice", make_world)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a test that skips for want of a program fails")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _failing(item.config, (yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _failing(collector.config, (yield))


def _failing(config: pytest.Config, report: Report) -> Report:
    """The report; a failure where it is of a skip that an installation would spare."""
    if report.skipped and NOT_INSTALLED in str(report.longrepr) and config.getoption("--no-skips"):
        report.outcome, report.longrepr = "failed", str(report.longrepr)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """A long test is slow as well, so that `-m "not slow"` leaves it out."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker("slow")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """With `-n auto` two processes for each core: half of the time a test waits, for sockets, processes and screens."""
    return 2 * cores()


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
