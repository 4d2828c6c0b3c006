"""Whether and how a source is asked again: one function from how it went so far to the next attempt. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from mseg_wizard.http.refusals import ConnectionBroken, SourceRefused, TryAgain
from mseg_wizard.http.remote_file import RetryPolicy
from mseg_wizard.progress import duration, size

ANEW = 3
"""Attempts that began at the first byte and came no further than what was here, since one brought something.

One may be a cache that knows no parts; each may cost as much as the whole file.
"""
TOLD = 6
"""Reasons that are told at most."""


@dataclass(frozen=True)
class Attempts:
    """How it went at one source, and so how it is asked next."""

    best: int = 0
    """The most bytes that were here."""
    fruitless: tuple[str, ...] = ()
    """Why those attempts ended that brought nothing, since one brought something."""
    anew: int = 0
    """How many of these began at the first byte though bytes were here."""
    whole: bool = False
    """The next request is for the whole file."""
    alone: bool = False
    """One connection at a time."""
    logged_in: bool = False
    relogged: bool = False
    """It asked for another login since it brought something."""
    rebuilt: bool = False
    """All was thrown away once: its pieces were of two files."""
    wait: float = 0.0
    """Seconds before it."""


@dataclass(frozen=True)
class Patience:
    """How long a source is asked."""

    policy: RetryPolicy
    last: bool = True
    """No other source is left."""
    doubtful: bool = False
    """It may well not have the file any more."""
    login: bool = False
    """A login could help."""
    pasted: bool = False
    """A fresh link could help."""

    def tries(self, best: int) -> int:
        """Attempts in a row that may bring nothing."""
        return self.policy.tries if best or (self.last and not self.doubtful) else self.policy.tries_before_next


def following(before: Attempts, again: TryAgain, here: int, anew: bool, patience: Patience) -> Attempts | SourceRefused:
    """The attempt after one that ended with `again` and left `here` bytes; or why there is none.

    `anew`: its response began at the first byte though bytes were here.
    """
    gained = here > before.best
    now = replace(
        before,
        best=max(before.best, here),
        fruitless=() if gained else (*before.fruitless, str(again)),
        anew=0 if gained else before.anew + anew,
        relogged=before.relogged and not gained,
        alone=before.alone or not (again.login or isinstance(again, ConnectionBroken)),
        whole=again.whole,
        wait=0.0,
    )
    if again.login:
        if not patience.login or now.relogged:
            return SourceRefused(str(again), link=patience.pasted)
        # Neither a login nor what asked for it says anything about the connection.
        return replace(now, logged_in=False, relogged=True, whole=before.whole)
    if now.anew >= ANEW:
        why = f"it begins at the first byte each time and comes no further than the {size(now.best)} that were here"
        return SourceRefused(f"{why} ({_told(now.fruitless)}): it can't resume a download", resumes=False)
    impatient = (again.after or 0) > patience.policy.asked and not patience.last and not now.best
    if len(now.fruitless) >= patience.tries(now.best) or impatient:
        asked = f", and asks to wait {duration(again.after)}" if again.after else ""
        return SourceRefused(_told(now.fruitless or (str(again),)) + asked)
    at_once = again.whole and not before.whole
    delay = patience.policy.delay(0 if at_once else len(now.fruitless))
    return replace(now, wait=delay if again.after is None else min(again.after, patience.policy.asked))


def _told(reasons: Sequence[str]) -> str:
    """Why each of these attempts failed: the same reason in a row is told once, with its count."""
    runs = [(why, len(list(group))) for why, group in groupby(reasons)]
    if len(runs) == 1:
        return runs[0][0] + (f", {runs[0][1]} times in a row" if runs[0][1] > 1 else "")
    told = [why + (f" ({count} times)" if count > 1 else "") for why, count in runs[-TOLD:]]
    return f"{len(reasons)} attempts in a row brought nothing: " + ", then ".join(
        ["…", *told] if len(runs) > TOLD else told
    )
