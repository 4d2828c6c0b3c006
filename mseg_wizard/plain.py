"""The journey in plain lines: unattended (`run`), and guided by questions one after the other (`--plain`)."""

from __future__ import annotations

import getpass
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import TextIO

from mseg_wizard.context import Consent, Context
from mseg_wizard.engine import Runner
from mseg_wizard.lines import interactive, wrapped
from mseg_wizard.log import LOG, redact
from mseg_wizard.notify import Notifier, command_of
from mseg_wizard.opening import resume_command, to_go_on
from mseg_wizard.progress import Problem, Progress, Waiting, amount, duration, printable
from mseg_wizard.remarks import in_sum
from mseg_wizard.snapshot import Snapshot
from mseg_wizard.step import Field, Step
from mseg_wizard.store import Locked
from mseg_wizard.tasks.report import place_of
from mseg_wizard.vault import Secret, variable


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WAITING = 3
    LOCKED = 4
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


STOPS = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED, signal.SIGHUP: Exit.HANGUP}
SHOWN_ITEMS = 20


def exit_code(problem: Problem) -> Exit:
    if isinstance(problem, Waiting):
        return Exit.WAITING
    return Exit.LOCKED if isinstance(problem, Locked) else Exit.FAILED


def complain(problem: BaseException, log: Path | None = None) -> None:
    """Say what happened and what to do, on stderr; `log` is where a bug's details are."""
    if not isinstance(problem, Problem):
        print(f"mseg-wizard hit a bug of its own: {type(problem).__name__}. The details are in {log or 'the log'}.", file=sys.stderr)
        return
    print(f"mseg-wizard: {shown(problem.what)}", file=sys.stderr)
    for item in problem.items[:SHOWN_ITEMS]:
        print(f"    {shown(item)}", file=sys.stderr)
    if len(problem.items) > SHOWN_ITEMS:
        print(f"    … and {len(problem.items) - SHOWN_ITEMS:,} more, all of them in the log", file=sys.stderr)
    for line in problem.do.splitlines():
        print(f"  {shown(line)}", file=sys.stderr)


def shown(text: str) -> str:
    return printable(redact(text), 2000)


def unattended(
    ctx: Context,
    steps: Sequence[Step],
    *,
    every: float = 5.0,
    explain: Callable[[BaseException, Path | None], None] = complain,
    talk: TextIO | None = None,
    closing: bool = True,
) -> Exit:
    """Run `steps`, saying where it stands when that changes and every few seconds; stops cleanly on Ctrl+C, SIGTERM and hang-up.

    `talk`: where that goes in place of stdout, for commands that have something else to say there; `closing`: say that it is complete.
    """
    end, stopped_by = work(ctx, steps, every, talk)
    if stopped_by:
        _say(f"Stopped. {to_go_on(ctx.destination)}", talk)
        return STOPS[stopped_by]
    if failure := end.problem or end.crash:
        if isinstance(failure, Waiting) and failure.step and failure.lacks:
            here = Problem(failure.what, f"{failure.do}\n{_elsewhere(ctx.step(failure.step), failure.lacks)}")
            explain(here, None)  # the fields are named in what it says: no list of them
        else:
            explain(failure, ctx.own / LOG)
        return exit_code(failure) if isinstance(failure, Problem) else Exit.FAILED
    if closing:
        _say_complete(ctx, steps, talk)
    return Exit.DONE


def work(
    ctx: Context, steps: Sequence[Step], every: float = 5.0, talk: TextIO | None = None
) -> tuple[Snapshot, signal.Signals | None]:
    """Work as far as it goes, in plain lines; returns where it ended, and the signal that stopped it, if one did."""
    runner = Runner(ctx, steps)
    lines = _Lines(ctx.steps, every, talk)
    notifier = Notifier(command_of(ctx.options.notify), ctx.destination)
    with _signals(runner) as stopped_by:
        runner.start()
        while not runner.join(0.2):
            lines.show(runner.snapshot, ctx.tidings())
            notifier.follow(runner.snapshot)
        lines.show(runner.snapshot, ctx.tidings())
    if not stopped_by and notifier.follow(runner.snapshot):
        notifier.close()
    return runner.snapshot, stopped_by[0] if stopped_by else None


