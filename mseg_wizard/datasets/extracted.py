"""What each archive's files were when they came out of it: their sizes, sums and times, kept packed.

Whether they still are is judged elsewhere.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from mseg_wizard.context import Context
from mseg_wizard.core.files import write_atomically
from mseg_wizard.step import Archive

FOLDER = "extracted"
"""Among the wizard's own things, a file for each archive: some 20 bytes for each of its files."""
LOOKED_AT_ONCE = 1024
"""Files between two words: some ms, on a network disk a second."""
UNSEEN = 0
"""As a time: its content is to be read before it is believed."""


class ExtractedFile(msgspec.Struct, array_like=True, frozen=True):
    """One file."""

    path: str
    """Below mseg_dataset/."""
    size: int
    crc: int
    """CRC-32 of its content."""
    mtime_ns: int
    """When its content was last known to be right: the time of change that the file had."""


_encoder, _decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(list[ExtractedFile])


def note_extracted(
    ctx: Context, archive: Archive, sums: Mapping[str, tuple[int, int]], told: Callable[[int], object] = bool
) -> None:
    """Remember what an archive has just brought: path below mseg_dataset/ → size and CRC-32. Raises OSError.

    `told` hears how many of the files were looked at.
    """
    top, rows = f"{ctx.dataset_folder}/", []
    for number, (path, (size, crc)) in enumerate(sums.items()):
        if number % LOOKED_AT_ONCE == 0:
            told(number)
        with suppress(FileNotFoundError):  # the next look says so
            rows.append(ExtractedFile(path, size, crc, os.stat(top + path).st_mtime_ns))  # noqa: PTH116 - a million
    keep_extracted(ctx, archive, rows)


def keep_extracted(ctx: Context, archive: Archive, rows: Iterable[ExtractedFile]) -> None:
    """Remember these. Raises OSError."""
    place = _place(ctx, archive)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    write_atomically(place, zlib.compress(_encoder.encode(list(rows)), 1))


def read_extracted(ctx: Context, archive: Archive) -> list[ExtractedFile] | None:
    """What is known of an archive's files; None where nothing is: they were there before, or an older wizard unpacked
    them.
    """
    try:
        return _decoder.decode(zlib.decompress(_place(ctx, archive).read_bytes()))
    except (OSError, zlib.error, msgspec.DecodeError):
        return None


def distrust_extracted(ctx: Context) -> None:
    """Have the content of all of them read anew. Raises OSError."""
    for step in ctx.steps:
        for archive in step.archives:
            if rows := read_extracted(ctx, archive):
                keep_extracted(ctx, archive, [msgspec.structs.replace(row, mtime_ns=UNSEEN) for row in rows])


def _place(ctx: Context, archive: Archive) -> Path:
    return ctx.own / FOLDER / f"{archive.file}.bin"
