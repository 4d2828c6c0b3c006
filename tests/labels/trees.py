"""Small mseg-api trees for tests: write what a test needs, leave out the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mseg_wizard.labels.taxonomy import MsegApiTree
from mseg_wizard.step import roots
from mseg_wizard.tasks.registry import load_steps

ROOTS = roots(load_steps())
"""Of every taxonomy of the step files."""


def make_tree(
    top: Path,
    names: Mapping[str, Sequence[str]],
    *,
    tables: Mapping[tuple[str, str], Sequence[tuple[str, str]]] | None = None,
    colors: Mapping[str, Sequence[tuple[int, int, int]]] | None = None,
    lists: Mapping[tuple[str, str], Sequence[str]] | None = None,
    end: str = "\n",
) -> MsegApiTree:
    """A tree below `top` with class names by taxonomy, pairs by (source,
    target), colours by taxonomy, lines by (taxonomy, split).
    """
    for taxonomy, classes in names.items():
        write_lines(lists_folder(top, taxonomy) / f"{taxonomy}_names.txt", classes, end)
        (lists_folder(top, taxonomy) / "list").mkdir(exist_ok=True)
    for (source, target), pairs in (tables or {}).items():
        file = top / "mseg" / "class_remapping_files" / f"{source}_to_{target}.tsv"
        write_lines(file, ["\t".join(pair) for pair in [(source, target), *pairs]], end)
    for taxonomy, rows in (colors or {}).items():
        write_lines(
            lists_folder(top, taxonomy) / f"{taxonomy}_colors.txt", [" ".join(map(str, row)) for row in rows], end
        )
    for (taxonomy, split), lines in (lists or {}).items():
        write_lines(lists_folder(top, taxonomy) / "list" / f"{split}.txt", lines, end)
    return MsegApiTree(top, ROOTS)


def lists_folder(top: Path, taxonomy: str) -> Path:
    return top / "mseg" / "dataset_lists" / taxonomy


def write_lines(file: Path, lines: Sequence[str], end: str = "\n") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes("".join(line + end for line in lines).encode())
