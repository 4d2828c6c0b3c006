"""manifest: what tells training code of the universal labels: lists, classes, mapping to the test sets, README.

The label maps themselves are made in tasks.universal.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

from mseg_wizard import __version__
from mseg_wizard.context import Context
from mseg_wizard.core.background import Job, background
from mseg_wizard.core.files import write_atomically
from mseg_wizard.core.tables import write_csv
from mseg_wizard.datasets.dataset import datasets_in
from mseg_wizard.datasets.universal import (
    FOLDER,
    keep_record,
    manifest_of,
    read_record,
    training_sets,
    universal_rows,
)
from mseg_wizard.labels.taxonomy import IGNORED, SPLITS, UNLABELED
from mseg_wizard.labels.universal import mapped_classes, universal_classes, universal_names
from mseg_wizard.progress import Problem, Progress
from mseg_wizard.reporting.palette import color_text, universal_palette

MANIFEST = "manifest"
"""In the record: what the files are about."""
FILES = ("README.md", "classes.csv", "test_mapping.csv", *(f"{split}.csv" for split in SPLITS))
"""The lists last: where they are, all is."""
MODE = 0o644
BETWEEN = "; "
"""Between several classes in one cell."""

README = """\
# MSeg in its universal classes

Made by mseg-wizard {version} on {at} UTC. {train:,} label maps for training and {val:,} for
validation, of {count} datasets, each pixel one of MSeg's {classes} universal classes.

- `train.csv`, `val.csv`: a row for each pair. `dataset` is the relabelled taxonomy that the labels come
  from; `image`, `label` (universal) and `source` (the relabelled label map that it was made of) are
  paths below the folder that holds `{folder}/`.
- `classes.csv`: the classes with id, name, meaning, colour, and the classes of each dataset that became it.
- `test_mapping.csv`: what each universal class is in the taxonomies of the six test sets, as MSeg
  evaluates; {ignored} where it is none.
- The folders: label maps, PNG in 8-bit greyscale, one number for each pixel, under the paths that the
  relabelled ones have below `mseg_dataset/`.

A pixel's value is the id of its class, which is the number of its row in `MSeg_master.tsv`, counted
from 0; {ignored} means unlabeled and counts for nothing, neither in a loss nor in a score.

Each label map was compared, pixel by pixel, with the relabelled one that it was made of. Whether
those are right is what `mseg-wizard verify` looks at.

To read it in Python: `from mseg_wizard.training import Mseg`. mseg-wizard's docs/training.md has examples.

## Terms, and how to cite

The labels are as free as the datasets they come from: the terms of each hold. MSeg's own work on
them, relabelling and taxonomy, is under CC BY 4.0. Cite the datasets that you use, and MSeg:

    @inproceedings{{MSeg_2020_CVPR,
      author    = {{John Lambert and Zhuang Liu and Ozan Sener and James Hays and Vladlen Koltun}},
      title     = {{{{MSeg}}: A Composite Dataset for Multi-domain Semantic Segmentation}},
      booktitle = {{Computer Vision and Pattern Recognition (CVPR)}},
      year      = {{2020}}
    }}
"""


def manifest(ctx: Context) -> Generator[Progress, None, None]:
    """Write the files, each whole or not at all, the lists last. Raises Problem where the disk takes none."""
    of = manifest_of(ctx)

    def write(job: Job) -> None:
        job.check()
        try:
            counts = {split: sum(1 for _ in _rows(ctx, split)) for split in SPLITS}
            _write_readme(ctx, counts)
            _write_classes(ctx)
            _write_mapping(ctx)
            for split in SPLITS:
                header = ("dataset", "image", "label", "source")
                path = ctx.universal_folder / f"{split}.csv"
                write_csv(path, header, _rows(ctx, split), exact=True, durable=True, mode=MODE)
            keep_record(ctx, MANIFEST, of)
        except OSError as error:
            what = f"{ctx.universal_folder} can't be written: {error.strerror}."
            raise Problem(what, "Make room or make that possible, then start again.") from None

    yield from background(write, Progress("writing lists and classes"))


def manifest_missing(ctx: Context) -> list[str]:
    if read_record(ctx).get(MANIFEST) != manifest_of(ctx):
        return ["the lists of what is there now"]
    return [f"{FOLDER}/{path.name}" for path in manifest_files(ctx) if not path.is_file()]


def manifest_files(ctx: Context) -> list[Path]:
    return [ctx.universal_folder / name for name in FILES]


def test_sets(ctx: Context) -> list[str]:
    """The taxonomies that MSeg tests with."""
    return [(dataset.targets or (dataset.raw,))[-1] for dataset in datasets_in(ctx.steps) if not dataset.relabels]


def _rows(ctx: Context, split: str) -> Iterator[tuple[str, str, str, str]]:
    for one in training_sets(ctx.steps):
        for row in universal_rows(ctx.tree, one.taxonomy, split):
            data = f"{ctx.dataset_folder.name}/"
            yield one.taxonomy, data + row.image, f"{FOLDER}/{row.label}", data + row.source


def _write_readme(ctx: Context, counts: dict[str, int]) -> None:
    text = README.format(
        version=__version__, at=datetime.now(UTC).isoformat(sep=" ", timespec="minutes")[:16], folder=FOLDER,
        count=len(training_sets(ctx.steps)), ignored=IGNORED, **counts,
        classes=sum(row.id != IGNORED for row in universal_classes(ctx.tree)),
    )  # fmt: skip
    write_atomically(ctx.universal_folder / "README.md", text.encode(), mode=MODE)


def _write_classes(ctx: Context) -> None:
    columns = [*(one.taxonomy for one in training_sets(ctx.steps)), *test_sets(ctx)]
    mapped = {taxonomy: mapped_classes(ctx.tree, taxonomy) for taxonomy in columns}
    colors = universal_palette(len(universal_names(universal_classes(ctx.tree))))
    rows = [
        (
            row.id, row.name, row.synset, row.definition, color_text(colors[row.id]),
            *(BETWEEN.join(mapped[taxonomy].get(row.id, ())) for taxonomy in columns),
        )
        for row in sorted({row.id: row for row in universal_classes(ctx.tree)}.values(), key=lambda row: row.id)
    ]  # fmt: skip
    header = ("id", "name", "synset", "definition", "color", *columns)
    write_csv(ctx.universal_folder / "classes.csv", header, rows, mode=MODE)


def _write_mapping(ctx: Context) -> None:
    """Two columns for each test set: the class's id and its name."""
    sets = test_sets(ctx)
    ids = {taxonomy: {name: id_ for id_, name in enumerate(ctx.tree.names(taxonomy))} for taxonomy in sets}
    mapped = {taxonomy: mapped_classes(ctx.tree, taxonomy) for taxonomy in sets}
    rows = []
    for row in universal_classes(ctx.tree):
        if row.id != IGNORED:
            names = [next(iter(mapped[taxonomy].get(row.id, ())), UNLABELED) for taxonomy in sets]
            pairs = [(ids[taxonomy].get(name, IGNORED), name) for taxonomy, name in zip(sets, names, strict=True)]
            rows.append((row.id, row.name, *(cell for pair in pairs for cell in pair)))
    header = ("id", "name", *(cell for taxonomy in sets for cell in (taxonomy, f"{taxonomy} class")))
    write_csv(ctx.universal_folder / "test_mapping.csv", header, rows, mode=MODE)
