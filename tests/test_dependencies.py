"""What the project needs from others is declared, with the lowest version that was tried; what is declared is used."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OPTIONAL = {
    "cluster": ("mseg_wizard/cluster",),
    "parquet": ("mseg_wizard/archives/parquet_folder.py",),
    "pictures": ("mseg_wizard/tui/graphics.py",),
}
"""Extra → beginnings of the paths of the modules that may need it."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    return {canonical(re.split(r"[\s<>=!~;\[]", text, maxsplit=1)[0]) for text in requirements}


def third_party() -> dict[str, set[str]]:
    """Top-level module of another project → files of the package that import it."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "mseg_wizard").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for module in (name.partition(".")[0] for name in modules):
                if module not in sys.stdlib_module_names and module != "mseg_wizard":
                    found.setdefault(module, set()).add(path.relative_to(ROOT).as_posix())
    return found


def test_every_import_of_another_project_is_declared_and_every_declaration_is_used() -> None:
    declared, known, used = names(PROJECT["dependencies"]), packages_distributions(), set()
    for module, files in third_party().items():
        providers = {canonical(name) for name in known.get(module, [module])}
        used |= providers & declared
        if not providers & declared:
            extras = [
                extra
                for extra, requirements in PROJECT["optional-dependencies"].items()
                if providers & names(requirements)
            ]
            beginnings = tuple(start for extra in extras for start in OPTIONAL.get(extra, ()))
            undeclared = {file for file in files if not (beginnings and file.startswith(beginnings))}
            assert not undeclared, f"{module} is imported by {sorted(undeclared)} and declared nowhere"
    assert used == declared


@pytest.mark.parametrize("text", PROJECT["dependencies"])
def test_every_dependency_has_a_lower_bound(text: str) -> None:
    assert re.search(r">=\d", text), text
