"""Paths by patterns, as step files have them: `gtFine/{}_polygons.json` of `gtFine/{}_labelids.png`."""

from __future__ import annotations

import functools
import re

HOLE = "{}"
"""Stands for any text, slashes included; those of two patterns stand, in order, for the same."""


def renamed(path: str, pattern: str, to: str) -> str:
    """What `to` makes of a path that the pattern fits; a path that it does not fit, or an empty pattern, stays."""
    if not pattern or not (found := _fitting(pattern).fullmatch(path)):
        return path
    head, *rest = _parts(to)
    return head + "".join([text + part for text, part in zip(found.groups(), rest, strict=True)])


@functools.cache
def _fitting(pattern: str) -> re.Pattern[str]:
    return re.compile("(.+)".join(re.escape(part) for part in _parts(pattern)))


@functools.cache
def _parts(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.split(HOLE))
