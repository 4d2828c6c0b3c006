"""The command line's grammar: commands and options. What its help says besides is help_words', what the commands do is
in cli.commands.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from pathlib import Path
from typing import Any, NoReturn

from mseg_wizard import __version__
from mseg_wizard.cli.completion import SHELLS
from mseg_wizard.cli.help_words import COMMANDS, WIZARD
from mseg_wizard.cli.plain import printable_redacted
from mseg_wizard.cli.text import width, wrapped
from mseg_wizard.core import host
from mseg_wizard.core.exits import Exit
from mseg_wizard.core.limits import home
from mseg_wizard.core.preferences import preferences_file
from mseg_wizard.vault import PRACTICE_SERVICE

SCHEDULER = "tcp://HOST:PORT"
MOST_HOSTS = 16
"""Each may get 8 connections: more than this helps nobody, and costs a login node's other users."""


class Parser(argparse.ArgumentParser):
    """Options are written out in full: an abbreviation that works today
    would mean something else, or nothing, in the next version.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "allow_abbrev": False, "formatter_class": _Help})

    def error(self, message: str) -> NoReturn:
        if unknown := re.fullmatch(
            r"argument (\w+): invalid choice: ['\"](.*)['\"] \(choose from (.*)\)", message, re.DOTALL
        ):
            import difflib  # here, because no other start needs it

            what, given, choices = unknown[1].lower(), unknown[2], re.findall(r"[\w-]+", unknown[3])
            near = difflib.get_close_matches(given, choices, 1)
            message = (
                f"there is no {what} '{given}'{f': did you mean {near[0]}?' if near else '.'} There are "
                f"{', '.join(choices)}."
            )
        # What is wrong may be an address with a password in it.
        self.exit(
            Exit.USAGE,
            f"{self.prog}: {printable_redacted(message)}\n  `{self.prog} --help` says what there is, with examples.\n",
        )


class _Help(argparse.HelpFormatter):
    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, max_help_position=22, **{**options, "width": width()})

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)  # paths and options stay whole where they fit

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return wrapped(text, indent)


def parser() -> Parser:
    """The whole grammar; the namespace's `command` is the name of the command, "" for the guided journey."""
    usage = "mseg-wizard [OPTIONS] [COMMAND]"
    top = Parser(
        prog="mseg-wizard", usage=usage, parents=[_work_options()], description=WIZARD.tells, epilog=WIZARD.epilog()
    )
    top.add_argument(
        "--version", action="version", version=f"mseg-wizard {__version__}", help="say the version and end"
    )
    top.add_argument("--plain", action="store_true", help="questions and plain lines instead of the screen")
    text = "with --plain: ask for all answers of this step first, also those that were given before"
    top.add_argument("--form", metavar="STEP", help=text)
    top.set_defaults(command="")
    commands = top.add_subparsers(prog="mseg-wizard", title="commands", metavar="COMMAND", parser_class=Parser)

    def add(name: str, *parents: Parser, takes: str = "[OPTIONS]") -> Parser:
        words = COMMANDS[name]
        usage = f"mseg-wizard {name} {takes}"  # the options are listed below it, with what they do
        sub = commands.add_parser(
            name, usage=usage, parents=parents, help=words.brief, description=words.tells, epilog=words.epilog()
        )
        for action in sub._actions:  # an option that is absent after the command must not hide the one before it
            action.default = argparse.SUPPRESS
        sub.set_defaults(command=name)
        return sub

    sub = add("run", _work_options())
    sub.add_argument("--until", metavar="STEP", help="stop after this step")
    text = "step 1, then every archive that can be fetched, and nothing else: for a machine that has the network"
    sub.add_argument("--fetch-only", action="store_true", help=text)
    sub = add("status", _destination_option())
    sub.add_argument("--json", action="store_true", help="for scripts")
    sub = add("steps", takes="[--json] [STEP]")
    sub.add_argument("step", nargs="?", metavar="STEP", help="its id or number")
    sub.add_argument("--json", action="store_true", help="for scripts")
    sub = add("sources", takes="[OPTIONS] [STEP]")
    sub.add_argument("step", nargs="?", metavar="STEP", help="its id or number")
    sub.add_argument("--check", action="store_true", help="ask each public address for one byte")
    sub.add_argument("--json", action="store_true", help="for scripts")
    text = "send requests for one origin to another"
    sub.add_argument("--route", action="append", default=[], metavar="ORIGIN=ORIGIN", help=text)
    sub = add("doctor", _destination_option())
    text = "look at this Dask cluster too, with a file that comes and goes in the destination"
    sub.add_argument("--scheduler", type=_scheduler, default=argparse.SUPPRESS, metavar=SCHEDULER, help=text)
    sub.add_argument("--json", action="store_true", help="for scripts")
    sub = add("verify", _work_options())
    sub.add_argument(
        "--repair", action="store_true", help="have what is faulty made again: the wizard's own files, or an archive's"
    )
    sub.add_argument("--full", action="store_true", help="look at everything again, also at what is unchanged")
    sub.add_argument("--json", action="store_true", help="the verdict for scripts")
    add("report", _work_options())
    add("universal", _work_options())
    sub = add("wipe", _destination_option())
    sub.add_argument("--all", action="store_true", help="of every destination that you ever opened, not of one")
    sub = add("practice")
    sub.add_argument("--plain", action="store_true", default=argparse.SUPPRESS, help="by itself, in plain lines")
    sub.add_argument("--keep", action="store_true", help="keep its folder")
    sub.add_argument(
        "--keyring", action="store_true", help=f"keep its secrets in the system keyring, under {PRACTICE_SERVICE}"
    )
    sub = add("completion", takes="SHELL")
    sub.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"{', '.join(SHELLS[:-1])} or {SHELLS[-1]}")
    return top


