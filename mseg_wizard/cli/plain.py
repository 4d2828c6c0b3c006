"""The journey in plain lines, unattended. The questions of `--plain` are in ask."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

from mseg_wizard.context import Context
from mseg_wizard.core.exits import STOPS, Exit
from mseg_wizard.core.log import LOG, redact, without_known_secrets
from mseg_wizard.core.output import LAST, held_up, write_line
from mseg_wizard.engine import Runner
from mseg_wizard.notify import Notifier, command_of
from mseg_wizard.progress import Problem, Progress, Waiting, amount, duration, printable
from mseg_wizard.standing.remarks import notes_summary
from mseg_wizard.standing.snapshot import Snapshot, standing
from mseg_wizard.state.lock import Locked
from mseg_wizard.step import Step
from mseg_wizard.vault import variable

SHOWN_ITEMS = 20


def exit_code(failure: BaseException | None) -> Exit:
    """Of what ended with this, or without a failure."""
    if failure is None:
        return Exit.DONE
    if isinstance(failure, Waiting):
        return Exit.WAITING
    return Exit.LOCKED if isinstance(failure, Locked) else Exit.FAILED


def complain(problem: BaseException, log: Path | None = None) -> None:
    """Say what happened and what to do, on stderr; `log` is where a bug's details are."""
    if not isinstance(problem, Problem):
        bug = f"mseg-wizard hit a bug of its own: {type(problem).__name__}. The details are in {log or 'the log'}."
        write_line(bug, sys.stderr)
        return
    items = [f"    {printable_redacted(item)}" for item in problem.items[:SHOWN_ITEMS]]
    if len(problem.items) > SHOWN_ITEMS:
        items.append(f"    … and {len(problem.items) - SHOWN_ITEMS:,} more, named in the log")
    todo = [f"  {printable_redacted(line)}" for line in problem.do.splitlines()]
    write_line("\n".join([f"mseg-wizard: {printable_redacted(problem.what)}", *items, *todo]), sys.stderr)


def printable_redacted(text: str) -> str:
    return printable(redact(text), 2000)


def unattended(
    ctx: Context,
    steps: Sequence[Step],
    *,
    every: float = 5.0,
    explain: Callable[[BaseException, Path | None], None] = complain,
    talk: TextIO | None = None,
    closing: bool = True,
    fetch_only: bool = False,
) -> Exit:
    """Run `steps`, saying where it stands when that changes and every
    few seconds; stops cleanly on Ctrl+C, SIGTERM and hang-up.

    `talk`: where that goes in place of stdout, for commands that have something else to say there; `closing`: say that
    it is complete; `fetch_only`: the archives, and nothing else.
    """
    end, stopped_by = work(ctx, steps, every, talk, fetch_only=fetch_only, fetch_on=True)
    if stopped_by:
        return say_stopped(ctx, stopped_by, talk)
    if failure := end.problem or end.crash:
        if isinstance(failure, Waiting) and failure.step and failure.lacks:
            here = Problem(failure.what, f"{failure.do}\n{_elsewhere(ctx.step(failure.step), failure.lacks)}")
            explain(here, None)  # the fields are named in what it says: no list of them
        else:
            explain(failure, ctx.own / LOG)
        return exit_code(failure)
    if closing:
        say_complete(ctx, end, () if fetch_only else steps, talk)
    return Exit.ASIDE if end.aside else Exit.DONE


def say_stopped(ctx: Context, by: signal.Signals, talk: TextIO | None = None) -> Exit:
    """Say how to go on after a signal; returns its exit code."""
    say(f"Stopped. {ctx.options.invocation.resume_hint(ctx.destination)}", talk, wait=LAST)
    return STOPS[by]


def work(
    ctx: Context,
    steps: Sequence[Step],
    every: float = 5.0,
    talk: TextIO | None = None,
    *,
    known: Container[str] = (),
    fetch_only: bool = False,
    fetch_on: bool = False,
) -> tuple[Snapshot, signal.Signals | None]:
    """Work as far as it goes, in plain lines; returns where it ended, and the signal that stopped it, if one did.

    `known`: keys of calls that were told to be complete before; they are not told of again unless there is something to
    do for them. `fetch_on`: as `engine.run` has it; without it, what waits for the user is told by ending.
    """
    runner = Runner(ctx, steps, fetch_only=fetch_only, fetch_on=fetch_on)
    lines = _Lines([*ctx.steps, *steps], every, talk, known)
    notifier = Notifier(command_of(ctx.options.notify), ctx.destination)
    if not (ctx.options.notify_quiet or known):
        notifier.greet()
    with _signals(runner) as stopped_by:
        runner.start()
        while not runner.join(0.2):
            lines.show(runner.snapshot, ctx.worker_news())
            notifier.follow(runner.snapshot)
            _complain_of(notifier)
        lines.show(runner.snapshot, ctx.worker_news())
    if not stopped_by:
        notifier.follow(runner.snapshot)
        notifier.close()
    _complain_of(notifier)
    return runner.snapshot, stopped_by[0] if stopped_by else None


