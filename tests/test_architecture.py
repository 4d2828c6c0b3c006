"""What keeps the house in shape: imports run one way, step files
fit the tasks, and the project names no package registry.
"""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from mseg_wizard.step import Call, load
from mseg_wizard.tasks.registry import TASKS
from tests.conftest import ROOT

PACKAGE = ROOT / "mseg_wizard"
LAYERS = (
    ("progress", "files", "host", "lines", "completion"),
    ("step", "log", "preferences"),
    ("background", "store", "vault", "labels"),
    (
        "window",
        "pool",
        "worker",
        "cluster",
        "cluster_checks",
        "cluster_worker",
        "tasks.archives",
        "tasks.members",
        "tasks.reading",
        "tasks.tars",
        "tasks.web",
        "tasks.zips",
    ),
    ("links", "snapshot"),
    ("context",),
    ("tasks", "estimate", "wiping", "reporting"),
    ("engine", "status", "remarks", "opening", "notify"),
    (
        "plain",
        "questions",
        "tui",
        "doctor",
        "practice",
        "arguments",
        "steps_command",
        "wipe_command",
        "verify_command",
        "report_command",
    ),
    ("cli", "__main__"),
)
"""Each may import itself, its neighbours and what stands above it here, never what stands below."""

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
CALLS = [call for step in load() for call in step.calls]


def layer(module: str) -> int:
    parts = module.split(".")[1:]
    for name in (".".join(parts[:2]), parts[0]):
        if found := [number for number, names in enumerate(LAYERS) if name in names]:
            return found[0]
    raise AssertionError(f"{parts[0]} has no place in LAYERS: give it one")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(path: Path) -> None:
    here = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        for name in imported(node):
            if name.startswith("mseg_wizard."):
                assert layer(name) <= layer(here), f"{here} imports {name}"
                if here.startswith("mseg_wizard.labels"):
                    assert name.startswith(("mseg_wizard.labels", "mseg_wizard.progress")), f"{here} imports {name}"


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names if not alias.name.startswith("__")]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


@pytest.mark.parametrize(
    "module", ["mseg_wizard.engine", "mseg_wizard.cli.plain", "mseg_wizard.workers.process", "mseg_wizard.cli.main"]
)
def test_nothing_below_the_screen_loads_textual(module: str) -> None:
    code = f"import sys, {module}; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.key)
def test_every_call_of_the_step_files_fits_its_task(call: Call) -> None:
    inspect.signature(TASKS[call.task].run).bind(None, **call.args)
    inspect.signature(TASKS[call.task].missing).bind(None, **call.args)


def test_steps_and_tasks_name_each_other() -> None:
    assert {call.task for call in CALLS} == set(TASKS)


def test_the_project_speaks_of_itself_alone() -> None:
    words = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".com", "deb.debian" + ".org", "/work" + "/")
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode:
        pytest.skip("not a git checkout")
    for name in tracked.stdout.splitlines():
        path = ROOT / name
        if path.is_file():
            text = path.read_bytes().decode("utf-8", "replace")
            assert not [word for word in words if word in text], name
