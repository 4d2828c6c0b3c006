"""Manners in a shell: help that teaches, what goes where, narrow and missing terminals, readers that leave early."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path
from pkgutil import iter_modules

import pytest

from mseg_wizard.cli import commands
from mseg_wizard.cli.commands import doctor
from mseg_wizard.cli.help_words import COMMANDS, WIZARD
from mseg_wizard.cli.main import command_named
from mseg_wizard.cli.parser import parser
from mseg_wizard.cli.text import command, hanging, wrapped
from mseg_wizard.core import host
from mseg_wizard.tasks.registry import load_steps
from tests.wizard import Wizard

HELPS = ["", *COMMANDS]


@pytest.fixture
def wizard(tmp_path: Path) -> Wizard:
    home = tmp_path / "home"
    home.mkdir()
    return Wizard(home)


def told(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """What a command says on stdout, in this process."""
    chosen = parser().parse_args(args)
    chosen.steps = load_steps()
    assert command_named(chosen.command)(chosen) == 0
    found = capsys.readouterr()
    assert found.err == ""
    return found.out


def help_of(capsys: pytest.CaptureFixture[str], name: str) -> str:
    with pytest.raises(SystemExit, match="0"):
        parser().parse_args([*([name] if name else []), "--help"])
    return capsys.readouterr().out


def commands_in(text: str) -> list[list[str]]:
    """The arguments of every `mseg-wizard …` that stands in a text as something to type."""
    found = re.findall(r"(?<![\w/.-])mseg-wizard(?![\w./-])((?: +(?:\"[^\"]*\"|'[^']*'|[^\s|>`\")&,;]+))*)", text)
    return [shlex.split(arguments) for arguments in found]


@pytest.mark.parametrize("name", HELPS)
def test_help_tells_what_a_command_does_with_examples_that_work_and_its_exit_codes(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = help_of(capsys, name)
    words = COMMANDS[name] if name else WIZARD
    assert "examples:" in text and "exit codes:" in text
    assert words.examples
    assert {0, 2} <= set(words.codes)
    for line, what in words.examples:
        assert line in text
        assert what
        for arguments in commands_in(line):
            assert parser().parse_args(arguments).command == name or name == ""


def test_every_command_has_its_words_and_its_work() -> None:
    files = {module.name for module in iter_modules(commands.__path__)}
    assert set(COMMANDS) | {"guided"} == files
    assert all(callable(command_named(name)) for name in COMMANDS)


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("name", ["", "run", "verify"])
def test_help_fits_the_terminal_and_folds_no_command(
    name: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for line in help_of(capsys, name).splitlines():
        assert len(line) <= columns or command(line), line


def test_prose_is_folded_and_what_is_copied_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    scp = "scp bdd100k_seg.zip you@server:/a/long/path/mseg_dataset/BDD/"
    assert scp in wrapped(f"Upload it from the computer that has it,\nlike so:\n\n{scp}\n\nand wait.").splitlines()
    assert hanging("Time:    ", "days for the link, then 1 to 2 hours").splitlines() == [
        "Time:    days for the link, then 1 to 2",
        "         hours",
    ]


@pytest.mark.parametrize("step", load_steps(), ids=lambda step: step.id)
def test_a_step_is_told_with_every_word_within_the_terminal(
    step: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    chosen = next(one for one in load_steps() if one == step)
    text = told(capsys, "steps", chosen.id)
    for line in text.splitlines():
        assert len(line) <= 60 or command(line) or "://" in line or "/" in line.split()[-1], line
    words = re.sub(r"\s+", " ", text)
    for item in chosen.fields:
        assert item.name in words and item.label in words
        assert re.sub(r"\s+", " ", item.help.strip()) in words
    assert "\n\n\n" not in text


def test_abbreviated_options_are_refused() -> None:
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args(["run", "--des", "d"])


def test_zero_workers_means_all_cores_as_in_the_form() -> None:
    assert parser().parse_args(["run", "--workers", "0"]).workers == host.cores()
    assert parser().parse_args(["run"]).workers is None


def test_an_option_may_stand_before_or_after_the_command() -> None:
    assert (
        parser().parse_args(["--dest", "/d", "status"]).dest
        == parser().parse_args(["status", "--dest", "/d"]).dest
        == Path("/d")
    )


def test_steps_and_doctor_speak_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    steps = json.loads(told(capsys, "steps", "--json"))
    assert [step["id"] for step in steps] == [step.id for step in load_steps()]
    assert [field["name"] for field in json.loads(told(capsys, "steps", "8", "--json"))[0]["fields"]] == [
        "url",
        "archives",
    ]
    rows = json.loads(told(capsys, "doctor", "--dest", str(tmp_path), "--json"))
    assert {"what": "writable", "how": f"you may write to {tmp_path}", "fine": True} in rows


@pytest.mark.slow
def test_what_is_neither_good_nor_bad_has_a_mark_of_its_own(wizard: Wizard, tmp_path: Path) -> None:
    """Nobody who is not inside tmux has passed something; over ssh it is worth a warning."""
    told = wizard.run("doctor", "--dest", tmp_path).stdout
    assert "[-] session      not inside tmux or screen" in told
    assert "[-] terminal     none here" in told
    rows = {row["what"]: row["fine"] for row in json.loads(wizard.run("doctor", "--dest", tmp_path, "--json").stdout)}
    assert rows["session"] is rows["terminal"] is None
    remote = Wizard(wizard.home, extra={"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"})
    assert "[!] session      not inside tmux or screen" in remote.run("doctor", "--dest", tmp_path).stdout


@pytest.mark.parametrize("place", ["/proc/nothing/here", "/etc/passwd/below"])
def test_doctor_tries_whether_one_can_write_there(place: str) -> None:
    if not Path(place).parents[1].exists():
        pytest.skip(f"this system has no {Path(place).parents[1]}")
    rows = {what: (how, fine) for what, how, fine in doctor.examine(Path(place))}
    assert rows["writable"][0].startswith("you can't write to ")
    assert rows["writable"][1] is False


def shell(wizard: Wizard, line: str) -> subprocess.CompletedProcess[str]:
    """A line of bash, in which $WIZARD is the command."""
    environment = wizard.environment() | {"WIZARD": f"{shlex.quote(sys.executable)} -m mseg_wizard"}
    return subprocess.run(
        ["bash", "-c", line],
        env=environment,
        cwd=wizard.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_reader_that_leaves_early_is_no_error(wizard: Wizard) -> None:
    done = shell(wizard, "set -o pipefail; eval $WIZARD steps --json | head -1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "[\n", "")


def test_output_that_cannot_be_written_is_told(wizard: Wizard) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = shell(wizard, "eval $WIZARD steps > /dev/full")
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_closed_streams_are_no_error(wizard: Wizard) -> None:
    done = shell(wizard, "eval $WIZARD steps >&- 2>&- <&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_a_place_that_cannot_be_used_is_not_offered_the_next_time(wizard: Wizard) -> None:
    done = wizard.run("run", "--dest", "/dev/null/mseg")
    assert done.returncode == 1
    assert "/dev/null/mseg can't be used" in done.stderr
    assert "No destination is named" in wizard.run("status").stderr


def test_where_no_terminal_is_nothing_is_asked(wizard: Wizard) -> None:
    done = wizard.run("practice")
    assert done.returncode == 2
    assert "There is no terminal" in done.stderr and "--plain" in done.stderr
    assert done.stdout == ""


def test_plain_output_has_no_colour_even_on_a_terminal(wizard: Wizard) -> None:
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "mseg_wizard", "doctor"],
        env=wizard.environment() | {"TERM": "xterm-256color", "COLUMNS": "70"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=wizard.home,
    ) as process:
        os.close(slave)
        seen = b""
        try:
            while part := os.read(master, 65536):
                seen += part
        except OSError:  # how Linux says that nobody holds the other end any more
            pass
    os.close(master)
    assert process.returncode == 0
    assert b"[x] mseg-wizard" in seen
    assert b"\x1b" not in seen
    assert max(map(len, seen.decode().splitlines())) <= 70 or "/" in seen.decode()
