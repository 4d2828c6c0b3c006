"""What keeps the house in shape: rooms in their order, each with a sentence about itself, step files that fit."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TypeGuard, TypeVar

import pytest

from mseg_wizard.cli.help_words import COMMANDS
from mseg_wizard.core.exits import Exit
from mseg_wizard.core.invocation import PRACTICE
from mseg_wizard.core.log import LOG
from mseg_wizard.standing.snapshot import FILE as NOW
from mseg_wizard.state.journal import JOURNAL, OWN, PREVIOUS, Journal
from mseg_wizard.state.lock import LOCK
from mseg_wizard.state.store import WORKERS_LOG
from mseg_wizard.step import Call
from mseg_wizard.tasks.registry import TASKS, load_steps, universal_step
from mseg_wizard.verification.repair import FAULTY
from mseg_wizard.verification.verdict import FILE as VERDICT
from tests.conftest import ROOT
from tests.installed import NOT_INSTALLED

T = TypeVar("T")
PACKAGE = ROOT / "mseg_wizard"
SPINE = 10
"""Modules that may stand at the top, besides the two that Python wants there: nine of the wizard's own, and
`training`, which stands where training code looks for it.
"""
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
ROOMS = sorted(path for path in PACKAGE.rglob("__init__.py"))
CALLS = [call for step in load_steps() for call in step.calls]


def test_imports_run_one_way() -> None:
    """The order of the rooms stands in pyproject.toml; import-linter says which import breaks it."""
    pytest.importorskip("importlinter", reason=f"{NOT_INSTALLED}import-linter")
    linted = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_spine_alone_stands_at_the_top() -> None:
    top = [path.stem for path in PACKAGE.glob("*.py") if path.stem not in ("__init__", "__main__")]
    assert len(top) <= SPINE, f"find a room for one of {sorted(top)}"


@pytest.mark.parametrize("path", ROOMS + MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_room_and_module_begins_with_what_it_is(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    assert said[:1].isupper() or said[:1] in "`" or re.match(r"[a-z]+: ", said), "say what lives here, in a sentence"
    assert said.split("\n\n")[0].rstrip().endswith((".", "?")), "make it a whole sentence"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_module_is_imported_under_the_name_of_its_own_function(path: Path) -> None:
    """`from tasks import download` would leave readers to guess which of the two `download` is."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mseg_wizard"):
            folder = ROOT.joinpath(*(node.module or "").split("."))
            for alias in node.names:
                module = folder / f"{alias.name}.py"
                if module.is_file() and alias.name == (alias.asname or alias.name):
                    body = ast.parse(module.read_text("utf-8")).body
                    own = {item.name for item in body if isinstance(item, ast.FunctionDef | ast.ClassDef)}
                    assert alias.name not in own, f"import from {node.module}.{alias.name} what is needed of it"


def test_no_public_name_has_two_meanings() -> None:
    """A name that two modules define would send whoever greps for it to the wrong one."""
    found: dict[str, set[str]] = {}
    for path in MODULES:
        for item in ast.parse(path.read_text("utf-8")).body:
            if isinstance(item, ast.FunctionDef | ast.ClassDef) and not item.name.startswith("_"):
                found.setdefault(item.name, set()).add(path.relative_to(PACKAGE).as_posix())
    # A command's `run`, the ways into programs, and the reading of the two kinds of archives are alike on purpose.
    twice = {name: where for name, where in found.items() if len(where) > 1 and name not in ("main", "run", "walk")}
    assert not twice


TABLES = {"answers", "started", "finished", "made", "notes", "seconds", "odd"}
"""Of the journal: asked by its methods, changed by the store's."""


def reaches_in(node: ast.AST) -> TypeGuard[ast.Attribute]:
    """Is this an access to a table of the journal, such as `ctx.store.journal.finished`?"""
    if not isinstance(node, ast.Attribute) or node.attr not in TABLES:
        return False
    whose = node.value
    return "journal" in (whose.attr if isinstance(whose, ast.Attribute) else getattr(whose, "id", "")).lower()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_store_alone_touches_the_journals_tables(path: Path) -> None:
    found = [node.lineno for node in ast.walk(ast.parse(path.read_text("utf-8"))) if reaches_in(node)]
    assert not found or path.parent == PACKAGE / "state", f"lines {found}: ask the Journal, or have the Store change it"


