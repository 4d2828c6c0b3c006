"""What the command line says of a destination: where it is, how to
work on it, its answers; and the destination opened with all that.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mseg_wizard.answers.fields import check_answer, kind_of, taken_as
from mseg_wizard.answers.file import Answers, read_answers
from mseg_wizard.answers.links import UnusableAnswer
from mseg_wizard.answers.pasted import LINK, meant_by
from mseg_wizard.cli.plain import printable_redacted, say
from mseg_wizard.context import Context, Options, open_context
from mseg_wizard.core.preferences import check_preferences, preferences
from mseg_wizard.http.addresses import Routes
from mseg_wizard.notify import command_of
from mseg_wizard.progress import Problem, Usage
from mseg_wizard.state.journal import Journal
from mseg_wizard.state.journal_file import read_journal, unopened
from mseg_wizard.state.store import Unwritten
from mseg_wizard.step import Step

log = logging.getLogger("mseg_wizard")

CONSENTS = ("again", "remake", "leftovers", "agreement", "aside")
"""What the names begin with that a waiting run gives, for --allow."""


def destination_of(args: argparse.Namespace, answers: Answers, *, offer_last: bool) -> Path | None:
    """--dest, else the answers file's, else (where a person looks) the last one."""
    named = answers.get("prepare", {}).get("destination")
    if args.dest and named and Path(named).expanduser().absolute() != args.dest.expanduser().absolute():
        raise Usage(f"--dest is {args.dest}, but the answers say {named}.", "Name one destination.")
    last = preferences().get("destination") if offer_last else None
    chosen = args.dest or named or last
    if not chosen:
        return None
    path = Path(chosen).expanduser().absolute()
    if str(path) != str(chosen):
        # On stderr: what a command prints is for programs too.
        say(f"The destination is {printable_redacted(str(path))}.", sys.stderr)
    return path


def begun_destination(args: argparse.Namespace, answers: Answers | None = None) -> tuple[Path, Journal]:
    """The destination, and what its wizard noted; raises Problem where none has worked."""
    destination = needed(destination_of(args, answers or {}, offer_last=True))
    journal = read_journal(destination)
    if journal is None:
        raise Problem(*unopened(destination))
    return destination, journal


def needed(destination: Path | None) -> Path:
    if destination is None:
        raise Usage("No destination is named.", "Use --dest DIR, or destination in the answers' [prepare] table.")
    return destination


def step_named(steps: Sequence[Step], name: str) -> Step:
    """By id or number."""
    for step in steps:
        if name in (step.id, str(step.number)):
            return step
    raise Usage(f"There is no step {name!r}.", f"The steps are: {', '.join(step.id for step in steps)}.")


def answers_of(args: argparse.Namespace, steps: tuple[Step, ...]) -> Answers:
    return read_answers(args.answers, steps) if args.answers else {}


def options_of(args: argparse.Namespace) -> Options:
    try:
        Routes.parse(args.route)
    except Problem as problem:
        raise Usage(problem.what, problem.do) from None
    for name in args.allow:
        if name.partition(":")[0] not in CONSENTS:
            raise Usage(f"--allow {name}: that is nothing that can be allowed.", "Use a name that a waiting run gave.")
    mirror = meant_by(args.mirror).text if args.mirror else None
    if mirror and not mirror.startswith(LINK) and not Path(mirror).expanduser().is_dir():
        raise Usage(
            f"The mirror {args.mirror} is no folder.",
            "Name a folder that holds archives, or an http(s) address of one.",
        )
    try:
        check_preferences()
        notify = args.notify if args.notify is not None else preferences().get("notify", "")
        command_of(notify)
    except Problem as problem:
        raise Usage(problem.what, problem.do) from None
    return Options(
        mirror, tuple(args.route), args.workers, args.scheduler or "", consents=frozenset(args.allow),
        keep_archives=args.keep_archives, hosts=Options.hosts if args.hosts is None else args.hosts, notify=notify,
        notify_quiet=args.notify_quiet, invocation=args.invocation,
    )  # fmt: skip


def open_destination(steps: tuple[Step, ...], destination: Path, options: Options, *, take_over: bool) -> Context:
    """A destination for work; a cluster that work could not begin on is told now, and not hours later."""
    ctx = open_context(steps, destination, options, take_over=take_over)
    try:
        if options.scheduler:
            ctx.pool().ready()
    except BaseException:
        ctx.close()
        raise
    return ctx


class opened:
    """A context for the length of a `with`, its answers given, its workers ended and its lock released at the end."""

    def __init__(
        self, steps: tuple[Step, ...], destination: Path, options: Options, answers: Answers, *, take_over: bool
    ) -> None:
        from mseg_wizard.workers.pool import prepare_start  # multiprocessing, which `status` has no need of

        prepare_start()
        self._ctx = open_destination(steps, destination, options, take_over=take_over)
        try:
            give_answers(self._ctx, answers)
        except BaseException:
            self._ctx.close()
            raise

    def __enter__(self) -> Context:
        return self._ctx

    def __exit__(self, *_: object) -> None:
        self._ctx.close()


def give_answers(ctx: Context, answers: Answers) -> None:
    """Remember every answer; raises Usage that names the first that is wrong.

    What is only of no use any more (a link that has expired since, an archive that was tidied away) stops nothing
    before it is needed.
    """
    for name, table in answers.items():
        step = ctx.step(name)
        for key, value in table.items():
            if (name, key) == ("prepare", "destination"):
                continue
            try:
                ctx.remember(step, {key: value})
                if said := taken_as(step, step.field(key), value):
                    log.info("%s.%s: %s", name, key, said)
                    say(f"  {name}.{key}: {said}")
            except UnusableAnswer as problem:
                log.warning("%s", problem)
                if rows := _usable(step, key, value):
                    ctx.remember(step, {key: rows})
                ctx.refuse(name, problem.what, {key: None})
            except Unwritten:  # the disk's fault, not the answer's
                raise
            except Problem as problem:
                raise Usage(f"{name}.{key}: {problem.what}", problem.do) from None


def _usable(step: Step, key: str, value: Any) -> list[Any]:
    """The rows of a sources field without those that are of no use now."""
    rows = []
    if kind_of(step.field(key)).rows:
        for row in value.splitlines() if isinstance(value, str) else value:
            with suppress(UnusableAnswer):
                rows += check_answer(step, step.field(key), [row])
    return rows
