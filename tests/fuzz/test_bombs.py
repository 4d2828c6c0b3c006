"""Small inputs that ask for much memory or much time get neither."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

import pytest

from tests.conftest import ROOT
from tests.fuzz.bombs import cases
from tests.fuzz.mutations import MEMORY, hostile

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="the memory of a child is bounded by Linux's means"),
]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.bombs", folder], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
        )
    return dict(map(json.loads, done.stdout.splitlines()))


@pytest.mark.parametrize("name", cases())
def test_it_ends_with_a_problem_or_is_read_within_bounds(outcomes: dict[str, str], name: str) -> None:
    with hostile():
        assert outcomes[name] == "read" if name.endswith(", fine") else outcomes[name].startswith("Problem: "), (
            outcomes[name]
        )
