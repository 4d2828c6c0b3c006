"""An archive opened: a zip or a tar, told apart by content, its members listed and read.

Names are judged, files written, elsewhere.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mseg_wizard.archives import folder, tar_file, zip_file
from mseg_wizard.archives.member import MOST_MEMBERS, Member, damaged_archive, too_many
from mseg_wizard.archives.parquet_folder import ParquetFolder, parquet_files
from mseg_wizard.archives.pread import OpenFile, close_file, open_file, size_of, up_to
from mseg_wizard.core.background import looking_through
from mseg_wizard.progress import Problem, printable


@dataclass
class OpenArchive:
    """An open archive."""

    name: str
    """For messages."""
    size: int
    """Bytes of the file itself, or of all files of an unpacked folder."""
    listed: Sequence[Member] | None
    """All members in the order in which `walk` brings them; None for
    a tar.gz and parquet files, which have to be read through to know them.
    """
    _file: OpenFile
    _through: tar_file.Gzipped | ParquetFolder | None
    """What has to be read through."""

    @property
    def position(self) -> int:
        """Bytes that were read so far of what has to be read through."""
        return self._through.position if self._through else 0

    @property
    def entries(self) -> Sequence[zip_file.Entry] | None:
        """The members of a zip, each of which can be read by itself; None for a tar."""
        return self.listed if isinstance(self.listed, _Zip) else None

    def walk(self, only: Sequence[zip_file.Entry] | None = None) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Each member, or `only` these of a zip, with its content,
        once; raises Problem where the archive is damaged.
        """
        if isinstance(self._through, ParquetFolder):
            return _counted(self._through.walk(), self.name)
        if self._through:
            return _counted(tar_file.walk(self._through, self.name), self.name)
        if isinstance(self.listed, _Folder):
            return folder.walk(self.listed, self.name)
        if isinstance(self.listed, _Zip):
            return zip_file.walk(self._file, self.listed if only is None else only, self.name)
        assert isinstance(self._file, int)  # noqa: S101 - only a zip has parts
        return tar_file.walk(tar_file.Plain(self._file, self.name), self.name)


class _Zip(list[zip_file.Entry]):
    """A zip's members: what tells a zip from a tar."""


class _Folder(list[folder.FolderFile]):
    """The files of an unpacked folder."""


@contextmanager
def open_archive(path: Path, take: Mapping[str, str] | None = None) -> Iterator[OpenArchive]:
    """The archive at `path`, whatever its name says, or a folder in place of one.

    `take`: what is taken of it, see `unpack`; that tells which folder stands for which. Raises Problem if it is none,
    or one that cannot be listed.
    """
    name = printable(path.name, 100)
    if path.is_dir() and parquet_files(path):
        rows = ParquetFolder(path, name)
        yield OpenArchive(name, rows.size, None, -1, rows)
        return
    if path.is_dir():
        files = _Folder(folder.files_below(path, take))
        if not files:
            what = f"{name} is a folder with nothing in it that is wanted."
            raise Problem(what, "Name the archive itself, or its unpacked folder.")
        yield OpenArchive(name, sum(file.size for file in files), files, -1, None)
        return
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Problem(f"{name} is not a file.", "Name the archive itself.")
        file = open_file(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Problem(f"{name} can't be opened: {why}.", "Make it readable, then start again.") from None
    gzip: tar_file.Gzipped | None = None
    try:
        size = size_of(file)
        start = up_to(file, tar_file.BLOCK, 0, name)
        listed: Sequence[Member] | None = None
        # The first part of a split zip begins with a mark of its own.
        if start.startswith((b"PK\3\4", b"PK\5\6", b"PK\7\x08PK\3\4")):
            listed = _Zip(zip_file.entries(file, name))
        elif not isinstance(file, int):
            raise _unknown(name, start)
        elif start.startswith(b"\x1f\x8b"):
            gzip = tar_file.Gzipped(file, name)
        elif tar_file.is_header(start):
            listed = [
                member for member, _ in looking_through(_counted(tar_file.walk(tar_file.Plain(file, name), name), name))
            ]
        else:
            raise _unknown(name, start)
        yield OpenArchive(name, size, listed, file, gzip)
    finally:
        if gzip:
            gzip.close()
        close_file(file)


def has_sums(path: Path) -> bool:
    """Does what it holds come with checksums, as in a zip and a tar.gz? An unpacked folder has none to compare."""
    if not path.is_file():
        return True
    with path.open("rb") as file:
        return not tar_file.is_header(file.read(tar_file.BLOCK))


def members(path: Path, *, at_most: int | None = None, take: Mapping[str, str] | None = None) -> Iterator[Member]:
    """The members without their contents, as far as `at_most` files (a tar.gz is read as far as it takes).

    Raises Problem on damage.
    """
    with open_archive(path, take) as reader:
        listing = iter(reader.listed) if reader.listed is not None else (member for member, _ in reader.walk())
        files = 0
        for member in listing:
            yield member
            files += not member.folder
            if files == at_most:
                return


def _counted(walk: Iterator[tuple[Member, Iterator[bytes]]], name: str) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """A tar's members, as many as a dataset's archive may have."""
    for count, found in enumerate(walk):
        if count >= MOST_MEMBERS:
            raise too_many(name)
        yield found


def _unknown(name: str, start: bytes) -> Problem:
    if not start:
        return damaged_archive(name, "it is empty")
    text = start.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return damaged_archive(name, "it is a web page: the server sent that in place of the archive")
    return damaged_archive(name, "it is neither a zip nor a tar archive, plain or gzipped")
