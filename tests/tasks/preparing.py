"""What the tests of step 1 share: a destination of its own, a small
mseg-api tree that pip can install, and one that passes as MSeg's.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mseg_wizard.context import Context, Options
from mseg_wizard.datasets import mseg_api
from mseg_wizard.labels.taxonomy import PINNED, RECORDS_FILE, blob_id, identity
from mseg_wizard.progress import Progress
from mseg_wizard.state.journal import TreeRecord
from mseg_wizard.state.store import Store
from mseg_wizard.step import Step
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tasks.tree import tree, tree_missing
from mseg_wizard.vault import Vault

CONFIG = "mseg/utils/dataset_config.py"
FILES = {
    "README.md": "a tree for tests\n",
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "mseg/__init__.py": "",
    CONFIG: '# where things are\nMSEG_DST_DIR = ""\nOTHER = 1\n',
    "mseg/class_remapping_files/a_to_b.tsv": "a\tb\nroad\troad\n",
    "mseg/dataset_lists/a/a_names.txt": "road\n",
    "mseg/relabeled_data/a/a_train.txt": "1\n",
    RECORDS_FILE: "a_update_records = []\n",
}
BACKEND = """
import zipfile
from pathlib import Path

def build_editable(folder, config_settings=None, metadata_directory=None):
    {more}
    files = {{
        "_mseg.pth": str(Path.cwd()) + "\\n",
        "mseg-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: mseg\\nVersion: 1\\n",
        "mseg-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }}
    files["mseg-1.dist-info/RECORD"] = "".join(name + ",,\\n" for name in files)
    with zipfile.ZipFile(Path(folder) / "mseg-1-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return "mseg-1-py3-none-any.whl"
"""
"""Builds with the standard library alone, so that pip needs no network; `more` runs while pip does."""


def make_tree(folder: Path, more: str = "pass", files: Mapping[str, str] | None = None) -> Path:
    """Write a small tree; `more`: what its build does besides."""
    for path, text in (FILES | {"backend.py": BACKEND.format(more=more)} | dict(files or {})).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def zipped(folder: Path, file: Path, top: str) -> Path:
    """A zip of a tree below one top folder, as GitHub makes them."""
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.writestr(zipfile.ZipInfo(top + path.relative_to(folder).as_posix()), path.read_bytes())
    return file


def pin(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have this tree be the one that counts as MSeg's own: the real one is not there to test with."""
    for name in PINNED:
        patch.setitem(PINNED, name, (0, identity(folder, name)))
    patch.setattr(mseg_api, "PINNED_RECORDS", blob_id((folder / RECORDS_FILE).read_bytes()))


@contextmanager
def opened(
    destination: Path,
    *,
    steps: tuple[Step, ...] | None = None,
    mirror: Path | str | None = None,
    routes: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    **answers: Any,
) -> Iterator[Context]:
    """A destination with these answers to step 1's form."""
    vault = Vault("test", backend=None, environment=environment or {})
    options = Options(mirror=str(mirror) if mirror else None, routes=routes)
    ctx = Context(load_steps() if steps is None else steps, Store(destination), vault, options)
    try:
        give(ctx, **answers)
        yield ctx
    finally:
        ctx.close()


def give(ctx: Context, **answers: Any) -> None:
    for name, value in answers.items():
        ctx.store.answer("prepare", name, value)


def run(task: Generator[Progress, None, None]) -> list[Progress]:
    return list(task)


def contents(folder: Path) -> dict[str, str]:
    """Every file below `folder` with its content's hash, mode and time: whether anything was touched."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    hashes = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return {
        str(path.relative_to(folder)): f"{hashes[path]} {path.stat().st_mode} {path.stat().st_mtime_ns}"
        for path in files
    }


def journal(ctx: Context) -> TreeRecord:
    """What the report will know of the tree."""
    assert ctx.store.journal.tree
    return ctx.store.journal.tree


def changed(folder: Path, path: str, more: str = "x\n") -> Path:
    """A tree with a line more in one of its files."""
    with (folder / path).open("a") as file:
        file.write(more)
    return folder


def prepared(ctx: Context) -> Path:
    """Run the task of the tree to its end; the accepted tree's folder."""
    run(tree(ctx))
    assert tree_missing(ctx) == []
    return ctx.tree_folder
