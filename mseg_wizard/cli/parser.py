"""The command line's grammar and the words of its help: commands, options, examples, exit codes.

What they do is in cli.commands.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from mseg_wizard import __version__
from mseg_wizard.cli.completion import SHELLS
from mseg_wizard.cli.plain import printable_redacted
from mseg_wizard.cli.text import hanging, width, wrapped
from mseg_wizard.core import host
from mseg_wizard.core.exits import Exit
from mseg_wizard.core.limits import home
from mseg_wizard.core.preferences import preferences_file
from mseg_wizard.vault import PRACTICE_SERVICE

SCHEDULER = "tcp://HOST:PORT"
WAITING = "it waits for you, and says what for"
USAGE = "the command line, the answers or a step file is wrong; nothing was begun"
LOCKED = "another wizard works on this destination"
MOST_HOSTS = 16
"""Each may get 8 connections: more than this helps nobody, and costs a login node's other users."""
ASIDE = "complete but for what you set aside, which is named"
STOPPED = {
    Exit.INTERRUPTED: "stopped by Ctrl+C; the same command goes on",
    Exit.TERMINATED: "stopped by SIGTERM",
    Exit.HANGUP: "stopped by a hang-up",
}


@dataclass(frozen=True)
class CommandHelp:
    """What the help of a command says."""

    brief: str
    tells: str
    examples: Sequence[tuple[str, str]]
    """(command line, what it does)."""
    codes: Mapping[Exit, str]
    """Exit codes."""

    def epilog(self) -> str:
        examples = [f"  {line}\n{wrapped(what, '      ')}" for line, what in self.examples]
        codes = [hanging(f"  {code:<4}", what) for code, what in self.codes.items()]
        return "\n".join(["examples:", *examples, "", "exit codes:", *codes])


WIZARD = CommandHelp(
    "",
    "From an empty disk to the finished MSeg dataset, in the order that MSeg prescribes. Without a command: the "
    "guided journey on the screen. What is done stays done, and starting again goes on.\n\n"
    "`mseg-wizard COMMAND --help` tells more about each command.",
    (
        ("mseg-wizard practice", "the whole journey in miniature: no network, no account, two minutes"),
        ("mseg-wizard --dest /data/mseg", "the guided journey, on the screen; best inside tmux"),
        (
            "mseg-wizard --dest /data/mseg --plain",
            "the same by questions in plain lines, for screen readers and simple terminals",
        ),
        (
            "mseg-wizard --dest /data/mseg --plain --form kitti",
            "and change what you answered in one step, or answer it ahead",
        ),
        ("mseg-wizard run --dest /data/mseg --answers answers.toml", "the same unattended"),
        ("mseg-wizard status --dest /data/mseg", "where it stands, also while it works"),
    ),
    {
        Exit.DONE: "done",
        Exit.FAILED: "something failed; stderr says what, why and what to do",
        Exit.USAGE: USAGE,
        Exit.WAITING: WAITING,
        Exit.LOCKED: LOCKED,
        Exit.ASIDE: ASIDE,
        **STOPPED,
    },
)

