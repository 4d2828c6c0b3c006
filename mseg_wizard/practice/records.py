"""The practice world's relabelling: which segment gets which class, and the files that say so.

How a mask is found is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable

from mseg_wizard.practice.classes import SUBCLASSES, UNLABELED
from mseg_wizard.practice.parts import Segment

TABLES = ("cocop", "ade20k", "cityscapes", "bdd", "idd", "sunrgbd", "mapillary")
"""In the order of MSeg's own file; `cityscapes` serves both of its taxonomies."""


def records_files(segments: Iterable[Segment]) -> tuple[str, dict[str, str]]:
    """The text of dataset_update_records.py, and name → text of the files in relabeled_data.

    Every segment is named once; some keep their class, some become `unlabeled`.
    """
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for turn, segment in enumerate(segments):
        noun = segment.old.removesuffix("_other")
        choices = (segment.old, *SUBCLASSES[noun], UNLABELED)
        groups.setdefault((segment.table, segment.split, segment.old, choices[turn % len(choices)]), []).append(
            segment.line
        )

    files = {"unused/practice_train_of_old.txt": "named_by_no_record_1.png"}
    code = ["from mseg.label_preparation import DatasetClassUpdateRecord"]
    for table in TABLES:
        calls = []
        for (of, split, old, new), lines in groups.items():
            if of != table:
                continue
            file = f"{table}_{old}/{table}_{split}_{old}_to_{'None_of_these' if new == UNLABELED else new}.txt"
            # some of MSeg's files end in a line break, some do not
            files[file] = "\n".join(lines) + ("\n" if len(lines) % 2 else "")
            calls.append(f'    DatasetClassUpdateRecord("{table}-practice", "{split}", "{old}", "{new}", "{file}"),')
        code += ["", f"{table}_update_records = [", *calls, "]"]
    return "\n".join(code) + "\n", files
