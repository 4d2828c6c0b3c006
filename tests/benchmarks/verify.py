"""How long it takes to see what is missing among a million files: python -m tests.benchmarks.verify [folder]

Empty files under all names of the full-size lists, in a temporary folder below `folder`. The full-size tree stands
beside the repository or in MSEG_WIZARD_FULL_TREE; where it has no training list of COCO, one is made up. Prints what
each dataset's checklist takes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from mseg_wizard.context import Context
from mseg_wizard.datasets.dataset import datasets_in
from mseg_wizard.state.journal import TreeRecord
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import Vault
from mseg_wizard.verification.checks import IMAGE, MASK, RAW
from mseg_wizard.verification.plan import Plan, make_plan
from tests.conftest import ROOT
from tests.labels.annotated import all_annotations

COCO_TRAIN = 118_287
SEGMENTS = 11
"""In an image of COCO, on average."""


def main(folder: Path | None) -> None:
    full = Path(os.environ.get("MSEG_WIZARD_FULL_TREE") or ROOT / "../shared/mseg-api").resolve()
    if not (full / "mseg" / "dataset_lists").is_dir():
        raise SystemExit("There is no full-size mseg-api tree: name it in MSEG_WIZARD_FULL_TREE.")
    with tempfile.TemporaryDirectory(dir=folder) as place:
        print("making empty files", flush=True)
        # In another process: the memory that is printed is then the checklists' own.
        with multiprocessing.get_context("spawn").Pool(1) as other:
            other.apply(fill, (Path(place), full))
        ctx = opened(Path(place))
        print(f"{'dataset':<24} {'images':>9} {'files':>10} {'seconds':>8} {'largest memory so far':>22}")
        began, images, files = time.perf_counter(), 0, 0
        for family in datasets_in(ctx.steps):
            start = time.perf_counter()
            found = make_plan(ctx, family)
            if family.form.annotations:
                described = found.annotation_files()
                found.describe(described, {file: all_annotations(ctx.dataset_folder / file) for file in described})
            took = time.perf_counter() - start
            count = sum(1 for _ in paths(found))
            assert not found.faults, found.faults[:3]
            images, files = images + len(found.images), files + count
            print(
                f"{family.title:<24} {len(found.images):>9,} {count:>10,} {took:>8.1f} {memory():>19,.0f} MB",
                flush=True,
            )
        print(f"{'all':<24} {images:>9,} {files:>10,} {time.perf_counter() - began:>8.1f} {memory():>19,.0f} MB")
        ctx.close()


def memory() -> float:
    """Largest resident memory of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def opened(place: Path) -> Context:
    """A destination whose journal says that all is done."""
    ctx = Context(load_steps(), Store(place / "d"), Vault("benchmark", backend=None, environment={}))
    ctx.store.keep_tree(TreeRecord(folder=str(place / "mseg-api"), stamp="", pinned=False))
    for step in ctx.steps:
        for call in step.calls:
            ctx.store.finish(call.key)
    return ctx


def full_lists(tree: Path, full: Path) -> None:
    """Put the full-size tree at `tree`, with a training list of COCO."""
    shutil.copytree(full, tree)
    coco = tree / "mseg" / "dataset_lists"
    folders = {
        "inst-201": "annotations/panoptic_",
        "201": "semantic_annotations201/",
        "133": "semantic_annotations133/",
    }
    folders["133-relabeled"] = "semantic_relabeled133/"
    # Names that MSeg's records know, the others made up.
    stems = recorded(tree)
    stems += [f"9{number:011}" for number in range(COCO_TRAIN - len(stems))]
    for name, labels in folders.items():
        lines = (f"images/train2017/{stem}.jpg {labels}train2017/{stem}.png\n" for stem in stems)
        if not (file := coco / f"coco-panoptic-{name}" / "list" / "train.txt").exists():
            file.write_text("".join(lines))


def recorded(tree: Path) -> list[str]:
    """Stems of COCO's training images that the records name."""
    files = (tree / "mseg" / "relabeled_data").rglob("*train*.txt")
    lines = (line for file in files if "coco" in file.name.lower() for line in file.read_text().split())
    return sorted({line.split("_")[0] for line in lines})


def fill(place: Path, full: Path) -> None:
    """Make every file that is looked for, empty, and annotations of COCO's size."""
    full_lists(place / "mseg-api", full)
    ctx = opened(place)
    ctx.store.reopen(*ctx.store.journal.done_calls())  # nothing is missed yet
    for family in datasets_in(ctx.steps):
        found = make_plan(ctx, family)
        for path in paths(found):
            file = ctx.dataset_folder / path
            try:
                file.touch()
            except FileNotFoundError:
                file.parent.mkdir(parents=True)
                file.touch()
        if family.reader == "panoptic":
            annotate(ctx, found)
    ctx.close()


def annotate(ctx: Context, found: Plan) -> None:
    box = {"area": 12345, "bbox": [123, 234, 345, 456], "iscrowd": 0}
    by_folder: dict[str, list[object]] = {}
    for image in found.images:
        folder, _, name = (found.file(image, RAW) or "").rpartition("/")
        segments = [{"id": 1_000_000 + number, "category_id": number, **box} for number in range(SEGMENTS)]
        by_folder.setdefault(folder, []).append({"file_name": name, "image_id": 1, "segments_info": segments})
    for folder, rows in by_folder.items():
        (ctx.dataset_folder / f"{folder}.json").write_text(json.dumps({"annotations": rows}))


def paths(found: Plan) -> set[str]:
    """All files that a checklist speaks of."""
    positions = (IMAGE, RAW, MASK, *range(len(found.dataset.made)))
    return {path for image in found.images for position in positions if (path := found.file(image, position))}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