def _complain_of(notifier: Notifier) -> None:
    for text in notifier.failures():
        say(f"mseg-wizard: {printable_redacted(text)}", sys.stderr)


@contextmanager
def _signals(runner: Runner) -> Iterator[list[signal.Signals]]:
    """While inside, Ctrl+C, SIGTERM and hang-up stop the runner cleanly; what came is in the list."""
    came: list[signal.Signals] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        came.append(signal.Signals(number))
        runner.stop()

    before = {number: signal.signal(number, stop) for number in STOPS}
    try:
        yield came
    finally:
        runner.stop()
        runner.join()
        for number, handler in before.items():
            signal.signal(number, handler)


class _Lines:
    """Says where each call stands: when it first shows, every few seconds while it works, and when it ends."""

    def __init__(self, steps: Sequence[Step], every: float, talk: TextIO | None, known: Container[str]) -> None:
        self._known = known
        self._titles = {call.key: (step.number, call.title) for step in steps for call in step.calls}
        self._every = every
        self._talk = talk
        self._said: dict[str, str] = {}
        self._at = 0.0

    def show(self, snapshot: Snapshot, worker_news: Sequence[str] = ()) -> None:
        for text in worker_news:
            say(printable_redacted(text), self._talk, wait=0)
        if held_up(self._talk):  # nobody reads: the newest is said once somebody does
            return
        due = time.monotonic() - self._at >= self._every
        for call, progress in snapshot.progress.items():
            if call in (*snapshot.calls, *snapshot.ahead) and snapshot.running and call in self._said and not due:
                continue
            if call in self._known and call not in self._said and not (progress.done or progress.rate):
                continue
            line = progress_line(*self._titles[call], progress)
            if self._said.get(call) != line:
                self._said[call] = line
                self._at = time.monotonic()
                say(line, self._talk, wait=0)


def progress_line(number: int, title: str, progress: Progress) -> str:
    """One line: which call of which step, what it is doing, how far it is."""
    # Its name is said already.
    doing = "begins" if progress.doing == title else progress.doing.removesuffix(f": {title}")
    early = "ahead of its turn, " if progress.ahead == "fetching" else ""
    parts = [f"{number or '':2} {title}: {early}{printable_redacted(doing)}"]
    if progress.total and progress.unit and progress.done != progress.total:
        parts.append(
            f"{amount(progress.done, progress.unit if progress.unit == 'B' else '')} of "
            f"{amount(progress.total, progress.unit)}"
        )
    elif progress.done:
        parts.append(amount(progress.done, progress.unit))
    if progress.rate:
        parts.append(f"{amount(progress.rate, progress.unit)}/s")
    if progress.eta is not None:
        parts.append(f"{duration(progress.eta)} left")
    if progress.retry_in is not None:
        parts.append(f"next try in {duration(progress.retry_in)}")
    return " · ".join(parts)


def say_complete(ctx: Context, end: Snapshot, steps: Sequence[Step], talk: TextIO | None = None) -> None:
    """What is complete, what is worth knowing of it, and where the report is."""
    say(f"{standing(end).sentence if end.scope or end.aside else 'Complete'}: {ctx.dataset_folder}", talk)
    for file, record in ctx.store.journal.aside.items() if end.aside else ():
        say(printable_redacted(record.in_words(file)), talk)
    if known := notes_summary(ctx.steps, ctx.store.journal, ctx.destination):
        say(known, talk)
    if any(step.has("report") for step in steps):
        say(f"The report, with pictures and what comes next: {ctx.report_page}", talk)


def _elsewhere(step: Step, lacks: Sequence[str]) -> str:
    """Where answers come from when nobody sits at a form."""
    variables = [variable(step.id, name) for name in lacks if step.field(name).secret]
    also = f", or the environment: {', '.join(variables)}" if variables else ""
    return f"Without the screen: an answers file, table [{step.id}], {', '.join(lacks)}{also}."


def say(text: str, to: TextIO | None = None, *, wait: float | None = None) -> None:
    """One line for the user, on stdout unless it is to go elsewhere; `wait`: seconds that its reader gets."""
    write_line(without_known_secrets(text), to, wait=wait)
