"""Bugs whose messages and variables hold secrets: nothing that is said, logged, published or dumped has them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mseg_wizard.practice.logins import LINKS, sign_link
from tests.conftest import ROOT
from tests.installed import needs
from tests.secrets.canaries import Search, token, toml
from tests.wizard import Wizard

NAMES = ("user", "password", "query", "base", "rows")
ANSWERS: dict[str, dict[str, object]] = {
    "prepare": {"read": True, "terms": True, "python": ""},
    "cityscapes": {"username": f"{token('user')}@x.example", "password": f"p&{token('password')} + %\"'\\é"},
    "kitti": {"url": sign_link(f"{LINKS}/signed/data_semantics.zip") + f"&x={token('query')}"},
    "scannet": {"base_url": f"http://kaldir.example/{token('base')}/"},
    "wilddash": {
        "archives": [
            f"https://x.example/wd_val_01.zip?{token('rows')}",
            f"https://x.example/wd_both_01.zip?a='{token('rows')}'",
        ]
    },
}


def answered(folder: Path) -> Path:
    (folder / "home").mkdir()
    file = folder / "answers.toml"
    file.touch(mode=0o600)
    file.write_text(toml(ANSWERS))
    return file


@pytest.mark.slow
@pytest.mark.parametrize("where", ["task", "worker", "quoted", "main", "engine"])
def test_a_bug_that_quotes_secrets_is_told_by_its_type_alone(tmp_path: Path, where: str) -> None:
    search, file = Search(NAMES), answered(tmp_path)
    wizard = Wizard(tmp_path / "home", program="tests.secrets.crashing")
    done = wizard.run(where, "run", "--dest", tmp_path / "d", "--answers", file)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    log = (tmp_path / "d" / ".mseg-wizard" / "log.txt").read_text()
    assert "Traceback" in log, "what helps to find the bug is there"
    if where == "worker":
        assert "is damaged" in (tmp_path / "d" / ".mseg-wizard" / "workers.log").read_text()
    said = wizard.run("status", "status", "--dest", tmp_path / "d")
    for name, text in {"stdout": done.stdout, "stderr": done.stderr, "status": said.stdout + said.stderr}.items():
        search.text(name, text)
    search.folder(tmp_path, without=[file])
    search.count()
    assert search.found == [], log


LOOK = """
import ctypes, os, resource, sys
from mseg_wizard.core.log import no_core_dumps
no_core_dumps()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="dumps work otherwise there")
def test_no_core_is_dumped_and_no_other_program_of_the_user_may_look_into_the_process(tmp_path: Path) -> None:
    me = [] if os.geteuid() else ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    needs(*me[:1])  # root may look into everything
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    process = subprocess.Popen(
        [*me, sys.executable, "-c", LOOK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    if not (line := process.stdout.readline()):
        pytest.skip(f"nobody can't run it here: {process.communicate()[1][-200:]}")
    assert line.split() == ["(0,", "0)", "0"]
    looked = subprocess.run([*me, "cat", f"/proc/{process.pid}/environ"], capture_output=True, check=False)
    assert looked.returncode
    process.send_signal(signal.SIGSEGV)
    process.communicate()
    assert process.returncode == -signal.SIGSEGV
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_environments_secrets_are_gone_from_the_process_as_the_system_shows_it(tmp_path: Path) -> None:
    search = Search(("user", "password", "query"))
    (tmp_path / "home").mkdir()
    given = {
        "CITYSCAPES_USERNAME": token("user"),
        "CITYSCAPES_PASSWORD": token("password"),
        "MSEG_WIZARD_IDD_URL": f"https://x?{token('query')}",
    }
    wizard = Wizard(tmp_path / "home", extra=given)
    process = wizard.start("--plain", "--dest", tmp_path / "d", talk=True)
    assert process.stdout is not None
    while "Step 1" not in process.stdout.readline():  # it asks, and so has begun
        assert process.poll() is None
    shown = {place: place.read_bytes() for place in Path("/proc").glob(f"{process.pid}/environ")}
    assert shown or not Path("/proc/self/environ").exists()
    for place, content in shown.items():
        assert wizard.mark.encode() in content
        search.text(str(place), content)
    process.communicate()
    assert wizard.run("run", "--dest", tmp_path / "d").returncode == 3, (
        "questions that were not answered left no folder"
    )
    wiped = wizard.run("wipe", "--dest", tmp_path / "d")
    assert "CITYSCAPES_PASSWORD in this shell's environment" in wiped.stdout, "they are known all the same"
    search.text("wipe", wiped.stdout + wiped.stderr)
    search.folder(tmp_path)
    search.count()
    assert search.found == []
