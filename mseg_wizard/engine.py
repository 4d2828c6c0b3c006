"""The one loop that works through the steps, the gate that keeps their order, and the one thread that drives them."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Container, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

from mseg_wizard.ahead import Ahead
from mseg_wizard.calls import as_problem, waiting, worked
from mseg_wizard.context import Context
from mseg_wizard.core.background import LOOK_JOIN, background, in_own_thread
from mseg_wizard.core.files import write_atomically
from mseg_wizard.core.limits import limit_of
from mseg_wizard.core.log import redact
from mseg_wizard.datasets.locations import looked_at
from mseg_wizard.datasets.withdrawn import waits_for_archive
from mseg_wizard.progress import FetchAgain, Problem, Progress, Waiting, amount
from mseg_wizard.standing.snapshot import FILE, Snapshot, publish, published
from mseg_wizard.standing.step_states import aside_archives
from mseg_wizard.step import Call, Step
from mseg_wizard.tasks.registry import TASKS

log = logging.getLogger("mseg_wizard")


ITEMS = "items.txt"
"""Among the wizard's own things: what the last problem concerns, where that is too much for the log."""
LOGGED = 1000
"""Items of a problem that the log names: a disk that fails can make a problem of all 240,000 images, at every try."""
LANE_POLL = 0.02
"""Seconds between two looks at what runs in threads of its own, at most. They begin short after an end: a start checks
90 calls, most of which take less.
"""
FIRST_POLL = 0.001


def run(steps: Sequence[Step], ctx: Context, *, fetch_on: bool = False) -> Generator[Progress, None, None]:
    """Work through `steps` in order; returns when all are complete, or set aside as `datasets.withdrawn` has it.

    Yields where the running calls stand, in turn: within a step a call of the network may run beside one of the
    processors, and archives of later calls are fetched ahead. Raises Waiting where a step needs the user first, Problem
    where something went wrong; the newest progress is then that of the call that ended it.

    `fetch_on`: while a step waits for its form, which its progress says at once, what can be fetched ahead is; it goes
    on by itself after an answer, and Waiting is raised when nothing more can be fetched.

    An archive that was fetched and is damaged inside is fetched once more: nobody need get up for that at night.
    """
    checked: set[str] = set()
    aside: set[str] = set()
    lanes: dict[str, Generator[Progress, None, None]] = {}
    newest: dict[str, Progress] = {}
    waits: dict[str, Waiting] = {}
    alone, answered, pause = False, ctx.answered, FIRST_POLL
    with ExitStack() as ends:
        ahead = ends.enter_context(closing(Ahead(ctx, steps)))
        while True:
            if not lanes and _turned_up(ctx, steps, aside):
                checked.clear()  # later steps were done without it
            if waits and ctx.answered != answered:
                waits.clear()
            answered = ctx.answered
            turn: set[str] = set()
            for step, call in due(steps, checked | aside, {*lanes, *waits}):
                if call.archive and call.key in ahead.held:
                    turn.add(call.archive.file)
                    continue
                work = _work(ctx, step, call)
                newest[call.key] = Progress(call.title, call=call.key)
                alone = len({_network(other) for other in step.calls}) == 1
                lanes[call.key] = work if alone else in_own_thread(work, newest[call.key], 0)
                ends.callback(lanes[call.key].close)
            if not (lanes or turn or waits):
                return
            before = len(checked)
            try:
                yield from _advanced(lanes, newest, ctx, checked, aside)
                yield from _noted(newest, ahead.poll(checked, lanes, turn, waits))
            except FetchAgain as problem:
                key = next(reversed(newest))
                del lanes[key]
                log.warning("%s It is fetched once more.", problem.what)
                checked.difference_update(_brings(steps, key))
                yield Progress("It is damaged: it is fetched once more, then unpacked", call=key)
            except Waiting as problem:
                key = next(reversed(newest))
                if not (fetch_on and problem.step and problem.lacks and ahead.may_fetch(checked)):
                    raise
                lanes.pop(key, None)
                waits[key] = problem
                ahead.look_anew()
            yield from (_waiting(key, problem) for key, problem in waits.items())
            if waits and ahead.idle and not (lanes or turn):
                raise next(iter(waits.values()))
            pause = min(LANE_POLL, 2 * pause) if len(checked) == before else FIRST_POLL
            if not (lanes and alone):  # that one waits by itself
                time.sleep(pause)


def _advanced(
    lanes: dict[str, Generator[Progress, None, None]],
    newest: dict[str, Progress],
    ctx: Context,
    checked: set[str],
    aside: set[str],
) -> Iterator[Progress]:
    """Advance each lane by one; what ended is checked, or set aside."""
    for key, lane in list(lanes.items()):
        try:
            said = next(lane)
        except StopIteration:
            del lanes[key]
            (checked if ctx.store.journal.done(key) else aside).add(key)
            continue
        except Exception:
            yield from _noted(newest, (newest[key],))
            raise
        yield from _noted(newest, (said,))