COMMANDS = {
    "run": CommandHelp(
        "the journey unattended, in plain lines",
        "Works through the steps without asking anything. Answers come from --answers, from earlier starts and, for "
        "passwords and links, from the environment or the system keyring. Where an answer is lacking it ends with "
        "exit code 3 and says which.\n\n"
        "Progress is what it has to say, so it goes to stdout: a line for each change, and one every few seconds. "
        "What went wrong, and what to do about it, goes to stderr.",
        (
            (
                "mseg-wizard run --dest /data/mseg --answers answers.toml --until remap-open",
                "as far as the six open datasets",
            ),
            (
                "mseg-wizard run --dest /data/mseg --mirror /nfs/archives --answers answers.toml",
                "with the archives that your lab has already",
            ),
            (
                "mseg-wizard run --dest /data/mseg --workers 0 > mseg.log",
                "on every core; complaints still reach the terminal",
            ),
            (
                "mseg-wizard run --dest /shared/mseg --answers answers.toml --fetch-only",
                "the archives, on a node that has the network; exit code 3 with a list of what you must bring",
            ),
            ("mseg-wizard run --dest /shared/mseg --scheduler tcp://node1:8786", "with the workers of a Dask cluster"),
        ),
        {
            Exit.DONE: "complete, as far as --until",
            Exit.FAILED: "something failed; what is done stays",
            Exit.USAGE: USAGE,
            Exit.WAITING: WAITING,
            Exit.LOCKED: LOCKED,
            Exit.ASIDE: ASIDE,
            **STOPPED,
        },
    ),
    "status": CommandHelp(
        "where every step stands",
        "Reads what the wizard noted; it takes no lock, asks no keyring and changes nothing, so it may run at any "
        "time. Without --dest it looks at the last destination that was opened.",
        (
            ("mseg-wizard status --dest /data/mseg", "a line for each step, then what is being done now"),
            ("watch -n 5 mseg-wizard status", "the same every five seconds"),
            ("mseg-wizard status --json", "for scripts: state, waits_for, done, total and unit of each step"),
        ),
        {
            Exit.DONE: "it is told",
            Exit.FAILED: "no wizard has worked there yet, or its journal can't be read",
            Exit.USAGE: USAGE,
        },
    ),
    "steps": CommandHelp(
        "the steps, or one step in its own words",
        "Without a name: a line for each step. With one, its id or number: why it is there, how long it takes, its "
        "licence, links, form and tasks. The names of the form's fields are the keys of an answers file.",
        (
            ("mseg-wizard steps", "all steps, in order"),
            ("mseg-wizard steps kitti", "one step; `mseg-wizard steps 8` is the same"),
            ("mseg-wizard steps --json", "everything, for scripts"),
        ),
        {Exit.DONE: "it is told", Exit.USAGE: "there is no such step, or a step file is wrong"},
    ),
    "sources": CommandHelp(
        "where each archive can be had, and what is known of it",
        "For each archive of a step, or of all: the places in the order in which they are tried, its size and sums, "
        "what was last known of each place, and what may stand in for it. With --check every public address is asked "
        "for one byte; logins and pasted links are not tried. No destination is needed and no secret used.",
        (
            ("mseg-wizard sources", "of all steps"),
            ("mseg-wizard sources download-open --check", "which of these addresses answer today?"),
            ("mseg-wizard sources --check --json > sources.json", "for scripts"),
        ),
        {
            Exit.DONE: "it is told, and all that was asked answers",
            Exit.FAILED: "an address that was asked gives no file",
            Exit.USAGE: USAGE,
        },
    ),
    "doctor": CommandHelp(
        "what this machine offers for the job",
        "Looks at disk, inodes, cores, keyring and terminal and changes nothing. [!] marks what may need your "
        "attention, [-] what is worth knowing and neither good nor bad. Without --dest it looks at the last "
        "destination that was opened, else at the folder that you are in.",
        (
            ("mseg-wizard doctor --dest /data/mseg", "is there room, and may you write there?"),
            (
                "mseg-wizard doctor --dest /data/mseg --json",
                "the same for scripts: what, how and fine of each row; fine is true, false, or null for [-]",
            ),
        ),
        {Exit.DONE: "it is told, whatever was found", Exit.USAGE: "the command line is wrong"},
    ),
    "verify": CommandHelp(
        "look at every file, label map and segment again",
        "Compares every label map with what its raw label gives, every relabelled segment and MSeg's 43 targeted "
        "pixels. What was found faultless and has the size and time that it had then is not read again, unless with "
        "--full. The verdict goes to stdout, what is being done meanwhile to stderr. With --repair, what is faulty "
        "is made again: where that needs an archive that was removed, it says which, how large, and asks (or waits "
        "for --allow).",
        (
            ("mseg-wizard verify --dest /data/mseg", "the verdict, and each fault by name"),
            ("mseg-wizard verify --dest /data/mseg --json > verdict.json", "the verdict for scripts"),
            ("mseg-wizard verify --dest /data/mseg --repair", "have what is faulty made again, then look once more"),
        ),
        {
            Exit.DONE: "no fault was found",
            Exit.FAILED: "faults, or something failed, or no wizard has worked there yet",
            Exit.USAGE: USAGE,
            Exit.WAITING: "steps are not complete, or it waits for you",
            Exit.LOCKED: LOCKED,
            Exit.ASIDE: ASIDE,
            **STOPPED,
        },
    ),
    "report": CommandHelp(
        "write the report again, with pictures to judge by eye",
        "Writes the page whatever is complete by now. Its place is all that goes to stdout.",
        (
            ("mseg-wizard report --dest /data/mseg", "write it, and say where it is"),
            ('xdg-open "$(mseg-wizard report)"', "write it and open it"),
        ),
        {
            Exit.DONE: "written",
            Exit.FAILED: "something failed, or no wizard has worked there yet",
            Exit.USAGE: USAGE,
            Exit.LOCKED: LOCKED,
            **STOPPED,
        },
    ),
    "universal": CommandHelp(
        "the training labels in MSeg's universal classes, in lists for training code",
        "Beside the finished dataset it makes mseg_universal/: each label map of the training sets once more, "
        "with the numbers of MSeg's 194 universal classes; train.csv and val.csv, which name image and label of each "
        "pair; the classes; and what they are in the test sets. The labels are made of the relabelled ones, so "
        "relabelling must be complete. It resumes, and counts what it made, as the steps do; each label map is "
        "compared with what it was made of.",
        (
            ("mseg-wizard universal --dest /data/mseg", "make what is missing of them"),
            ("mseg-wizard universal --scheduler tcp://node1:8786", "with the workers of a Dask cluster"),
        ),
        {
            Exit.DONE: "complete, and each label map compared",
            Exit.FAILED: "something failed; what is done stays",
            Exit.USAGE: USAGE,
            Exit.WAITING: "relabelling is not complete, or it waits for you",
            Exit.LOCKED: LOCKED,
            **STOPPED,
        },
    ),
    "wipe": CommandHelp(
        "remove every stored password and link",
        "Removes what is in the system keyring for one destination, checks that it is gone, and names what it can't "
        "remove: variables of your shell, files that other scripts left. The data stay.",
        (
            ("mseg-wizard wipe --dest /data/mseg", "of one destination"),
            ("mseg-wizard wipe --all", "of every destination that you ever opened, and of practice"),
        ),
        {
            Exit.DONE: "nothing is stored any more",
            Exit.FAILED: "something could not be removed, or no wizard has worked there",
            Exit.USAGE: USAGE,
        },
    ),
    "practice": CommandHelp(
        "the whole journey in miniature, without network or account",
        "Makes a small MSeg in a temporary folder, plays every web site on this machine, and removes both at the "
        "end. Nothing real is touched.",
        (
            ("mseg-wizard practice", "on the screen: two minutes"),
            ("mseg-wizard practice --plain", "by itself, in plain lines"),
            ("mseg-wizard practice --keep", "and keep the folder, to look around in it"),
        ),
        {
            Exit.DONE: "complete",
            Exit.FAILED: "something failed",
            Exit.USAGE: "there is no terminal for the screen",
            Exit.INTERRUPTED: "stopped",
        },
    ),
    "completion": CommandHelp(
        "a script that lets your shell complete commands and options",
        "Prints the script; it changes nothing by itself.",
        (
            ('eval "$(mseg-wizard completion bash)"', "bash, for this session; in ~/.bashrc for all"),
            ('mseg-wizard completion zsh > "${fpath[1]}/_mseg-wizard"', "zsh, from the next session on"),
            ("mseg-wizard completion fish > ~/.config/fish/completions/mseg-wizard.fish", "fish, from now on"),
        ),
        {Exit.DONE: "printed", Exit.USAGE: "there is no script for that shell"},
    ),
}


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
