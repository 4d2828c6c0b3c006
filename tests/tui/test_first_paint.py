"""What the first screen loads before it is shown, and nothing else: the benchmark `start` says what it costs."""

from __future__ import annotations

import subprocess
import sys

TEXTUAL = {"textual", "rich", "pygments", "markdown_it", "mdurl", "linkify_it", "uc_micro", "platformdirs",
           "typing_extensions", "mdit_py_plugins"}  # fmt: skip
"""Textual, and what it loads itself."""
FILES = {"msgspec", "isal"}
"""The journal and the step files; what archives are read with, which takes 5 ms."""


def test_the_first_screen_loads_no_library_but_these() -> None:
    code = "import sys, mseg_wizard.tui.app; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.split() if name not in sys.stdlib_module_names and not name.startswith("_")}
    assert loaded - {"mseg_wizard", "sitecustomize"} <= TEXTUAL | FILES
