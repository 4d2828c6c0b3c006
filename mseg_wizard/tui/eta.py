"""How much work is left, in seconds: what each task would take on
an ordinary machine, corrected by what this one took so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from mseg_wizard.progress import Progress
from mseg_wizard.standing.snapshot import Snapshot
from mseg_wizard.standing.step_states import calls_left
from mseg_wizard.state.journal import Journal
from mseg_wizard.step import Call, Step
from mseg_wizard.tasks.registry import TASKS

DOWNLOAD, DISK = 15e6, 120e6
"""Bytes per second that the public servers give to one connection, and that an archive is unpacked with."""
SMALL = 2.0
"""Seconds for a task of which the step file tells none."""
SURE = 20.0
"""Seconds of work, or of one task under way, before anything is said."""
GUESSED = 0.5
"""Part of the rest that may lie in kinds of tasks that this machine has done none of: more would be a guess."""

ALMOST = 0.99
"""What is not complete is never told as 100%."""


def seconds_left(steps: Sequence[Step], journal: Journal, snapshot: Snapshot) -> float | None:
    """Seconds of work left in all steps; None until enough was measured, and when all is done.

    Waiting for people is not in it. What a step works on has to be here first, so that of all steps the one counts from
    whose last archive on it takes longest: what is fetched up to there, then its work and all that follows it.
    """
    measured = _Measured(steps, journal, snapshot)
    if measured.seconds < SURE:
        return None
    lines = max(1, sum(_network(key) for key in _at_work(snapshot)))
    hosts: dict[str, float] = {}
    fetched, worked = [0.0], [0.0]
    guessed = 0.0
    for step in steps:
        work = 0.0
        for call in calls_left(step, journal):
            now = _under_way(call, snapshot)
            factor = measured.factor(call)
            rest = usual_seconds(call) * (1.0 - _share(call, journal, snapshot)) * (1.0 if factor is None else factor)
            guessed += rest if factor is None else 0.0
            rest = (now.eta or 0.0) if now else rest
            if _network(call.key):
                hosts[host_of(call)] = hosts.get(host_of(call), 0.0) + rest
            else:
                work += rest
        # So many come at once, of each host one.
        fetched.append(max(max(hosts.values(), default=0.0), sum(hosts.values()) / lines))
        worked.append(work)
    total = max(before + sum(worked[number:]) for number, before in enumerate(fetched))
    return total if total and guessed <= GUESSED * (sum(worked) + sum(hosts.values())) else None


class _Measured:
    """How long things took here, compared with what they usually take."""

    def __init__(self, steps: Sequence[Step], journal: Journal, snapshot: Snapshot) -> None:
        self._spent: dict[str, float] = {}
        self._usual: dict[str, float] = {}
        self.seconds = 0.0
        """In all."""
        for step in steps:
            for call in step.calls:
                part, seconds = _share(call, journal, snapshot), journal.worked(call.key)
                if now := _under_way(call, snapshot):
                    seconds = now.done / (now.rate or 1.0)
                # Finished tasks tell the truth however short they were: an archive of practice is a thousandth of the
                # real one.
                if now or (seconds and part == 1.0):
                    self.seconds += seconds
                    for kind in _kinds(call):
                        self._usual[kind] = self._usual.get(kind, 0.0) + usual_seconds(call) * part
                        self._spent[kind] = self._spent.get(kind, 0.0) + seconds

    def factor(self, call: Call) -> float | None:
        """Times as long as usual that such a task takes here; None where nothing like it was measured."""
        kind = next((kind for kind in _kinds(call) if self._usual.get(kind, 0.0) > 0), None)
        return self._spent[kind] / self._usual[kind] if kind else None


def _kinds(call: Call) -> tuple[str, ...]:
    """What is alike in how long it takes, the most alike first: a host's archives; all work on labels."""
    kinds = f"{call.task} {host_of(call)}", call.task
    return (*kinds, "labels") if call.seconds else kinds


def share_done(steps: Sequence[Step], journal: Journal, snapshot: Snapshot) -> float:
    """How much of the whole journey's work is done, 0 to 1, by what each task usually takes; 1 only when all is."""
    calls = [call for step in steps for call in step.calls]
    whole = sum(usual_seconds(call) for call in calls)
    shares = [_share(call, journal, snapshot) for call in calls]
    if whole and min(shares) == 1.0:
        return 1.0
    part = sum(usual_seconds(call) * share for call, share in zip(calls, shares, strict=True)) / whole if whole else 0.0
    return min(ALMOST, part)


def usual_seconds(call: Call) -> float:
    """Seconds that a task takes on an ordinary machine with an ordinary line."""
    archive = call.archive
    if archive is None or not archive.size:
        return call.seconds or SMALL
    return archive.size / DOWNLOAD if call.task == "download" else archive.size * archive.expands / DISK


def _network(key: str) -> bool:
    task = key.split("/")[1]
    return task in TASKS and TASKS[task].network


def host_of(call: Call) -> str:
    """Where its archive comes from, as far as its step file tells; a link's host is its dataset's own. "" without."""
    archive = call.archive
    if archive is None:
        return ""
    return (urlsplit(archive.urls[0]).hostname if archive.urls else "") or archive.login or archive.dataset


def _at_work(snapshot: Snapshot) -> tuple[str, ...]:
    return (*snapshot.calls, *snapshot.ahead) if snapshot.running else ()


def _share(call: Call, journal: Journal, snapshot: Snapshot) -> float:
    if journal.done(call.key):
        return 1.0
    progress = snapshot.progress.get(call.key)
    return min(1.0, progress.done / progress.total) if progress and progress.total else 0.0


def _under_way(call: Call, snapshot: Snapshot) -> Progress | None:
    """The progress of a call that runs at a known rate."""
    progress = snapshot.progress.get(call.key) if call.key in _at_work(snapshot) else None
    return progress if progress and progress.rate and progress.eta is not None else None
