"""An mseg-api tree as typed facts: class names, colours, lists, tables, and the tree's identity.

Label maps are not touched here.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from mseg_wizard.labels.tree_files import AGAIN, REMEDY, ListRow, invalid_line, read_lines, read_rows
from mseg_wizard.progress import Problem, printable

if TYPE_CHECKING:  # arrays take longer to load than all else here, and most starts need none
    import numpy as np
    from numpy.typing import NDArray

IGNORED = 255
"""The id of pixels that no class has; tables and names call it `unlabeled`."""
UNLABELED = "unlabeled"
SPLITS = ("train", "val")
"""The lists that every taxonomy has."""
LISTS = (*SPLITS, "test")
"""Those that it may have."""

PINNED: Mapping[str, tuple[int, str]] = {
    "mseg/class_remapping_files": (20, "7ba9e9f8498d8f3a8230e81fb9d8f38e09660e676e8670e5e0ea9da9b6692746"),
    "mseg/dataset_lists": (137, "0a78a4cb0615644e23800efd6002a6b2c11be5f99d1253f7923d695a6f430cd7"),
    "mseg/relabeled_data": (391, "f198a37a1f7168599afbe2a8c18c775d45072e52d31359a42d2e77f988605622"),
    "": (704, "64f13aacc875e564c23c343a72a6b9aafd05e16999b840ca32cb03a2af604af0"),
}
"""Folder of mseg-api at commit 2bd00ae8c224d94cbc7ff9b47fde6ae8420adc27
→ its number of files and its identity; "" is the whole tree.
"""
RECORDS_FILE = "mseg/label_preparation/dataset_update_records.py"
PINNED_RECORDS = "63077cb6d7c7f4ae64f4badcabcc599b41c0d809"
"""Git blob id of the relabelling records at that commit."""

KEPT = 500_000
"""Rows of lists that are kept, 80 bytes each: as many as COCO's lists have, the longest, which its calls ask for again
and again.
"""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Ids of one taxonomy → ids of another."""

    values: NDArray[np.uint8]
    """One entry per id up to the largest that is named, 255 among
    them; ids that nothing names hold 0, as in MSeg's label maps.
    """
    unnamed: NDArray[np.bool_]
    """Which entries nothing names: pixels that hold them are counted."""


class MsegApiTree:
    """The tree whose folder `path` holds `mseg/`.

    Files are read when they are first asked for; every complaint names file and line.
    """

    def __init__(self, path: Path, roots: Mapping[str, str] | None = None) -> None:
        """`roots`: taxonomy → the folder below mseg_dataset that its lists start from, as `step.roots` has it."""
        self.path = path
        self._roots = roots or {}
        self._read: dict[tuple[str, ...], object] = {}
        self._lists: dict[tuple[str, str], Sequence[ListRow]] = {}
        """The last one that was asked for stands at the end."""
        self._lock = threading.Lock()

    def names(self, taxonomy: str) -> tuple[str, ...]:
        """The class names; a name's position is its id."""
        return self.once(("names", taxonomy), lambda: _names(self._list_folder(taxonomy) / f"{taxonomy}_names.txt"))

    def colors(self, taxonomy: str) -> NDArray[np.uint8]:
        """The colour of each class, (n, 3) RGB."""
        return self.once(("colors", taxonomy), lambda: self._colors(taxonomy))

    def splits(self, taxonomy: str) -> tuple[str, ...]:
        """The names of the taxonomy's lists: train, val, and where there are such, test, trainval, val_small …"""
        folder = self._list_folder(taxonomy) / "list"
        return self.once(
            ("splits", taxonomy), lambda: tuple(sorted(file.stem for file in _listing(folder) if file.suffix == ".txt"))
        )

    def rows(self, taxonomy: str, split: str) -> Sequence[ListRow]:
        """The lines of a list in order, repeated ones included; to go through, not to look into here and there."""
        key = taxonomy, split
        with self._lock:
            rows = self._lists.pop(key, None)
        if rows is None:
            rows = read_rows(self._list_folder(taxonomy) / "list" / f"{split}.txt")
        with self._lock:
            self._lists[key] = rows
            while len(self._lists) > 1 and sum(map(len, self._lists.values())) > KEPT:
                del self._lists[next(iter(self._lists))]
        return rows

    def forget_lists(self) -> None:
        """Let go of those that are kept: whoever asks for one has it read again."""
        with self._lock:
            self._lists.clear()

    def unique_rows(self, taxonomy: str, split: str) -> tuple[ListRow, ...]:
        """The lines of a list, each once (WildDash's train list is its val list sixteen times)."""
        return tuple(dict.fromkeys(self.rows(taxonomy, split)))

    def root(self, taxonomy: str) -> str:
        """The folder below mseg_dataset that the taxonomy's lists start from."""
        if taxonomy not in self._roots:
            what = f"No dataset has the taxonomy {printable(taxonomy)}."
            raise Problem(what, f"Known are: {', '.join(self._roots)}." if self._roots else "Name it in a step file.")
        return self._roots[taxonomy]

    def table(self, source: str, target: str) -> Table:
        """What every id of `source` becomes in `target`."""
        return self.once(("table", source, target), lambda: self._table(source, target))

    def _list_folder(self, taxonomy: str) -> Path:
        return self.path / "mseg" / "dataset_lists" / taxonomy

    def once(self, key: tuple[str, ...], read: Callable[[], T]) -> T:
        """What `read` gives, which is asked for `key` when that is needed first."""
        if key not in self._read:
            self._read[key] = read()
        return cast(T, self._read[key])

    def _colors(self, taxonomy: str) -> NDArray[np.uint8]:
        import numpy as np

        file = self._list_folder(taxonomy) / f"{taxonomy}_colors.txt"
        rows = []
        for number, line in read_lines(file):
            row = line.split()
            if len(row) != 3 or not all(re.fullmatch(r"\d{1,3}", part) and int(part) < 256 for part in row):
                raise invalid_line(file, number, f"{line!r} is no colour (three numbers from 0 to 255)")
            rows.append([int(part) for part in row])
        if len(rows) != len(self.names(taxonomy)):
            raise Problem(f"{file} has {len(rows)} colours for {len(self.names(taxonomy))} classes.", REMEDY)
        colors = np.array(rows, np.uint8)
        colors.setflags(write=False)
        return colors

    def _table(self, source: str, target: str) -> Table:
        import numpy as np

        file = self.path / "mseg" / "class_remapping_files" / f"{source}_to_{target}.tsv"
        becomes = _columns(file, source, target)
        keys = dict(enumerate(self.names(source)))
        ids = {name: id_ for id_, name in enumerate(self.names(target))}
        if len(ids) > IGNORED:
            raise Problem(f"{target} has {len(ids)} classes; 8-bit label maps hold {IGNORED}.", REMEDY)
        # With more classes 255 is one of them: PASCAL Context's, which leaves no pixel unlabeled.
        if len(keys) <= IGNORED:
            keys[IGNORED], ids[UNLABELED] = UNLABELED, IGNORED
            becomes.setdefault(UNLABELED, (0, UNLABELED))
        length = max(keys) + 1
        values, unnamed = np.zeros(length, np.uint8), np.ones(length, np.bool_)
        for id_, name in keys.items():
            if name not in becomes:
                raise Problem(f"{file} does not say what {printable(name, 100)!r} becomes.", REMEDY)
            number, wanted = becomes[name]
            if wanted not in ids:
                raise invalid_line(file, number, f"{target} has no class {wanted!r}")
            values[id_] = ids[wanted]
            unnamed[id_] = False
        values.setflags(write=False)
        unnamed.setflags(write=False)
        return Table(values, unnamed)


