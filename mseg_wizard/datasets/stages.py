"""The journey as people have it in mind: which calls fetch, unpack, remap, relabel and check each dataset.

How a row looks is the screen's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mseg_wizard.datasets.dataset import datasets_in
from mseg_wizard.progress import Waiting
from mseg_wizard.standing.snapshot import Snapshot
from mseg_wizard.standing.step_states import calls_left
from mseg_wizard.state.journal import Journal
from mseg_wizard.step import Archive, Call, Step

STAGES: Mapping[str, tuple[str, ...]] = {
    "fetch": ("expect", "download"),
    "unpack": ("extract",),
    "remap": ("remap",),
    "relabel": ("relabel",),
    "check": ("verify",),
}
"""Stage → the kinds of task that it is made of."""


@dataclass(frozen=True)
class DatasetStages:
    """One dataset: its step, its archives, and its calls by stage; a stage that it does not have has none."""

    folder: str
    """Below mseg_dataset/."""
    name: str
    """As people call it."""
    step: Step
    archives: tuple[Archive, ...]
    calls: Mapping[str, tuple[Call, ...]]

    @property
    def size(self) -> int:
        """Bytes of its archives; 0 while none is known."""
        return sum(archive.size for archive in self.archives)

    @property
    def comes_by(self) -> str:
        """What brings it: `open` to all, `upload` from a browser, a `login`, or a `link` that is sent."""
        if any(archive.browser for archive in self.archives):
            return "upload"
        if any(archive.login for archive in self.archives):
            return "login"
        return "link" if any(archive.link_field for archive in self.archives) else "open"


@dataclass(frozen=True)
class Stage:
    """How far one stage of one dataset is: one of `standing.snapshot.STATES`; empty where it has no such stage."""

    state: str = ""
    share: float = 0.0
    """Of the work that is done, 0 to 1."""


def stages_in(steps: Sequence[Step]) -> tuple[DatasetStages, ...]:
    """A row for each dataset, in the order of the steps."""
    known = {dataset.title: dataset for dataset in datasets_in(steps)}
    checks = tuple(call for step in steps for call in step.calls if call.task in STAGES["check"])
    rows = []
    for step in steps:
        for folder in dict.fromkeys(archive.dataset for archive in step.archives):
            dataset = known.get(folder)
            own = [call for call in step.calls if call.archive and call.archive.dataset == folder]
            if dataset and dataset.remap:
                own.append(dataset.remap)
            if dataset:
                own += {call.key: call for _, call in dataset.relabels}.values()
            if not own:
                continue
            calls = {stage: tuple(call for call in own if call.task in tasks) for stage, tasks in STAGES.items()}
            archives = tuple(archive for archive in step.archives if archive.dataset == folder)
            rows.append(DatasetStages(folder, step.name_of(folder), step, archives, calls | {"check": checks}))
    return tuple(rows)


def stage_of(row: DatasetStages, name: str, journal: Journal, now: Snapshot, *, faulty: bool = False) -> Stage:
    """Where a stage stands. `faulty`: verification found something wrong with this dataset's files."""
    calls = row.calls[name]
    if not calls:
        return Stage()
    if name == "check" and faulty:
        return Stage("failed")
    shares = {call.key: _share(call, journal, now) for call in calls}
    weights = {call.key: (call.archive.size if call.archive else 0) or 1 for call in calls}
    share = sum(shares[key] * weights[key] for key in shares) / sum(weights.values())
    at = shares.keys() & {*now.calls, *now.ahead, *now.refused}
    if all(journal.done(call.key) or (_fetched(call, journal) and not at) for call in calls):
        return Stage("done", 1.0)
    left = {call.key for call in calls_left(row.step, journal)}
    if not at and {call.key for call in calls if call in row.step.calls} - left == shares.keys():
        return Stage("aside", share)
    if now.running and at:
        return Stage("waiting" if any(_waits(key, now) for key in at) else "running", share)
    problem = now.problem
    if isinstance(problem, Waiting):
        asked = at or (name == "fetch" and problem.step == row.step.id)
        return Stage("waiting" if asked else "pending", share)
    return Stage("failed" if at and (problem or now.crash) else "pending", share)


def total_of(row: DatasetStages, journal: Journal, now: Snapshot) -> float:
    """How much of a dataset is done, 0 to 1: each of its stages counts alike."""
    found = [stage_of(row, name, journal, now) for name in STAGES]
    shares = [stage.share for stage in found if stage.state]
    return sum(shares) / len(shares) if shares else 0.0


def _share(call: Call, journal: Journal, now: Snapshot) -> float:
    if journal.done(call.key) or _fetched(call, journal):
        return 1.0
    progress = now.progress.get(call.key)
    return min(1.0, progress.done / progress.total) if progress and progress.total else 0.0


def _fetched(call: Call, journal: Journal) -> bool:
    """Is it done but for its turn: the archive came ahead of it?"""
    return call.task in STAGES["fetch"] and call.archive is not None and journal.holds(call.archive.file)


def _waits(key: str, now: Snapshot) -> bool:
    progress = now.progress.get(key)
    return bool(progress and progress.waiting)
