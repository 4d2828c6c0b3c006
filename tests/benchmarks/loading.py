"""What the full-size lists, tables and records cost to load: python -m tests.benchmarks.loading [mseg-api]

Each line is measured in a process of its own; the memory is what that process has more at its largest than before. The
mseg-api tree is the argument's, MSEG_API's or MSEG_WIZARD_FULL_TREE's, or the one beside the repository; where it has
no training list of COCO, one is made up.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mseg_wizard.labels.records import updates
from mseg_wizard.labels.remap import remap_recipe
from mseg_wizard.labels.taxonomy import MsegApiTree
from mseg_wizard.tasks.registry import load_steps
from tests.benchmarks.verify import full_lists
from tests.conftest import ROOT


def main(folder: Path | None) -> None:
    place = (
        folder
        or Path(
            os.environ.get("MSEG_API") or os.environ.get("MSEG_WIZARD_FULL_TREE") or ROOT / "../shared/mseg-api"
        ).resolve()
    )
    if not (place / "mseg" / "dataset_lists").is_dir():
        raise SystemExit("There is no mseg-api tree: give its folder, or name it in MSEG_API.")
    with tempfile.TemporaryDirectory() as copied:
        full_lists(tree := Path(copied) / "mseg-api", place)
        print(f"{'what':<34} {'seconds':>8} {'MB':>7}   how many")
        for what, work in WORK.items():
            with multiprocessing.get_context("spawn").Pool(1) as other:
                seconds, megabytes, count = other.apply(measured, (work, tree))
            print(f"{what:<34} {seconds:8.2f} {megabytes:7.0f}   {count:,}", flush=True)


def measured(work: Callable[[MsegApiTree], int], place: Path) -> tuple[float, float, int]:
    before, began = memory(), time.perf_counter()
    count = work(MsegApiTree(place))
    return time.perf_counter() - began, memory() - before, count


def memory() -> float:
    """Largest resident memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


# What is loaded


def lists(tree: MsegApiTree) -> int:
    """Rows of every list that remapping and relabelling go through."""
    names = {name for call in (*calls("remap"), *calls("relabel")) for name in (*call.needs, *call.makes)}
    kept = [
        tree.rows(name, split) for name in sorted(names) for split in ("train", "val") if split in tree.splits(name)
    ]
    return sum(map(len, kept))


def tables(tree: MsegApiTree) -> int:
    """Classes of every recipe."""
    kept = [remap_recipe(tree, call.reader, call.source, call.targets) for call in calls("remap")]
    return sum(len(found.names) for found in kept)


def records(tree: MsegApiTree) -> int:
    """Segments of every taxonomy that is relabelled."""
    kept = [updates(tree, call, taxonomy) for call in calls("relabel") for taxonomy in call.taxonomies]
    return sum(len(rows) for found in kept for rows in found.values())


def everything(tree: MsegApiTree) -> int:
    return lists(tree) + tables(tree) + records(tree)


def calls(task: str) -> list[Any]:
    """Arguments of every call of a task."""
    return [call.args for step in load_steps() for call in step.calls if call.task == task]


WORK = {
    "lists": lists,
    "tables": tables,
    "records, with the lists they name": records,
    "all in one process": everything,
}

if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
