"""What the tests of the download share: a file worth fetching, patience without waiting, a generator run to its end."""

from __future__ import annotations

import hashlib
import io
import json
import random
import threading
import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from mseg_wizard.http.remote_file import Fetched, PublishedFacts, RetryPolicy
from mseg_wizard.progress import Problem, Progress

QUICK = RetryPolicy(first=0, stall=30, tries=4, tries_before_next=2)
"""No waiting between attempts; a stall long enough for a busy machine."""


def zipped(seed: int, length: int = 700_000) -> bytes:
    """A zip archive of noise, the same for the same seed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("noise"), random.Random(seed).randbytes(length))
    return file.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


BODY = zipped(1)
OTHER = zipped(2)
assert len(BODY) == len(OTHER)
SHA256 = sha256(BODY)
KNOWN = PublishedFacts(bytes=len(BODY), sha256=SHA256)


def finish(running: Generator[Progress, None, Fetched], seen: list[Progress] | None = None) -> Fetched:
    """Run to the end; `seen` collects what a user would have seen."""
    while True:
        try:
            progress = next(running)
        except StopIteration as end:
            result: Fetched = end.value
            return result
        if seen is not None:
            seen.append(progress)


def problem(running: Generator[Progress, None, Fetched], seen: list[Progress] | None = None) -> Problem:
    """The Problem that a fetch ends with."""
    with pytest.raises(Problem) as caught:
        finish(running, seen)
    return caught.value


def stopped_at(length: int, target: Path, running: Generator[Progress, None, Fetched]) -> None:
    """Let it fetch from a server that stalls after `length` bytes, then stop it as a user does."""
    while not part(target).exists() or part(target).stat().st_size < length:
        next(running)
    running.close()
    assert part(target).stat().st_size == length
    assert helpers() == []


def part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def noted(note: Path) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """A download's note, and the lines behind it: what was written since it was saved."""
    table, end = json.JSONDecoder().raw_decode(note.read_text())
    return table, [(int(start), int(stop)) for start, stop in map(str.split, note.read_text()[end:].split("\n")[1:-1])]


def leftovers(target: Path) -> list[str]:
    """Everything beside the target."""
    return sorted(path.name for path in target.parent.iterdir() if path != target)


def helpers() -> list[str]:
    """Threads of a fetch that are alive."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("background", "hash"))]
