"""The wizard as users meet it, for tests: a process of its own,
whose descendants can be found, and trees that can be compared.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT
from tests.waiting import wait_until

ANSWERS = """
[prepare]
read = true
terms = true
accept_modified_tree = true
python = ""
"""


@dataclass
class Wizard:
    """Starts `mseg-wizard` with a home of its own, so that no test touches a person's settings or keyring."""

    home: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    extra: Mapping[str, str] = field(default_factory=dict)
    program: str = "mseg_wizard"
    """The module that is run: the wizard, or a test's way into it."""

    def environment(self) -> dict[str, str]:
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "VIRTUAL_ENV", "SSL_CERT_FILE") if key in os.environ}
        return kept | {
            "HOME": str(self.home),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "PYTHONPATH": str(ROOT),
            "MSEG_WIZARD_TEST_MARK": self.mark,
            **self.extra,
        }

    def start(self, *args: str | Path, talk: bool = False) -> subprocess.Popen[str]:
        """Start it; `talk`: with an input to write to, else its input is empty."""
        command = [sys.executable, "-m", self.program, *map(str, args)]
        return subprocess.Popen(
            command,
            env=self.environment(),
            stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=self.home,
        )

    def run(self, *args: str | Path) -> subprocess.CompletedProcess[str]:
        process = self.start(*args)
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def left_over(self, patience: float = 20.0) -> list[str]:
        """Command lines of processes that this wizard started and that still live after a while."""
        wait_until(lambda: not self._living(), patience=patience)
        return self._living()

    def _living(self) -> list[str]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (
                    self.mark.encode() in (process / "environ").read_bytes()
                    and (process / "stat").read_text().split()[2] != "Z"
                ):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found


def hold(destination: Path) -> subprocess.Popen[str]:
    """Another process that has the destination's lock until its input ends."""
    code = (
        "import sys; from pathlib import Path; from mseg_wizard.state.store import Store\n"
        f"store = Store(Path({str(destination)!r})); print('ready', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "ready\n"
    return other


def tree_of(folder: Path) -> dict[str, str]:
    """Every file below `folder`: path → sha256 of its content."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def compare(golden: Path, dataset: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """The golden kit's own verdict over a finished tree."""
    return subprocess.run(
        [sys.executable, str(golden / "compare.py"), str(dataset), *args], capture_output=True, text=True, check=False
    )
