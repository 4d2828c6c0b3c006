"""Relabelling records: which segment of which image gets which class, read from the mseg-api tree.

Label maps are not touched here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from mseg_wizard.core.limits import parser_limit
from mseg_wizard.labels.taxonomy import IGNORED, RECORDS_FILE, SPLITS, UNLABELED, MsegApiTree
from mseg_wizard.labels.tree_files import AGAIN, ListRow, invalid_line, read_bytes, read_lines
from mseg_wizard.progress import Problem, printable

if TYPE_CHECKING:  # it knows the forms of masks, which know what an update is
    from mseg_wizard.labels.relabeling import Relabeling


class Record(NamedTuple):
    """One line of the records' table."""

    split: str
    old: str
    new: str
    file: str
    """Below mseg/relabeled_data: one segment a line."""


class Update(NamedTuple):
    """One segment of an image and its class, as ids of the relabelled taxonomy."""

    segment: int
    old: int
    new: int


class ImageKey(NamedTuple):
    """What tells an image from all others of its taxonomy: frames of different sequences and splits share names."""

    split: str
    folder: str
    """Name of the folder that holds the label."""
    stem: str
    """Stem of the image's file."""


def read_records(tree: MsegApiTree, variable: str) -> tuple[Record, ...]:
    """The records of one of the file's lists, in order. The file is parsed, never run."""
    file = tree.path / RECORDS_FILE
    try:
        module = ast.parse(read_bytes(file), str(file))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise parser_limit(error) or Problem(
            f"{file} is not Python: {printable(str(error), 200) or 'it is nested too deeply'}.", AGAIN
        ) from None
    found = None
    for statement in module.body:
        if isinstance(statement, ast.Assign) and any(
            isinstance(name, ast.Name) and name.id == variable for name in statement.targets
        ):
            found = statement.value
    if not isinstance(found, ast.List):
        raise Problem(f"{file} has no list {variable}.", AGAIN)
    rows = []
    for call in found.elts:
        literals = (
            [item.value if isinstance(item, ast.Constant) else None for item in call.args]
            if isinstance(call, ast.Call)
            else []
        )
        words = [literal for literal in literals if isinstance(literal, str)]
        if len(words) != 5 or len(literals) != 5 or words[1] not in SPLITS:
            raise invalid_line(file, call.lineno, "this is no record (five texts, the second one train or val)")
        if words[4].startswith("/") or ".." in words[4].split("/") or not words[4].isprintable():
            raise invalid_line(file, call.lineno, f"{words[4]!r} leads out of the folder of the records' files")
        rows.append(Record(*words[1:]))
    return tuple(rows)


def updates(
    tree: MsegApiTree, how: Relabeling, taxonomy: str, told: Callable[[int, int], object] = lambda done, total: None
) -> dict[ImageKey, tuple[Update, ...]]:
    """The updates of every image, in the order in which they apply: of two that overlap the later one wins.

    `taxonomy` is one of those before relabelling. Raises Problem with all faults: an unknown class, a malformed line, a
    segment twice, an image that is in no list. `told` hears how many of how many records are read, and may raise.
    """
    relabeled = f"{taxonomy}-relabeled"
    ids = {name: id_ for id_, name in enumerate(tree.names(relabeled))} | {UNLABELED: IGNORED}
    found: dict[ImageKey, dict[int, Update]] = {}
    faults = []
    records = read_records(tree, how.records)
    for number, record in enumerate(records):
        told(number, len(records))
        if unknown := [name for name in (record.old, record.new) if name not in ids]:
            faults.append(f"{record.file}: {relabeled} has no class {printable(unknown[0], 100)!r}")
            continue
        old, new = ids[record.old], ids[record.new]
        for line, place, segment in _segments(tree, record, how):
            rows = found.setdefault(place, {})
            if segment in rows:
                faults.append(f"{_line(record, line)}segment {segment} of {_image(place)} has a record already")
            else:
                rows[segment] = Update(segment, old, new)
    unlisted = set(found)
    for split in SPLITS:
        unlisted.difference_update(image_keys(tree, relabeled, split))
    faults += [
        f"{_line(record, line)}{_image(place)} is not in the {place.split} list of {relabeled}"
        for record in (records if unlisted else ())
        for line, place, _ in _segments(tree, record, how)
        if place in unlisted
    ]
    if faults:
        raise Problem(f"{len(faults)} relabelling records of {taxonomy} can't be used: {faults[0]}.", AGAIN, faults)
    return {place: tuple(found.pop(place).values()) for place in list(found)}


def _line(record: Record, number: int) -> str:
    return f"{record.file}, line {number}: "


def _image(place: ImageKey) -> str:
    return printable(f"{place.folder}/{place.stem}", 200)


def image_key(split: str, row: ListRow) -> ImageKey:
    """The place of a list's row, which has a label."""
    return ImageKey(split, (row.label or "").rpartition("/")[0].rpartition("/")[2], _stem(row.image))


def image_keys(tree: MsegApiTree, taxonomy: str, split: str) -> Iterator[ImageKey]:
    """The place of each row of a list, in order."""
    return (image_key(split, row) for row in tree.rows(taxonomy, split) if row.label is not None)


def recorded_stems(tree: MsegApiTree, how: Relabeling) -> frozenset[str]:
    """Stems of all images that a record names."""
    return frozenset(
        place.stem for record in read_records(tree, how.records) for _, place, _ in _segments(tree, record, how)
    )


def _segments(tree: MsegApiTree, record: Record, how: Relabeling) -> list[tuple[int, ImageKey, int]]:
    """Line number, image and segment of each line of the record's file."""
    file = tree.path / "mseg" / "relabeled_data" / record.file
    rows = []
    for number, line in read_lines(file):
        found = how.named_by(line, record.split)
        if found is None:
            raise invalid_line(file, number, f"{line!r} names no segment as {how.lines!r} does")
        folder, stem, segment = found
        rows.append((number, ImageKey(record.split, folder, stem), segment))
    return rows


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0]
