"""A destination on which everything is relabelled, and a copy of it for each test to spoil."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verification.finished import Finished, copy, make


@pytest.fixture(scope="module")
def original(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(golden, tmp_path_factory, "relabel")


@pytest.fixture
def finished(original: Path, tmp_path: Path) -> Finished:
    return copy(original, tmp_path)
