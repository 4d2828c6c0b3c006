"""What the tests of the registered datasets share: a destination
opened on the practice world, and a search for planted secrets.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from mseg_wizard.context import Context, Options
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Progress
from mseg_wizard.state.journal import TreeRecord
from mseg_wizard.state.store import Store
from mseg_wizard.step import Archive
from mseg_wizard.tasks.download import download
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import Vault

SITES = (
    "https://www.cityscapes-dataset.com",
    "https://wilddash.cc",
    "https://links.practice.example",
    "http://dl.yf.io",
)


def opened(
    world: World,
    destination: Path,
    route: str = "http://127.0.0.1:9",
    answers: Mapping[str, Mapping[str, object]] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    options: Options | None = None,
) -> Context:
    """A destination whose accepted tree is the practice world's;
    every site is routed to `route`, and secrets stay in memory.
    """
    vault = Vault("test", backend=None, environment=environment or {})
    options = options or Options(routes=tuple(f"{site}={route}" for site in SITES))
    ctx = Context(load_steps(), Store(destination), vault, options)
    ctx.store.keep_tree(TreeRecord(folder=str(world.tree), pinned=False, source="the practice world"))
    ctx.remember(ctx.step("prepare"), {"accept_modified_tree": True})
    for step, table in (answers or {}).items():
        ctx.remember(ctx.step(step), table)
    return ctx


def archive(ctx: Context, file: str) -> Archive:
    return next(archive for step in ctx.steps for archive in step.archives if archive.file == file)


def downloaded(ctx: Context, file: str) -> Path:
    """Download one archive; where it is."""
    ctx.notes.clear()
    run(download(ctx, archive(ctx, file)))
    record = ctx.store.archive(file)
    assert record is not None
    assert record.present
    return Path(record.path)


def run(task: Generator[Progress, None, None]) -> list[Progress]:
    """Run a task to its end; what a user would have seen."""
    return list(task)


def forms(secret: str) -> list[bytes]:
    """A secret as it is, and as it stands in forms, queries and JSON."""
    return [
        text.encode()
        for text in {secret, quote(secret), quote(secret, ""), quote_plus(secret), json.dumps(secret)[1:-1]}
    ]


def leaks(secrets: Iterable[str], *places: Path | str) -> list[str]:
    """Where any of the secrets stands: in texts, and in the files below folders."""
    needles = [form for secret in secrets for form in forms(secret)]
    found = []
    for place in places:
        if isinstance(place, str):
            found += [place for needle in needles if needle in place.encode()]
        else:
            files = [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]
            found += [str(path) for path in files if any(needle in path.read_bytes() for needle in needles)]
    return found
