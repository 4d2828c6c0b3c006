"""install: mseg-api made importable in the Python that the user
trains with, by that Python's own pip, and the import tried.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

from mseg_wizard.answers.fields import may_hold_secrets, secret_fields
from mseg_wizard.context import Context
from mseg_wizard.core.background import Job, background
from mseg_wizard.core.subprocesses import EndedProgram, run_program, without_secrets
from mseg_wizard.progress import Problem, Progress, printable
from mseg_wizard.vault import variable

log = logging.getLogger(__name__)

ANSWER = 60.0
"""Seconds for an interpreter to say its version: on a network disk the first start takes some."""
BUILDS = ("pyproject.toml", "setup.py", "setup.cfg")
"""A tree with none of these is no package."""

_VERSION = "import json, sys; print(json.dumps(list(sys.version_info[:3])))"
_IMPORT = """
import json, mseg, os
try:
    from importlib.metadata import distribution
    distribution("mseg")
    known = True
except Exception:
    known = False
print(json.dumps([[path for path in mseg.__path__ if os.path.isdir(path)], known]))
"""
"""Where `mseg` comes from (it may have no __init__.py, hence no __file__), and whether pip knows it."""

_VENV = "Make a virtual environment and name its bin/python instead."
_NETWORK = "Connect, or set pip's proxy or index (PIP_PROXY, PIP_INDEX_URL), then start again."
REMEDIES = (
    ("externally-managed-environment", f"That Python belongs to the system. {_VENV}"),
    ("No module named pip", "That Python has no pip. Add it: PYTHON -m ensurepip"),
    ("Permission denied", f"You may not write into that Python. {_VENV}"),
    ("No space left", "The disk that this Python is on is full: torch takes some GB."),
    ("Requires-Python", "That Python's version does not fit. Name another one."),
    ("onnection", f"pip could not reach its package index. {_NETWORK}"),
    ("No matching distribution", f"pip could not find what MSeg needs. {_NETWORK}"),
)
"""Text in pip's last lines → what to do."""
ANYWAY = "Or leave “Python to install mseg-api into” empty: then it is only configured."


def install(ctx: Context) -> Generator[Progress, None, None]:
    """`pip install -e` of the tree into the chosen Python, unless it is there; then `import mseg` there."""
    answer = str(ctx.answer("prepare", "python") or "")
    if not answer:
        yield Progress(install_end(ctx))
        return
    tree = ctx.tree_folder.resolve()
    if not any((tree / name).is_file() for name in BUILDS):
        yield Progress("nothing to install: this tree is no package")
        ctx.note(f"mseg-api was configured but not installed: {tree} has no setup.py")
    else:
        python = interpreter(answer)
        note = yield from background(
            lambda job: _installed(job, ctx, python, tree), Progress(f"asking {python} for its version")
        )
        ctx.note(note)
    if record := ctx.store.journal.tree:
        ctx.store.keep_tree(replace(record, installed=answer))


def install_missing(ctx: Context) -> list[str]:
    """Nothing, once the import was seen to work (or the tree was
    seen to be no package) for this Python and this tree.
    """
    answer = str(ctx.answer("prepare", "python") or "")
    record = ctx.store.journal.tree
    return [] if not answer or (record and record.installed == answer) else [f"import mseg in {answer}"]


def install_end(ctx: Context) -> str:
    """How it ended, in words."""
    return (
        "complete"
        if ctx.answer("prepare", "python")
        else "skipped: mseg-api is only configured, because no Python is named"
    )


def interpreter(answer: str) -> Path:
    """The program that the answer names; a virtual environment's folder will do.

    Links stay: they are what makes it that environment's.
    """
    path = Path(answer).expanduser()
    if path.is_dir():
        path = path / "bin" / "python"
    elif found := shutil.which(str(path)):
        path = Path(found)
    if not path.is_file() or not os.access(path, os.X_OK):
        raise Problem(
            f"{path} is no program that can be run.", "Name a Python that can be started, such as ~/venv/bin/python."
        )
    return path.absolute()


