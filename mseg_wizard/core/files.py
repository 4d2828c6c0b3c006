"""Writing files so that a crash leaves the old one or the new one, never half of one; and TOML, whoever wrote it."""

from __future__ import annotations

import glob
import json
import os
import tomllib
from pathlib import Path
from typing import Any


def write_atomically(path: Path, data: bytes, *, durable: bool = True, mode: int = 0o600) -> None:
    """Write beside, then rename; `durable` also syncs the file and its folder, so that a power cut can't undo or empty it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """`value` as indented JSON, written atomically, readable by its owner only."""
    write_atomically(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode(), durable=durable)


def parse_toml(text: str) -> dict[str, Any]:
    """A TOML document; raises ValueError that says what is wrong with it."""
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    values: list[Any] = [table]
    while values:
        value = values.pop()
        if isinstance(value, dict | list):
            values += value.values() if isinstance(value, dict) else value
        elif isinstance(value, int) and value.bit_length() > 63:  # what TOML has; Python's own know no end, and can't always be shown
            raise ValueError("it has a number of more than 64 bits")
    return table


def sweep(path: Path) -> None:
    """Remove what killed writers of `path` left beside it."""
    for stale in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        stale.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
