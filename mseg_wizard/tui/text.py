"""What the screen says, as plain text that fits a width: bars, rates, marks, masked links. No widgets."""

from __future__ import annotations

from datetime import UTC, datetime

from mseg_wizard.answers.fields import kind_of
from mseg_wizard.http.addresses import expiry, origin, web_address
from mseg_wizard.progress import Progress, Waiting, amount, duration, printable, size
from mseg_wizard.standing.snapshot import MARKS, Snapshot, standing
from mseg_wizard.state.journal import Journal
from mseg_wizard.step import Call, Field

STATES = {
    "done": "done",
    "running": "running",
    "stopped": "stopped",
    "waiting": "waits for you",
    "failed": "stopped by a problem",
    "pending": "not begun",
    "aside": "set aside until somebody has a copy",
    "filled": "form complete; begins when its turn comes",
}
"""The states of snapshot.MARKS in the user's words."""

STYLES = {
    "done": "$success",
    "running": "bold $accent",
    "stopped": "",
    "waiting": "bold $warning",
    "failed": "bold $error",
    "pending": "",
    "aside": "$warning",
    "filled": "$secondary",
}
"""Colours come second: the marks say the same without them."""


GLYPHS = {
    "done": "✓", "running": "▸", "stopped": "=", "waiting": "?", "failed": "!", "pending": "·", "aside": "−",
    "filled": "+",
}  # fmt: skip
"""Marks of one character, by state: they differ in shape, so that colour only adds."""


def fit(text: str, width: int) -> str:
    """At most `width` characters; what was cut is shown as cut."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


SOON = 3.0
"""Seconds below which no time left is told: it would be over before it is read."""
INDENT = " " * 4
"""What is told of a task stands below its title, right of its mark."""


def bar(fraction: float | None, width: int) -> str:
    """A bar; dashes while the end is unknown."""
    if fraction is None:
        return "–" * width
    full = int(min(1.0, max(0.0, fraction)) * width)
    return "█" * full + "░" * (width - full)


def progress_words(progress: Progress, width: int) -> str:
    """Where a task stands, on one line: bar, share, time left, rate,
    amounts; the last ones are left out where they don't fit.
    """
    if progress.retry_in is not None:
        return fit(f"tries again in {duration(progress.retry_in)}", width)
    share = progress.done / progress.total if progress.total else None
    parts = [f"{min(1.0, share):4.0%}" if share is not None else ""]
    if progress.eta is not None and progress.eta >= SOON:
        parts.append(f"{duration(progress.eta)} left")
    if progress.rate:
        parts.append(f"{amount(progress.rate, progress.unit)}/s" if progress.unit == "B" else f"{progress.rate:,.0f}/s")
    if progress.total and progress.done <= progress.total:
        of = size(progress.done) if progress.unit == "B" else f"{progress.done:,}"
        parts.append(f"{of} of {amount(progress.total, progress.unit)}")
    elif progress.done:
        parts.append(amount(progress.done, progress.unit))
    shortest = 10
    text = parts[0]
    for part in parts[1:]:
        if len(text) + 2 + len(part) + shortest + 1 > width:
            break
        text += "  " + part
    return bar(share, max(4, min(24, width - len(text) - 1))) + " " + text


def terminal_title(snapshot: Snapshot, part: float = 0.0, where: str = "") -> str:
    """How it stands, for the title of the terminal's window: the first words are all that a tab shows.

    `part` of the journey is done; `where`: title of the step that waits or has a problem.
    """
    stands = standing(snapshot)
    if stands.state == "pending":
        return "mseg-wizard"
    brief = " ".join([stands.brief, snapshot.scope]).strip() if snapshot.complete else stands.brief
    brief = f"{where}: {brief}" if where and stands.state in ("waiting", "failed") else brief
    share = f"{part:.0%}" if part and not snapshot.complete else ""
    return f"{MARKS[stands.state]} {' · '.join(each for each in (share, brief, 'mseg-wizard') if each)}"


def call_state(call: Call, snapshot: Snapshot, journal: Journal) -> str:
    """One of snapshot.STATES for one task's line."""
    if call.key in snapshot.calls:
        if snapshot.running:
            progress = snapshot.progress.get(call.key)
            return "waiting" if progress and progress.waiting else "running"
        if isinstance(snapshot.problem, Waiting):
            return "waiting"
        if snapshot.problem or snapshot.crash:
            return "failed"
    if journal.done(call.key):
        return "done"
    if call.key in (*snapshot.ahead, *snapshot.refused):
        return "running" if call.key in snapshot.ahead else "waiting"
    return "stopped" if call.key in snapshot.calls and not snapshot.complete else "pending"


def shown(item: Field, text: str) -> str:
    """What may be shown of an answer that the vault keeps: a user's name, of anything else what `masked` tells."""
    return printable(text, 100) if kind_of(item).seen else masked(text)


def masked(text: str) -> str:
    """What may be shown of a secret: its length; of a link also the host and the file name, never the query."""
    length = f"{len(text):,} characters"
    if not text.lower().startswith(("http://", "https://")):
        return f"●●●● {length}"
    if (url := web_address(text)) is None:
        return f"●●●● {length}; this is no link that can be used"
    until = expiry(url)
    name = printable(url.path.rstrip("/").rsplit("/", 1)[-1], 60)
    where = printable(origin(url).partition("://")[2].rpartition("@")[2], 80)
    lasts = (
        f", {'expired on' if until <= datetime.now(UTC) else 'valid until'} {until.astimezone():%Y-%m-%d %H:%M}"
        if until
        else ""
    )
    return f"●●●● {name or 'link'} at {where}, {length}{lasts}"


def ends(text: str) -> datetime | None:
    """When this is of no use any more, where it is a link that says so."""
    url = web_address(text)
    return expiry(url) if url else None


def expired(text: str) -> bool:
    """Is this a link that says that it is of no use any more?"""
    at = ends(text)
    return bool(at and at <= datetime.now(UTC))


def whole_parts(text: str, width: int) -> str:
    """The parts between dots that fit; all where the width isn't known yet."""
    while width and len(text) > width and " · " in text:
        text = text.rpartition(" · ")[0]
    return text
