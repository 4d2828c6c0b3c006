"""Textual's privates: those that the screen uses are as they were, and only one module uses any."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap
from functools import cache
from pathlib import Path

import pytest
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Paste
from textual.message import Message
from textual.widgets import Input

import mseg_wizard.tui
from mseg_wizard.tui import textual_private

KINDS = {kind.__name__: kind for kind in (App, Input, LinuxDriver, Message, WriterThread)}
FOLDER = Path(mseg_wizard.tui.__file__).parent
OTHERS = sorted(path for path in FOLDER.rglob("*.py") if path.stem != "textual_private")


@cache
def privates(kind: type) -> frozenset[str]:
    """Names with an underscore that a class of Textual defines, or sets on itself."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    set_ = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
    return frozenset(name for name in {*vars(kind), *set_} if name.startswith("_") and not name.endswith("__"))


def inherited(kind: type) -> set[str]:
    return {
        name for base in kind.__mro__ if base.__module__.startswith(("textual.", "rich.")) for name in privates(base)
    }


@pytest.mark.parametrize("used", textual_private.USED)
def test_a_private_that_is_used_is_still_there(used: str) -> None:
    kind, name = used.split(".")
    assert name in inherited(KINDS[kind])


def test_what_is_overridden_is_called_as_it_was() -> None:
    assert str(inspect.signature(App._handle_exception)) == "(self, error: 'Exception') -> 'None'"
    assert list(inspect.signature(Input._on_paste).parameters) == ["self", "event"]
    assert list(inspect.signature(LinuxDriver._run_input_thread).parameters) == ["self"]
    assert "target=self._run_input_thread" in inspect.getsource(LinuxDriver)
    assert "self.run_input_thread()" in inspect.getsource(LinuxDriver._run_input_thread)
    assert list(inspect.signature(XTermParser.feed).parameters) == ["self", "data"]
    assert list(inspect.signature(XTermParser.tick).parameters) == ["self"]
    for call in ("XTermParser(", "feed(", "tick()", "self.process_message(event)", "self.fileno", "self.exit_event"):
        assert call in inspect.getsource(LinuxDriver.run_input_thread)
    assert "_handle_exception(" in inspect.getsource(importlib.import_module("textual.message_pump"))


def test_a_taken_event_says_so() -> None:
    event = Paste("text")
    assert not textual_private.was_taken(event)
    event.stop()
    assert textual_private.was_taken(event)


def test_what_is_used_is_listed() -> None:
    tree = ast.parse((FOLDER / "textual_private.py").read_text("utf-8"))
    named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")}
    named |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("_")}
    assert named == {used.partition(".")[2] for used in textual_private.USED}


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_no_other_module_reaches_into_something_else(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            own = own or (isinstance(node.value, ast.Call) and ast.unparse(node.value) == "super()")
            assert own, f"{path.name}:{node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("textual", "rich")):
            assert "._" not in (node.module or "")
            assert not [alias.name for alias in node.names if alias.name.startswith("_")]


def test_no_class_of_the_screen_uses_or_hides_a_private_of_what_it_is_made_from() -> None:
    """A name of ours that Textual has too would change what it does, without a word."""
    for found in pkgutil.walk_packages([str(FOLDER)], "mseg_wizard.tui."):
        module = importlib.import_module(found.name)
        for kind in vars(module).values():
            if module is textual_private or not inspect.isclass(kind) or kind.__module__ != module.__name__:
                continue
            tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
            names = {
                node.attr
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
            }
            names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert not {name for name in names if name.startswith("_") and not name.endswith("__")} & inherited(kind)


def test_what_is_done_beside_the_keys_is_never_a_coroutine_that_may_be_dropped() -> None:
    folder = Path(mseg_wizard.tui.__file__).parent
    users = {path.name for path in folder.rglob("*.py") if ".run_worker(" in path.read_text()}
    assert users == {"background.py"}
