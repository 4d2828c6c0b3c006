"""What the fuzz tests share: the count of what they had read."""

from __future__ import annotations

import pytest

from tests.faults.counts import COUNTS, line


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if tried := COUNTS["hostile reads"]:
        line()
        terminalreporter.write_line(f"fuzz: {tried:,} hostile reads")
