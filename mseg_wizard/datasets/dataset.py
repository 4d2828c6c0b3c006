"""What a dataset is, by the step files: raw labels, the label
maps made of them, and which call brings or makes each file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from mseg_wizard.labels.readers import reader_named
from mseg_wizard.labels.readers.label_reader import LabelReader
from mseg_wizard.labels.relabeling import Relabeling
from mseg_wizard.labels.remapping import Remapping
from mseg_wizard.labels.taxonomy import SPLITS
from mseg_wizard.step import Archive, Call, ExpectedFiles, Step


@dataclass(frozen=True)
class Dataset:
    """One dataset. Everything follows from the step files: what the archives hold, and what the calls make."""

    title: str
    raw: str
    """Taxonomy of the labels that its archives bring."""
    remap: Call | None
    relabels: tuple[tuple[str, Call], ...]
    """Taxonomies that are relabelled, before relabelling."""
    brings: tuple[tuple[ExpectedFiles, Call], ...]
    """What archives bring, and the call that unpacks it."""

    @cached_property
    def how(self) -> Remapping | None:
        """Its raw labels are remapped, as the step file has it."""
        return self.remap.args if self.remap else None

    @property
    def reader(self) -> str:
        return self.how.reader if self.how else "ids"

    @property
    def form(self) -> LabelReader:
        """Of the raw labels."""
        return reader_named(self.reader)

    def raw_of(self, label: str) -> str:
        """The raw label of what the lists name; both below the dataset's root."""
        return self.how.raw_of(label) if self.how else label

    @property
    def targets(self) -> tuple[str, ...]:
        return self.how.targets if self.how else ()

    @property
    def splits(self) -> tuple[str, ...]:
        """Lists whose labels are there."""
        return self.how.splits if self.how else SPLITS

    @cached_property
    def consumed(self) -> bool:
        """The raw labels are removed once something was made of them."""
        return bool(self.how and self.how.consumes)

    @cached_property
    def made(self) -> tuple[tuple[str, str, Call], ...]:
        """Taxonomy of each made map, in the order of `verification.plan.rules_of`; the
        taxonomy whose relabelling it is, else empty; its call.
        """
        remapped = [(target, "", self.remap) for target in self.targets if self.remap]
        return (*remapped, *((f"{taxonomy}-relabeled", taxonomy, call) for taxonomy, call in self.relabels))

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(call for _, _, call in self.made) + tuple(call for _, call in self.brings)

    @property
    def relabeling(self) -> Relabeling | None:
        """As the step file has it."""
        return self.relabels[0][1].args if self.relabels else None

    def masks_named(self, image: str) -> str:
        """Below mseg_dataset/, what to call the masks of an image that were not found at any depth."""
        stem = PurePosixPath(image).stem
        return next(
            (
                f"{self.title}/{held.folder}/…/{stem}{held.suffix}"
                for held, _ in self.brings
                if held.column == "records"
            ),
            f"{self.title}/…/{stem}",
        )

    def bringer(self, column: str, path: str, split: str) -> Call | None:
        """The call that unpacks a listed image or label; by its path, where several archives share a dataset."""
        fitting = [
            (expected, call) for expected, call in self.brings if expected.column == column and expected.match in path
        ]
        # The images of test lists come with the others, though nothing that is made needs them.
        fitting.sort(key=lambda row: split not in row[0].splits)
        return fitting[0][1] if fitting else None


def relabeling_of(steps: Sequence[Step], taxonomy: str) -> Relabeling | None:
    """How a taxonomy, named as before, is relabelled; None where no step does that."""
    calls = (call for step in steps for call in step.calls if call.task == "relabel")
    return next((call.args for call in calls if taxonomy in call.needs), None)


def datasets_in(steps: Sequence[Step]) -> tuple[Dataset, ...]:
    """The datasets, in the order in which their archives are named."""
    calls = [call for step in steps for call in step.calls]
    remaps = {call.args.source: call for call in calls if call.task == "remap"}
    relabels = {taxonomy: call for call in calls if call.task == "relabel" for taxonomy in call.needs}
    unpacks = {call.archive.file: call for call in calls if call.task == "extract" and call.archive}
    held = [(archive, expected) for step in steps for archive in step.archives for expected in archive.holds]
    raws = dict.fromkeys(expected.taxonomy for _, expected in held if expected.column == "label")
    return tuple(_dataset(raw, remaps.get(raw), relabels, held, unpacks) for raw in raws)


def _dataset(
    raw: str,
    remap: Call | None,
    relabels: dict[str, Call],
    held: Sequence[tuple[Archive, ExpectedFiles]],
    unpacks: dict[str, Call],
) -> Dataset:
    own = {raw, *(remap.makes if remap else ())}
    rows = [(archive, expected) for archive, expected in held if expected.taxonomy in own]
    return Dataset(
        rows[0][0].dataset,
        raw,
        remap,
        tuple((taxonomy, call) for taxonomy, call in relabels.items() if taxonomy in own),
        tuple((expected, unpacks[archive.file]) for archive, expected in rows if archive.file in unpacks),
    )
