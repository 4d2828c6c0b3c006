"""The command line: what each command does, by its name. Its grammar is in arguments.py, the work itself lives elsewhere."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from mseg_wizard import __version__
from mseg_wizard.answers import is_link
from mseg_wizard.cli.ask import guided
from mseg_wizard.cli.commands.steps import tell_all, tell_one
from mseg_wizard.cli.commands.wipe import wipe
from mseg_wizard.cli.completion import script
from mseg_wizard.cli.destination import Answers, Usage, give_answers, open_context, read_answers, started_with
from mseg_wizard.cli.parser import parser
from mseg_wizard.cli.plain import Exit, complain, exit_code, standing, unattended
from mseg_wizard.cli.text import answered, hanging, interactive
from mseg_wizard.context import Context, Options
from mseg_wizard.core.log import log_crash, log_to, no_core_dumps
from mseg_wizard.core.preferences import check_preferences, preferences
from mseg_wizard.http.client import Routes
from mseg_wizard.notify import command_of
from mseg_wizard.progress import Problem, printable
from mseg_wizard.remarks import listed
from mseg_wizard.snapshot import published
from mseg_wizard.status import MARKS, ahead, filled, overview
from mseg_wizard.step import Step, load
from mseg_wizard.store import Journal, read_journal, unopened
from mseg_wizard.tasks.wipe import declared
from mseg_wizard.vault import take_environment
from mseg_wizard.workers import pool

FINE = {True: "[x]", False: "[!]", None: "[-]"}
"""The marks of what doctor looks at."""
CONSENTS = ("again", "remake", "leftovers")
"""What the names begin with that a waiting run gives, for --allow."""


def main(argv: Sequence[str] | None = None) -> int:
    """The `mseg-wizard` command; returns its exit code."""
    for name in ("TEXTUAL_LOG", "TEXTUAL"):  # they would record every key, passwords included, or send it to a development console
        os.environ.pop(name, None)
    no_core_dumps()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # closed, or something that tests put there
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal without UTF-8 shows ? for what it lacks
    try:
        return _obey(argv)
    except BrokenPipeError:  # `mseg-wizard steps | head -1`: whoever reads no further has what they wanted
        sys.stdout = None
        return Exit.DONE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as bug:  # Python would print its message, which may quote what was typed
        if isinstance(bug, OSError) and bug.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            sys.stdout = None  # Python would complain once more at its end
            complain(Problem(f"Something can't be written: {bug.strerror}.", "Look where stdout leads, and for room on the disk."))
        else:
            complain(bug, log_crash())
        return Exit.FAILED


def _obey(argv: Sequence[str] | None) -> int:
    """Do what is asked; what stdout still holds is written out before it returns."""
    code: int = Exit.DONE
    try:
        args = parser().parse_args(argv)
        started_with(sys.argv[1:] if argv is None else argv)
        take_environment(declared(load()))
        code = COMMANDS[args.command](args)
    except SystemExit as end:  # argparse has told all
        code = int(end.code or 0)
    except Usage as problem:
        complain(problem)
        code = Exit.USAGE
    except Problem as problem:
        complain(problem)
        code = exit_code(problem)
    if sys.stdout is not None:
        sys.stdout.flush()
    return int(code)


def _guided(args: argparse.Namespace) -> int:
    steps = load()
    answers = _answers(args, steps)
    options = replace(_options(args), attended=True, by_questions=args.plain)
    destination = _destination(args, answers, offer_last=True)
    if args.form and not args.plain:
        raise Usage("--form asks in plain lines.", "Use it with --plain; on the screen, choose the step on the left.")
    form = _step(steps, args.form).id if args.form else ""
    if args.plain and not answered():  # nobody would read a question
        with _opened(steps, _wanted(destination), _options(args), answers, take_over=args.take_over) as ctx:
            return unattended(ctx, steps)
    if args.plain:
        with _opened(steps, _wanted(destination), options, answers, take_over=args.take_over) as ctx:
            return guided(ctx, steps, form=form)
    if not interactive():
        raise Usage("There is no terminal here for the screen.", "Use `mseg-wizard run` (unattended) or `mseg-wizard --plain` (questions).")
    log_to(None)
    from mseg_wizard.tui.app import guide

    def opener(folder: Path) -> Context:
        return _open(steps, folder, options, take_over=args.take_over)

    return guide(steps, opener, destination, preset=answers)


def _run(args: argparse.Namespace) -> int:
    steps = load()
    answers = _answers(args, steps)
    until = getattr(args, "until", None)
    last = _step(steps, until).number if until else len(steps)
    destination = _wanted(_destination(args, answers, offer_last=False))
    with _opened(steps, destination, _options(args), answers, take_over=args.take_over) as ctx:
        return unattended(ctx, steps[:last])


def _status(args: argparse.Namespace) -> int:
    steps = load()
    destination, journal = _begun(args)
    now = published(destination)
    states = overview(steps, journal, now, lambda step: _lacks(step, journal))
    if getattr(args, "json", False):
        rows = [asdict(state) for state in states]
        print(json.dumps({"version": __version__, "destination": str(destination), "steps": rows}, indent=1))
        return Exit.DONE
    print(destination)
    for step, state in zip(steps, ahead(states, filled(steps, journal)), strict=True):
        waits = ", ".join(step.field(name).label for name in state.waits_for) if state.state == "waiting" else ""
        print(f"{MARKS[state.state]} {step.number:2} {step.title:26} {state.state}{': ' if waits else ''}{waits}")
    for key in now.calls if now.running else ():
        step, title = next(((step, call.title) for step in steps for call in step.calls if call.key == key), (steps[0], key))
        print(f"working now: {standing(step.number, title, now.progress[key]).strip()}")
    if now.problem and not now.running:
        print(f"last stop: {now.problem}")
    for note in listed(steps, journal):
        print(f"note: {printable(note)}")
    return Exit.DONE


def _lacks(step: Step, journal: Journal) -> list[str]:
    """Required answers that the journal does not have; secrets are not asked for here, because `status` opens no vault."""
    answers = journal.answers.get(step.id, {})
    return [
        item.name
        for item in step.fields
        if item.required and not item.secret and item.name not in answers and item.default is None
    ]


def _steps(args: argparse.Namespace) -> int:
    steps = load()
    name = getattr(args, "step", None)
    chosen = (_step(steps, name),) if name else steps
    if getattr(args, "json", False):
        print(json.dumps([asdict(step) for step in chosen], indent=1, ensure_ascii=False))
    elif name:
        tell_one(*chosen)
    else:
        tell_all(steps)
    return Exit.DONE


def _doctor(args: argparse.Namespace) -> int:
    from mseg_wizard.cli.commands.doctor import report

    rows = list(report(_destination(args, {}, offer_last=True), getattr(args, "scheduler", "")))
    if getattr(args, "json", False):
        print(json.dumps([{"what": what, "how": how, "fine": fine} for what, how, fine in rows], indent=1, ensure_ascii=False))
        return Exit.DONE
    for what, how, fine in rows:
        print(hanging(f"{FINE[fine]} {what:12} ", how))
    print("\n[!] marks what may need your attention." if any(fine is False for *_, fine in rows) else "\nEverything is fine.")
    return Exit.DONE


def _wipe(args: argparse.Namespace) -> int:
    everything = getattr(args, "all", False)
    destination = _destination(args, {}, offer_last=True)
    return wipe(load(), destination if everything else _wanted(destination), everything=everything)


def _verify(args: argparse.Namespace) -> int:
    from mseg_wizard.cli.commands.verify import verify

    steps = load()
    answers = _answers(args, steps)
    destination, _ = _begun(args, answers)
    as_json = getattr(args, "json", False)
    person = interactive() and not as_json
    options = replace(_options(args), attended=person, by_questions=person)
    with _opened(steps, destination, options, answers, take_over=args.take_over) as ctx:
        return verify(ctx, repair=getattr(args, "repair", False), as_json=as_json, ask=input if person else None)


def _report(args: argparse.Namespace) -> int:
    from mseg_wizard.cli.commands.report import report

    destination, _ = _begun(args)
    with _opened(load(), destination, _options(args), {}, take_over=args.take_over) as ctx:
        return report(ctx)


def _practice(args: argparse.Namespace) -> int:
    from mseg_wizard.cli.commands.practice import practice

    return practice(plain=getattr(args, "plain", False), keep=getattr(args, "keep", False), use_keyring=getattr(args, "keyring", False))


def _completion(args: argparse.Namespace) -> int:
    print(script(args.shell, parser(), [step.id for step in load()]), end="")
    return Exit.DONE


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "": _guided,
    "run": _run,
    "status": _status,
    "steps": _steps,
    "doctor": _doctor,
    "verify": _verify,
    "report": _report,
    "wipe": _wipe,
    "practice": _practice,
    "completion": _completion,
}
"""The names are those of arguments.COMMANDS; "" is the guided journey."""


def _open(steps: tuple[Step, ...], destination: Path, options: Options, *, take_over: bool) -> Context:
    """A destination for work; a cluster that work could not begin on is told now, and not hours later."""
    ctx = open_context(steps, destination, options, take_over=take_over)
    try:
        if options.scheduler:
            ctx.pool().ready()
    except BaseException:
        ctx.close()
        raise
    return ctx


class _opened:
    """A context for the length of a `with`, its answers given, its workers ended and its lock released at the end."""

    def __init__(self, steps: tuple[Step, ...], destination: Path, options: Options, answers: Answers, *, take_over: bool) -> None:
        pool.prepare_start()
        self._ctx = _open(steps, destination, options, take_over=take_over)
        try:
            give_answers(self._ctx, answers)
        except BaseException:
            self._ctx.close()
            raise

    def __enter__(self) -> Context:
        return self._ctx

    def __exit__(self, *_: object) -> None:
        self._ctx.close()


def _answers(args: argparse.Namespace, steps: tuple[Step, ...]) -> Answers:
    return read_answers(args.answers, steps) if args.answers else {}


def _options(args: argparse.Namespace) -> Options:
    try:
        Routes.parse(args.route)
    except Problem as problem:
        raise Usage(problem.what, problem.do) from None
    for name in args.allow:
        if name.partition(":")[0] not in CONSENTS:
            raise Usage(f"--allow {name}: that is nothing that can be allowed.", "Use a name that a waiting run gave.")
    if args.mirror and not is_link(args.mirror) and not Path(args.mirror).expanduser().is_dir():
        raise Usage(f"The mirror {args.mirror} is no folder.", "Name a folder that holds archives, or an http(s) address of one.")
    try:
        check_preferences()
        notify = args.notify if args.notify is not None else preferences().get("notify", "")
        command_of(notify)
    except Problem as problem:
        raise Usage(problem.what, problem.do) from None
    return Options(
        args.mirror, tuple(args.route), args.workers, args.scheduler or "", consents=frozenset(args.allow),
        keep_archives=args.keep_archives, notify=notify,
    )  # fmt: skip


def _destination(args: argparse.Namespace, answers: Answers, *, offer_last: bool) -> Path | None:
    """--dest, else the answers file's, else (where a person looks) the last one."""
    named = answers.get("prepare", {}).get("destination")
    if args.dest and named and Path(named).expanduser().absolute() != args.dest.expanduser().absolute():
        raise Usage(f"--dest is {args.dest}, but the answers say {named}.", "Name one destination.")
    last = preferences().get("destination") if offer_last else None
    chosen = args.dest or named or last
    return Path(chosen).expanduser().absolute() if chosen else None


def _begun(args: argparse.Namespace, answers: Answers | None = None) -> tuple[Path, Journal]:
    """The destination, and what its wizard noted; raises Problem where none has worked."""
    destination = _wanted(_destination(args, answers or {}, offer_last=True))
    journal = read_journal(destination)
    if journal is None:
        raise Problem(*unopened(destination))
    return destination, journal


def _step(steps: Sequence[Step], name: str) -> Step:
    """By id or number."""
    for step in steps:
        if name in (step.id, str(step.number)):
            return step
    raise Usage(f"There is no step {name!r}.", f"The steps are: {', '.join(step.id for step in steps)}.")


def _wanted(destination: Path | None) -> Path:
    if destination is None:
        raise Usage("No destination is named.", "Use --dest DIR, or destination in the answers' [prepare] table.")
    return destination
