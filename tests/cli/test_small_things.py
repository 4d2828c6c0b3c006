"""What a walk found: terminals without a screen, hang-ups at the end, kills, folders by a relative name."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mseg_wizard.cli import text
from mseg_wizard.cli.commands import verify
from mseg_wizard.cli.destination import CONSENTS
from mseg_wizard.datasets.label_paths import _in_sight
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Usage
from mseg_wizard.tasks.registry import load_steps
from tests.conftest import ROOT
from tests.secrets.canaries import token
from tests.wizard import ANSWERS, Wizard


@pytest.fixture
def wizard(tmp_path: Path) -> Wizard:
    (tmp_path / "home").mkdir()
    return Wizard(tmp_path / "home")


@pytest.mark.slow
def test_run_goes_on_in_the_last_destination_and_says_where(wizard: Wizard, tmp_path: Path) -> None:
    place = tmp_path / "d"
    assert wizard.run("run", "--dest", place).returncode == 3
    again = wizard.run("run")
    assert again.returncode == 3
    assert f"Going on in {place}, the last destination." in again.stderr


def test_fetch_only_ends_with_0_once_every_archive_is_at_hand(
    wizard: Wizard, practice_world: World, tmp_path: Path
) -> None:
    answers = tmp_path / "a.toml"
    answers.write_text(ANSWERS)
    done = wizard.run(
        "run", "--fetch-only", "--dest", tmp_path / "d", "--mirror", practice_world.mirror, "--answers", answers
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "looking at what is here" in done.stdout
    assert not list((tmp_path / "d" / "mseg_dataset").rglob("*.png"))


def test_a_relative_folder_is_told_as_the_absolute_one(wizard: Wizard, tmp_path: Path) -> None:
    done = wizard.run("status", "--dest", "d")
    assert f"The destination is {tmp_path / 'home' / 'd'}." in done.stderr
    assert not (tmp_path / "home" / "d").exists()


def test_verify_without_a_step_that_verifies_says_so() -> None:
    with pytest.raises(Usage, match="None of the step files"):
        verify.run(argparse.Namespace(steps=load_steps()[:3]))


def test_a_terminal_without_a_screen_gets_plain_lines_and_a_word_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(text, "interactive", lambda: True)
    for term, simple in (("dumb", True), ("xterm-256color", False)):
        monkeypatch.setenv("TERM", term)
        assert text.too_simple() is simple
        assert ("TERM=dumb" in capsys.readouterr().out) is simple


def test_killing_it_leaves_no_complaint_in_the_terminal(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom mseg_wizard.workers import pool\n"
        "pool.prepare_start()\nworkers = pool.Pool(1, Path(sys.argv[1]))\n"
        "print(workers.executor().submit(len, 'abc').result(), flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "HTTPS_PROXY": f"http://walker:{token('proxy')}@proxy.example:3128"},
    ) as wizard:
        assert wizard.stdout is not None
        assert wizard.stderr is not None
        assert wizard.stdout.readline() == b"3\n"
        if sys.platform.startswith("linux"):
            assert _environments(wizard.pid, token("proxy").encode()) == []
        wizard.kill()
        assert wizard.stderr.read() == b""  # until the last of its helpers has ended


def _environments(parent: int, secret: bytes) -> list[int]:
    """Processes below `parent` whose environment holds the secret."""
    found, below = [], [parent]
    while below:
        children = Path(f"/proc/{below.pop()}/task").glob("*/children")
        for child in (int(number) for listed in children for number in listed.read_text().split()):
            below.append(child)
            if secret in Path(f"/proc/{child}/environ").read_bytes():
                found.append(child)
    return found


def test_a_hang_up_while_the_practice_folder_is_removed_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "mseg-practice"
    for number in range(3000):
        place = folder / str(number % 30)
        place.mkdir(parents=True, exist_ok=True)
        (place / str(number)).touch()
    program = (
        "import sys\nfrom pathlib import Path\nfrom mseg_wizard.cli.commands import practice\n"
        "practice._remove(Path(sys.argv[1]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE) as removing:
        assert removing.stdout is not None
        assert b"Removing the practice folder" in removing.stdout.readline()
        removing.send_signal(signal.SIGHUP)
        assert b"removed" in removing.stdout.readline()
    assert removing.returncode == 0
    assert not folder.exists()


def test_hidden_files_are_no_labels(tmp_path: Path) -> None:
    for name in ("a.mat", "._a.mat", ".DS_Store", ".b.mat"):
        (tmp_path / name).touch()
    assert [path.name for path in _in_sight(tmp_path.iterdir())] == ["a.mat"]


def test_every_name_that_a_waiting_run_gives_can_be_allowed() -> None:
    asks = re.compile(r'\bkey = f"(\w+):\{')
    kinds = {kind for path in (ROOT / "mseg_wizard").rglob("*.py") for kind in asks.findall(path.read_text("utf-8"))}
    assert {"again", "aside", "agreement"} <= kinds
    assert kinds <= set(CONSENTS)
