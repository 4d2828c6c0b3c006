"""A folder of parquet files, as Hugging Face's hub keeps pictures with their masks, read as if it were an archive.

Each row is one member, the first of its masks. Of all columns only two are read, some rows at a time: in the others
lie the pictures.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mseg_wizard.archives.member import Member, damaged_archive
from mseg_wizard.progress import Problem

TOP = "parquet"
"""What members' names begin with: there are no names in such files."""
NAME, MASKS = "filename", "segmentations"
"""The columns that are read: the picture's name; its masks, each with its bytes, the one of whole objects first."""
ROWS = 16
"""That are decoded at a time: a mask has 50 kB on average, and a row up to seven of them."""

PIECE = 1 << 20
"""Bytes that are read at a time."""


class ParquetFolder:
    """The files of one folder, and how far they were read."""

    def __init__(self, folder: Path, archive: str) -> None:
        self.files = parquet_files(folder)
        self.size = sum(file.stat().st_size for file in self.files)
        self.position = 0
        """Bytes of the files that were read through."""
        self._archive = archive

    def walk(self) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Each row's mask as `parquet/<file's first word>/<picture's name>_seg.png`, with its content."""
        needs_pyarrow()
        from pyarrow import ArrowException

        for file in self.files:
            try:
                for name, content in _rows(file):
                    member = f"{TOP}/{file.name.partition('-')[0]}/{name.rpartition('.')[0] or name}_seg.png"
                    yield Member(member, len(content)), iter((content,))
            except (ArrowException, OSError, KeyError, TypeError, IndexError) as error:
                raise damaged_archive(self._archive, f"{type(error).__name__} where it is read", file.name) from None
            self.position += file.stat().st_size


def parquet_files(folder: Path) -> list[Path]:
    """By name."""
    return sorted(folder.glob("*.parquet"))


def can_be_read() -> bool:
    """Is the library for it installed?"""
    return importlib.util.find_spec("pyarrow") is not None


def needs_pyarrow() -> None:
    """Raise Problem where it is not there."""
    if not can_be_read():
        raise Problem("To read parquet files pyarrow is needed, which is not installed.", HOW)


HOW = "Install it: pip install 'mseg-wizard[parquet]'. Then start again."


def _rows(file: Path) -> Iterator[tuple[str, bytes]]:
    from pyarrow.parquet import ParquetFile

    # Read piece by piece, neither ahead nor by several threads: a group of 1,000 rows takes 300 MB so, else 640.
    with ParquetFile(file, pre_buffer=False, buffer_size=PIECE) as opened:
        for batch in opened.iter_batches(batch_size=ROWS, columns=[NAME, MASKS], use_threads=False):
            names: list[Any] = batch.column(NAME).to_pylist()
            masks = batch.column(MASKS)
            for row, name in enumerate(names):
                yield str(name), masks[row][0]["bytes"].as_py()
