"""Relabelling records: which segment of which image gets which class, read from the mseg-api tree.

Label maps are not touched here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mseg_wizard.core.limits import parser_limit
from mseg_wizard.labels.taxonomy import (
    AGAIN,
    IGNORED,
    RECORDS_FILE,
    SPLITS,
    UNLABELED,
    MsegApiTree,
    invalid_line,
    read_bytes,
    read_lines,
)
from mseg_wizard.progress import Problem, printable

Naming = Callable[[str, list[str]], tuple[str, str]]
"""Split and parts of a line's name, cut at `_`, the last one being
the segment → name of the label's folder, stem of the image.
"""


@dataclass(frozen=True, slots=True)
class Relabeling:
    """How the segments of one taxonomy are listed and found."""

    variable: str
    """The list in the records file; two taxonomies share Cityscapes'."""
    naming: Naming
    mask: str
    """Where the pixels of a segment are, by the names that `labels.masks` knows."""
    strict: bool
    """Every pixel of a segment must hold the record's old class."""


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


def _folders(train: str, val: str) -> Mapping[str, str]:
    return {"train": train, "val": val}


def _whole(folders: Mapping[str, str]) -> Naming:
    return lambda split, parts: (folders[split], "_".join(parts[:-1]))


def _first(folders: Mapping[str, str]) -> Naming:
    return lambda split, parts: (folders[split], parts[0])


def _sequence(_: str, parts: list[str]) -> tuple[str, str]:
    return parts[0].removeprefix("seq"), "_".join(parts[1:-1])


def _without_first(folder: str) -> Naming:
    return lambda split, parts: (folder, "_".join(parts[1:-1]))


RELABELINGS: Mapping[str, Relabeling] = {
    "ade20k-150": Relabeling("ade20k_update_records", _whole(_folders("training", "validation")), "blue", False),
    "bdd": Relabeling("bdd_update_records", _first(_folders(*SPLITS)), "class", True),
    "cityscapes-19": Relabeling("cityscapes_update_records", _sequence, "polygon", False),
    "cityscapes-34": Relabeling("cityscapes_update_records", _sequence, "polygon", False),
    "coco-panoptic-133": Relabeling("cocop_update_records", _whole(_folders("train2017", "val2017")), "panoptic", True),
    "idd-39": Relabeling("idd_update_records", _sequence, "polygon", False),
    "mapillary-public65": Relabeling("mapillary_update_records", _without_first("labels"), "instance", True),
    "sunrgbd-37": Relabeling("sunrgbd_update_records", _first(_folders("train", "test")), "class", True),
}
"""Taxonomy, before relabelling → how its segments are listed; in MSeg's order."""


def relabeling_of(taxonomy: str) -> Relabeling:
    """By the taxonomy's name before or after relabelling."""
    try:
        return RELABELINGS[taxonomy.removesuffix("-relabeled")]
    except KeyError:
        raise Problem(
            f"{printable(taxonomy)} is not relabelled.", f"Relabelled are: {', '.join(RELABELINGS)}."
        ) from None


def read_records(tree: MsegApiTree, taxonomy: str) -> tuple[Record, ...]:
    """The taxonomy's records in the table's order. The file is parsed, never run."""
    file = tree.path / RECORDS_FILE
    try:
        module = ast.parse(read_bytes(file), str(file))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise parser_limit(error) or Problem(
            f"{file} is not Python: {printable(str(error), 200) or 'it is nested too deeply'}.", AGAIN
        ) from None
    variable = relabeling_of(taxonomy).variable
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


def updates(tree: MsegApiTree, taxonomy: str) -> dict[ImageKey, list[Update]]:
    """The updates of every image, in the order in which they apply: of two that overlap the later one wins.

    `taxonomy` is the one before relabelling. Raises Problem with all faults: an unknown class, a malformed line, a
    segment twice, an image that is in no list.
    """
    naming = relabeling_of(taxonomy).naming
    relabeled = f"{taxonomy}-relabeled"
    ids = {name: id_ for id_, name in enumerate(tree.names(relabeled))} | {UNLABELED: IGNORED}
    listed = {place for split in SPLITS for place in image_keys(tree, relabeled, split)}
    found: dict[ImageKey, dict[int, Update]] = {}
    faults = []
    for record in read_records(tree, taxonomy):
        if unknown := [name for name in (record.old, record.new) if name not in ids]:
            faults.append(f"{record.file}: {relabeled} has no class {printable(unknown[0], 100)!r}")
            continue
        for number, place, segment in _segments(tree, record, naming):
            where, image = f"{record.file}, line {number}", printable(f"{place.folder}/{place.stem}", 200)
            if place not in listed:
                faults.append(f"{where}: {image} is not in the {place.split} list of {relabeled}")
            elif segment in found.setdefault(place, {}):
                faults.append(f"{where}: segment {segment} of {image} has a record already")
            else:
                found[place][segment] = Update(segment, ids[record.old], ids[record.new])
    if faults:
        raise Problem(f"{len(faults)} relabelling records of {taxonomy} can't be used: {faults[0]}.", AGAIN, faults)
    return {place: list(by_segment.values()) for place, by_segment in found.items()}


def image_keys(tree: MsegApiTree, taxonomy: str, split: str) -> list[ImageKey]:
    """The place of each row of a list, in order."""
    return [
        ImageKey(split, f"/{row.label}".split("/")[-2], _stem(row.image))
        for row in tree.rows(taxonomy, split)
        if row.label is not None
    ]


def recorded_stems(tree: MsegApiTree, taxonomy: str) -> frozenset[str]:
    """Stems of all images that a record of the taxonomy names."""
    naming = relabeling_of(taxonomy).naming
    return frozenset(
        place.stem for record in read_records(tree, taxonomy) for _, place, _ in _segments(tree, record, naming)
    )


def _segments(tree: MsegApiTree, record: Record, naming: Naming) -> list[tuple[int, ImageKey, int]]:
    """Line number, image and segment of each line of the record's file."""
    file = tree.path / "mseg" / "relabeled_data" / record.file
    rows = []
    for number, line in read_lines(file):
        parts = line.rpartition(".")[0].split("_")
        if len(parts) < 2 or not re.fullmatch("[0-9]{1,10}", parts[-1]):
            raise invalid_line(file, number, f"{line!r} names no segment")
        rows.append((number, ImageKey(record.split, *naming(record.split, parts)), int(parts[-1])))
    return rows


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0]