def _noted(newest: dict[str, Progress], said: Iterable[Progress]) -> Iterator[Progress]:
    """What is said, on its way; the newest stands last."""
    for progress in said:
        newest.pop(progress.call, None)
        newest[progress.call] = progress
        yield progress


def _waiting(key: str, problem: Waiting) -> Progress:
    return Progress(str(problem), call=key, waiting=True, lacks=problem.lacks)


def _brings(steps: Sequence[Step], key: str) -> list[str]:
    """The downloads of the archive that the call `key` works on."""
    archive = next(call.archive for step in steps for call in step.calls if call.key == key)
    return [call.key for step in steps for call in step.calls if call.task == "download" and call.archive == archive]


def fetch_all(steps: Sequence[Step], ctx: Context) -> Generator[Progress, None, None]:
    """The first step, then every archive that can be fetched, and nothing else; returns when all archives are here.

    Raises Waiting that names those that a person must bring, or see to.
    """
    yield from run(ctx.steps[:1], ctx)
    checked = {call.key for call in ctx.steps[0].calls}
    last = ctx.steps[0].calls[-1].key
    with closing(Ahead(ctx, steps)) as ahead:
        while not ahead.idle:
            yield from ahead.poll(checked, ())
            yield Progress("looking at what can be fetched", call=last)
            time.sleep(LANE_POLL)
        looking = Progress("looking at what is here", call=last)
        if lacking := (yield from background(lambda _: ahead.lacking(), looking)):
            raise Waiting(
                f"{amount(len(lacking), 'archives')} could not be fetched.",
                "Bring them, or see to what is said of them, then start again. The others are here.",
                lacks=lacking,
            )


def _turned_up(ctx: Context, steps: Sequence[Step], aside: set[str]) -> bool:
    """Has something that was set aside? It is no more then."""
    before = len(aside)
    for call in (call for step in steps for call in step.calls if call.key in aside):
        with as_problem(call):
            if not waits_for_archive(ctx, call):
                aside.remove(call.key)
    return len(aside) < before


def due(steps: Sequence[Step], checked: Container[str], begun: Container[str]) -> Iterator[tuple[Step, Call]]:
    """The order gate: which calls may begin, given those whose outputs were seen complete since this start, or that
    stay aside, and those under way.

    All are of the first step that isn't complete, one at most for the network and one for the processors, each of them
    in the step's order. A call waits for the earlier ones of its archive; one that has no archive, and is not the
    network's, for all earlier ones.
    """
    step = next((step for step in steps if any(call.key not in checked for call in step.calls)), None)
    if step is None:
        return
    # Not the first ones always: what turned out damaged is due again when later ones have begun.
    taken = {_network(call) for call in step.calls if call.key in begun}
    for number, call in enumerate(step.calls):
        network = _network(call)
        if call.key in checked or network in taken:
            continue
        taken.add(network)
        before = [
            other for other in step.calls[:number] if other.archive == call.archive or not (network or call.archive)
        ]
        if all(other.key in checked for other in before):
            yield step, call


def _network(call: Call) -> bool:
    return call.task in TASKS and TASKS[call.task].network


def _work(ctx: Context, step: Step, call: Call) -> Generator[Progress, None, None]:
    """One call: nothing where its outputs are there, else what makes them."""
    looking = Progress(f"checking: {call.title}", call=call.key)
    yield looking
    with as_problem(call):
        if ctx.store.journal.done(call.key) and not (yield from _missing(ctx, call, looking)):
            yield Progress(TASKS[call.task].end(ctx, *call.given), call=call.key)
            return
        if waits_for_archive(ctx, call):
            yield Progress(f"set aside: {call.title}", call=call.key)
            return
        lacks = waiting(step, ctx)
        seen = looked_at(ctx, step) if lacks else []
    if lacks:
        labels = ", ".join(step.field(name).label for name in lacks)
        what = " ".join([f"Step {step.number}, {step.title}, waits for you: {labels}.", *ctx.reasons(step.id), *seen])
        raise Waiting(what, f"Fill in {step.form}.", step.id, lacks)
    yield from start(ctx, call)


def start(ctx: Context, call: Call) -> Generator[Progress, None, None]:
    """Run one call to its end, check its outputs, and note it as finished: a return alone is no proof."""
    if call.task not in TASKS:
        what = f"{call.title}: the step file asks for {call.task!r}, which is not in this version."
        raise Problem(what, "Everything up to here is done and stays. Update mseg-wizard, or correct the step file.")
    store = ctx.store
    ctx = ctx.during(call.key, foreign=not store.journal.ours(call.key), distrust=store.start(call.key))
    log.info("%s: begins", call.key)
    progress = yield from worked(ctx, call)
    looking = replace(progress, doing=f"checking what became of it: {call.title}", rate=None, call=call.key)
    with as_problem(call):
        missing = yield from _missing(ctx, call, looking)
        aside = bool(missing) and waits_for_archive(ctx, call)
    if aside:
        log.info("%s: set aside", call.key)
        return
    if missing:
        raise Problem(
            f"{call.title}: {len(missing):,} outputs are not there after the work, such as {missing[0]}.",
            "Start again: only what is missing is made. If it happens twice, please report it with the log.",
            missing,
        )
    store.finish(call.key)
    log.info("%s: complete", call.key)
    end = TASKS[call.task].end(ctx, *call.given)
    yield Progress(end, progress.total or progress.done, progress.total, progress.unit, call=call.key)


