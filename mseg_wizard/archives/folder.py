"""An unpacked folder read as if it were the archive that it came out of. What is in it is judged elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mseg_wizard.archives.member import CHUNK, Member, damaged_archive


@dataclass(frozen=True, slots=True)
class FolderFile(Member):
    """A file, and where it is; its name begins with the folder's own."""

    path: str = ""


def files_below(folder: Path) -> list[FolderFile]:
    """All regular files below a folder, by name."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            path = f"{place}/{name}"
            if os.path.isfile(path):  # noqa: PTH113 - a million of them
                below = os.path.relpath(path, folder.parent)
                found.append(FolderFile(below, os.path.getsize(path), path=path))  # noqa: PTH202
    return sorted(found, key=lambda member: member.name)


def walk(listed: Sequence[FolderFile], archive: str) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """Each file with its content."""
    for member in listed:
        yield member, _content(member, archive)


def _content(member: FolderFile, archive: str) -> Iterator[bytes]:
    count = 0
    with open(member.path, "rb") as file:  # noqa: PTH123
        while piece := file.read(CHUNK):
            count += len(piece)
            if count > member.size:
                break
            yield piece
    if count != member.size:
        raise damaged_archive(archive, "it changed while it was read", member.name)
