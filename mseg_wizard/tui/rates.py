"""How fast data came in the last minutes, as a line of bars, and since a task began: what one moment's rate hides."""

from __future__ import annotations

import time
from collections.abc import Callable

from mseg_wizard.progress import size
from mseg_wizard.standing.snapshot import Snapshot

BARS = "▁▂▃▄▅▆▇█"
COLUMNS, EACH = 12, 15.0
"""Bars, and the seconds that each stands for: what is sent again with every new one is little for a slow line."""
FEWEST = 3
"""Bars below which there is nothing to compare."""


class Rates:
    """Of one sitting. Bytes only: other work has even rates."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sums: dict[int, tuple[float, int]] = {}
        """Number of a span of time → sum of the rates that were seen in it, and how many."""
        self._first: dict[str, tuple[float, int]] = {}
        """Call → when it was seen first, and how much of it was done then."""

    def note(self, snapshot: Snapshot) -> None:
        """Look at what runs now."""
        now = self._clock()
        running = {key: snapshot.progress[key] for key in snapshot.calls if key in snapshot.progress}
        running = {key: each for key, each in running.items() if snapshot.running and each.unit == "B" and each.rate}
        self._first = {key: self._first.get(key, (now, each.done)) for key, each in running.items()}
        if running:
            total, count = self._sums.get(span := int(now // EACH), (0.0, 0))
            self._sums[span] = total + sum(each.rate or 0.0 for each in running.values()), count + 1
        self._sums = {span: held for span, held in self._sums.items() if span > now // EACH - COLUMNS}

    def bars(self) -> str:
        """A bar for each span of time that is over, oldest first, the fastest as high as a line; empty at first."""
        now = int(self._clock() // EACH)
        past = [span for span in sorted(self._sums) if span < now]
        if len(past) < FEWEST:
            return ""
        means = [
            self._sums[span][0] / self._sums[span][1] if span in self._sums else 0.0 for span in range(past[0], now)
        ]
        most = max(means)
        return "".join(BARS[round(mean / most * (len(BARS) - 1))] for mean in means)

    def words(self, key: str, done: int) -> str:
        """Bars and the average of a call since it was seen first; empty until there is something to compare."""
        since, before = self._first.get(key, (self._clock(), done))
        seconds = self._clock() - since
        bars = self.bars()
        if not bars or seconds < EACH or done <= before:
            return ""
        return f"{bars}  {size((done - before) / seconds)}/s on average"
