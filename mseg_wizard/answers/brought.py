"""What a file or folder that the user named has of an archive: under its name, under another, or unpacked.

Whether it is right to the last byte is looked at elsewhere, and nothing is written here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path, PurePosixPath

from mseg_wizard.answers.equivalents import identify
from mseg_wizard.archives.folder import may_be
from mseg_wizard.archives.parquet_folder import parquet_files
from mseg_wizard.progress import amount, printable
from mseg_wizard.step import Archive, Equivalent

_PACKED = re.compile(r"(?!\.).+\.(zip|tar|tgz|tar\.gz)(\.\d+)?", re.IGNORECASE)
"""Names that archives have, also those that a browser or wget gives to the second of a name."""
MOST = 30
"""Files of other names in a folder that are looked into: each is opened once, which may take a second."""
SHOWN = 4
"""Names of what is there instead that are said."""


def found_in(place: Path, archive: Archive, others: Collection[str], *, alone: bool = False) -> Iterator[Path]:
    """The files, then the unpacked folders, that are the archive or stand in for it, the likeliest first.

    `others`: names of other archives, which are not looked into. `alone`: a file may have any name, and is judged
    later.
    """
    if place.is_file():
        if alone or place.name in archive.names or (place.name not in others and not why_not(place, archive)):
            yield place
        return
    yield from (place / name for name in archive.names if (place / name).is_file())
    yield from (path for path in _of_other_names(place, archive, others) if not why_not(path, archive))
    yield from _unpacked(place, archive)


def uploaded_in(folder: Path, archive: Archive, others: Collection[str]) -> Iterator[Path]:
    """The same of files in the archive's own folder, where what was unpacked lies too."""
    yield from (path for path in _of_other_names(folder, archive, others) if not why_not(path, archive))


def why_not(path: Path, archive: Archive) -> str:
    """What tells that the file at `path` is not the archive; empty where nothing does."""
    try:
        found = path.stat()
    except OSError as error:
        return f"{printable(path.name, 100)} can't be read: {error.strerror}."
    return _judged(path, (found.st_size, found.st_mtime_ns), _ByName(archive))


def instead(place: Path, archives: Sequence[Archive], others: Collection[str]) -> str:
    """What is said of a named folder that has none of these archives, and what it has instead."""
    names = " or ".join(archive.file for archive in archives)
    where = printable(str(place), 300)
    try:
        entries = sorted(place.iterdir(), key=lambda path: (path.name in others, path.name))
    except OSError as error:
        return f"{where} can't be listed ({error.strerror}), so {names} was not found there."
    told = [_told(path, archives, others) for path in entries[:SHOWN]]
    more = f" and {amount(len(entries) - SHOWN, 'more')}" if len(entries) > SHOWN else ""
    there = f"There are: {'; '.join(told)}{more}." if told else "It is empty."
    return f"{where} has no {names}, under any name or unpacked. {there}"


def has(place: Path, archives: Sequence[Archive]) -> str:
    """What is said of a folder when it is named; empty where it has just what it should, under the right names."""
    names = {name for archive in archives for name in archive.names}
    found = {archive.file: next(found_in(place, archive, names - set(archive.names)), None) for archive in archives}
    lacking = [archive for archive in archives if not found[archive.file]]
    if len(lacking) == len(archives):
        return instead(place, lacking, names)
    odd = [f"{printable(path.name, 80)}{'/' if path.is_dir() else ''} is taken for {archive.file}"
           for archive in archives if (path := found[archive.file]) and path.name not in archive.names]  # fmt: skip
    rest = [f"not there: {', '.join(archive.file for archive in lacking)}"] if lacking else []
    return f"in {printable(str(place), 300)}: {'; '.join([*odd, *rest])}" if odd or rest else ""


def _told(path: Path, archives: Sequence[Archive], others: Collection[str]) -> str:
    name = printable(path.name, 80)
    if path.is_dir():
        return f"{name}/"
    if not _PACKED.fullmatch(path.name) or path.name in others:
        return name
    reason = why_not(path, archives[0]) if len(archives) == 1 else ""
    return f"{name} ({reason.rstrip('.').partition(': ')[2] or reason})" if reason else name


def _of_other_names(folder: Path, archive: Archive, others: Collection[str]) -> list[Path]:
    try:
        stamp = folder.stat().st_mtime_ns
    except OSError:
        return []
    names = [name for name in _packed_files(folder, stamp) if name not in others and name not in archive.names]
    return [folder / name for name in names[:MOST]]


@lru_cache(maxsize=256)
def _packed_files(folder: Path, mtime_ns: int) -> tuple[str, ...]:
    """Listed anew when the folder changes: it is asked for several times a second."""
    try:
        return tuple(sorted(path.name for path in folder.iterdir() if _PACKED.fullmatch(path.name) and path.is_file()))
    except OSError:
        return ()


class _ByName:
    """An archive as a key of a cache: its facts are in tables, which have no hash."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive

    def __hash__(self) -> int:
        return hash(self.archive.file)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByName) and self.archive == other.archive


@lru_cache(maxsize=1024)
def _judged(path: Path, stamp: tuple[int, int], known: _ByName) -> str:
    _, problem = identify(path, known.archive)
    return problem.what if problem else ""


def _unpacked(place: Path, archive: Archive) -> Iterator[Path]:
    """Folders that have what the archive's layout names: the named one, or one in it that bears the archive's name."""
    stems = dict.fromkeys(_stem(name) for name in archive.names)
    kinds: tuple[Archive | Equivalent, ...] = (archive, *archive.equivalents)
    for kind in kinds:
        tops = {prefix.partition("/")[0] for prefix in kind.take if "/" in prefix}
        inside = sorted(tops) if len(tops) == 1 else []
        places = (*(place / stem for stem in stems), place)  # first: unzipped into a folder of its own
        folders = (folder for found in places for folder in (*(found / top for top in inside), found))
        yield from islice((folder for folder in folders if _may_be(folder, kind)), 1)


def _may_be(folder: Path, kind: Archive | Equivalent) -> bool:
    if isinstance(kind, Equivalent) and kind.hub:
        return folder.is_dir() and bool(parquet_files(folder))
    return may_be(folder, kind.layout, kind.take)


def _stem(name: str) -> str:
    return PurePosixPath(name.removesuffix(".gz")).stem
