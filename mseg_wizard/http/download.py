"""One file from a list of addresses, resumable across processes, in place only when whole and checked.

What it is for is not known here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from zipfile import is_zipfile

import httpx

from mseg_wizard.core.background import Job, background
from mseg_wizard.http.addresses import Routes
from mseg_wizard.http.arrival import Arrival
from mseg_wizard.http.attempt import Attempt
from mseg_wizard.http.client import HttpClient
from mseg_wizard.http.connections import CONNECTIONS
from mseg_wizard.http.partial_file import PartialFile, disk_problems
from mseg_wizard.http.refusals import ConnectionBroken, SourceRefused, TryAgain, unavailable
from mseg_wizard.http.remote_file import Endpoint, Fetched, Location, PublishedFacts, RetryPolicy, endpoint_of
from mseg_wizard.http.retries import Attempts, Patience, following
from mseg_wizard.progress import Meter, Progress, duration, size

log = logging.getLogger(__name__)


def fetch(
    target: Path,
    locations: Sequence[Location],
    expected: PublishedFacts | None = None,
    *,
    routes: Routes | None = None,
    state_path: Path | None = None,
    retry_policy: RetryPolicy | None = None,
    connections: int = CONNECTIONS,
) -> Generator[Progress, None, Fetched]:
    """Fetch the file into `target`, through `<target>.part`; raises Problem, LinkRefused.

    `state_path`: where it is kept what the partial file is, `<target>.part.json` unless given. `connections`: how many
    to one server at most.
    """

    def work(job: Job) -> Fetched:
        with disk_problems(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        patient = retry_policy or RetryPolicy()
        with closing(HttpClient(job, routes, stall=patient.stall)) as client, PartialFile(target, state_path) as part:
            endpoints = [endpoint_of(location, client) for location in locations]
            arrival = Arrival(job, client, part, target.name, expected or PublishedFacts())
            return _Fetch(arrival, patient, connections).run(endpoints)

    running = background(work, Progress(f"looking for {target.name}", unit="B"))
    meter, doing = Meter(), ""
    try:
        while True:
            try:
                progress = next(running)
            except StopIteration as done:
                result: Fetched = done.value
                return result
            if progress.doing != doing:
                meter, doing = Meter(), progress.doing
            yield replace(progress, rate=None if progress.retry_in is not None else meter.rate(progress.done))
    finally:
        running.close()


class _Mismatch(Exception):
    """All bytes are there, and they are not the published file."""


class _Fetch:
    """One file's way in: sources in order, attempts at each, the check at the end. Runs in the task's thread."""

    def __init__(self, arrival: Arrival, policy: RetryPolicy, connections: int) -> None:
        self.arrival, self.policy, self.connections = arrival, policy, connections

    def run(self, endpoints: Sequence[Endpoint]) -> Fetched:
        arrival, refused = self.arrival, list[tuple[Endpoint, SourceRefused]]()
        try:
            for endpoint in endpoints:
                try:
                    return self._from(endpoint, last=endpoint is endpoints[-1])
                except SourceRefused as why:
                    log.warning("%s: %s: %s", arrival.name, endpoint.title, why)
                    refused.append((endpoint, why))
                    arrival.refused = f"{endpoint.title}: {why}"
                    if why.link and arrival.offset(endpoint) and not arrival.decisive(endpoint):
                        break  # the next source would have to begin again: better a fresh link than 20 GB lost
        finally:
            arrival.drop_hasher()
        anew = [endpoint for endpoint, why in refused if not why.resumes]
        continues = any(arrival.offset(endpoint) for endpoint in endpoints if endpoint not in anew)
        raise unavailable(arrival.name, arrival.part.size, continues, refused)

    def _from(self, endpoint: Endpoint, last: bool) -> Fetched:
        """The file from one source, in as many attempts as it takes; raises SourceRefused."""
        arrival, location = self.arrival, endpoint.location
        patience = Patience(self.policy, last, location.doubtful, bool(location.login), endpoint.pasted)
        attempts = Attempts(best=arrival.offset(endpoint))
        while True:
            attempt = Attempt(arrival, endpoint, self.policy, attempts)
            try:
                attempt.run(self.connections)
                return self._checked(endpoint, attempt.finals)
            except _Mismatch as mismatch:
                pieced = arrival.part.pieced
                arrival.discard()
                if not pieced or attempts.rebuilt:
                    raise SourceRefused(str(mismatch)) from None
                told = "%s: %s: %s; it came in pieces, so it is fetched anew"
                log.warning(told, arrival.name, endpoint.title, mismatch)
                attempts = Attempts(rebuilt=True, alone=True, logged_in=attempt.logged_in)
            except TryAgain as again:
                so_far = replace(attempts, alone=attempt.alone, logged_in=attempt.logged_in)
                after = following(so_far, again, arrival.part.size, attempt.anew, patience)
                if isinstance(after, SourceRefused):
                    raise after from None
                attempts = after
                if not again.login:
                    log.info("%s: %s: %s; trying again", arrival.name, endpoint.title, again)
                    self._pause(endpoint, again, attempts.wait)

    def _pause(self, endpoint: Endpoint, again: TryAgain, delay: float) -> None:
        """Wait before the next attempt, counting down."""
        why = str(again)
        if again.after is not None and again.after > delay:
            why += f", and asks to wait {duration(again.after)}"
        until = time.monotonic() + delay
        while (left := until - time.monotonic()) > 0:
            self.arrival.say(endpoint, f"waiting to try {self.arrival.name} again: {why}", left)
            self.arrival.job.sleep(min(0.2, left))

    def _checked(self, endpoint: Endpoint, finals: Sequence[httpx.URL]) -> Fetched:
        """Compare with what was published, then put the file in place; raises _Mismatch, TryAgain."""
        arrival, expected, part = self.arrival, self.arrival.expected, self.arrival.part
        length, name = part.size, arrival.name
        cut = name.lower().endswith(".zip") and not arrival.decisive(endpoint) and not is_zipfile(part.path)
        if cut and arrival.open_end:
            raise ConnectionBroken(f"its answer ended after {size(length)}, before the zip archive does")
        sums = self._sums(length)
        wrong = []
        if expected.bytes not in (None, length):
            wrong.append(f"its file has {length:,} bytes, the published one has {expected.bytes:,}")
        for kind, value in expected.hashes.items():
            if sums[kind] != value:
                wrong.append(f"its {kind} is {sums[kind]}, the published one is {value}")
        if wrong and arrival.binding(endpoint, *finals):
            raise _Mismatch("; ".join(wrong))
        if cut:
            raise _Mismatch(f"its file ends before the zip archive does, after {length:,} bytes")
        doubt = ""
        if arrival.open_end and not expected.hashes and expected.bytes is None:
            doubt = f"{endpoint.title} did not say how long it is: only unpacking it can show whether it is whole"
        arrival.job.check()
        part.finish()
        return Fetched(
            length,
            sums["sha256"],
            sums.get("md5", ""),
            endpoint.title,
            endpoint.location,
            tuple(f"{endpoint.title}: {text}" for text in wrong),
            doubt,
        )

    def _sums(self, length: int) -> Mapping[str, str]:
        hasher = self.arrival.hasher
        hasher.grow(length, last=True)
        while not hasher.finished(0.2):
            self.arrival.job.say(Progress(f"checking {self.arrival.name}", hasher.done, length, "B"))
        return hasher.digests()