def guided(ctx: Context, steps: Sequence[Step], ask: Callable[[str], str] = input, *, form: str = "", closing: bool = True) -> Exit:
    """The same with questions, for screen readers and simple terminals: works as far as it can, asks what the next step needs, goes on.

    `form`: id of a step whose whole form is asked first, with what was given before; `closing` as in `unattended`.
    """
    explained: set[str] = set()
    while True:
        try:
            if form:
                _ask_for(ctx, ctx.step(form), [item.name for item in ctx.step(form).fields], ask, ahead=True)
                form = ""
            end, stopped_by = work(ctx, steps)
            if stopped_by:
                return STOPS[stopped_by]
            if isinstance(end.problem, Consent):
                complain(end.problem)
                if ask("Allow that? [y/N] ").strip().lower() == "y":
                    ctx.consents.add(end.problem.key)
                elif not end.problem.offer:
                    return Exit.WAITING
            elif isinstance(end.problem, Waiting) and end.problem.lacks:
                complain(Problem(end.problem.what, end.problem.do))
                step = ctx.step(end.problem.step)
                _ask_for(ctx, step, end.problem.lacks, ask, explain=step.id not in explained)
                explained.add(step.id)
                if any(step.field(name).kind == "acknowledge" and not ctx.given(step.id, name) for name in end.problem.lacks):
                    _say(f"Without that it can't go on. To try again: {resume_command(ctx.destination)}")
                    return Exit.WAITING
            elif failure := end.problem or end.crash:
                complain(failure, ctx.own / LOG)
                said = ask("Try again? [y/N, or a step whose answers you want to change first] ").strip().lower()
                form = next((step.id for step in ctx.steps if said in (step.id, str(step.number))), "")
                if said != "y" and not form:
                    return exit_code(failure) if isinstance(failure, Problem) else Exit.FAILED
            else:
                if closing:
                    _say_complete(ctx, steps)
                return Exit.DONE
        except (EOFError, KeyboardInterrupt) as end_of_talk:
            _say(f"\nStopped. {to_go_on(ctx.destination)}")
            # Ctrl+D is a person's doing; where there is no terminal, there is nobody who could answer.
            left = isinstance(end_of_talk, KeyboardInterrupt) or interactive()
            return Exit.INTERRUPTED if left else Exit.WAITING


def _ask_for(
    ctx: Context, step: Step, lacks: Sequence[str], ask: Callable[[str], str], *, explain: bool = True, ahead: bool = False
) -> None:
    _say(f"\nStep {step.number}: {step.title}")
    if explain:
        _say(f"{wrapped(step.why)}\n")
        for link in step.links:
            _say(f"  {link.label}\n      {link.url}")
    also = [item.name for item in step.fields if not item.required and not ctx.given(step.id, item.name)]
    for name in dict.fromkeys((*lacks, *also)):
        item = step.field(name)
        if item.kind == "path":  # the destination: a run has one, and works on it already
            continue
        while True:
            present = _present(ctx, step, item)
            if present:
                _say(f"\n  Now: {present}. Enter keeps that{', - takes it back' if _may_go(ctx, step, item) else ''}.")
            text = _question(item, ask, anew=not present)
            if item.kind == "sources" and len(step.archives) > 1 and text not in ("", "-"):
                text = "\n".join([text, *_more(ask)])
            # Where an archive can come from somewhere else, or nothing waits for this form yet, no answer is an answer.
            if not text and (ahead or not item.required or item.only_for or ctx.given(step.id, name)):
                break
            if text == "-" and _may_go(ctx, step, item):
                _take_back(ctx, step, item)
                break
            try:
                where = ctx.remember(step, {name: text.lower() in ("y", "yes", "true") if item.kind == "acknowledge" else text})
            except Problem as problem:
                complain(problem)
                continue
            if where:
                _say(f"  {where.get(name, '')}")
            if ctx.given(step.id, name) or not item.required or item.kind == "acknowledge":  # a no is an answer
                break


def _more(ask: Callable[[str], str]) -> Iterator[str]:
    """The further rows of an answer that may have several."""
    with suppress(EOFError):
        while row := ask("One more, or Enter: ").strip():
            yield row


def _present(ctx: Context, step: Step, item: Field) -> str:
    """What was answered before, in words that quote nothing secret; empty where nothing was."""
    if not ctx.given(step.id, item.name):
        return ""
    if item.kind == "acknowledge":
        return "yes"
    if item.kind == "sources":
        return ", ".join("a link" if isinstance(row, Secret) else shown(row) for row in ctx.sources(step.id))
    return "given" if item.secret else shown(str(ctx.answer(step.id, item.name))) or "nothing"


