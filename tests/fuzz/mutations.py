"""How valid bytes are made invalid ones: flips, cuts, copies,
spliced numbers, odd words; and how many of them are tried.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from mseg_wizard.progress import Problem, printable
from tests.faults.counts import count

TIMES = int(os.environ.get("MSEG_WIZARD_FUZZ") or 1)
"""How many times as many examples as in every test run; from 2 on they differ from run to run."""

WORDS = tuple(
    word if isinstance(word, bytes) else word.encode("utf-8", "surrogatepass")
    for word in (
        *(
            "",
            "\0",
            "\n",
            "\r\n",
            "\t",
            " " * 40,
            "\x1b[2J",
            "\x9b",
            "\u202e",
            "\ufeff",
            "\ud800",
            "\U0010ffff",
            "é",
            "e\u0301",
            "٣",
            "ﬀ",
        ),
        *(
            "/",
            "../",
            "\\",
            "'",
            '"',
            "`",
            "<",
            ">",
            "<!--",
            "-->",
            "<![x[",
            "</title>",
            "&#99999999999;",
            "&#" + "1" * 5000 + ";",
        ),
        *(
            "=",
            ",",
            ":",
            ";",
            "#",
            "{",
            "}",
            "[",
            "]",
            "(",
            ")",
            "[" * 3000,
            '{"a":' * 3000,
            "(" * 300,
            "-" * 3000,
            "null",
            "true",
        ),
        *("NaN", "Infinity", "1e999", "-0", "0x" + "f" * 99, "%00", "%1b", "xn--", "xn--a", "//", "http://[", "@"),
        *(b"\xff", b"\xfe\xff", b"\xc3", b"\x80" * 9, b"\0" * 512, b"\xff" * 30),
    )
)
NUMBERS = (b"-1", b"0", b"1", b"255", b"256", b"65535", b"65536", b"4294967295", b"4294967296", b"9223372036854775808",
           b"-9223372036854775809", b"1e9", b"-1e9", b"1e308", b"0.5", b"9" * 30, b"9" * 5000)  # fmt: skip
BINARY = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFE,
    0xFFFFFFFF,
    1 << 40,
    (1 << 63) - 1,
    (1 << 64) - 1,
)
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Thousands of small files are written here: a disk would take minutes over it."""
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")


def tried(examples: int) -> settings:
    """So many examples of a test in every run, the same ones each
    time; MSEG_WIZARD_FUZZ times as many in a long run.
    """
    checks = [
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
        HealthCheck.large_base_example,
    ]
    return settings(
        max_examples=examples * TIMES,
        deadline=None,
        database=None,
        derandomize=TIMES == 1,
        suppress_health_check=checks,
    )


@contextmanager
def hostile() -> Iterator[None]:
    """One input: what is wrong with it may be told as a Problem that can be shown, and nothing else may be raised."""
    count("hostile reads")
    try:
        yield
    except Problem as problem:
        told = str(problem)
        assert problem.what and problem.do is not None
        assert len(told) < 5000 and printable(told, 5000) == told, told[:200]


@st.composite
def mutated(draw: st.DrawFn, *valid: bytes, most: int = 6) -> bytes:
    """One of the valid inputs with up to `most` changes."""
    data = draw(st.sampled_from(valid))
    for change in draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=most)):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        data = change(draw, data, at)
    return data


def free(most: int = 300) -> st.SearchStrategy[bytes]:
    """Bytes of no kind, and of words that mean something somewhere."""
    words = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=8)), max_size=12).map(b"".join)
    return st.one_of(st.binary(max_size=most), words)


def _flip(draw: st.DrawFn, data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :] if data else data


def _cut(draw: st.DrawFn, data: bytes, at: int) -> bytes:
    return data[:at]


def _drop(draw: st.DrawFn, data: bytes, at: int) -> bytes:
    return data[:at] + data[at + draw(st.integers(1, 40)) :]


def _copy(draw: st.DrawFn, data: bytes, at: int) -> bytes:
    start = draw(st.integers(0, max(0, len(data) - 1)))
    return data[:at] + data[start : start + draw(st.integers(1, 200))] + data[at:]


def _word(draw: st.DrawFn, data: bytes, at: int) -> bytes:
    return data[:at] + draw(st.sampled_from(WORDS)) + data[at + draw(st.integers(0, 3)) :]


def _number(draw: st.DrawFn, data: bytes, at: int) -> bytes:
    places = [found.span() for found in _NUMBER.finditer(data[:4000])]
    if not places:
        return data
    start, end = draw(st.sampled_from(places))
    return data[:start] + draw(st.sampled_from(NUMBERS)) + data[end:]


def _binary(draw: st.DrawFn, data: bytes, at: int) -> bytes:
    code = draw(st.sampled_from(("B", "<H", ">H", "<I", ">I", "<Q", ">Q")))
    size = struct.calcsize(code)
    return data[:at] + struct.pack(code, draw(st.sampled_from(BINARY)) & (1 << 8 * size) - 1) + data[at + size :]


CHANGES: Sequence[Callable[[Any, bytes, int], bytes]] = (_flip, _cut, _drop, _copy, _word, _number, _binary)


def summed(data: bytes) -> bytes:
    """A PNG's chunks with their sums made right, so that what is behind the sums is reached."""
    out, at = [data[:8]], 8
    while at + 12 <= len(data):
        length = min(int.from_bytes(data[at : at + 4], "big"), len(data) - at - 12)
        body = data[at + 4 : at + 8 + length]
        out.append(length.to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big"))
        at += 12 + length
    return b"".join(out)


def tar_summed(data: bytes) -> bytes:
    """A tar's blocks with the sums of those that look like headers made right."""
    blocks = []
    for at in range(0, len(data), 512):
        block = data[at : at + 512]
        if len(block) == 512 and block[257:262] == b"ustar":
            sum_ = sum(block) - sum(block[148:156]) + 8 * 0x20
            block = block[:148] + b"%06o\0 " % sum_ + block[156:]
        blocks.append(block)
    return b"".join(blocks)
