"""Archives whose bytes depend on their members alone: fixed times, owners and modes.

What the members are is not known here.
"""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import PurePosixPath

_ZIP_TIME = (2020, 1, 1, 0, 0, 0)
_TAR_TIME = 1577836800  # the same day

Members = Mapping[str, bytes]
"""Name inside the archive → content.

The folders above a member are written as members of their own, as the real archives have them.
"""


def make_archive(name: str, members: Members, stored: Iterable[str] = ()) -> bytes:
    """An archive in the format that its name says; members named in `stored` are not compressed (in a zip)."""
    if name.endswith(".zip"):
        return _zip(members, frozenset(stored))
    plain = _tar(members)
    return plain if name.endswith(".tar") else gzip.compress(plain, mtime=0)


def _zip(members: Members, stored: frozenset[str]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for folder in _folders(members):
            entry = zipfile.ZipInfo(f"{folder}/", _ZIP_TIME)
            entry.create_system, entry.external_attr = 3, (0o40755 << 16) | 0x10
            archive.writestr(entry, b"")
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            # what is compressed already is stored too, so that readers meet both methods
            plain = name in stored or name.endswith((".jpg", ".zip"))
            archive.writestr(entry, content, zipfile.ZIP_STORED if plain else zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _tar(members: Members) -> bytes:
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for folder in _folders(members):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, _TAR_TIME
            archive.addfile(entry)
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), _TAR_TIME
            archive.addfile(entry, BytesIO(content))
    return file.getvalue()


def _folders(members: Members) -> list[str]:
    folders: dict[str, None] = {}
    for name in members:
        for parent in reversed(PurePosixPath(name).parents[:-1]):
            folders[str(parent)] = None
    return list(folders)
