"""The command line: guided (default), run, status, steps, doctor, wipe, verify, report, practice. What they do lives elsewhere."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NoReturn

from mseg_wizard import __version__, pool
from mseg_wizard.context import Context, Options
from mseg_wizard.links import is_link
from mseg_wizard.log import log_crash, log_to, no_core_dumps
from mseg_wizard.opening import Answers, Usage, give_answers, open_context, read_answers, started_with
from mseg_wizard.plain import Exit, complain, exit_code, guided, shown, unattended
from mseg_wizard.progress import Problem, Waiting
from mseg_wizard.snapshot import published
from mseg_wizard.status import MARKS, overview
from mseg_wizard.step import Step, load
from mseg_wizard.store import Journal, preferences, read_journal
from mseg_wizard.tasks.web import Routes
from mseg_wizard.vault import PRACTICE_SERVICE, take_environment
from mseg_wizard.wipe_command import wipe
from mseg_wizard.wiping import declared

CONSENTS = ("again", "remake", "leftovers")
"""What the names begin with that a waiting run gives, for --allow."""

EXAMPLES = """\
examples:
  mseg-wizard                              the guided journey, on the screen
  mseg-wizard practice                     the same in miniature: no network, no account, two minutes
  mseg-wizard run --dest /data/mseg --answers answers.toml --until remap-open
                                           unattended, as far as the six open datasets
  mseg-wizard run --dest /data/mseg --mirror /nfs/archives --answers answers.toml
                                           with the archives that your lab has already
  mseg-wizard status --dest /data/mseg     where it stands, also while it works

