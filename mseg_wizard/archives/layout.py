"""Archives recognised by what is in them: is this the one that is wanted, or one that people take for it?

Nothing is written here.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mseg_wizard.archives.reader import members
from mseg_wizard.progress import Problem, printable
from mseg_wizard.step import Lookalike

GLANCE = 500
"""Files of a large tar.gz that are looked at before it is unpacked:
it has no directory, and reading it through takes minutes.
"""
LARGE = 64 << 20


def check_layout(
    path: Path,
    layout: Sequence[str],
    wrong: Sequence[Lookalike] = (),
    *,
    md5: str = "",
    sha256: str = "",
    take: Mapping[str, str] | None = None,
) -> Problem | None:
    """What tells that this is not the archive it should be; None if nothing does.

    `md5` and `sha256` are the file's, where known. `take`: what is taken of it, see `unpack`; of an unpacked folder
    nothing else is looked at.

    Each pattern of `layout` must match a file in it (fnmatch, `*` also matches `/`). Of a large tar.gz only the first
    files are looked at, and one in the first two folders of any pattern is enough: in which order the others come is
    not known.
    """
    name = printable(path.name, 100)
    for known in wrong:
        if (known.md5 and known.md5 == md5) or (known.sha256 and known.sha256 == sha256):
            return _not_wanted(name, known.reason)
    try:
        glance = path.is_file() and path.stat().st_size > LARGE and _is_gzip(path)
        reason = _why_not(path, layout, wrong, GLANCE if glance else None, take)
    except Problem as problem:
        return problem
    except OSError as error:
        return Problem(f"{name} can't be read: {error.strerror}.", "Check its disk, or fetch it again.")
    return _not_wanted(name, reason) if reason else None


def _why_not(
    path: Path,
    layout: Sequence[str],
    wrong: Sequence[Lookalike],
    at_most: int | None,
    take: Mapping[str, str] | None,
) -> str:
    """Why the members are not those of the archive, empty if they may be; of `at_most` files any one pattern will do.

    Raises Problem, OSError where they can't be listed.
    """
    wanted = [_loose(pattern) for pattern in layout] if at_most else layout
    patterns = [re.compile(fnmatch.translate(pattern)) for pattern in wanted]
    unwanted = [(re.compile(fnmatch.translate(known.layout)), known.reason) for known in wrong if known.layout]
    lacking = [(re.compile(fnmatch.translate(known.lacks)), known.reason) for known in wrong if known.lacks]
    unseen = list(patterns)
    first: list[str] = []
    for member in members(path, at_most=at_most, take=take):
        if reason := next((reason for pattern, reason in unwanted if pattern.match(member.name)), ""):
            return reason
        if member.folder:
            continue
        first += [member.name] if len(first) < 3 else []
        if unseen:
            unseen = [pattern for pattern in unseen if not pattern.match(member.name)]
            lacking = [(pattern, reason) for pattern, reason in lacking if not pattern.match(member.name)]
        if not unseen and not unwanted:
            break
    if not unseen or (at_most and len(unseen) < len(patterns)):
        return ""
    if lacking:
        return lacking[0][1]
    missing = next(text for text, pattern in zip(layout, patterns, strict=True) if pattern in unseen)
    inside = "it begins with " + ", ".join(printable(text, 80) for text in first) if first else "it is empty"
    return f"nothing in it is called {missing}; {inside}"


def _loose(pattern: str) -> str:
    """Any file in the pattern's first two folders, where it names as many."""
    first, second, rest = [*pattern.split("/", 2), "", ""][:3]
    return f"{first}/{second}/*" if rest and not set(first + second) & set("*?[") else pattern


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _not_wanted(name: str, reason: str) -> Problem:
    return Problem(f"{name} is not the archive that is wanted: {reason}.", "Take the right one.")
