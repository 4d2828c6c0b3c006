"""What the workers found, gathered while verification goes on: faults, notes, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mseg_wizard.verification.checks import IMAGE, CheckedImage, ImageToCheck
from mseg_wizard.verification.map_faults import pixel_count
from mseg_wizard.verification.plan import Plan
from mseg_wizard.verification.verdict import Fault
from mseg_wizard.workers.batches import Outcome

UNCHANGED = "images with all their labels unchanged since they were found faultless"


class Results:
    """Faults come in the order of the datasets and, within one, of their files' names."""

    def __init__(self, pixels: int = 0) -> None:
        """`pixels`: whose class is known beforehand, in the images of all lists."""
        self._pixels = pixels
        self.images = 0
        """Looked at so far."""
        self.faults: list[Fault] = []
        self.counts: Counter[str] = Counter()
        self._notes: list[str] = []
        self._odd: Counter[str] = Counter()
        self._first = 0
        self._targeted = 0

    def begin(self, plan: Plan) -> None:
        """A dataset's plan, before its images."""
        self._first = len(self.faults)
        self._odd.clear()
        self.faults += plan.faults
        self._targeted += sum(map(len, plan.pixels.values()))
        if plan.absent:
            self._notes.append(
                f"{plan.dataset.title}: {plan.absent:,} frames of its test list are in none of its archives"
            )

    def also(self, faults: Iterable[Fault]) -> None:
        """Faults that were found without the lists."""
        self.faults += faults

    def add(self, plan: Plan, outcome: Outcome[ImageToCheck, CheckedImage]) -> None:
        """What became of one image."""
        self.images += 1
        image, seen = outcome.item.key, outcome.result
        if seen is None:
            self.faults.append(plan.fault(image, IMAGE, f"could not be checked: {outcome.fault}"))
            return
        self.faults += [plan.fault(image, position, what) for position, what in seen.faults]
        self._count(seen)

    def add_unchanged(self, seen: CheckedImage) -> None:
        """One image that was found faultless before, and whose files are as they were."""
        self.images += 1
        self.counts[UNCHANGED] += 1
        self._count(seen)

    def _count(self, seen: CheckedImage) -> None:
        self.counts["images"] += seen.image
        self.counts["labels as they came"] += seen.raw
        self.counts["label maps made here"] += seen.maps
        self.counts["relabelled segments"] += seen.segments
        self.counts["targeted pixels"] += seen.pixels
        if seen.unnamed or seen.uncolored or seen.odd_size:
            self._note_odd(seen)

    def _note_odd(self, seen: CheckedImage) -> None:
        for what, count in (
            ("an id that no class has", seen.unnamed),
            ("a colour that no class has", seen.uncolored),
        ):
            self._odd[what] += count
            self._odd[f"labels with {what}"] += bool(count)
        self._odd["size"] += seen.odd_size

    def end(self, plan: Plan) -> None:
        """A dataset is through."""
        self.faults[self._first :] = sorted(self.faults[self._first :], key=lambda fault: (fault.file, fault.what))
        for what in ("an id that no class has", "a colour that no class has"):
            if count := self._odd[what]:
                labels = _labels(self._odd[f"labels with {what}"])
                self._notes.append(
                    f"{plan.dataset.title}: {pixel_count(count)} in {labels} {'have' if count > 1 else 'has'} {what}"
                )
        if count := self._odd["size"]:
            self._notes.append(f"{plan.dataset.title}: of another size than the image: {_labels(count)}")

    @property
    def notes(self) -> list[str]:
        """All remarks, the one about targeted pixels last."""
        unlisted = self._pixels - self._targeted
        text = (
            f"{unlisted} of {self._pixels} targeted pixels are not applicable: their images are not in the "
            "accepted lists"
        )
        return [*self._notes, *([text] if unlisted else [])]


def _labels(count: int) -> str:
    return f"{count:,} labels as they came" if count != 1 else "1 label as it came"
