"""A destination with the golden kit's raw files, for tests of the tasks that make label maps."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mseg_wizard.context import Context, Options
from mseg_wizard.state.journal import TreeRecord
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import Vault
from tests.golden_tree import GoldenTree

CALLS: Mapping[str, Any] = {
    call.key: call.args for step in load_steps() for call in step.calls if call.task in ("remap", "relabel")
}
"""Key of each call of the step files that makes label maps → its arguments."""


@contextmanager
def opened(place: Path, raw: GoldenTree, *folders: str, call: str = "any") -> Iterator[Context]:
    """A context at `place`, with copies of these datasets' folders where it has none yet, that runs one call."""
    for folder in folders:
        if not (place / "mseg_dataset" / folder).exists():
            shutil.copytree(raw.dataset / folder, place / "mseg_dataset" / folder)
    place.mkdir(exist_ok=True)
    ctx = Context(load_steps(), Store(place), Vault("test", backend=None, environment={}), Options(workers=2))
    ctx.store.keep_tree(TreeRecord(folder=str(raw.tree.path), pinned=False))
    ctx.call = call
    ctx.foreign = call not in ctx.store.journal.made  # as the engine does
    try:
        yield ctx
    finally:
        ctx.close()


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """What tells whether a file was written again: its inode and time."""
    found = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
    return {path.relative_to(folder).as_posix(): (stat.st_ino, stat.st_mtime_ns) for path, stat in found.items()}


def temporaries(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*.tmp")]
