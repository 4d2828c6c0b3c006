"""Fetching ahead: archives of later calls come while earlier ones work. Nothing but fetching runs ahead of the order.

The engine's loop polls it, and it alone begins and ends what it fetches, so nothing here is locked. An archive comes by
the same task as at its turn, into the same partial file: stopped or killed, it goes on from there, whoever goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Container, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mseg_wizard.calls import waiting, worked
from mseg_wizard.context import Context
from mseg_wizard.core.background import JOIN, LOOK_JOIN, Job, background, in_own_thread, in_thread
from mseg_wizard.core.log import redact
from mseg_wizard.datasets.disk_space import DiskChange, keeps_room, still_to_come
from mseg_wizard.datasets.inventory import missing_files
from mseg_wizard.datasets.locations import address_of, link_digest, local_source, sources
from mseg_wizard.http.addresses import expiry, origin
from mseg_wizard.progress import Problem, Progress, Waiting, size
from mseg_wizard.step import Archive, Call, Step
from mseg_wizard.tasks.registry import TASKS

log = logging.getLogger("mseg_wizard")

LOOK = 5.0
"""Seconds between two looks at what may be fetched and at the room on the disk."""
AGAIN = "It is tried again when its turn comes."


@dataclass(frozen=True)
class Fetchable:
    """An archive that is not here, and where it would be asked for."""

    step: Step
    call: Call
    archive: Archive
    host: str
    ends: datetime
    """When its link expires; the last of all days where it doesn't say."""
    places: tuple[str, ...]
    """Digests of its addresses: another one is another chance."""


@dataclass(frozen=True)
class FetchPlan:
    """What a look found."""

    wanted: tuple[Fetchable, ...] = ()
    """In the order in which they are to come."""
    hosts: Mapping[str, str] | None = None
    """Key of a download → the host that it asks."""
    fits: frozenset[str] = frozenset()
    """Keys of those under way, and then of `wanted`, that leave the rest the room that it needs, all together."""


@dataclass
class _Lane:
    fetched: Fetchable
    work: Generator[Progress, None, None]
    newest: Progress


