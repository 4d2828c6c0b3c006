"""How much work is left: held against journeys with the archives' real sizes, played through on many networks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from mseg_wizard.progress import Progress
from mseg_wizard.standing.snapshot import Snapshot
from mseg_wizard.state.journal import Journal
from mseg_wizard.step import Archive, Call, Step
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tui.eta import host_of, seconds_left, share_done, usual_seconds
from tests.benchmarks.journey import MB
from tests.benchmarks.simulation import FULL, Machine, simulate

DOWNLOAD = Call("s/download/a.zip", "download", "Fetch a", Archive(file="a.zip", dataset="A", bytes=3_000_000_000))
OTHER = Call("s/download/b.zip", "download", "Fetch b", Archive(file="b.zip", dataset="A", bytes=6_000_000_000))
STEP = Step("s", 1, "S", "s", "w", "t", "", (), (), (), (), (DOWNLOAD, OTHER))


def test_what_is_left_is_not_guessed_before_anything_was_measured() -> None:
    assert seconds_left([STEP], Journal(), Snapshot()) is None


def test_what_is_left_follows_what_this_machine_took() -> None:
    journal = Journal(finished={DOWNLOAD.key: "now"}, seconds={DOWNLOAD.key: 2 * usual_seconds(DOWNLOAD)})
    assert seconds_left([STEP], journal, Snapshot()) == pytest.approx(2 * usual_seconds(OTHER))
    running = Snapshot(
        running=True,
        calls=(OTHER.key,),
        progress={OTHER.key: Progress("x", 3_000_000_000, 6_000_000_000, "B", 1_000_000)},
    )
    assert seconds_left([STEP], journal, running) == pytest.approx(3000)


def test_what_is_left_is_not_said_where_most_of_it_is_of_a_kind_that_this_machine_never_did() -> None:
    """A practice of two minutes was told to take an hour: the real archives take that, its own do not."""
    unpack = Call("s/extract/b.zip", "extract", "Unpack b", Archive(file="b.zip", dataset="A", bytes=900_000_000_000))
    step = Step("s", 1, "S", "s", "w", "t", "", (), (), (), (), (DOWNLOAD, OTHER, unpack))
    journal = Journal(finished={DOWNLOAD.key: "now"}, seconds={DOWNLOAD.key: 30.0})
    assert seconds_left([step], journal, Snapshot()) is None
    assert seconds_left([STEP], journal, Snapshot()) == pytest.approx(60.0)


def test_the_share_of_the_journey_counts_work_and_not_steps() -> None:
    journal = Journal(finished={DOWNLOAD.key: "now"})
    assert share_done([STEP], Journal(), Snapshot()) == 0
    assert share_done([STEP], journal, Snapshot()) == pytest.approx(1 / 3)
    half = Snapshot(
        running=True, calls=(OTHER.key,), progress={OTHER.key: Progress("x", 3_000_000_000, 6_000_000_000, "B")}
    )
    assert share_done([STEP], journal, half) == pytest.approx(2 / 3)


def test_nothing_is_left_when_all_is_done() -> None:
    journal = Journal(finished={DOWNLOAD.key: "now", OTHER.key: "now"}, seconds={DOWNLOAD.key: 400.0, OTHER.key: 800.0})
    assert seconds_left([STEP], journal, Snapshot()) is None


@dataclass
class Played:
    """One call of a journey: how much of it was done at which time, from its beginning to its end."""

    call: Call
    points: list[tuple[float, float]] = field(default_factory=list)
    """Seconds and share done, in a line from each to the next."""

    @property
    def end(self) -> float:
        return self.points[-1][0]

    def at(self, now: float) -> tuple[float, float]:
        """Share done, and share per second."""
        for (since, before), (until, after) in zip(self.points, self.points[1:], strict=False):
            if since <= now < until:
                rate = (after - before) / (until - since)
                return before + (now - since) * rate, rate
        return 0.0, 0.0


def fetched(steps: Sequence[Step], rates: Mapping[str, float], hosts: int) -> dict[str, Played]:
    """Every archive comes, one from each host and from so many hosts at once; MB per second of each host."""
    waiting = [call for step in steps for call in step.calls if call.task == "download"]
    left: dict[str, float] = {}
    played = {call.key: Played(call) for call in waiting}
    now = 0.0
    while waiting or left:
        for call in list(waiting):
            if len(left) < hosts and host_of(call) not in {host_of(played[key].call) for key in left}:
                waiting.remove(call)
                left[call.key] = 1.0
                played[call.key].points.append((now, 0.0))
        speeds = {key: rates[host_of(played[key].call)] * MB / size_of(played[key].call) for key in left}
        step = min(left[key] / speeds[key] for key in left)
        now += step
        left = {key: share - step * speeds[key] for key, share in left.items()}
        for key in [key for key, share in left.items() if share < 1e-9]:
            played[key].points.append((now, 1.0))
            del left[key]
    return played


def size_of(call: Call) -> float:
    assert call.archive
    return call.archive.size


def journey(steps: Sequence[Step], rates: Mapping[str, float], hosts: int, cores: int, disk: float) -> list[Played]:
    """The whole, played through: archives ahead of their turn, unpacked by a disk of so many MB per second, and the
    label work by what each image costs.
    """
    arrivals = fetched(steps, rates, hosts)
    played, now = list(arrivals.values()), 0.0
    for step in steps:
        for call in step.calls:
            if call.task == "download":
                continue
            begin = now
            if call.archive:
                begin = max(now, arrivals[call.key.replace(f"/{call.task}/", "/download/")].end)
            now = begin + worked(call, cores, disk)
            played.append(Played(call, [(begin, 0.0), (now, 1.0)]))
    return played


def worked(call: Call, cores: int, disk: float) -> float:
    if call.archive:
        return call.archive.size * call.archive.expands / (disk * MB) if call.task == "extract" else 1.0
    ends = [
        simulate(row, Machine(cores))
        for row in FULL
        if call.task == "verify" or (row.phase == call.task and call.title.startswith(row.dataset.partition(",")[0]))
    ]
    return sum(end.wall + end.sync * (call.task != "verify") for end in ends) or 1.0


def seen(played: Sequence[Played], now: float) -> tuple[Journal, Snapshot]:
    """What is known at a moment."""
    ended = [one for one in played if one.end <= now]
    under_way = {one.call.key: (one, *one.at(now)) for one in played if one.points[0][0] <= now < one.end}
    journal = Journal(
        finished={one.call.key: "now" for one in ended},
        seconds={one.call.key: one.end - one.points[0][0] for one in ended},
    )
    turn = next((one.call.key.split("/")[0] for one in played if one.end > now and one.call.task != "download"), "")
    progress = {
        key: Progress(
            "at it", round(share * 1e9), 10**9, "B", rate * 1e9, call=key,
            ahead="fetching" if one.call.task == "download" and not key.startswith(f"{turn}/") else "",
        )
        for key, (one, share, rate) in under_way.items()
    }  # fmt: skip
    calls = tuple(key for key, said in progress.items() if not said.ahead)
    return journal, Snapshot(running=True, calls=calls, progress=progress)


def worlds() -> Iterator[tuple[str, Mapping[str, float], int, int, float]]:
    """Networks, cores and disks; of each host the rate in MB per second."""
    named = sorted({host_of(call) for step in load_steps() for call in step.calls if call.task == "download"})
    for rate in (2, 10, 100):
        for cores, disk in ((2, 150), (16, 400)):
            yield f"{rate} MB/s each, {cores} cores", dict.fromkeys(named, float(rate)), 4, cores, disk
    for seed in range(6):
        chance = random.Random(seed)
        rates = {host: chance.choice((2.0, 5.0, 10.0, 30.0)) for host in named}
        yield f"odd hosts {seed}", rates, chance.choice((1, 2, 4, 8)), chance.choice((2, 4, 16)), 300.0


@pytest.mark.parametrize(
    ("rates", "hosts", "cores", "disk"), [pytest.param(*rest, id=name) for name, *rest in worlds()]
)
def test_from_the_first_minute_on_what_is_left_is_told_within_a_factor_of_two(
    rates: Mapping[str, float], hosts: int, cores: int, disk: float
) -> None:
    """Where hosts differ, from when each was asked; where label work is most of it, from the first of that on."""
    steps = load_steps()
    played = journey(steps, rates, hosts, cores, disk)
    end = max(one.end for one in played)
    asked = max(
        min(one.points[0][0] for one in played if one.call.task == "download" and host_of(one.call) == host)
        for host in rates
    )
    known = asked if len(set(rates.values())) > 1 else 0.0
    labels = min(one.end for one in played if one.call.task == "remap")
    off, told = [], []
    for now in (60.0, *(end * part / 40 for part in range(1, 40))):
        left = seconds_left(steps, *seen(played, now))
        told.append(f"{now:.0f} s: {end - now:.0f} s, told {left and round(left)}")
        if end - now < 120 or now < known:
            continue
        if (left is None and now > labels) or (left is not None and not 0.5 <= left / (end - now) <= 2.0):
            off.append(told[-1])
    assert not off, told