def _may_go(ctx: Context, step: Step, item: Field) -> bool:
    """Can what was answered be taken back, so that the default or nothing stands there again?"""
    kept = item.secret or item.kind == "sources" or item.name in ctx.store.journal.answers.get(step.id, {})
    return kept and item.kind != "acknowledge" and (not item.required or item.default is not None)


def _take_back(ctx: Context, step: Step, item: Field) -> None:
    if item.secret or item.kind == "sources":
        ctx.vault.wipe([(step.id, item.name)])
    ctx.store.answer(step.id, item.name, None)


def _question(item: Field, ask: Callable[[str], str], *, anew: bool) -> str:
    if item.help:
        _say(f"\n{wrapped(item.help, '  ')}")
    choices = f" ({', '.join(choice or 'nothing' for choice in item.choices)})" if item.choices else ""
    yes_or_no = "" if item.kind != "acknowledge" else " [y/N]" if anew else " [y/n]"
    prompt = f"{item.label}{choices}{yes_or_no}: "
    # From a pipe, getpass would go to the terminal behind it, or warn that it can't hide what nobody sees.
    hidden = item.secret and ask is input and sys.stdin is not None and sys.stdin.isatty()
    text = getpass.getpass(prompt) if hidden else ask(prompt)
    return text.strip("\r\n") if item.kind == "password" else text.strip()


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

    def __init__(self, steps: Sequence[Step], every: float, talk: TextIO | None) -> None:
        self._titles = {call.key: (step.number, call.title) for step in steps for call in step.calls}
        self._every = every
        self._talk = talk
        self._said: dict[str, str] = {}
        self._at = 0.0

    def show(self, snapshot: Snapshot, tidings: Sequence[str] = ()) -> None:
        for text in tidings:
            _say(shown(text), self._talk)
        due = time.monotonic() - self._at >= self._every
        for call, progress in snapshot.progress.items():
            if call in snapshot.calls and snapshot.running and call in self._said and not due:
                continue
            line = standing(*self._titles[call], progress)
            if self._said.get(call) != line:
                self._said[call] = line
                self._at = time.monotonic()
                _say(line, self._talk)


def standing(number: int, title: str, progress: Progress) -> str:
    """One line: which call of which step, what it is doing, how far it is."""
    doing = "begins" if progress.doing == title else progress.doing.removesuffix(f": {title}")  # its name is said already
    parts = [f"{number:2} {title}: {shown(doing)}"]
    if progress.total and progress.unit and progress.done != progress.total:
        parts.append(f"{amount(progress.done, progress.unit if progress.unit == 'B' else '')} of {amount(progress.total, progress.unit)}")
    elif progress.done:
        parts.append(amount(progress.done, progress.unit))
    if progress.rate:
        parts.append(f"{amount(progress.rate, progress.unit)}/s")
    if progress.eta is not None:
        parts.append(f"{duration(progress.eta)} left")
    if progress.retry_in is not None:
        parts.append(f"next try in {duration(progress.retry_in)}")
    return " · ".join(parts)


def _say_complete(ctx: Context, steps: Sequence[Step], talk: TextIO | None = None) -> None:
    upto = "" if steps[-1] is ctx.steps[-1] else f" up to step {steps[-1].number}, {steps[-1].title}"
    _say(f"Complete{upto}: {ctx.dataset}", talk)
    if known := in_sum(ctx.steps, ctx.store.journal, ctx.destination):
        _say(known, talk)
    if any(call.task == "report" for step in steps for call in step.calls):
        _say(f"The report, with pictures and what comes next: {place_of(ctx)}", talk)


def _elsewhere(step: Step, lacks: Sequence[str]) -> str:
    """Where answers come from when nobody sits at a form."""
    variables = [variable(step.id, name) for name in lacks if step.field(name).secret]
    also = f", or the environment: {', '.join(variables)}" if variables else ""
    return f"Without the screen: an answers file, table [{step.id}], {', '.join(lacks)}{also}."


def _say(text: str, to: TextIO | None = None) -> None:
    try:
        print(text, file=to or sys.stdout, flush=True)
    except (BrokenPipeError, OSError):  # the terminal went away: the work goes on until its signal arrives
        return