exit codes of run: 0 done, 1 failed, 2 wrong usage, 3 waits for you (it says what for), 4 another wizard
works there, 130/143/129 stopped by Ctrl+C, SIGTERM or hang-up. Starting again always goes on.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The `mseg-wizard` command; returns its exit code."""
    for name in ("TEXTUAL_LOG", "TEXTUAL"):  # they would record every key, passwords included, or send it to a development console
        os.environ.pop(name, None)
    no_core_dumps()
    parser = _parser()
    args = parser.parse_args(argv)
    started_with(sys.argv[1:] if argv is None else argv)
    try:
        take_environment(declared(load()))
        return int(args.command(args))
    except Usage as problem:
        complain(problem)
        return Exit.USAGE
    except Problem as problem:
        complain(problem)
        return exit_code(problem)
    except BrokenPipeError:  # `mseg-wizard status | head`
        sys.stdout = None
        return Exit.DONE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as bug:  # Python would print its message, which may quote what was typed
        complain(bug, log_crash())
        return Exit.FAILED


class _Parser(argparse.ArgumentParser):
    """Complains as the rest does: what is wrong may be an address with a password in it."""

    def error(self, message: str) -> NoReturn:
        super().error(shown(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mseg-wizard", parents=[_work_options()], epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="From an empty disk to the finished MSeg dataset, in the order that MSeg prescribes.",
    )
    parser.add_argument("--version", action="version", version=f"mseg-wizard {__version__}")
    parser.add_argument("--plain", action="store_true", help="questions and plain lines instead of the screen")
    parser.set_defaults(command=_guided)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(name: str, text: str, *parents: _Parser) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, parents=parents, help=text, description=text)
        for action in sub._actions:  # an option that is absent after the command must not hide the one before it
            if action.dest != "help":
                action.default = argparse.SUPPRESS
        return sub

    sub = command("run", "the journey unattended, in plain lines", _work_options())
    sub.add_argument("--until", metavar="STEP", help="stop after this step")
    sub.set_defaults(command=_run)
    sub = command("status", "where every step stands", _destination_option())
    sub.add_argument("--json", action="store_true", help="for scripts")
    sub.set_defaults(command=_status)
    sub = command("steps", "the steps, or one step in its own words")
    sub.add_argument("step", nargs="?", metavar="STEP")
    sub.set_defaults(command=_steps)
    command("doctor", "what this machine offers for the job", _destination_option()).set_defaults(command=_doctor)
    sub = command("wipe", "remove every stored password and link", _destination_option())
    sub.add_argument("--all", action="store_true", help="of every destination that you ever opened, not of one")
    sub.set_defaults(command=_wipe)
    text = "look at every file, label map and segment again; exits with 0: clean, 1: faults, 3: steps are missing"
    sub = command("verify", text, _work_options())
    sub.add_argument("--repair", action="store_true", help="have what is faulty made again: the wizard's own files, or an archive's")
    sub.set_defaults(command=_verify)
    sub = command("report", "write the report again, with pictures to judge by eye, and say where it is", _work_options())
    sub.set_defaults(command=_report)
    sub = command("practice", "the whole journey in miniature, without network or account")
    sub.add_argument("--plain", action="store_true", help="unattended, in plain lines")
    sub.add_argument("--keep", action="store_true", help="keep its folder")
    sub.add_argument("--keyring", action="store_true", help=f"keep its secrets in the system keyring, under {PRACTICE_SERVICE}")
    sub.set_defaults(command=_practice)
    return parser


def _destination_option() -> _Parser:
    options = _Parser(add_help=False)
    options.add_argument("--dest", type=Path, metavar="DIR", help="MSEG_DST_DIR: the folder that will hold mseg_dataset/")
    return options


def _work_options() -> _Parser:
    options = _Parser(add_help=False, parents=[_destination_option()])
    add = options.add_argument
    add("--answers", type=Path, metavar="FILE", help="TOML with one table per step and one key per field")
    add("--mirror", metavar="DIR_OR_URL", help="take archives by file name from here, and mseg-api/ or mseg-api.zip; it is never changed")
    add("--route", action="append", default=[], metavar="ORIGIN=ORIGIN", help="send requests for one origin to another")
    add("--workers", type=_workers, metavar="N", help="worker processes (default: the cores this process may use)")
    add("--keep-archives", action="store_true", help="keep every fetched archive after it was unpacked")
    add("--allow", action="append", default=[], metavar="WHAT", help="allow what a waiting run asked for, by the name it gave")
    add("--take-over", action="store_true", help="go on although another host's wizard left its lock")
    return options


def _guided(args: argparse.Namespace) -> int:
    steps = load()
    answers = _answers(args, steps)
    options = replace(_options(args), attended=True, by_questions=args.plain)
    destination = _destination(args, answers, offer_last=True)
    if args.plain:
        with _opened(steps, _wanted(destination), options, answers, take_over=args.take_over) as ctx:
            return guided(ctx, steps)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Usage("There is no terminal here for the screen.", "Use `mseg-wizard run` (unattended) or `mseg-wizard --plain` (questions).")
    log_to(None)
    from mseg_wizard.tui.app import guide

    def opener(folder: Path) -> Context:
        return open_context(steps, folder, options, take_over=args.take_over)

    return guide(steps, opener, destination, preset=answers)


def _run(args: argparse.Namespace) -> int:
    steps = load()
    answers = _answers(args, steps)
    until = getattr(args, "until", None)
    ids = [step.id for step in steps]
    if until is not None and until not in ids:
        raise Usage(f"There is no step {until!r}.", f"The steps are: {', '.join(ids)}.")
    destination = _wanted(_destination(args, answers, offer_last=False))
    with _opened(steps, destination, _options(args), answers, take_over=args.take_over) as ctx:
        return unattended(ctx, steps[: ids.index(until) + 1] if until else steps)


def _status(args: argparse.Namespace) -> int:
    steps = load()
    destination = _wanted(_destination(args, {}, offer_last=True))
    journal = read_journal(destination)
    if journal is None:
        raise Problem(f"No wizard has worked in {destination} yet.", "Name the destination with --dest.")
    now = published(destination)
    states = overview(steps, journal, now, lambda step: _lacks(step, journal))
    if getattr(args, "json", False):
        rows = [asdict(state) for state in states]
        print(json.dumps({"version": __version__, "destination": str(destination), "steps": rows}, indent=1))
        return Exit.DONE
    print(destination)
    for step, state in zip(steps, states, strict=True):
        waits = ", ".join(step.field(name).label for name in state.waits_for) if state.state == "waiting" else ""
        print(f"{MARKS[state.state]} {step.number:2} {step.title:26} {state.state}{': ' if waits else ''}{waits}")
    for key in now.calls if now.running else ():
        print(f"working now: {now.progress[key].doing}")
    if now.problem and not now.running:
        print(f"last stop: {now.problem}")
    for file in (file for file, record in journal.archives.items() if not record.get("as_published", True)):
        print(f"note: {file} is not the published archive")
    if journal.tree.get("pinned") == "no":
        print("note: the mseg-api tree is a modified one")
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
    if name is None:
        for step in steps:
            print(f"{step.number:2} {step.id:14} {step.title:26} {step.summary}")
        return Exit.DONE
    found = next((step for step in steps if name in (step.id, str(step.number))), None)
    if found is None:
        raise Usage(f"There is no step {name!r}.", f"The steps are: {', '.join(step.id for step in steps)}.")
    print(f"{found.number}. {found.title}\n\n{found.why}\n\nTime: {found.time}")
    if found.licence:
        print(f"Licence: {found.licence}")
    for link in found.links:
        print(f"  {link.label}: {link.url}")
    for item in found.fields:
        print(f"\n{item.name}{'' if item.required else ' (optional)'}: {item.label}\n  {item.help}")
    print("\nTasks:" + "".join(f"\n  {call.title}" for call in found.calls))
    return Exit.DONE


def _doctor(args: argparse.Namespace) -> int:
    from mseg_wizard.doctor import report

    good = True
    for what, how, fine in report(_destination(args, {}, offer_last=True)):
        print(f"{'[x]' if fine else '[!]'} {what:12} {how}")
        good = good and fine
    print("\nEverything is fine." if good else "\n[!] marks what may need your attention.")
    return Exit.DONE


def _wipe(args: argparse.Namespace) -> int:
    everything = getattr(args, "all", False)
    destination = _destination(args, {}, offer_last=True)
    return wipe(load(), destination if everything else _wanted(destination), everything=everything)


def _verify(args: argparse.Namespace) -> int:
    from mseg_wizard.verify_command import verify

    steps = load()
    answers = _answers(args, steps)
    destination = _wanted(_destination(args, answers, offer_last=True))
    if read_journal(destination) is None:
        raise Waiting(f"No wizard has worked in {destination} yet.", "Name the destination with --dest, or start with `mseg-wizard`.")
    repair, person = getattr(args, "repair", False), sys.stdin.isatty()
    options = replace(_options(args), attended=person, by_questions=person)
    with _opened(steps, destination, options, answers, take_over=args.take_over) as ctx:
        return verify(ctx, repair=repair, ask=input if person else None)


def _report(args: argparse.Namespace) -> int:
    from mseg_wizard.report_command import report

    destination = _wanted(_destination(args, {}, offer_last=True))
    if read_journal(destination) is None:
        raise Problem(f"No wizard has worked in {destination} yet.", "Name the destination with --dest.")
    with _opened(load(), destination, _options(args), {}, take_over=args.take_over) as ctx:
        return report(ctx)


def _practice(args: argparse.Namespace) -> int:
    from mseg_wizard.practice.session import practice

    return practice(plain=getattr(args, "plain", False), keep=getattr(args, "keep", False), use_keyring=getattr(args, "keyring", False))


class _opened:
    """A context for the length of a `with`, its answers given, its workers ended and its lock released at the end."""

    def __init__(self, steps: tuple[Step, ...], destination: Path, options: Options, answers: Answers, *, take_over: bool) -> None:
        pool.prepare_start()
        self._ctx = open_context(steps, destination, options, take_over=take_over)
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
    return Options(
        args.mirror, tuple(args.route), args.workers, consents=frozenset(args.allow), keep_archives=args.keep_archives
    )


def _destination(args: argparse.Namespace, answers: Answers, *, offer_last: bool) -> Path | None:
    """--dest, else the answers file's, else (where a person looks) the last one."""
    named = answers.get("prepare", {}).get("destination")
    if named is not None and not isinstance(named, str):
        raise Usage("prepare.destination is not text.", 'Write destination = "/a/folder".')
    if args.dest and named and Path(named).expanduser().absolute() != args.dest.expanduser().absolute():
        raise Usage(f"--dest is {args.dest}, but the answers say {named}.", "Name one destination.")
    last = preferences().get("destination") if offer_last else None
    chosen = args.dest or named or last
    return Path(chosen).expanduser().absolute() if chosen else None


def _wanted(destination: Path | None) -> Path:
    if destination is None:
        raise Usage("No destination is named.", "Use --dest DIR, or destination in the answers' [prepare] table.")
    return destination


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number, 1 or more")
    return int(text)
