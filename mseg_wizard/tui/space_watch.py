"""How much room the rest still needs, worked out seldom, because it looks at every dataset's folders. It may block."""

from __future__ import annotations

import time

from mseg_wizard.context import Context
from mseg_wizard.datasets import disk_space
from mseg_wizard.progress import Problem

SELDOM, OFTEN = 600.0, 30.0
"""Seconds between two looks: where nothing was finished since, and where something was."""


class SpaceWatch:
    """The newest answer of one sitting; `bytes` is None while it can't be told."""

    def __init__(self) -> None:
        self.bytes: int | None = None
        self._at = -SELDOM
        self._finished = -1

    def update(self, ctx: Context | None) -> None:
        """Work it out again if it is time."""
        finished = len(ctx.store.journal.done_calls()) if ctx else 0
        if ctx is None or time.monotonic() - self._at < (OFTEN if finished != self._finished else SELDOM):
            return
        self._at, self._finished = time.monotonic(), finished
        try:
            needs = disk_space.space_needs(disk_space.still_to_come(ctx))
            device = disk_space.free_space(ctx.dataset_folder).device
        except (Problem, OSError):  # no tree yet; the work itself will say what is wrong with one that is there
            self.bytes = None
            return
        self.bytes = sum(need.bytes for need in needs if need.room.device == device)
