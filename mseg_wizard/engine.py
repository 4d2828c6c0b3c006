"""The one loop that works through the steps, the gate that keeps their order, and the one thread that drives them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from mseg_wizard.context import Context
from mseg_wizard.files import write_json
from mseg_wizard.progress import Problem, Progress, Waiting, printable
from mseg_wizard.step import Call, Step
from mseg_wizard.tasks.sources import satisfied
from mseg_wizard.tasks.table import TASKS

log = logging.getLogger("mseg_wizard")


def waiting(step: Step, ctx: Context) -> list[str]:
    """Names of the fields that `step` still needs before it can start; empty when it can."""
    return [
        item.name
        for item in step.fields
        if item.required
        and not ctx.given(step.id, item.name)
        and not (item.only_for and all(satisfied(ctx, archive) for archive in step.archives if archive.file in item.only_for))
    ]


def run(steps: Sequence[Step], ctx: Context) -> Generator[Progress, None, None]:
    """Work through `steps` in order; returns when all are complete.

    Yields where the running call stands. Raises Waiting where a step needs the user first, Problem where something went wrong.
    """
    checked: set[str] = set()
    while (due := next_call(steps, ctx, checked)) is not None:
        step, call = due
        yield Progress(f"checking: {call.title}", call=call.key)
        if call.key in ctx.store.journal.finished and not _missing(ctx, call):
            checked.add(call.key)
            yield Progress("complete", call=call.key)
            continue
        if lacks := waiting(step, ctx):
            labels = ", ".join(step.field(name).label for name in lacks)
            what = " ".join([f"Step {step.number}, {step.title}, waits for you: {labels}.", *ctx.reasons(step.id)])
            raise Waiting(what, f"Fill in the form of step {step.id}.", step.id, lacks)
        yield from start(ctx, call)
        checked.add(call.key)


def next_call(steps: Sequence[Step], ctx: Context, checked: set[str]) -> tuple[Step, Call] | None:
    """The order gate: the first call, in the order of the steps, whose outputs were not seen complete since this start."""
    return next(((step, call) for step in steps for call in step.calls if call.key not in checked), None)


def start(ctx: Context, call: Call) -> Generator[Progress, None, None]:
    """Run one call to its end, check its outputs, and note it as finished: a return alone is no proof."""
    if call.task not in TASKS:
        what = f"{call.title}: the step file asks for {call.task!r}, which is not in this version."
        raise Problem(what, "Everything up to here is done and stays. Update mseg-wizard, or correct the step file.")
    store = ctx.store
    ctx.call, ctx.notes = call.key, []
    ctx.foreign = call.key not in store.journal.made
    ctx.distrust = store.start(call.key)
    began = time.monotonic()
    progress = Progress(call.title)
    log.info("%s: begins", call.key)
    try:
        for progress in TASKS[call.task].run(ctx, **call.args):
            yield replace(progress, call=call.key)
    except OSError as error:
        # Disks fill up, turn read-only and vanish at any moment of any task: not a bug, and the log has its place all the same.
        log.exception("%s: the disk or a folder", call.key)
        what = f"{call.title}: {error.strerror or error}" + (f": {printable(str(error.filename))}." if error.filename else ".")
        raise Problem(what, "Look after that disk or folder, then start again: what is done stays.") from None
    finally:
        try:
            store.note(call.key, ctx.notes)
            store.spent(call.key, time.monotonic() - began)
        except Problem as problem:  # remarks and times are not worth hiding why it ended
            log.warning("%s", problem)
    if missing := _missing(ctx, call):
        raise Problem(
            f"{call.title}: {len(missing):,} outputs are not there after the work, such as {missing[0]}.",
            "Start again: only what is missing is made. If it happens twice, please report it with the log.",
            missing,
        )
    store.finish(call.key)
    log.info("%s: complete", call.key)
    yield Progress("complete", progress.total or progress.done, progress.total, progress.unit, call=call.key)


def _missing(ctx: Context, call: Call) -> list[str]:
    return TASKS[call.task].missing(ctx, **call.args) if call.task in TASKS else [call.title]


@dataclass(frozen=True)
class Snapshot:
    """Where the run stands: what screens show and `status` prints. Never changes; the newest replaces the one before."""

    running: bool = False
    call: str = ""
    progress: dict[str, Progress] = field(default_factory=dict)
    """Newest progress of each call that ran in this run."""
    problem: Problem | None = None
    """Why it stopped; a Waiting where it needs the user; None while it runs, when it was stopped and when all is complete."""
    crash: BaseException | None = None
    """A bug of ours: anything that is no Problem."""
    complete: bool = False


class Runner:
    """The one thread that advances run() and closes it. Starting again is resuming."""

    def __init__(self, ctx: Context, steps: Sequence[Step]) -> None:
        self.ctx = ctx
        self._steps = steps
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.snapshot = Snapshot()

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
        work = run(self._steps, self.ctx)
        end: dict[str, Any] = {}
        written = 0.0
        try:
            for progress in work:
                newest = self.snapshot.progress | {progress.call: progress}
                self.snapshot = Snapshot(running=True, call=progress.call, progress=newest)
                if time.monotonic() - written > 1:
                    self._publish()
                    written = time.monotonic()
                if self._stop.is_set():
                    log.info("%s: stopped; what is done stays", progress.call)
                    break
            else:
                end["complete"] = True
        except Problem as problem:
            log.warning("%s", problem)
            for item in problem.items:
                log.warning("  %s", item)
            end["problem"] = problem
        except Exception as error:  # a bug: shown as one, with the log's place
            log.exception("unexpected")
            end["crash"] = error
        try:
            work.close()
        finally:
            self.snapshot = replace(self.snapshot, running=False, **end)
            self._publish()

    def _publish(self) -> None:
        """For `status` and for wizards that only view: what is being done right now."""
        snapshot = self.snapshot
        progress = snapshot.progress.get(snapshot.call)
        table = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "running": snapshot.running, "call": snapshot.call,
                 "problem": str(snapshot.problem or snapshot.crash or ""), "waiting": isinstance(snapshot.problem, Waiting),
                 "lacks": list(snapshot.problem.lacks) if isinstance(snapshot.problem, Waiting) and snapshot.problem.step else []}
        if progress:
            table |= {"doing": progress.doing, "done": progress.done, "total": progress.total, "unit": progress.unit, "rate": progress.rate,
                      "awaits": progress.waiting}
        try:
            write_json(self.ctx.own / "now.json", table, durable=False)
        except OSError as error:  # a full disk must not end the work that could still stop cleanly
            log.warning("now.json: %s", error)
