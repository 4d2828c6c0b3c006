"""The rest of a path that someone types: which names fit what stands there.

Only folders are listed; what is at a path is found out in path_check.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from textual.suggester import Suggester

from mseg_wizard.answers.pasted import is_link
from mseg_wizard.core.background import in_thread
from mseg_wizard.progress import printable
from mseg_wizard.tui.path_check import found_words, looks_like_path

ENTRIES = 20_000
"""Names of one folder that are read; MSeg's own folders hold more than that."""
SECONDS = 0.5
"""For reading one folder."""
NAMED = 3
"""Names that are said where several fit."""
WIDEST = 40
"""Characters of a name that are said."""

T = TypeVar("T")


@dataclass(frozen=True)
class FittingPaths:
    """What fits a path that is being typed."""

    whole: str = ""
    """The path as far as all that fit agree; empty where nothing is to be added."""
    words: str = ""
    """The names, for the line below."""


def fitting_paths(text: str, endings: tuple[str, ...] = ()) -> FittingPaths:
    """Folders whose names go on like `text`, and files that end so;
    never raises, and reads no more than ENTRIES names for SECONDS.
    """
    folder, slash, begun = text.rpartition("/")
    if text.startswith("~") and not slash:
        return FittingPaths()
    names: list[str] = []
    ends, cut = time.monotonic() + SECONDS, False
    with suppress(OSError, RuntimeError, ValueError), os.scandir(Path(folder + slash).expanduser()) as entries:
        for count, entry in enumerate(entries):
            if count >= ENTRIES or time.monotonic() > ends:
                cut = True
                break
            if (
                entry.name.startswith(begun)
                and entry.name.isprintable()
                and (begun.startswith(".") or not entry.name.startswith("."))
            ):
                names += _named(entry, endings)
    names.sort()
    if not names or names == [begun]:
        return FittingPaths()
    some = ", ".join(printable(name, WIDEST) for name in names[:NAMED]) + (", …" if cut or len(names) > NAMED else "")
    if cut:
        return FittingPaths("", f"Some that fit: {some}")
    whole = folder + slash + os.path.commonprefix(names)  # noqa: RUF071 - the characters that they share are meant
    return FittingPaths(
        whole if whole != text else "",
        f"Right completes it: {some}" if len(names) == 1 else f"{len(names):,} fit: {some}",
    )


class DiskLook:
    """Looks at the disk for one line, in one thread at a time: a network
    folder that hangs holds up neither the screen nor the end.

    So the thread is no one's to wait for, and what was overtaken by newer text is not looked at any more.
    """

    def __init__(self) -> None:
        self._look: Future[Any] | None = None

    async def look(self, at: Callable[[], T], wanted: Callable[[], bool]) -> T | None:
        """What `at` returns; None where that is not `wanted` any more when its turn comes."""
        while self._look and not self._look.done():
            await asyncio.wait([asyncio.wrap_future(self._look)])
        if not wanted():
            return None
        look = self._look = in_thread(at, "path look-up")
        return await asyncio.wrap_future(look)


class Paths(Suggester):
    """Suggests the rest of a path: `endings` are those of the files that are wanted besides folders."""

    def __init__(self, endings: tuple[str, ...] = (), *, only: bool = False) -> None:
        """`only`: whatever is typed is a path; else what looks like one."""
        super().__init__(use_cache=False, case_sensitive=True)
        self._endings = endings
        self._only = only
        self._rest, self._around = DiskLook(), DiskLook()
        self._newest = ""

    async def get_suggestion(self, value: str) -> str | None:
        self._newest = value
        if not self._listed(value):
            return None
        found = await self._rest.look(partial(fitting_paths, value, self._endings), lambda: self._newest == value)
        return found.whole or None if found else None

    async def around(self, text: str, wanted: Callable[[], bool], *, typing: bool) -> tuple[str, str] | None:
        """What is at a path and, while it is being typed, what fits it, in words; None where it was overtaken."""
        if not (self._only or looks_like_path(text) or is_link(text)):
            return "", ""

        def look() -> tuple[str, str]:
            return found_words(text, made=self._only), fitting_paths(
                text, self._endings
            ).words if typing and self._listed(text) else ""

        return await self._around.look(look, wanted)

    async def ask(self, about: Callable[[], str], wanted: Callable[[], bool]) -> str | None:
        """Any other question to the disk, in its turn."""
        return await self._around.look(about, wanted)

    def _listed(self, text: str) -> bool:
        return bool(text) and not is_link(text) and (self._only or looks_like_path(text))


def _named(entry: os.DirEntry[str], endings: tuple[str, ...]) -> list[str]:
    """The entry's name, where it is wanted; what can't be looked at is not."""
    with suppress(OSError):
        if entry.is_dir():
            return [entry.name + "/"]
        if entry.name.lower().endswith(endings) and entry.is_file():
            return [entry.name]
    return []
