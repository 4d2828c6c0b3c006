"""The last page's words: where the data are, how code finds them, what each set of classes is, and where the time went.

It may block.
"""

from __future__ import annotations

from collections.abc import Sequence

from mseg_wizard.context import Context
from mseg_wizard.datasets.dataset import datasets_in
from mseg_wizard.progress import Problem, duration, printable
from mseg_wizard.reporting.facts import what_comes_next
from mseg_wizard.state.journal import Journal
from mseg_wizard.step import Step

FLEETING = (
    "This was practice: all of it is removed when the wizard ends. `mseg-wizard practice --keep` keeps it, to "
    "look at the report."
)
NEXT = 'To train or test, go on with mseg-semantic; its train.py is on the branch "training" only.'
LONGEST = 5
"""Tasks that are named for the time they took."""


def farewell(ctx: Context) -> str:
    """All of it, as paragraphs."""
    try:
        settings = f"It stands already in {ctx.tree_folder / 'mseg' / 'utils' / 'dataset_config.py'}."
    except Problem:
        settings = "Write it into mseg/utils/dataset_config.py."
    parts = [
        f"The data: {printable(str(ctx.dataset_folder))}",
        "Training code finds them by its setting MSEG_DST_DIR = "
        f"{printable(str(ctx.destination))}\n{printable(settings)}",
        FLEETING if ctx.options.invocation.temporary else "",
        f"The report, with pictures: {printable(str(ctx.report_page))}\nF12 copies its path.",
        "What comes next\n" + "\n\n".join(what_comes_next(ctx)),
        times(ctx.steps, ctx.store.journal),
        "Sets of classes, by the names that MSeg's code takes:\n" + "\n".join(taxonomy_lines(ctx)),
        NEXT,
    ]
    return "\n\n".join(part for part in parts if part)


def times(steps: Sequence[Step], journal: Journal) -> str:
    """How long it worked in all, and what took longest; the time that people took is not in it."""
    spent = {call.title: journal.worked(call.key) for step in steps for call in step.calls}
    most = sorted(((seconds, title) for title, seconds in spent.items() if seconds >= 1), key=lambda row: -row[0])[
        :LONGEST
    ]
    rows = [f"{duration(seconds):>12}  {title}" for seconds, title in most]
    return "\n".join([f"Work: {duration(sum(spent.values()))}" + (", most of it in" if rows else ""), *rows])


def taxonomy_lines(ctx: Context) -> list[str]:
    """A line for each dataset: the set that MSeg trains or tests with, and what the name means."""
    from mseg_wizard.reporting.catalog import meaning  # it loads the report's pictures, for which no screen waits

    rows = []
    for dataset in datasets_in(ctx.steps):
        relabeled = [f"{name}-relabeled" for name, _ in dataset.relabels]
        names = relabeled or [(dataset.targets or (dataset.raw,))[-1]]
        use = "training" if relabeled else "testing"
        rows.append(f"{dataset.title}, {use}: {', '.join(names)}: {meaning(dataset, names[-1])}")
    return rows
