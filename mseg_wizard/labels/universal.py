"""MSeg's universal taxonomy: one set of classes for all training sets, read from the tree's master table.

Label maps are not touched here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mseg_wizard.labels.taxonomy import IGNORED, UNLABELED, MsegApiTree
from mseg_wizard.labels.tree_files import AGAIN, REMEDY, invalid_line, read_bytes
from mseg_wizard.progress import Problem, printable

MASTER = "mseg/class_remapping_files/MSeg_master.tsv"
NAME = "universal"
"""The column of the universal classes' names, and what the taxonomy is called."""


@dataclass(frozen=True, slots=True)
class UniversalClass:
    """One row of the master table."""

    id: int
    """The row's number; 255 where it stands for no class."""
    name: str
    synset: str
    """In WordNet; empty where the table has none."""
    definition: str
    line: int
    """In the file."""
    cells: Mapping[str, str]
    """Taxonomy → the cell that names its classes."""

    def names_in(self, taxonomy: str, known: frozenset[str]) -> tuple[str, ...]:
        """The classes of `taxonomy` that this one is made of: a cell is empty, a name, or `{a, b}`.

        `known`: the taxonomy's names, for one may hold a comma itself.
        """
        cell = self.cells.get(taxonomy, "").strip()
        if cell in known:
            return (cell,)
        names = (name.strip() for name in cell.strip("{}").split(","))
        return tuple(dict.fromkeys(name for name in names if name))


def universal_classes(tree: MsegApiTree) -> tuple[UniversalClass, ...]:
    """The rows in order, those for no class included; raises Problem where the table can't serve."""
    return tree.once(("universal",), lambda: _classes(tree.path / MASTER))


def _classes(file: Path) -> tuple[UniversalClass, ...]:
    try:
        text = read_bytes(file).decode("utf-8-sig")
        lines = csv.reader(io.StringIO(text, newline=""), delimiter="\t")
        rows = [(lines.line_num, [cell.strip() for cell in row]) for row in lines if row]
    except UnicodeDecodeError as error:
        raise Problem(f"{file} is not UTF-8 text (byte {error.start}).", REMEDY) from None
    except csv.Error as error:
        raise Problem(f"{file} is no table: {error}.", REMEDY) from None
    if len(rows) < 2:
        raise Problem(f"{file} is empty.", AGAIN)
    header = rows[0][1]
    if NAME not in header:
        raise invalid_line(file, rows[0][0], f"no column is called {NAME!r}")
    synset = next((name for name in header if name.startswith("WordNet")), "")
    definition = next((name for name in header if name.startswith("Def")), "")
    found = []
    for number, (line, row) in enumerate(rows[1:]):
        cells = dict(zip(header, row, strict=False))
        name = cells.get(NAME, "")
        if not name:
            raise invalid_line(file, line, "the universal class has no name")
        if name != UNLABELED and number >= IGNORED:
            raise invalid_line(file, line, f"8-bit label maps have no number for class {number}")
        id_ = IGNORED if name == UNLABELED else number
        found.append(UniversalClass(id_, name, cells.get(synset, ""), cells.get(definition, ""), line, cells))
    return tuple(found)


def universal_names(classes: Sequence[UniversalClass]) -> tuple[str, ...]:
    """The names by id."""
    last = max((number for number, row in enumerate(classes) if row.id != IGNORED), default=-1)
    return tuple(row.name for row in classes[: last + 1])


def universal_table(tree: MsegApiTree, taxonomy: str) -> bytes:
    """What each of 256 ids of `taxonomy` is in the universal one; raises Problem where a class has no row or two."""
    import numpy as np  # as in labels.taxonomy

    file, names = tree.path / MASTER, tree.names(taxonomy)
    known, rows = frozenset(names), universal_classes(tree)
    if taxonomy not in rows[0].cells:
        raise Problem(f"{file} has no column {taxonomy!r}.", REMEDY)
    of: dict[str, UniversalClass] = {}
    for row in rows:
        for name in row.names_in(taxonomy, known):
            if name not in known and row.id == IGNORED:
                continue  # what is no class anywhere needs no number
            if name not in known:
                raise invalid_line(file, row.line, f"{taxonomy} has no class {name!r}")
            if name in of and name != UNLABELED:
                what = f"class {name!r} of {taxonomy} is {of[name].name!r} in line {of[name].line} already"
                raise invalid_line(file, row.line, what)
            of[name] = row
    table = np.full(IGNORED + 1, IGNORED, np.uint8)
    for id_, name in enumerate(names[:IGNORED]):
        if name in of:
            table[id_] = of[name].id
        elif name != UNLABELED:
            raise Problem(f"{file} does not say what class {printable(name, 100)!r} of {taxonomy} is.", REMEDY)
    return table.tobytes()


def universal_ids(tree: MsegApiTree, taxonomy: str) -> tuple[tuple[int, ...], ...]:
    """For each class of any taxonomy the universal ids that it has part in, none where that is not known.

    Where the master table has no such column, through the taxonomies that it is remapped to.
    """
    names = tree.names(taxonomy)
    of: dict[str, list[int]] = {name: [] for name in names}
    known = frozenset(names)
    rows = universal_classes(tree)
    if taxonomy in rows[0].cells:
        for row in rows:
            for name in row.names_in(taxonomy, known):
                if name in of and row.id != IGNORED and row.id not in of[name]:
                    of[name].append(row.id)
        return tuple(tuple(of[name]) for name in names)
    for file in sorted((tree.path / MASTER).parent.glob(f"{taxonomy}_to_*.tsv")):
        target = file.stem.removeprefix(f"{taxonomy}_to_")
        beyond, table = universal_ids(tree, target), tree.table(taxonomy, target).values
        return tuple(
            beyond[table[id_]] if id_ < len(table) and table[id_] < len(beyond) else () for id_ in range(len(names))
        )
    return tuple(() for _ in names)


def one_universal_id(name: str, ids: tuple[int, ...], universal: tuple[str, ...]) -> int | None:
    """The one universal class that a class is: of several that which has its name, else none."""
    if len(ids) == 1:
        return ids[0]
    return next((id_ for id_ in ids if universal[id_] == name), None)


def mapped_classes(tree: MsegApiTree, taxonomy: str) -> dict[int, tuple[str, ...]]:
    """Universal id → the classes of `taxonomy` that its rows name; nothing where the table has no such column."""
    known = frozenset(tree.names(taxonomy))
    found: dict[int, tuple[str, ...]] = {}
    for row in universal_classes(tree):
        if names := row.names_in(taxonomy, known):
            found[row.id] = tuple(dict.fromkeys((*found.get(row.id, ()), *names)))
    return found
