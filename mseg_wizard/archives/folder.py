"""An unpacked folder read as if it were the archive that it came out of. What is in it is judged elsewhere."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mseg_wizard.archives.member import CHUNK, Member, damaged_archive


@dataclass(frozen=True, slots=True)
class FolderFile(Member):
    """A file, and where it is; its name begins with the folder's own."""

    path: str = ""


def files_below(folder: Path, take: Mapping[str, str] | None = None) -> list[FolderFile]:
    """All regular files of a folder that stands for an archive, by name; with `take` (see `unpack`) those it takes."""
    top = _top(folder, take or {})
    whole = [folder] if not take else [top / prefix for prefix in take if "/" in prefix]
    found = [f"{place}/{name}" for root in whole for place, _, names in os.walk(root) for name in names]
    if take and top == folder:  # small files beside the folders; above the named one they would be somebody else's
        starts = tuple(prefix for prefix in take if "/" not in prefix)
        found += [f"{folder}/{name}" for name in os.listdir(folder) if starts and name.startswith(starts)]
    base = top if take else folder.parent
    files = (
        FolderFile(os.path.relpath(path, base), os.path.getsize(path), path=path)  # noqa: PTH202
        for path in dict.fromkeys(found)
        if os.path.isfile(path)  # noqa: PTH113 - a million of them
    )
    return sorted(files, key=lambda member: member.name)


def may_be(folder: Path, layout: Sequence[str], take: Mapping[str, str]) -> bool:
    """Is there a folder, or file, for each pattern of an archive's layout? Quick: what is in them is not looked at."""
    top = _top(folder, take)
    return bool(layout) and all(_may_match(top, pattern, take) for pattern in layout)


def _top(folder: Path, take: Mapping[str, str]) -> Path:
    """What names begin from: the folder stands for the archive itself, or is the folder that the archive has."""
    folders = [prefix for prefix in take if "/" in prefix]
    named = folder.name in {prefix.partition("/")[0] for prefix in folders}
    return folder.parent if named and not any((folder / prefix).is_dir() for prefix in folders) else folder


def _may_match(top: Path, pattern: str, take: Mapping[str, str]) -> bool:
    plain = re.split(r"[*?\[]", pattern)[0]
    if plain == pattern:
        return (top / pattern).is_file()
    if "/" in plain:
        return (top / plain.rpartition("/")[0]).is_dir()
    if "/" in pattern:  # of any folder: those that are taken
        return any((top / prefix).is_dir() for prefix in take if "/" in prefix)
    return top.is_dir() and any(fnmatch.fnmatch(name, pattern) for name in os.listdir(top))


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
