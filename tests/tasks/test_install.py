"""Step 1, pip: mseg-api into the Python that the user chose, watched, stoppable, and without anybody's secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mseg_wizard.context import Context
from mseg_wizard.core.subprocesses import without_secrets
from mseg_wizard.progress import Problem
from mseg_wizard.state.journal import TreeRecord
from mseg_wizard.tasks.install import install, install_missing
from mseg_wizard.vault import Secret
from tests.tasks.preparing import FILES, give, journal, make_tree, opened, run
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def prepared_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with its own pip."""
    folder = tmp_path_factory.mktemp("python") / "env"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return folder / "bin" / "python"


@pytest.fixture
def python(prepared_python: Path) -> Iterator[Path]:
    """The same, with no mseg in it."""
    yield prepared_python
    subprocess.run(
        [str(prepared_python), "-m", "pip", "uninstall", "-q", "-y", "mseg"], check=True, capture_output=True
    )


def accept(ctx: Context, tree: Path, kind: str = "folder", whole: bool = False) -> None:
    ctx.store.keep_tree(TreeRecord(folder=str(tree), kind=kind, whole=whole, pinned=True, source="somewhere"))


def imports(python: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), "-c", "import mseg; print(mseg.__file__)"], cwd="/", capture_output=True, text=True, check=False
    )


@pytest.mark.long
def test_mseg_can_be_imported_afterwards_and_the_note_says_from_where(python: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "d", python=str(python)) as ctx:
        accept(ctx, make_tree(tmp_path / "tree"))
        assert install_missing(ctx)
        words = [progress.doing for progress in run(install(ctx))]
        assert install_missing(ctx) == []
        assert any("pip installs mseg-api" in text for text in words)
        assert imports(python).stdout.strip() == str(tmp_path / "tree/mseg/__init__.py")
        assert f"imports mseg from {tmp_path / 'tree'}" in ctx.notes[0]
        assert str(python) in ctx.notes[0]


@pytest.mark.slow
def test_what_is_installed_already_is_not_installed_again(python: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "d", python=str(python)) as ctx:
        accept(ctx, make_tree(tmp_path / "tree"))
        run(install(ctx))
        ctx.store.keep_tree(replace(journal(ctx), installed=""))
        make_tree(tmp_path / "tree", "raise SystemExit('pip ran again')")
        run(install(ctx))
        assert "as it did before" in ctx.notes[-1]


@pytest.mark.slow
def test_a_folder_of_an_environment_will_do_and_another_python_is_another_installation(
    python: Path, tmp_path: Path
) -> None:
    with opened(tmp_path / "d", python=str(python.parent.parent)) as ctx:
        accept(ctx, make_tree(tmp_path / "tree"))
        run(install(ctx))
        assert install_missing(ctx) == []
        give(ctx, python="/other/python")
        assert install_missing(ctx)


def test_without_a_python_nothing_is_run(tmp_path: Path) -> None:
    with opened(tmp_path / "d", python="") as ctx:
        accept(ctx, make_tree(tmp_path / "tree", "raise SystemExit('no')"))
        run(install(ctx))
        assert install_missing(ctx) == []


def test_a_tree_that_is_no_package_is_configured_but_not_installed_and_says_so(
    golden: Path, python: Path, tmp_path: Path
) -> None:
    with opened(tmp_path / "d", python=str(python)) as ctx:
        accept(ctx, golden / "mirror" / "mseg-api", "mirror")
        run(install(ctx))
        assert "configured but not installed" in ctx.notes[0]
        assert install_missing(ctx) == []
    assert imports(python).returncode


@pytest.mark.slow
def test_pip_does_not_run_code_that_was_fetched_or_mirrored_and_is_not_msegs_own(python: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "d", python=str(python), accept_modified_tree=True) as ctx:
        make_tree(tmp_path / "tree", f"Path({str(tmp_path / 'ran')!r}).touch()")
        for kind in ("fetch", "mirror", "zip"):
            accept(ctx, tmp_path / "tree", kind)
            with pytest.raises(Problem, match="pip does not run it"):
                run(install(ctx))
            assert not (tmp_path / "ran").exists()
            assert install_missing(ctx)
        accept(ctx, tmp_path / "tree", "fetch", whole=True)
        run(install(ctx))
        assert (tmp_path / "ran").exists()


PLANTED = {
    "CITYSCAPES_USERNAME": "me@planted",
    "CITYSCAPES_PASSWORD": "planted-1",
    "WILDDASH_PASSWORD": "planted-2",
    "MSEG_WIZARD_KITTI_URL": "https://planted-3",
    "AWS_SECRET_ACCESS_KEY": "planted-4",
    "AWS_PROFILE": "planted-5",
    "GITHUB_TOKEN": "planted-6",
    "HF_TOKEN": "planted-7",
    "db_password": "planted-8",
    "WANDB_API_KEY": "planted-9",
    "INNOCENT": "x=https://idd.example/planted-link-in-the-vault&y",
}


