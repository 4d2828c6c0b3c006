"""Files of the mseg-api tree, as lines and as lists of images; every complaint names file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, overload

from mseg_wizard.progress import Problem, printable

LARGEST = 64 << 20
"""Bytes of a file of the tree that are read: MSeg's longest list, of COCO's training images, has 13 million."""

SPLIT_AT_ONCE = 1 << 16
"""Characters of a list that are lines at a time."""

AGAIN = "Take the tree from MSeg's own repository again."
REMEDY = "Correct it there, or take the tree from MSeg's own repository again."


class ListRow(NamedTuple):
    """One line of a list; both paths are relative to the taxonomy's data root. Test lists often name images only."""

    image: str
    label: str | None


class ListRows(Sequence[ListRow]):
    """The rows of a list whose lines are an image, or an image, a blank and a label. Kept as its text, a fourth of
    what the rows take, of which each exists only while it is looked at.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._count = text.count("\n") + 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[ListRow]:
        text, at = self._text, 0
        new = tuple.__new__  # half of the time of ListRow(…), which is a function around it
        while at <= len(text):
            end = text.find("\n", at + SPLIT_AT_ONCE)
            end = end if end >= 0 else len(text)
            for line in text[at:end].split("\n"):
                image, _, label = line.partition(" ")
                yield new(ListRow, (image, label or None))
            at = end + 1

    @overload
    def __getitem__(self, number: int) -> ListRow: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[ListRow]: ...
    def __getitem__(self, number: int | slice) -> ListRow | Sequence[ListRow]:
        return tuple(self)[number]


def read_lines(file: Path) -> list[tuple[int, str]]:
    """The lines that are not empty, with their numbers; whatever
    ends the lines, and whether or not the last one is ended.
    """
    return [(number, line) for number, each in enumerate(_text(file).split("\n"), 1) if (line := each.strip())]


def _text(file: Path) -> str:
    try:
        return read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(f"{file} is not UTF-8 text (byte {error.start}).", REMEDY) from None


def read_bytes(file: Path) -> bytes:
    """A whole file of the tree; raises Problem."""
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except FileNotFoundError:
        raise Problem(f"{file} is missing.", AGAIN) from None
    except OSError as error:
        raise Problem(f"{file} can't be read: {error.strerror}.", "Make it readable for you.") from None
    if len(data) > LARGEST:
        raise Problem(f"{file} has more than {LARGEST:,} bytes: MSeg's longest list is far shorter.", REMEDY)
    return data


def invalid_line(file: Path, number: int, what: str) -> Problem:
    """The complaint about one line of a file of the tree."""
    return Problem(f"{file}, line {number}: {printable(what, 300)}.", REMEDY)


_ENDINGS = (".png", ".jpg")
_RARE = ("\\", "\0", "\t", "~", "..", " /", "\n/")
"""What is in no list of MSeg's, and must not be in a path that is taken unseen."""


def read_rows(file: Path) -> Sequence[ListRow]:
    """Each line: nearly all are an image, a blank and a label, and 800,000 of them are read at every start."""
    text = _text(file)
    lines = text.rstrip("\n")
    if lines and not text.startswith("/") and not any(rare in text for rare in _RARE) and _usual(lines):
        return ListRows(lines)
    return tuple(_row(file, number, line) for number, line in read_lines(file))


def _usual(text: str) -> bool:
    for line in text.split("\n"):
        image, _, label = line.partition(" ")
        if not image.endswith(_ENDINGS) or label[:1] == " " or line.strip() != line:
            return False
    return True


_PATHS = re.compile(r"(.+?\.(?:png|jpe?g|bmp|tiff?))(?:[ \t]+(\S.*))?", re.IGNORECASE)
"""An image and perhaps a label, both of which may hold blanks: the image ends where the first extension does."""


def _row(file: Path, number: int, line: str) -> ListRow:
    found = _PATHS.fullmatch(line)
    if not found:
        raise invalid_line(file, number, f"{line!r} does not start with the path of an image")
    row = ListRow(found[1], found[2])
    for path in row:
        if path and (path.startswith(("/", "~")) or "\\" in path or "\0" in path or ".." in path.split("/")):
            raise invalid_line(file, number, f"{path!r} leads out of the dataset's folder")
    return row