class Ahead:
    """What is fetched before its turn, for one run of `steps`."""

    def __init__(self, ctx: Context, steps: Sequence[Step]) -> None:
        self._ctx, self._steps = ctx, steps
        self._lanes: dict[str, _Lane] = {}
        self._refused: dict[str, tuple[str, ...]] = {}
        """Key → addresses that did not give the archive: asked again at its turn, or once there is another one."""
        self._said: dict[str, str] = {}
        """Key → what was last said of it where it was refused."""
        self._here: dict[str, bool] = {}
        """By key, whether what the archive brings was there at the first look."""
        self._changes: list[DiskChange] | None = None
        self._planning: Generator[Progress, None, FetchPlan] | None = None
        self._plan = FetchPlan()
        self._due = 0.0
        self.idle = False
        """The last look found nothing to fetch that could be, and nothing is under way."""

    @property
    def held(self) -> set[str]:
        """Keys of the calls that wait until what is under way has ended: those that bring the same archive."""
        files = {lane.fetched.archive.file for lane in self._lanes.values()}
        return {call.key for step in self._steps for call in step.calls if call.archive and call.archive.file in files}

    def poll(
        self,
        checked: Collection[str],
        begun: Collection[str],
        turn: Container[str] = (),
        without: Collection[str] = (),
    ) -> Iterator[Progress]:
        """Begin what may begin; where each archive stands. Waits for nothing.

        `checked` and `begun`: the order's calls that are complete, and those under way. `turn`: archives whose turn has
        come while they are under way; what refuses one of these is raised, as it is of any call in its turn. `without`:
        calls in their turn that wait for the user.
        """
        if not self.may_fetch(checked):
            return
        yield from self._advance(turn)
        self._make_way(begun)
        self._look(checked, begun, without)
        for fetchable in self._plan.wanted:
            if self._may_begin(fetchable, checked, begun):
                self._begin(fetchable)

    def lacking(self) -> list[str]:
        """In words, the archives that are not here and not under way, each with the reason."""
        rows = []
        for step in self._steps:
            for call in step.calls:
                archive = call.archive
                if call.task != "download" or archive is None or not TASKS["download"].missing(self._ctx, archive):
                    continue
                if local_source(self._ctx, archive) or archive.file in self._ctx.store.journal.aside:
                    continue
                fields = [step.field(name).label for name in waiting(step, self._ctx)]
                why = self._said.get(call.key) or (f"{step.form} lacks: {', '.join(fields)}." if fields else "")
                if not why and self._awaited(step, archive):
                    why = "only a browser can fetch it."
                why = why or "the disk has no room for it beside what the rest needs at its peak."
                rows.append(f"{archive.file} ({size(archive.size)}; step {step.number}, {step.title}): {why}")
        return rows

    def close(self) -> None:
        """End all; what came stays."""
        if self._planning:
            self._planning.close()
        for ended in [in_thread(lane.work.close, f"end of {key}"[:60]) for key, lane in self._lanes.items()]:
            ended.result(2 * JOIN)
        self._lanes.clear()

    def may_fetch(self, checked: Container[str]) -> bool:
        """Is the first step complete? Before that it is not known what is wanted, nor how much room there is."""
        if not self._ctx.options.hosts:
            return False
        asked = {step.id for step in self._steps}
        first = self._ctx.steps[0]
        return all(
            call.key in checked or (first.id not in asked and self._ctx.store.journal.done(call.key))
            for call in first.calls
        )

    def _advance(self, turn: Container[str]) -> Iterator[Progress]:
        for key, lane in list(self._lanes.items()):
            early = lane.fetched.archive.file not in turn
            try:
                lane.newest = replace(next(lane.work), call=key, ahead="fetching" if early else "")
            except StopIteration:
                record = self._ctx.store.archive(lane.fetched.archive.file)
                count = record.size if record else lane.newest.done
                self._end(key)
                if early and lane.fetched.archive.file not in self._ctx.store.journal.aside:
                    yield Progress("is here, ahead of its turn", count, count, "B", call=key, ahead="here")
            except Exception as error:
                self._end(key, refused=True)
                if not early:
                    yield lane.newest
                    raise
                yield self._told(lane, error)
            else:
                yield lane.newest

    def _told(self, lane: _Lane, error: Exception) -> Progress:
        """A refusal stops nothing: it is said, and the archive waits for another answer or for its turn."""
        key, waits = lane.fetched.call.key, isinstance(error, Waiting)
        if isinstance(error, Problem):
            log.warning("%s, ahead of its turn: %s", key, error)
            said = f"{error.what} {error.do if waits else AGAIN}"
        else:  # a bug: at its turn it stops the work
            log.error("%s, ahead of its turn: unexpected", key, exc_info=error)
            said = f"A bug of the wizard's own: {type(error).__name__}. {AGAIN}"
        self._said[key] = redact(said)
        return Progress(self._said[key], call=key, waiting=waits, ahead="refused")

    def _end(self, key: str, *, refused: bool = False) -> None:
        lane = self._lanes.pop(key)
        lane.work.close()
        if refused:
            self._refused[key] = lane.fetched.places
        hosts = {other: host for other, host in (self._plan.hosts or {}).items() if other != key or refused}
        self._plan, self._due = replace(self._plan, wanted=(), hosts=hosts), 0.0

    def _make_way(self, begun: Collection[str]) -> None:
        """What comes in its turn goes first: at its host, and among so many hosts; so does the room on the disk."""
        own = self._own_hosts(begun)
        for number, (key, lane) in enumerate(list(self._lanes.items())):
            late = number >= self._ctx.options.hosts - len(own)
            if late or lane.fetched.host in own or key not in self._plan.fits:
                log.info("%s: makes way; what came stays", key)
                self._end(key)

    def look_anew(self) -> None:
        """Whether anything can be fetched is not known until the next look has ended."""
        if self._planning:
            self._planning.close()
        self._planning, self._due, self.idle = None, 0.0, False

    def _look(self, checked: Collection[str], begun: Collection[str], without: Collection[str]) -> None:
        """Have a thread look at what may be fetched, every few seconds and when something ended."""
        if self._planning is None:
            if time.monotonic() < self._due:
                return
            asked = set(checked) | set(without), set(begun), tuple(self._lanes)
            self._planning = background(lambda job: self._planned(job, *asked), Progress(""), 0, LOOK_JOIN)
            self._due = time.monotonic() + LOOK
        try:
            next(self._planning)
        except StopIteration as done:
            self._planning, self._plan = None, done.value
            self.idle = not self._lanes and not any(found.call.key in self._plan.fits for found in self._plan.wanted)
        except Exception as error:  # of a disk that fails, say: the order's own call says so, in its place
            log.warning("looking at what may be fetched ahead: %s", redact(str(error)))
            self._planning, self.idle = None, not self._lanes

    def _planned(self, job: Job, checked: set[str], begun: set[str], lanes: tuple[str, ...]) -> FetchPlan:
        wanted, hosts = [], {}
        for step in self._steps:
            lacks = waiting(step, self._ctx)
            for call in step.calls:
                job.check()
                if call.task != "download" or call.key in checked or not (found := self._fetchable(step, call)):
                    continue
                hosts[call.key] = found.host
                apart = call.key in begun or call.key in lanes or self._refused.get(call.key) == found.places
                if not (lacks or apart or self._awaited(step, found.archive) or self._is_here(found)):
                    wanted.append(found)
        wanted.sort(key=lambda found: found.ends)
        if self._changes is None and wanted:
            self._changes = still_to_come(self._ctx, job.check, begun=True)
        fits = begun & set(hosts)
        for key in (*lanes, *(found.call.key for found in wanted)):
            if not keeps_room(self._ctx, self._changes or [], fits | {key}):
                break
            fits.add(key)
        return FetchPlan(tuple(wanted), hosts, frozenset(fits))

    def _fetchable(self, step: Step, call: Call) -> Fetchable | None:
        """Where a call's archive is asked for; None where it was seen or set aside before, or is a file here.

        What is known of an archive that was seen before counts at its turn.
        """
        archive, ctx = call.archive, self._ctx
        record = archive and ctx.store.archive(archive.file)
        known = archive and ((record and not record.failed) or archive.file in ctx.store.journal.aside)
        if archive is None or known or ctx.store.journal.done(call.key):
            return None
        places = list(sources(ctx, archive))
        address = None if not places or any(place.path for place in places) else address_of(ctx, archive, places[0])
        if address is None:
            return None
        ends = min((end for place in places if (url := address_of(ctx, archive, place)) and (end := expiry(url))),
                   default=datetime.max.replace(tzinfo=UTC))  # fmt: skip
        return Fetchable(step, call, archive, origin(address), ends, tuple(link_digest(ctx, place) for place in places))

    def _awaited(self, step: Step, archive: Archive) -> bool:
        """Is a person to bring it?"""
        asks = any(call.task == "expect" and call.archive == archive for call in step.calls)
        return asks and bool(TASKS["expect"].missing(self._ctx, archive))

    def _is_here(self, found: Fetchable) -> bool:
        """Is all that it brings there?"""
        if found.call.key not in self._here:
            self._here[found.call.key] = not missing_files(self._ctx, found.archive)
        return self._here[found.call.key]

    def _may_begin(self, found: Fetchable, checked: Container[str], begun: Collection[str]) -> bool:
        """Once more, as it is now: the look took a while."""
        key, own = found.call.key, self._own_hosts(begun)
        if key in checked or key in begun or key in self._lanes or key not in self._plan.fits:
            return False
        if any(other not in self._plan.fits for other in begun if other in (self._plan.hosts or {})):
            self._due = 0.0  # began since: how much room it takes was not asked
            return False
        busy = own | {lane.fetched.host for lane in self._lanes.values()}
        return len(busy) < self._ctx.options.hosts and found.host not in busy

    def _own_hosts(self, begun: Collection[str]) -> set[str]:
        """What the order's own downloads ask."""
        hosts = self._plan.hosts or {}
        return {hosts[key] for key in begun if key in hosts}

    def _begin(self, found: Fetchable) -> None:
        call = found.call
        log.info("%s: is fetched ahead of its turn", call.key)
        ctx = self._ctx.during(call.key, foreign=False, distrust=False)
        first = Progress(f"looking for {found.archive.file}", unit="B", call=call.key, ahead="fetching")
        self._lanes[call.key] = _Lane(found, in_own_thread(worked(ctx, call), first, 0), first)