def _installed(job: Job, ctx: Context, python: Path, tree: Path) -> str:
    """Do it; returns where the import comes from, for the report."""
    names = [variable(*name) for name in secret_fields(ctx.steps)]
    environment = without_secrets(os.environ, names, _secrets(ctx))
    version = _version(job, ctx, python, environment)
    job.say(Progress(f"trying to import mseg in {python}"))
    place, known = _imported(job, ctx, python, environment)
    if known and place == tree:
        return f"{python} (Python {version}) imports mseg from {place}, as it did before"
    _may_run(ctx, tree)
    command: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--no-input",
        "--disable-pip-version-check",
        "-e",
        tree,
    ]
    ended = _run(job, ctx, command, environment, f"pip installs mseg-api into {python}")
    if ended.code:
        raise _failed(f"pip could not install mseg-api into {python}", python, ended)
    job.say(Progress(f"trying to import mseg in {python}"))
    place, known = _imported(job, ctx, python, environment)
    if place is None:
        ended = _run(job, ctx, [python, "-c", "import mseg"], environment, f"trying to import mseg in {python}")
        raise _failed(f"{python} can't import mseg although pip installed it", python, ended)
    if place != tree:
        raise Problem(
            f"{python} imports another mseg, from {place}.",
            f"Uninstall that one ({python} -m pip uninstall mseg) or take it off PYTHONPATH, then start again. "
            f"{ANYWAY}",
        )
    return f"{python} (Python {version}) imports mseg from {place}"


def _another(ctx: Context) -> str:
    return f"Name another Python, such as ~/venv/bin/python, in {ctx.step('prepare').form}."


def _version(job: Job, ctx: Context, python: Path, environment: dict[str, str]) -> str:
    try:
        ended = run_program(job, [python, "-c", _VERSION], cwd=ctx.own, environment=environment, limit=ANSWER)
        version = json.loads(ended.lines[-1]) if ended.code == 0 and ended.lines else None
    except (OSError, ValueError):
        version = None
    if not isinstance(version, list) or len(version) != 3 or not all(isinstance(part, int) for part in version):
        raise Problem(
            f"{python} is no Python interpreter.",
            _another(ctx),
        )
    text = ".".join(map(str, version))
    if version[0] < 3:
        raise Problem(f"{python} is Python {text}; MSeg needs Python 3.", _another(ctx))
    return text


def _imported(job: Job, ctx: Context, python: Path, environment: dict[str, str]) -> tuple[Path | None, bool]:
    """The folder that holds the `mseg` which is imported, None where none is; and whether pip knows of it."""
    ended = run_program(job, [python, "-c", _IMPORT], cwd=ctx.own, environment=environment)
    if ended.code or not ended.lines:
        return None, False
    try:
        places, known = json.loads(ended.lines[-1])
        return Path(places[0]).resolve().parent, known is True
    except (ValueError, TypeError, LookupError):
        return None, False


def _may_run(ctx: Context, tree: Path) -> None:
    """Raise Problem unless this tree's code may be run: MSeg's
    own, or from a folder of this machine that the user named.
    """
    record = ctx.store.journal.tree
    if record is None or record.whole or record.kind == "folder":
        return
    raise Problem(
        f"{tree} came from {record.source} and is not MSeg's own code as published, so pip does not run it.",
        f"If you trust it, put it into a folder of this machine and name that in `mseg_api`. {ANYWAY}",
    )


def _run(job: Job, ctx: Context, command: list[str | Path], environment: dict[str, str], doing: str) -> EndedProgram:
    def say(line: str) -> None:
        log.info("%s: %s", doing, line)
        job.say(Progress(f"{doing}: {printable(line, 200)}"))

    job.say(Progress(doing))
    try:
        return run_program(job, command, cwd=ctx.own, environment=environment, say=say)
    except OSError as error:
        raise Problem(
            f"{command[0]} can't be run: {error.strerror or error}.",
            _another(ctx),
        ) from None


def _failed(what: str, python: Path, ended: EndedProgram) -> Problem:
    text = "\n".join(ended.lines)
    remedy = next(
        (remedy for sign, remedy in REMEDIES if sign in text),
        "Its last lines say more; the log has all. Then start again.",
    )
    said = [line for line in ended.lines if "error" in line.lower()] or list(ended.lines) or ["it said nothing"]
    return Problem(
        f"{what}: {printable(said[-1], 300)}", f"{remedy.replace('PYTHON', str(python))} {ANYWAY}", ended.lines
    )


def _secrets(ctx: Context) -> list[str]:
    """Every secret that is stored, refused ones too; user names are in half of all paths and open nothing."""
    fields = [(step.id, item) for step in ctx.steps for item in step.fields]
    known = [
        ctx.vault.get(step, item.name) for step, item in fields if may_hold_secrets(item) and item.name != "username"
    ]
    return [line for secret in known if secret for line in secret.reveal().splitlines()]
