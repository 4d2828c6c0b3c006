"""Progress and Problem: the two words that everything else speaks. No I/O lives here."""

from __future__ import annotations

import time
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Where one task stands.

    Absolute: any later value replaces every earlier one, so a reader may skip as many as it likes.
    """

    doing: str
    """What is being done now, in the user's words: "downloading train2017.zip"."""
    done: int = 0
    total: int | None = None
    """None while it is unknown."""
    unit: str = ""
    """"B" for bytes, else a plural noun: "images", "files"."""
    rate: float | None = None
    """Units per second, smoothed; None while it is unknown."""
    retry_in: float | None = None
    """Seconds until the next attempt, while a task waits after a failure."""
    waiting: bool = False
    """It waits for the user, such as for an upload, and goes on by itself."""
    lacks: tuple[str, ...] = ()
    """Names of the fields of its step's form that it waits for; none where it is not the form."""
    call: str = ""
    """Key of the call that this belongs to; the engine fills it in."""
    ahead: str = ""
    """Of an archive that is fetched before its turn: `fetching`; `here`; or `refused`, and it waits for its turn."""
    made: str = ""
    """The label map that was finished last, as its path below mseg_dataset/."""
    left: float | None = None
    """Seconds, where the task knows better than by its present rate how long it will take."""

    @property
    def eta(self) -> float | None:
        """Seconds left, at the present rate where nothing better is known; None while total or rate is unknown."""
        if self.left is not None:
            return self.left
        if self.total is None or not self.rate or self.rate <= 0:
            return None
        return max(0, self.total - self.done) / self.rate


class Problem(Exception):
    """Something the user can act on: what happened, what to do about it, and the items that it concerns."""

    def __init__(self, what: str, do: str = "", items: Iterable[str] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.do = do
        self.items = tuple(items)

    def __str__(self) -> str:
        return f"{self.what} {self.do}".strip()


class Waiting(Problem):
    """The next step needs something from the user first; `lacks` names the fields."""

    def __init__(self, what: str, do: str = "", step: str = "", lacks: Iterable[str] = ()) -> None:
        super().__init__(what, do, lacks)
        self.step = step

    @property
    def lacks(self) -> tuple[str, ...]:
        return self.items


class FetchAgain(Problem):
    """What was fetched is damaged, which only its content shows: it was removed, and a run fetches it once more."""


class Usage(Problem):
    """The command line or a file that it names is wrong."""


class Meter:
    """Smoothed rate of a growing count: the average over the last
    `window` seconds, so one burst or one stall does not make it jump.
    """

    def __init__(self, window: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._window = window
        self._seen: deque[tuple[float, int]] = deque()

    def rate(self, done: int) -> float | None:
        """Note that `done` units are done by now; units per second, None in the first half second.

        A count that shrinks (a download that had to begin again) starts the measurement afresh.
        """
        now = self._clock()
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()
        if not self._seen or now - self._seen[-1][0] >= self._window / 50:
            self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > self._window:
            self._seen.popleft()
        since, before = self._seen[0]
        elapsed = now - since
        return (done - before) / elapsed if elapsed >= 0.5 else None


def printable(text: str, limit: int = 500) -> str:
    """Foreign text made safe for a terminal: control, format and surrogate characters become `·`, long text is cut."""
    if text.isprintable() and len(text) <= limit:
        return text
    clean = "".join("·" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") else c for c in text[:limit])
    return clean + "…" if len(text) > limit else clean


def size(count: float) -> str:
    """Bytes in the units that disks and download pages use (1 GB = 10⁹ bytes): "1.3 GB"."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.95:
            return f"{count:.0f} {unit}" if count >= 100 else f"{count:.1f} {unit}"
    return f"{count / 1000:.1f} TB"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: "40 s", "12 min", "3 h 20 min"; "–" when unknown."""
    if seconds is None:
        return "–"
    seconds = round(seconds)
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def amount(done: float, unit: str) -> str:
    """A count with its unit, a plural: bytes as sizes, everything
    else with thin thousands: "12,000 images", "1 image".
    """
    number = f"{done:,.0f}"
    return size(done) if unit == "B" else f"{number} {unit.removesuffix('s') if number == '1' else unit}".rstrip()
