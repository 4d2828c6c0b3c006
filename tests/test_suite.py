"""The suite's own promises: what skips for want of a program can be made to fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

TEST = (
    "tests/tasks/test_expect.py::test_the_command_brings_the_file_where_it_belongs_whatever_the_folder_is_called[plain]"
)


@pytest.mark.slow
@pytest.mark.parametrize(("options", "code", "said"), [((), 0, "1 skipped"), (("--no-skips",), 1, "1 failed")])
def test_what_is_not_installed_skips_or_fails_as_asked(
    tmp_path: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, TEST],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout
    assert "not installed: scp" in done.stdout
