"""The words of the command line's help: what each command is for, with examples and exit codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mseg_wizard.cli.text import hanging, wrapped
from mseg_wizard.core.exits import Exit

WAITING = "it waits for you, and says what for"
USAGE = "the command line, the answers or a step file is wrong; nothing was begun"
LOCKED = "another wizard works on this destination"
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
