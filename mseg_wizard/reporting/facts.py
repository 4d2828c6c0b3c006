"""What the report says of this destination: its state, sources, times, places.

Datasets and pictures are not looked at here.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mseg_wizard import __version__
from mseg_wizard.context import Context
from mseg_wizard.datasets import mseg_api, mseg_config
from mseg_wizard.datasets.universal import read_record
from mseg_wizard.progress import duration, size
from mseg_wizard.standing.step_states import calls_left
from mseg_wizard.state.journal import ArchiveRecord
from mseg_wizard.step import Archive, Step
from mseg_wizard.verification.verdict import Verdict, read_verdict, subject

ORIGINS = {
    "fetched": "fetched by the wizard",
    "uploaded": "uploaded into the dataset's folder",
    "brought": "yours: read where it is, never changed",
}
"""How an archive came, by the journal's word for it."""


@dataclass(frozen=True)
class Provenance:
    """Where one archive came from, and how it is known to be right."""

    file: str
    dataset: str
    size: str
    sha256: str
    source: str
    how: str
    known_by: str
    published: bool


@dataclass(frozen=True)
class CallRecord:
    """One call: when it was done, how long it took, what it remarked."""

    title: str
    finished: str
    """UTC, ISO 8601; empty where it is not."""
    seconds: float
    notes: tuple[str, ...]

    @property
    def took(self) -> str:
        return duration(self.seconds) if self.seconds else "–"


@dataclass(frozen=True)
class StepRecord:
    """One step's work."""

    number: int
    title: str
    works: tuple[CallRecord, ...]

    @property
    def took(self) -> str:
        return duration(sum(work.seconds for work in self.works))


@dataclass(frozen=True)
class Facts:
    """Everything that the page says apart from the datasets."""

    version: str
    at: str
    """UTC, ISO 8601."""
    destination: str
    dataset: str
    own: str
    tree: str
    """The accepted mseg-api tree: its folder."""
    tree_source: str
    tree_words: str
    """What the tree is, ends the sentence "The tree is …"."""
    modified: bool
    config: str
    """The file that tells MSeg's code where the dataset is."""
    configured: str
    """What that file says, empty where it can't be read."""
    unfinished: tuple[Step, ...]
    """Steps before this one that are not complete."""
    aside: tuple[str, ...]
    """What was set aside, and so is missing, in words."""
    verdict: Verdict | None
    current: bool
    """The verdict is about what is there now."""
    sources: tuple[Provenance, ...]
    stages: tuple[StepRecord, ...]
    then: Step | None
    """The step after this one."""
    next: tuple[str, ...]
    """What comes next, in paragraphs."""

    @property
    def unpublished(self) -> list[str]:
        """Archives that are not the published ones."""
        return [source.file for source in self.sources if not source.published]

    @property
    def spent(self) -> str:
        return duration(sum(work.seconds for stage in self.stages for work in stage.works))


def gather(ctx: Context) -> Facts:
    """Read it all from the journal, the verdict and the tree; raises Problem where there is no tree yet."""
    folder, record, verdict = ctx.tree_folder, ctx.store.journal.tree, read_verdict(ctx.own)
    at = next((number for number, step in enumerate(ctx.steps) if step.has("report")), len(ctx.steps))
    done = ctx.store.journal.done
    return Facts(
        version=__version__,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        destination=str(ctx.destination),
        dataset=str(ctx.dataset_folder),
        own=str(ctx.own),
        tree=str(folder),
        tree_source=record.source if record else "",
        tree_words=mseg_api.identify_tree(folder).words,
        modified=not ctx.tree_is_pinned,
        config=str(folder / mseg_config.CONFIG),
        configured=_configured(folder),
        unfinished=tuple(step for step in ctx.steps[:at] if calls_left(step, ctx.store.journal)),
        aside=tuple(record.in_words(file) for file, record in ctx.store.journal.aside.items()),
        verdict=verdict,
        current=verdict is not None and verdict.of == subject(ctx),
        sources=tuple(_sources(ctx)),
        stages=tuple(_stage(ctx, step) for step in ctx.steps[: at + 1] if any(done(call.key) for call in step.calls)),
        then=next(iter(ctx.steps[at + 1 :]), None),
        next=tuple(what_comes_next(ctx)),
    )


def what_comes_next(ctx: Context) -> list[str]:
    """How training begins, in paragraphs."""
    command = f"mseg-wizard universal --dest {shlex.quote(str(ctx.destination))}"
    if read_record(ctx).get("manifest") and (ctx.universal_folder / "train.csv").is_file():
        one = (
            f"One label space for all training sets is in {ctx.universal_folder}: train.csv and val.csv name each "
            "image with its label map, README.md says how to read them. Any trainer that ignores 255 can begin there.\n"
            "from mseg_wizard.training import Mseg"
        )
    else:
        one = (
            "To train in one label space: the command below makes the labels of all training sets once more in MSeg's "
            f"universal classes, with lists of image and label for any trainer.\n{command}"
        )
    other = (
        "Or with MSeg's own code: branch `training` of mseg-semantic (https://github.com/mseg-dataset/mseg-semantic). "
        "It reads the relabelled maps in mseg_dataset/, finds them by MSEG_DST_DIR, and wants that mseg-api installed, "
        "a PyTorch of 2020 with NVIDIA's Apex, the pretrained HRNet-W48 backbone, and a GPU for each of the "
        "training sets. The same can be trained from mseg_universal/, where the maps hold universal classes already."
    )
    return [one, other]


def _configured(folder: Path) -> str:
    try:
        return str(mseg_config.value((folder / mseg_config.CONFIG).read_bytes()) or "")
    except (OSError, mseg_config.Unset):
        return ""


def _sources(ctx: Context) -> Iterator[Provenance]:
    for step in ctx.steps:
        for archive in step.archives:
            record = ctx.store.archive(archive.file)
            if record is not None:
                how = ORIGINS.get(record.origin, record.origin)
                still = (
                    ""
                    if record.origin == "brought"
                    else ", still there"
                    if record.present
                    else ", removed after it was unpacked"
                )
                length = size(record.size) if record.sha256 else "a folder"
                yield Provenance(
                    archive.file, archive.dataset, length, record.sha256, record.source, how + still,
                    _known_by(archive, record), record.as_published,
                )  # fmt: skip


def _known_by(archive: Archive, record: ArchiveRecord) -> str:
    for known in archive.equivalents:
        if known.title == record.equivalent:
            return f"its content: {known.title}, which counts because {known.proof}"
    if not record.as_published:
        return "not the published archive"
    if not record.sha256:
        return f"its content; {record.doubt}"
    if archive.warn_only:
        return (
            "has the hash that others found"
            if record.sha256 == archive.sha256
            else "its content (another hash than others found)"
        )
    if archive.sha256 or archive.md5 or archive.sha1:
        return "its published hash"
    return "its content: no hash is published" + (f"; {record.doubt}" if record.doubt else "")


def _stage(ctx: Context, step: Step) -> StepRecord:
    journal = ctx.store.journal
    works = [
        CallRecord(
            call.title, journal.done_at(call.key), journal.worked(call.key),
            # what verification remarks stands in its verdict
            () if call.task == "verify" else journal.remarks(call.key),
        )
        for call in step.calls
        if call.task != "report"
    ]  # fmt: skip
    return StepRecord(step.number, step.title, tuple(works))
