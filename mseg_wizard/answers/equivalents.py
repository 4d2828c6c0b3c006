"""What may stand in for an archive: told by what is in it. Nothing is unpacked here."""

from __future__ import annotations

from pathlib import Path

from mseg_wizard.archives.layout import check_layout
from mseg_wizard.progress import Problem
from mseg_wizard.step import Archive, Equivalent


def identify(
    path: Path, archive: Archive, *, md5: str = "", sha256: str = ""
) -> tuple[Equivalent | None, Problem | None]:
    """Which equivalent the file at `path` is, None where it is the archive itself; and what tells that it is neither.

    Equivalents are looked for first: their layouts are those of the archive and more.
    """
    for known in archive.equivalents:
        if check_layout(path, known.layout, take=known.take) is None:
            return known, None
    return None, check_layout(path, archive.layout, archive.wrong, md5=md5, sha256=sha256, take=archive.take)
