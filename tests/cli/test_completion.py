"""Completion in the shells themselves: what is typed, with a Tab where it stops, is what the command then gets."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mseg_wizard.cli.completion import SHELLS, CompletionWord, grammar, script
from mseg_wizard.cli.help_words import COMMANDS
from mseg_wizard.cli.main import command_named
from mseg_wizard.cli.parser import parser
from mseg_wizard.tasks.registry import load_steps
from tests.installed import needs

STEPS = [step.id for step in load_steps()]
GRAMMAR = grammar(parser(), {})
WITHOUT = {"N", "WHAT", "ORIGIN=ORIGIN", "tcp://HOST:PORT", "COMMAND"}
"""Metavars of values that no shell can know."""

SETUP = {
    "bash": ["PS1='> '", "bind 'set bell-style none'", "bind 'set enable-bracketed-paste off'"],
    "zsh": [
        "PS1='> '",
        "unsetopt beep zle_bracketed_paste prompt_cr prompt_sp",
        "autoload -U compinit; compinit -u -D",
    ],
}
START = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}


class Shell:
    """An interactive shell on a terminal of its own, in which `mseg-wizard` prints its arguments."""

    def __init__(self, name: str, home: Path, *, installed: bool = False) -> None:
        needs(name)
        (home / "script").write_text(script(name, parser(), STEPS))
        (home / "functions").mkdir()
        (home / "functions" / "_mseg-wizard").write_text(script(name, parser(), STEPS))
        self._master, slave = pty.openpty()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "200",
        }
        self._process = subprocess.Popen(
            START[name], stdin=slave, stdout=slave, stderr=slave, cwd=home, env=environment, start_new_session=True
        )
        os.close(slave)
        install = "fpath=(~/functions $fpath)" if installed else ":"
        load = ":" if installed else "source ./script"
        for line in (install, *SETUP[name], load, "mseg-wizard() { printf 'got'; printf '<%s>' \"$@\"; echo; }"):
            self.type(line + "\necho rea''dy\n", "ready")

    def type(self, text: str, until: str) -> str:
        """What the terminal shows from now on, up to `until`."""
        os.write(self._master, text.encode())
        seen = ""
        while not re.search(until, seen):
            assert select.select([self._master], [], [], 30)[0], f"typed {text!r}, saw only {seen!r}"
            seen += os.read(self._master, 65536).decode("utf-8", "replace")
        return seen

    def completed(self, line: str) -> list[str]:
        """The arguments that the command gets when `line` is typed, a Tab after it, and Enter."""
        os.write(self._master, f"{line}\t".encode())
        seen = self.type("\n", r"got<.*>\r?\n")
        # The mark that some shells put behind a folder's name is no part of it.
        return [word.rstrip("/") for word in re.findall(r"<([^>]*)>", seen[seen.index("got<") :])]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)


@pytest.fixture(scope="module", params=["bash", "zsh"])
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    home = tmp_path_factory.mktemp("home")
    (home / "my data").mkdir()
    (home / "answers.toml").touch()
    found = Shell(request.param, home)
    yield found
    found.close()


def test_every_command_and_option_of_the_parser_is_completed(shell: Shell) -> None:
    for command in GRAMMAR[1:]:
        assert shell.completed(f"mseg-wizard {command.name[:-1]}") == [command.name]
    for command in GRAMMAR:
        before = [command.name] if command.name else []
        for word in command.words:
            if word.name.startswith("--"):
                assert shell.completed(" ".join(["mseg-wizard", *before, word.name[:-1]])) == [*before, word.name]


@pytest.mark.parametrize(
    ("typed", "got"),
    [
        ("run --until remap", ["run", "--until", "remap-open"]),
        ("run --until=remap", ["run", "--until=remap-open"]),
        ("steps kit", ["steps", "kitti"]),
        ("completion fi", ["completion", "fish"]),
        ("--dest my", ["--dest", "my data"]),
        ("status --dest my", ["status", "--dest", "my data"]),
        ("run --answers ans", ["run", "--answers", "answers.toml"]),
        ("--dest status sta", ["--dest", "status", "status"]),
        ("run --dest x --mirror my", ["run", "--dest", "x", "--mirror", "my data"]),
        ("status --mirr", ["status", "--mirr"]),
    ],
)
def test_values_are_completed_where_there_are_such(shell: Shell, typed: str, got: list[str]) -> None:
    assert shell.completed(f"mseg-wizard {typed}") == got


def test_zsh_finds_the_script_in_its_folder_of_functions(tmp_path: Path) -> None:
    zsh = Shell("zsh", tmp_path, installed=True)
    try:
        assert zsh.completed("mseg-wizard run --until remap") == ["run", "--until", "remap-open"]
    finally:
        zsh.close()


@pytest.fixture(scope="module")
def fish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("fish")
    home = tmp_path_factory.mktemp("home")
    (home / "my data").mkdir()
    (home / "script").write_text(script("fish", parser(), STEPS))
    return home


def offers(home: Path, *lines: str) -> list[list[str]]:
    """What fish offers for each line."""
    ask = "".join(f"; echo ---; complete -C '{line}'" for line in lines)
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source script{ask}"],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [[row.partition("\t")[0] for row in part.splitlines() if row] for part in done.stdout.split("---\n")[1:]]


def test_fish_offers_every_command_and_option_of_the_parser(fish: Path) -> None:
    names, *options = offers(
        fish, "mseg-wizard ", *(f"mseg-wizard {command.name} --".replace("  ", " ") for command in GRAMMAR)
    )
    assert set(COMMANDS) <= set(names)
    for command, found in zip(GRAMMAR, options, strict=True):
        assert {word.name for word in command.words if word.name.startswith("--")} == set(found), command.name


def test_fish_offers_values_where_there_are_such(fish: Path) -> None:
    lines = ("run --until remap", "steps kit", "completion fi", "status --dest my")
    assert offers(fish, *(f"mseg-wizard {line}" for line in lines)) == [
        ["remap-open"],
        ["kitti"],
        ["fish"],
        ["my data/"],
    ]


def test_every_value_is_completed_or_known_to_be_the_users_alone() -> None:
    known = {"DIR", "DIR_OR_URL", "FILE", "STEP", "SHELL"}
    taken: list[CompletionWord] = [word for command in GRAMMAR for word in command.words if word.takes]
    assert {word.metavar for word in taken} <= known | WITHOUT, (
        "say in completion.py what completes it, or add it to WITHOUT"
    )


def test_the_command_prints_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    for shell in SHELLS:
        args = parser().parse_args(["completion", shell])
        args.steps = load_steps()
        assert command_named(args.command)(args) == 0
        assert capsys.readouterr().out == script(shell, parser(), STEPS)
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args(["completion", "tcsh"])
