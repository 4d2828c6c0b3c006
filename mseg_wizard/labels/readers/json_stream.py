"""A JSON file that is too large to be read whole: its lists' values one after the other. What they mean is unknown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TextIO

PIECE = 1 << 20
"""Characters that are read at a time."""
LARGEST = 64 << 20
"""Characters of one value: a file that has a longer one is no such file, or has lost a quote."""

ENDS = ",:]} \t\r\n"
"""What may stand behind a value."""

_DECODER = json.JSONDecoder()


def values_in(file: TextIO) -> Iterator[tuple[str, Any]]:
    """Of the object that the file is: each key with its value, a list's values one by one, each with the list's key.

    Raises ValueError where it is no such object, also where it ends too early; RecursionError where it is too deep.
    """
    text = _Text(file)
    text.expect("{")
    more = text.next() != "}"
    while more:
        key = text.value()
        if not isinstance(key, str):
            raise ValueError("a key is no text")  # noqa: TRY004 - as of any other text that is no JSON
        text.expect(":")
        if text.next() == "[":
            for value in _values(text):
                yield key, value
        else:
            yield key, text.value()
        more = text.next() == ","
        if more:
            text.expect(",")
    text.expect("}")
    if text.next():
        raise ValueError("something follows the end")


def _values(text: _Text) -> Iterator[Any]:
    text.expect("[")
    more = text.next() != "]"
    while more:
        yield text.value()
        more = text.next() == ","
        if more:
            text.expect(",")
    text.expect("]")


class _Text:
    """What is read of the file and was not used yet."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._text, self._at = file, "", 0

    def next(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if not self._text[self._at].isspace():
                    return self._text[self._at]
                self._at += 1
            if not self._read(PIECE):
                return ""

    def expect(self, character: str) -> None:
        if (found := self.next()) != character:
            raise ValueError(f"{found!r} stands where {character!r} belongs" if found else "it ends too early")
        self._at += 1

    def value(self) -> Any:
        self.next()
        while True:
            failure = None
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                failure, end = error, len(self._text)
            # A number may go on with what is not read yet: "1" with "0", "1." with "5".
            if not failure and end < len(self._text) and self._text[end] in ENDS:
                self._at = end
                return value
            if len(self._text) - self._at > LARGEST:
                raise ValueError(f"a value has more than {LARGEST:,} characters")
            if not self._read(max(PIECE, len(self._text) - self._at)):
                if failure:
                    raise failure
                self._at = end
                return value

    def _read(self, count: int) -> bool:
        piece = self._file.read(count)
        self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)