def test_the_tables_are_the_journals_and_a_way_around_the_store_is_found() -> None:
    assert {item.name for item in fields(Journal)} >= TABLES
    for source in ("ctx.store.journal.finished.pop(key)", "journal.answers", "self._seen_journal.notes"):
        assert any(reaches_in(node) for node in ast.walk(ast.parse(source))), source


FILES = (JOURNAL, PREVIOUS, LOCK, WORKERS_LOG, OWN, LOG, NOW, VERDICT, FAULTY)
"""The wizard's own files; each name is a constant."""


@functools.cache
def texts() -> tuple[tuple[str, str], ...]:
    """(where, text) of every string in the code that isn't a sentence about it; examples of what to type count not."""
    found = []
    for path in MODULES:
        tree = ast.parse(path.read_text("utf-8"))
        sentences = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found += [
            (f"{path.relative_to(PACKAGE)}:{node.lineno}", node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in sentences
        ]
    return tuple((where, text) for where, text in found if not where.startswith("cli/help_words.py"))


@pytest.mark.parametrize("name", FILES)
def test_the_name_of_each_own_file_stands_once(name: str) -> None:
    whole = rf"(?<![\w.]){re.escape(name)}(?!\w)" if "." in name else re.escape(name)
    said = [where for where, text in texts() if (re.search if "." in name else re.fullmatch)(whole, text)]
    assert len(said) == 1, said


def test_every_exit_code_stands_once() -> None:
    codes = {int(code) for code in Exit if code > Exit.ASIDE}
    said = [
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Assign | ast.Dict | ast.Call | ast.Return)
        for value in ast.iter_child_nodes(node)
        if isinstance(value, ast.Constant) and value.value in codes
    ]
    assert said == ["core/exits.py"] * len(codes)


def test_every_command_has_its_words_and_its_file() -> None:
    files = {path.stem for path in (PACKAGE / "cli" / "commands").glob("*.py")} - {"__init__", "guided"}
    assert set(COMMANDS) == files
    assert PRACTICE in COMMANDS


def test_the_style_sheet_names_what_the_screen_is_made_of() -> None:
    """A selector that names nothing says nothing: what it was to style looks wrong, and no error tells."""
    sheet = re.sub(r"/\*.*?\*/", "", (PACKAGE / "tui" / "wizard.tcss").read_text("utf-8"), flags=re.DOTALL)
    named = set(re.findall(r"(?<![\w.#$-])[A-Z]\w+", sheet)) - {"Screen", "Button", "RichLog", "FooterKey"}
    code = "".join(path.read_text("utf-8") for path in (PACKAGE / "tui").rglob("*.py"))
    assert named <= set(re.findall(r"^class (\w+)", code, re.MULTILINE))


def test_what_the_screen_is_told_by_name_is_there() -> None:
    """Textual finds handlers and actions by their names, and calls none where a name is wrong."""
    for module in pkgutil.walk_packages([str(PACKAGE / "tui")], "mseg_wizard.tui."):
        importlib.import_module(module.name)
    from textual.binding import Binding
    from textual.dom import DOMNode
    from textual.message import Message

    messages = {each.handler_name for each in _below(Message)}
    nodes = _below(DOMNode)
    actions = {name for node in nodes for name in dir(node) if name.startswith("action_")}
    for node in (node for node in nodes if node.__module__.startswith("mseg_wizard.")):
        handlers = {name.lstrip("_") for name in vars(node) if re.match("_?on_", name)}
        assert handlers <= messages, node
        for binding in vars(node).get("BINDINGS", ()):
            assert isinstance(binding, Binding)
            assert f"action_{binding.action.partition('(')[0].rpartition('.')[2]}" in actions, (node, binding)


def _below(kind: type[T]) -> set[type[T]]:
    found = set(kind.__subclasses__())
    return found.union(*(_below(each) for each in found))


@pytest.mark.parametrize(
    "module", ["mseg_wizard.engine", "mseg_wizard.cli.plain", "mseg_wizard.workers.process", "mseg_wizard.cli.main"]
)
def test_nothing_below_the_screen_loads_textual(module: str) -> None:
    code = f"import sys, {module}; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.key)
def test_every_call_of_the_step_files_fits_its_task(call: Call) -> None:
    task = TASKS[call.task]
    for function in (task.run, task.missing, task.end):
        inspect.signature(inspect.unwrap(function)).bind(None, *call.given)


def test_steps_and_tasks_name_each_other() -> None:
    universal = {call.task for call in universal_step(load_steps()).calls}
    assert {call.task for call in CALLS} | universal == set(TASKS)


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
