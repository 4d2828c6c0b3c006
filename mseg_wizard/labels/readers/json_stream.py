"""A JSON file that is too large to be read whole: its lists' values, some at a time. What they mean is unknown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import msgspec

PIECE = 1 << 20
"""Bytes that are read at a time."""
LARGEST = 64 << 20
"""Bytes of one value: a file that has a longer one is no such file, or has lost a quote."""

SPACE = " \t\r\n"
ENDS = ",:]}" + SPACE
"""What may stand behind a value."""

_DECODER = json.JSONDecoder()
_ANY_LIST = msgspec.json.Decoder(list[msgspec.Raw])


class Position(NamedTuple):
    """Where a reading was left, behind a value, and can go on."""

    at: int = 0
    """Bytes from the start of the file."""
    key: str | None = None
    """Of the list that the value stands in; None where it stands in none."""


START = Position()


def values_in(file: BinaryIO, position: Position = START) -> Iterator[tuple[str, bytes, Position]]:
    """Of the object that the file is, from `position` on: each key with its value in JSON, and the position behind it.

    A list's values come some at a time, with commas between them, each time with the list's key. Raises ValueError
    where the file is no such object, also where it ends too early; RecursionError where it is too deep.
    """
    text = _Text(file, position.at)
    if position.at == 0:
        text.expect("{")
        more = text.next() != "}"
    else:
        if position.key is not None:
            yield from _values(text, position.key, text.another())
        more = text.another()
    while more:
        key = msgspec.json.decode(text.value(), type=str)
        text.expect(":")
        if text.next() == "[":
            text.expect("[")
            yield from _values(text, key, text.next() != "]")
        else:
            yield key, text.value(), Position(text.at)
        more = text.another()
    text.expect("}")
    if text.next():
        raise ValueError("something follows the end")


def _values(text: _Text, key: str, more: bool) -> Iterator[tuple[str, bytes, Position]]:
    while more:
        yield key, text.values(), Position(text.at, key)
        more = text.another()
    text.expect("]")


class _Text:
    """What is read of the file and was not used yet.

    One character for each byte, so that positions in it are those in the file: whatever has a meaning in JSON is ASCII.
    """

    def __init__(self, file: BinaryIO, start: int) -> None:
        file.seek(start)
        self._file, self._before, self._text, self._at = file, start, "", 0
        self._singly = 0
        """Up to here the values of a list are read one by one."""

    @property
    def at(self) -> int:
        """Bytes of the file that were used."""
        return self._before + self._at

    def next(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._read(PIECE):
                return ""

    def expect(self, character: str) -> None:
        if (found := self.next()) != character:
            raise ValueError(f"{found!r} stands where {character!r} belongs" if found else "it ends too early")
        self._at += 1

    def another(self) -> bool:
        """Does a comma follow? It is passed."""
        found = self.next() == ","
        self._at += found
        return found

    def values(self) -> bytes:
        """Of a list's values as many as are at hand, at least one.

        The last one that is at hand begins as the first one does, with a brace and a key, as a rule. What stands before
        it is whole values if it can be decoded as a list: ten times as fast as going from value to value, which is done
        where it can't be.
        """
        self.next()
        if len(self._text) - self._at < PIECE:
            self._read(PIECE)
        start = self._text[self._at : self._text.find(":", self._at) + 1]
        end = self._text.rfind(",", self._at, self._text.rfind(start, self._at)) if start else -1
        if end > self._at and self._before + end > self._singly:
            found = self._text[self._at : end].encode("latin-1")
            try:
                _ANY_LIST.decode(b"[" + found + b"]")
            except (ValueError, RecursionError):
                self._singly = self._before + end
            else:
                self._at = end
                return found
        return self.value()

    def value(self) -> bytes:
        self.next()
        while True:
            start, failure = self._at, None
            try:
                _, end = _DECODER.raw_decode(self._text, start)
            except json.JSONDecodeError as error:
                failure, end = error, len(self._text)
            # A number may go on with what is not read yet: "1" with "0", "1." with "5".
            if not failure and end < len(self._text) and self._text[end] in ENDS:
                self._at = end
                return self._text[start:end].encode("latin-1")
            if len(self._text) - start > LARGEST:
                raise ValueError(f"a value has more than {LARGEST:,} bytes")
            if not self._read(max(PIECE, len(self._text) - start)):
                if failure:
                    raise failure
                self._at = len(self._text)
                return self._text[:end].encode("latin-1")

    def _read(self, count: int) -> bool:
        piece = self._file.read(count).decode("latin-1")
        self._before += self._at
        self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)
