"""What is wrong with an archive, found by reading all of it, as unpacking it would."""

from __future__ import annotations

from pathlib import Path

from mseg_wizard.archives.reader import open_archive
from mseg_wizard.progress import Problem


def damage(path: Path) -> Problem | None:
    """The problem that reading every member meets; None where there is none.

    A plain tar has checksums for its headers only.
    """
    try:
        with open_archive(path) as reader:
            for member, content in reader.walk():
                for _ in () if member.refused else content:
                    pass
    except Problem as problem:
        return problem
    return None
