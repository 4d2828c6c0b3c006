"""What several tests need: the golden kit, where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def golden() -> Path:
    """The golden kit: miniature raw archives and the label maps that MSeg's own code made of them."""
    folder = Path(os.environ.get("MSEG_WIZARD_GOLDEN") or ROOT / "../shared/golden").resolve()
    if not (folder / "expected.tsv").is_file():
        pytest.skip("no golden kit: set MSEG_WIZARD_GOLDEN to its folder")
    return folder