@pytest.mark.slow
def test_no_secret_of_the_environment_or_the_vault_reaches_pip(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with opened(tmp_path / "d", python=str(python)) as ctx:
        ctx.vault.put("idd", "url", Secret("https://idd.example/planted-link-in-the-vault"))
        seen = tmp_path / "environment"
        more = (
            f"import json, os; Path({str(seen)!r}).write_text(json.dumps([dict(os.environ), "
            "Path('/proc/self/cmdline').read_text()]))"
        )
        accept(ctx, make_tree(tmp_path / "tree", more))
        run(install(ctx))
        environment, _ = json.loads(seen.read_text())
    assert "planted" not in seen.read_text()
    assert {"PATH", "HOME", "HTTPS_PROXY"} <= environment.keys()


def test_ordinary_variables_stay() -> None:
    ordinary = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "PWD": "/x",
        "OLDPWD": "/y",
        "PIP_INDEX_URL": "https://lab",
        "KEYBOARD": "de",
    }
    assert without_secrets(ordinary, (), ["me"]) == ordinary


@pytest.mark.slow
def test_a_failed_pip_shows_its_last_lines_and_what_to_do(python: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "d", python=str(python)) as ctx:
        accept(ctx, make_tree(tmp_path / "tree", "print('\\x1b[31mNo space left on device'); raise SystemExit(3)"))
        with pytest.raises(Problem) as caught:
            run(install(ctx))
        assert "could not install mseg-api" in caught.value.what
        assert "the disk" in caught.value.do.lower()
        assert any("No space left" in line for line in caught.value.items)
        assert "\x1b" not in "".join(caught.value.items)
        assert install_missing(ctx)


@pytest.mark.slow
def test_without_a_network_the_complaint_says_that_pip_needs_one(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CONFIG_FILE"):
        monkeypatch.setenv(name, os.devnull if name == "PIP_CONFIG_FILE" else "")
    with opened(tmp_path / "d", python=str(python)) as ctx:
        needs = FILES["pyproject.toml"].replace("requires = []", 'requires = ["a-package-that-is-nowhere"]')
        accept(ctx, make_tree(tmp_path / "tree", files={"pyproject.toml": needs}))
        with pytest.raises(Problem) as caught:
            run(install(ctx))
        assert "PIP_INDEX_URL" in caught.value.do
        assert "leave “Python to install mseg-api into” empty" in caught.value.do


def test_a_python_without_pip_is_told_how_to_get_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    with opened(tmp_path / "d", python=str(tmp_path / "env/bin/python")) as ctx:
        accept(ctx, make_tree(tmp_path / "tree"))
        with pytest.raises(Problem) as caught:
            run(install(ctx))
        assert f"{tmp_path / 'env/bin/python'} -m ensurepip" in caught.value.do


@pytest.mark.slow
def test_an_older_mseg_from_elsewhere_is_found_out(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tree(tmp_path / "old")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "old"))
    with opened(tmp_path / "d", python=str(python)) as ctx:
        accept(ctx, make_tree(tmp_path / "tree"))
        with pytest.raises(Problem, match="imports another mseg") as caught:
            run(install(ctx))
        assert str(tmp_path / "old") in caught.value.what
        assert install_missing(ctx)


def test_what_is_no_python_is_refused_by_name(tmp_path: Path) -> None:
    old, other, text = tmp_path / "python2", tmp_path / "script", tmp_path / "text"
    old.write_text("#!/bin/sh\necho '[2, 7, 18]'\n")
    other.write_text("#!/bin/sh\necho hello\nexit 0\n")
    text.write_text("no program")
    for path in (old, other, text):
        path.chmod(0o755)
    text.chmod(0o644)
    cases = [
        (old, "Python 2.7.18"),
        (other, "no Python"),
        *((path, "can be run") for path in (text, tmp_path / "gone", tmp_path)),
    ]
    with opened(tmp_path / "d") as ctx:
        accept(ctx, make_tree(tmp_path / "tree"))
        for path, why in cases:
            give(ctx, python=str(path))
            with pytest.raises(Problem, match=why) as caught:
                run(install(ctx))
            assert str(path) in caught.value.what


@pytest.mark.slow
def test_stopping_ends_pip_and_everything_that_it_started(python: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    more = (
        "import os, signal, subprocess, time; signal.signal(signal.SIGINT, signal.SIG_IGN); "
        f"child = subprocess.Popen(['sleep', '1000']); Path({str(pids)!r}).write_text(f'{{os.getpid()}} "
        f"{{child.pid}}'); time.sleep(1000)"
    )
    with opened(tmp_path / "d", python=str(python)) as ctx:
        accept(ctx, make_tree(tmp_path / "tree", more))
        task = install(ctx)
        while not (pids.exists() and len(pids.read_text().split()) == 2):
            next(task)
        task.close()
        for pid in pids.read_text().split():
            wait_until(lambda pid=pid: not alive(int(pid)))  # type: ignore[misc]
        assert install_missing(ctx)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
