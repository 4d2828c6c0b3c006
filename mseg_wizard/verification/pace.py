"""How long verification will take: an image of Mapillary's costs as much as a hundred of ADE20K's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mseg_wizard.datasets.dataset import Dataset

SURE = 5.0
"""Seconds of checking before anything is told."""


class VerificationPace:
    """The time of what was checked, compared with what making these label maps takes by the step files."""

    def __init__(self, datasets: Sequence[Dataset], clock: Callable[[], float] = time.monotonic) -> None:
        self._usual = {dataset.title: _usual(dataset) for dataset in datasets}
        self._clock = clock
        self._spent = self._since = 0.0
        self._seen = self._checked = 0.0
        """Usual seconds of the datasets so far, and of what had to be checked of them."""
        self._now, self._images = 0.0, 1

    def begin(self, dataset: Dataset, images: int, unchanged: int) -> None:
        """Of the dataset's images so many need not be looked at again."""
        usual = self._usual.pop(dataset.title, 0.0)
        self._seen += usual
        self._now = usual * (images - unchanged) / images if images else 0.0
        self._images = max(1, images - unchanged)
        self._since = self._clock()

    def left(self, checked: int) -> float | None:
        """Seconds, when so many of these images were checked; None until that is known.

        What need not be looked at again of the datasets to come is taken as in those so far.
        """
        share = min(1.0, checked / self._images)
        done, spent = self._checked + share * self._now, self._spent + self._clock() - self._since
        if spent < SURE or not done:
            return None
        again = (self._checked + self._now) / self._seen
        return spent / done * ((1.0 - share) * self._now + again * sum(self._usual.values()))

    def end(self) -> None:
        """All of the dataset was checked."""
        self._checked += self._now
        self._spent += self._clock() - self._since


def _usual(dataset: Dataset) -> float:
    return sum({call.key: call.seconds for _, _, call in dataset.made}.values()) or 1.0