def _missing(ctx: Context, call: Call, looking: Progress) -> Generator[Progress, None, list[str]]:
    """What is not there. Whole lists are gone through: in a thread, which a stop doesn't wait for, as it only looks."""
    if call.task not in TASKS:
        return [call.title]
    task = TASKS[call.task]
    return (yield from background(lambda _: task.missing(ctx, *call.given), looking, join=LOOK_JOIN))


def scope_of(steps: Sequence[Step], asked: Sequence[Step]) -> str:
    """In words, what a run of `asked` can be complete of; empty for all steps."""
    if tuple(asked) == tuple(steps) or not asked:
        return ""
    upto = f"up to step {asked[-1].number}, {asked[-1].title}"
    return upto if tuple(asked) == tuple(steps[: len(asked)]) else f"for step {asked[-1].number}, {asked[-1].title}"


class Runner:
    """The one thread that advances run() and closes it. Starting again is resuming."""

    def __init__(
        self, ctx: Context, steps: Sequence[Step], *, fetch_only: bool = False, fetch_on: bool = False
    ) -> None:
        """`fetch_on`: as `run` has it."""
        self.ctx = ctx
        self._steps = steps
        self._work = fetch_all if fetch_only else functools.partial(run, fetch_on=fetch_on)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        last = published(ctx.destination)
        self.snapshot = last if last.killed else Snapshot()
        """Until it starts: how the wizard before was killed, if it was."""
        self._scope = "as far as fetching goes" if fetch_only else scope_of(ctx.steps, steps)

    def start(self) -> None:
        """Begin, or go on; nothing happens where it runs already."""
        if self._thread and self._thread.is_alive():
            return
        self._stop.clear()
        self.snapshot = Snapshot(running=True)
        self._thread = threading.Thread(target=self._body, name="runner", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask it to stop at the next yield, which comes within half a second."""
        self._stop.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; True when it has ended."""
        if self._thread:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def _body(self) -> None:
        work = self._work(self._steps, self.ctx)
        end: dict[str, Any] = {}
        newest: dict[str, Progress] = {}
        last, written = "", 0.0
        try:
            for progress in work:
                last = last if progress.ahead else progress.call
                if newest.get(progress.call, progress).ahead != progress.ahead:
                    del newest[progress.call]  # its turn has come: it stands behind those before it
                newest[progress.call] = progress
                journal = self.ctx.store.journal
                gone = {key for step in self._steps for key in step.without(aside_archives(step, journal))}
                under_way = tuple(
                    key for key, said in newest.items() if not (said.ahead or journal.done(key) or key in gone)
                )
                self.snapshot = Snapshot(running=True, calls=under_way or (last,), progress=dict(newest))
                if time.monotonic() - written > 1:
                    self._publish()
                    written = time.monotonic()
                if self._stop.is_set():
                    log.info("%s: stopped; what is done stays", progress.call)
                    break
            else:
                upto = self._steps[-1].number if self._steps else 0
                asked = [step for step in self.ctx.steps if step.number <= upto]
                end["aside"] = tuple(step.title for step in asked if aside_archives(step, self.ctx.store.journal))
                end["complete"] = not end["aside"]
        except Problem as problem:
            log.warning("%s", problem)
            for item in problem.items[:LOGGED]:
                log.warning("  %s", item)
            if len(problem.items) > LOGGED:
                self._keep_items(problem)
            end["problem"] = problem
        except Exception as error:  # a bug: shown as one, with the log's place
            if limit := limit_of(error):
                log.warning("%s (%s)", limit, error)
                end["problem"] = limit
            else:
                log.exception("unexpected")
                end["crash"] = error
        try:
            work.close()
        finally:
            self.snapshot = replace(
                self.snapshot, running=False, calls=(last,) if last else (), scope=self._scope, **end
            )
            self._publish()

    def _keep_items(self, problem: Problem) -> None:
        """Name them all, in a file of their own: the log would grow by as many lines at every try."""
        path = self.ctx.own / ITEMS
        log.warning("  … and %s more, all of them in %s", f"{len(problem.items) - LOGGED:,}", path)
        try:
            write_atomically(path, redact("\n".join([str(problem), *problem.items, ""])).encode(errors="replace"))
        except OSError as error:
            log.warning("%s: %s", path, error)

    def _publish(self) -> None:
        try:
            publish(self.snapshot, self.ctx.own)
        except OSError as error:  # a full disk must not end the work that could still stop cleanly
            log.warning("%s: %s", FILE, error)
