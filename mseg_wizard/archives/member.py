"""Members of an archive: what one is, which names are safe, and where each one goes.

Nothing is read or written here.
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mseg_wizard.progress import Problem, printable

CHUNK = 1 << 20
"""Bytes that are read, inflated or written at a time: a stop is noticed and progress shown between two."""
TEMPORARY = ".unpack.tmp"
"""How the temporary of a file ends; it begins with a dot and the file's name."""
LONGEST_NAME = 255 - len("." + TEMPORARY)
"""Bytes of one part of a path: the temporary has to fit as well."""
MOST_MEMBERS = 1_500_000
"""The largest archive of the 22 has some 130,000; ADE20K's release of 2021, a file for each instance, a million.

Each takes some 730 bytes of memory while an archive is open, and 6 µs to list.
"""
LONGEST_PATH = 1000
"""Bytes: macOS takes 1024, and no dataset comes near."""

_PLAIN = re.compile(r"(?:(?!\.)[\w .-]{1,200}/)*(?!\.)[\w .-]{1,200}/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive, as its headers have it."""

    name: str
    """With `/` between its parts; a folder's ends in one."""
    size: int
    refused: str = ""
    """What makes it impossible to unpack: "is a symbolic link"; empty for plain files and folders."""
    crc: int | None = None
    """CRC-32 of the content, where the archive knows it."""

    @property
    def folder(self) -> bool:
        return self.name.endswith("/")


class Damaged(Problem):
    """The archive is not what its publisher made: fetching it again may help."""


class UnsafeArchive(Problem):
    """The archive holds something that no dataset's archive should."""


def naming_place(path: Path, problem: Problem, do: str = "") -> Problem:
    """The same problem with the place of the file: whoever has to replace it must find it. `do` replaces what to do."""
    return type(problem)(f"{problem.what} It lies at {printable(str(path), 1000)}.", do or problem.do, problem.items)


def damaged_archive(archive: str, how: str, member: str = "") -> Damaged:
    """The archive (at a member) is damaged, and how: "its checksum differs"."""
    where = f" at {printable(member, 200)}" if member else ""
    what = f"{printable(archive, 100)} is damaged{where}: {how}."
    return Damaged(what, "Fetch it again. If you brought it yourself, copy it again from where you have it.")


def unsafe_archive(archive: str, member: str, why: str) -> UnsafeArchive:
    """The archive holds something that no dataset's archive should: "leads out of its folder"."""
    return UnsafeArchive(
        f"{printable(archive, 100)} is not unpacked: its member {printable(member, 200)} {why}.",
        "This is not the archive that is wanted: take it from its publisher.",
    )


def too_many(archive: str) -> Problem:
    """The archive has more members than MOST_MEMBERS: to be said before they fill the memory."""
    return Problem(
        f"{archive} has more than {MOST_MEMBERS:,} members.",
        "No dataset's archive has so many: take it from its publisher.",
    )


def why_unsafe(path: str) -> str:
    """Why `path` must not be written below a folder, as a predicate: "is an absolute path"; empty if it may."""
    if len(path) <= LONGEST_PATH and _PLAIN.fullmatch(path):
        return ""
    parts = path.removesuffix("/").split("/")
    rules = (
        (path.startswith("/"), "is an absolute path"),
        (re.match("[A-Za-z]:", path) is not None, "begins with a drive letter"),
        (".." in parts, "leads out of its folder"),
        ("" in parts or "." in parts, "has an empty part in its path"),
        ("\\" in path, "has a backslash in its name"),
        (printable(path, len(path)) != path, "has characters in its name that can't be shown"),
        (any(part.startswith(".") and part.endswith(".tmp") for part in parts), "is named like a temporary file"),
    )
    for applies, why in rules:
        if applies:
            return why
    try:
        longest, whole = max(len(part.encode()) for part in parts), len(path.encode())
    except UnicodeEncodeError:
        return "has characters in its name that can't be shown"
    return "has a name that is too long" if longest > LONGEST_NAME or whole > LONGEST_PATH else ""


class MemberPaths:
    """Where the members of one archive go; refuses whatever is unsafe or would take another member's place."""

    def __init__(
        self, archive: str, take: Mapping[str, str], skip: Sequence[str] = (), taken: str = "", only: str = ""
    ) -> None:
        """`taken`: a path that no member may have, that of the archive itself; `only`: pattern of those wanted."""
        self._archive = archive
        self._take = dict(sorted((take or {"": ""}).items(), key=lambda item: len(item[0]), reverse=True))
        self._skip = tuple(skip)
        self._taken = _key(taken)
        self._only = re.compile(fnmatch.translate(only)) if only else None
        self._claimed: dict[str, str] = {}
        self.folders: set[str] = set()
        """Every folder that is needed, each with its final slash."""

    def place(self, member: Member) -> str | None:
        """Path of a member below the folder (a folder's ends in `/`),
        None if it is left out; raises Problem that names it.
        """
        name = member.name
        if self._skip and name.startswith(self._skip):
            return None
        prefix = next((prefix for prefix in self._take if name.startswith(prefix)), None)
        if prefix is None or (self._only and not self._only.match(name)):
            return None
        if why := why_unsafe(name) or member.refused:
            raise unsafe_archive(self._archive, name, why)
        path = self._take[prefix] + name[len(prefix) :]
        if not path:
            return None
        if why := why_unsafe(path):
            raise unsafe_archive(self._archive, name, why)
        if not member.folder:
            self._need(path[: path.rfind("/") + 1], name)
            self._claim(path, name)
        else:
            self._need(path, name)
        return path

    def _need(self, folder: str, member: str) -> None:
        while folder and folder not in self.folders:
            self._claim(folder, member)
            self.folders.add(folder)
            folder = folder[: folder.rfind("/", 0, -1) + 1]

    def _claim(self, path: str, member: str) -> None:
        bare = path.removesuffix("/")
        key = _key(bare)
        if key == self._taken:
            raise unsafe_archive(self._archive, member, "has the archive's own name")
        if key not in self._claimed:
            self._claimed[key] = path
            return
        other = self._claimed[key]
        if other == path:
            raise unsafe_archive(self._archive, member, "comes twice")
        if other.removesuffix("/") == bare:
            raise unsafe_archive(self._archive, member, "is both a file and a folder")
        raise unsafe_archive(
            self._archive, member, f"differs from {printable(other, 200)} in upper and lower case only"
        )


def _key(path: str) -> str:
    """What two names have in common that a file system may take
    for one (macOS ignores case and how accents are written).
    """
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()