def _destination_option() -> Parser:
    options = Parser(add_help=False)
    options.add_argument(
        "--dest", type=Path, metavar="DIR", help="MSEG_DST_DIR: the folder that will hold mseg_dataset/"
    )
    return options


def _work_options() -> Parser:
    options = Parser(add_help=False, parents=[_destination_option()])
    add = options.add_argument
    add("--answers", type=Path, metavar="FILE", help="TOML with one table per step and one key per field")
    add(
        "--mirror",
        metavar="DIR_OR_URL",
        help="take archives by file name from here, and mseg-api/ or mseg-api.zip; it is never changed",
    )
    add("--route", action="append", default=[], metavar="ORIGIN=ORIGIN", help="send requests for one origin to another")
    add(
        "--workers",
        type=_workers,
        metavar="N",
        help="worker processes, whatever the form says; 0: every core that this process may use",
    )
    add(
        "--scheduler",
        type=_scheduler,
        metavar=SCHEDULER,
        help="use the workers of this Dask scheduler, who share the disk",
    )
    text = "fetch from so many hosts at once, one archive from each, also ahead of its turn; else from 4"
    add("--hosts", type=_hosts, metavar="N", help=text)
    add("--in-order", dest="hosts", action="store_const", const=0, help="fetch each archive only when its turn comes")
    add("--keep-archives", action="store_true", help="keep every fetched archive after it was unpacked")
    add(
        "--allow",
        action="append",
        default=[],
        metavar="WHAT",
        help="allow what a waiting run asked for, by the name it gave",
    )
    add("--notify", metavar="COMMAND", help=_notify_help())
    add("--notify-quiet", action="store_true", help="without the message that tries --notify at the start")
    add("--take-over", action="store_true", help="go on although another host's wizard left its lock")
    return options


def _notify_help() -> str:
    file, at = preferences_file(), home()
    short = f"~/{file.relative_to(at)}" if file and at and file.is_relative_to(at) else str(file or "your preferences")
    # argparse would fill in what follows a %.
    always = f'for every start: {{"notify": "COMMAND"}} in {short}'.replace("%", "%%")
    return (
        f"run this when it waits for you, fails or is complete, with what it says on standard input, and "
        f"once at the start, to try it; it is started as it stands, no shell reads it; {always}"
    )


def _scheduler(text: str) -> str:
    if not re.fullmatch(r"(tcp|tls)://[^\s/@]+:\d+", text):
        raise argparse.ArgumentTypeError("an address such as tcp://node1:8786")
    return text


def _hosts(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= MOST_HOSTS):
        raise argparse.ArgumentTypeError(f"a whole number from 1 to {MOST_HOSTS}")
    return int(text)


def _workers(text: str) -> int:
    """A number of processes; 0 means the same as in the form."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a whole number, 0 or more")
    return int(text) or host.cores()
