"""The package installs from a wheel, an sdist and as an editable install, and runs from each."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.long

WANTED = ("mseg_wizard", "steps", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's files, so that building leaves nothing in the checkout."""
    folder = tmp_path_factory.mktemp("project")
    for name in WANTED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


@pytest.fixture(scope="module")
def packages(project: Path) -> dict[str, Path]:
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist", ".", cwd=project)
    return {"wheel": next((project / "dist").glob("*.whl")), "sdist": next((project / "dist").glob("*.tar.gz"))}


@pytest.mark.parametrize("kind", ["wheel", "sdist", "editable"])
def test_it_installs_and_lists_its_steps(kind: str, project: Path, packages: dict[str, Path], tmp_path: Path) -> None:
    # The libraries, pip included, come from this environment: no
    # network is needed, and the package itself is installed for real.
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    site = Path(run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "libraries.pth").write_text(libraries + "\n")
    target = ["-e", str(project)] if kind == "editable" else [str(packages[kind])]
    run(str(python), "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", *target)
    listed = run(str(tmp_path / "venv" / "bin" / "mseg-wizard"), "steps", cwd=tmp_path)
    assert [line.split()[1] for line in listed.splitlines()][::13] == ["prepare", "finish"]
    where = run(str(python), "-c", "import mseg_wizard; print(mseg_wizard.__file__)", cwd=tmp_path).strip()
    assert Path(where).is_relative_to(project if kind == "editable" else tmp_path)


def run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout
