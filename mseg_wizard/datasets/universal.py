"""The universal labels: which sets of label maps they are made of, where they lie, and of which state of those.

Nothing is made here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from mseg_wizard.context import Context
from mseg_wizard.core.files import write_json
from mseg_wizard.datasets.dataset import datasets_in
from mseg_wizard.labels.taxonomy import MsegApiTree
from mseg_wizard.labels.universal import MASTER, universal_table
from mseg_wizard.step import Call, Step

FOLDER = "mseg_universal"
RECORD = "universal.json"
"""Among the wizard's own things: what the universal labels that are there were made of."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """One dataset that MSeg trains on."""

    title: str
    taxonomy: str
    """Relabelled; of a dataset's several the first, as Cityscapes with 19 classes."""
    relabel: Call
    """What makes the label maps that the universal ones are made of."""


class UniversalRow(NamedTuple):
    """One image of a list; paths are below mseg_dataset/, and the label map's below mseg_universal/."""

    image: str
    source: str
    label: str


def training_sets(steps: Sequence[Step]) -> tuple[TrainingSet, ...]:
    """In the order of the step files."""
    return tuple(
        TrainingSet(dataset.title, f"{dataset.relabels[0][0]}-relabeled", dataset.relabels[0][1])
        for dataset in datasets_in(steps)
        if dataset.relabels
    )


def training_set(steps: Sequence[Step], taxonomy: str) -> TrainingSet:
    return next(one for one in training_sets(steps) if one.taxonomy == taxonomy)


def universal_rows(tree: MsegApiTree, taxonomy: str, split: str) -> Iterator[UniversalRow]:
    """The rows of a list in order, each once; a universal label has the path of what it was made of."""
    root = tree.root(taxonomy)
    for row in tree.unique_rows(taxonomy, split):
        if row.label:
            source = f"{root}/{row.label}"
            yield UniversalRow(f"{root}/{row.image}", source, str(PurePosixPath(source).with_suffix(".png")))


def made_of(ctx: Context, taxonomy: str) -> str:
    """What universal labels made now are made of: the table, the lists' tree, the last relabelling."""
    journal, one = ctx.store.journal, training_set(ctx.steps, taxonomy)
    when = [journal.done_at(one.relabel.key), journal.worked(one.relabel.key)]
    table = hashlib.sha256(universal_table(ctx.tree, taxonomy)).hexdigest()
    return hashlib.sha256(json.dumps([taxonomy, journal.tree_mark(), when, table]).encode()).hexdigest()


def manifest_of(ctx: Context) -> str:
    """What a manifest written now, and a comparison made now, is about."""
    master = hashlib.sha256((ctx.tree.path / MASTER).read_bytes()).hexdigest()
    made = [[one.taxonomy, made_of(ctx, one.taxonomy)] for one in training_sets(ctx.steps)]
    return hashlib.sha256(json.dumps([master, made]).encode()).hexdigest()


def read_record(ctx: Context) -> Mapping[str, str]:
    """Taxonomy or kind of work → what it is about; empty where there is none that can be understood."""
    try:
        table = json.loads((ctx.own / RECORD).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in table.items()} if isinstance(table, dict) else {}


def keep_record(ctx: Context, key: str, value: str) -> None:
    """Remember what one of them is about; raises OSError."""
    write_json(ctx.own / RECORD, {**read_record(ctx), key: value})