def identity(
    tree: Path, folder: str = "", *, instead: Mapping[str, bytes] | None = None, without: Sequence[str] = ()
) -> str:
    """What the files below `tree/folder` are, whatever their modes: sha256
    over the lines "<git blob id> <path below tree>", in byte order.

    `.git` is left out, and folders whose names match `without` (fnmatch). `instead`: other content for some paths, as
    if the files held it. Two trees with equal identities have the same files with the same bytes.
    """
    found = {}
    for place, folders, files in os.walk(tree / folder):
        folders[:] = [name for name in folders if not any(fnmatch(name, pattern) for pattern in (".git", *without))]
        for name in [*files, *(name for name in folders if Path(place, name).is_symlink())]:
            if name == ".git":  # a file in worktrees
                continue
            file = Path(place, name)
            path = file.relative_to(tree).as_posix()
            if instead and path in instead:
                content = instead[path]
            else:
                content = os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes()
            found[os.fsencode(path)] = blob_id(content)
    lines = (b"%s %s\n" % (found[path].encode(), path) for path in sorted(found))
    return hashlib.sha256(b"".join(lines)).hexdigest()


def blob_id(content: bytes) -> str:
    """The id that git gives to a file of these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _names(file: Path) -> tuple[str, ...]:
    numbers: dict[str, int] = {}
    names: list[str] = []
    for number, name in read_lines(file):
        if number != len(names) + 1:
            raise invalid_line(file, number - 1, "an empty line would move every class after it")
        if name in numbers and name != UNLABELED:
            raise invalid_line(file, number, f"{name!r} is already named in line {numbers[name]}")
        numbers[name] = number
        names.append(name)
    if not names:
        raise Problem(f"{file} is empty.", AGAIN)
    return tuple(names)


def _columns(file: Path, source: str, target: str) -> dict[str, tuple[int, str]]:
    """Name in `source` → line number and name in `target`; of a repeated name the last line counts."""
    lines = [(number, [cell.strip() for cell in line.split("\t")]) for number, line in read_lines(file)]
    if not lines or lines[0][1][:2] != [source, target]:
        raise invalid_line(file, lines[0][0] if lines else 1, f"the header is not {source!r} and {target!r}")
    becomes = {}
    for number, cells in lines[1:]:
        if len(cells) < 2 or not cells[0] or not cells[1]:
            raise invalid_line(file, number, "there are not two class names")
        becomes[cells[0]] = (number, cells[1])
    return becomes


def _listing(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise Problem(f"{folder} can't be read: {error.strerror}.", AGAIN) from None
