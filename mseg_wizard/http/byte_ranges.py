"""Sets of bytes of a file, as sorted ranges that do not touch: what is there, what is missing.

A range is (first, behind the last).
"""

from __future__ import annotations

from collections.abc import Iterable

Range = tuple[int, int]
Ranges = tuple[Range, ...]


def joined(ranges: Iterable[Range]) -> Ranges:
    """The same bytes, in order, each once."""
    whole: list[Range] = []
    for start, stop in sorted(ranges):
        if start >= stop:
            continue
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(stop, whole[-1][1]))
        else:
            whole.append((start, stop))
    return tuple(whole)


def clipped(ranges: Iterable[Range], end: int) -> Ranges:
    """What of them lies before `end`."""
    return tuple((start, min(stop, end)) for start, stop in ranges if start < end)


def gaps(ranges: Ranges, end: int) -> Ranges:
    """What is missing of the bytes before `end`."""
    edges = [0, *(edge for piece in clipped(ranges, end) for edge in piece), end]
    return tuple((start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop)


def prefix(ranges: Ranges) -> int:
    """Bytes from the beginning on without a gap."""
    return ranges[0][1] if ranges and ranges[0][0] == 0 else 0


def byte_count(ranges: Iterable[Range]) -> int:
    return sum(stop - start for start, stop in ranges)
