"""The command line: what each command prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from mseg_wizard.core.invocation import Invocation
from mseg_wizard.state.journal import OWN
from mseg_wizard.state.store import Store
from tests.waiting import wait_until
from tests.wizard import ANSWERS, Wizard, hold


@pytest.fixture
def wizard(tmp_path: Path) -> Wizard:
    home = tmp_path / "home"
    home.mkdir()
    return Wizard(home)


@pytest.mark.slow
def test_help_and_version(wizard: Wizard) -> None:
    done = wizard.run("--help")
    assert done.returncode == 0
    assert "examples:" in done.stdout
    assert wizard.run("--version").stdout.startswith("mseg-wizard ")


@pytest.mark.long
def test_steps_lists_all_fourteen_and_explains_each(wizard: Wizard) -> None:
    listed = wizard.run("steps").stdout.splitlines()
    assert len(listed) == 14
    for line in listed:
        told = wizard.run("steps", line.split()[1])
        assert told.returncode == 0
        assert told.stdout.startswith(f"{line.split()[0]}. ")


def test_doctor_tells_about_disk_inodes_cores_keyring_and_terminal(wizard: Wizard, tmp_path: Path) -> None:
    done = wizard.run("doctor", "--dest", tmp_path / "d")
    assert done.returncode == 0
    for word in ("disk", "inodes", "cores", "secrets", "terminal"):
        assert word in done.stdout
    assert "this session's memory" in done.stdout  # the null keyring keeps nothing, and doctor says so
    assert not (tmp_path / "d").exists()


@pytest.mark.long
@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["run"], "No destination is named"),
        (["run", "--dest", "d", "--until", "nothing"], "There is no step 'nothing'"),
        (["run", "--dest", "d", "--answers", "no.toml"], "can't be read"),
        (["run", "--dest", "d", "--mirror", "nowhere"], "is no folder"),
        (["run", "--dest", "d", "--route", "x"], "not ORIGIN=ORIGIN"),
        (["run", "--dest", "d", "--route", "https://a.org=http://b.org"], "unencrypted"),
        (["run", "--dest", "d", "--workers", "-1"], "a whole number"),
        (["run", "--dest", "d", "--workers", "many"], "a whole number"),
        (["steps", "nothing"], "There is no step 'nothing'"),
        (["practise"], "there is no command 'practise': did you mean practice? There are run, status,"),
        (["whatever", "--dest", "d"], "there is no command 'whatever'. There are run, status,"),
        (["completion", "bsh"], "there is no shell 'bsh': did you mean bash? There are bash, zsh, fish."),
        ([], "There is no terminal here"),
    ],
)
def test_wrong_usage_is_explained_with_exit_code_2(wizard: Wizard, args: list[str], words: str) -> None:
    done = wizard.run(*args)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[prepare]\nworkers = 'many'\n", "prepare.workers: “Worker processes” is 'many'"),
        ("[prepare]\ndestination = 7\n", "prepare.destination"),
        ("[kitti]\nurl = 'https://'\n", "kitti.url: “KITTI download link” is no link"),
        ("[prepare]\nodd = 1\n", "no field 'odd'"),
        ("[nothing]\n", "'nothing' is not a step"),
        ("prepare = 1\n", "'prepare' is not a step"),
        ("[prepare", "not valid TOML"),
        ("[prepare]\nread = 'perhaps'\n", "Write true or false"),
        ("[prepare]\ndestination = '/elsewhere'\n", "Name one destination"),
    ],
)
def test_wrong_answers_are_explained_by_name(wizard: Wizard, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.toml").touch(0o600)
    (tmp_path / "a.toml").write_text(text)
    done = wizard.run("run", "--dest", tmp_path / "d", "--answers", tmp_path / "a.toml")
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "d").exists(), (
        "a start that came to nothing leaves nothing, and is not offered the next time"
    )


def test_answers_with_secrets_that_others_may_read_are_refused(wizard: Wizard, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(ANSWERS + "[cityscapes]\npassword = 'canary-77'\n")
    path.chmod(0o644)
    done = wizard.run("run", "--dest", tmp_path / "d", "--answers", path)
    assert done.returncode == 2
    assert "others may read it" in done.stderr
    assert "canary-77" not in done.stdout + done.stderr


@pytest.mark.slow
def test_it_waits_with_exit_code_3_and_says_what_for(wizard: Wizard, tmp_path: Path) -> None:
    done = wizard.run("run", "--dest", tmp_path / "d")
    assert done.returncode == 3
    assert "waits for you" in done.stderr
    status = json.loads(wizard.run("status", "--dest", tmp_path / "d", "--json").stdout)
    assert set(status) == {"version", "destination", "run", "steps", "equivalents", "aside", "verified"}
    assert set(status["steps"][0]) == {"id", "state", "waits_for", "done", "total", "unit"}
    assert status["steps"][0]["state"] == "waiting"
    assert "read" in status["steps"][0]["waits_for"]
    assert {step["state"] for step in status["steps"][1:]} == {"pending"}


@pytest.mark.slow
def test_status_names_a_secret_that_may_be_wanted_before_what_is_wanted_later(
    golden: Path, wizard: Wizard, tmp_path: Path
) -> None:
    """The end's "wipe" is unanswered too; whether keyring or environment has the first login is not looked at."""
    (tmp_path / "a.toml").write_text(ANSWERS)
    options = ("--dest", tmp_path / "d", "--mirror", golden / "mirror", "--answers", tmp_path / "a.toml")
    assert wizard.run("run", *options, "--until", "prepare").returncode == 0
    told = wizard.run("status", "--dest", tmp_path / "d").stdout.splitlines()[1]
    assert told == ("Next from you, step 6: Cityscapes user name, unless the keyring or the environment has it.")


def test_a_second_wizard_exits_with_4_and_names_the_first(wizard: Wizard, tmp_path: Path) -> None:
    other = hold(tmp_path / "d")
    try:
        done = wizard.run("run", "--dest", tmp_path / "d")
        assert done.returncode == 4
        assert f"process {other.pid}" in done.stderr
    finally:
        other.communicate()


@pytest.mark.slow
def test_a_damaged_journal_is_named_with_exit_code_1(wizard: Wizard, tmp_path: Path) -> None:
    Store(tmp_path / "d").close()
    (tmp_path / "d" / OWN / "journal.json").write_text("{")
    for command in ("run", "status"):
        done = wizard.run(command, "--dest", tmp_path / "d")
        assert done.returncode == 1
        assert "is damaged" in done.stderr


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_cleanly_and_says_how_to_go_on(
    golden: Path, wizard: Wizard, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    (tmp_path / "a.toml").write_text(ANSWERS)
    options = ("--mirror", golden / "mirror", "--answers", tmp_path / "a.toml", "--until", "remap-open")
    process = wizard.start("run", "--dest", tmp_path / "d", *options)
    made = tmp_path / "d" / "mseg_dataset" / "ADE20K/ADEChallengeData2016/annotations_semseg150"
    assert wait_until(made.exists, process)  # workers are at work
    os.killpg(process.pid, number)  # as terminals and service managers do: to every process, workers included
    out, err = process.communicate()
    assert process.returncode == code, out + err
    assert f"--until remap-open --dest {tmp_path / 'd'}" in out
    assert "Install mseg-api: skipped: mseg-api is only configured" in out
    assert wizard.left_over() == []
    assert "failed" not in wizard.run("status", "--dest", tmp_path / "d").stdout


def test_plain_asks_nothing_where_nobody_can_answer(wizard: Wizard, tmp_path: Path) -> None:
    done = wizard.run("--plain", "--dest", tmp_path / "d")  # its input is empty
    assert done.returncode == 3
    assert "[y/N]" not in done.stdout + done.stderr
    assert "Step 1, Prepare, waits for you" in done.stderr
    assert "an answers file, table [prepare]" in done.stderr


def test_plain_guided_asks_for_what_is_lacking_and_stops_at_the_end_of_what_a_pipe_brings(
    wizard: Wizard, tmp_path: Path
) -> None:
    process = wizard.start("--plain", "--dest", tmp_path / "d", talk=True)
    out, _ = process.communicate("")
    assert process.returncode == 3
    assert "Step 1" in out
    assert "to go on" in out


@pytest.mark.parametrize(("said", "stays"), [("", False), ("perhaps\n", False), ("y\n", True)])
def test_plain_tells_a_folder_before_it_is_made_and_one_where_nothing_was_answered_goes_again(
    wizard: Wizard, tmp_path: Path, said: str, stays: bool
) -> None:
    slip = tmp_path / "dtaa" / "mseg"
    out, _ = wizard.start("--plain", "--dest", slip, talk=True).communicate(said)
    assert out.index(f"{slip} is not there yet, and is made now.") < out.index("Step 1")
    assert (f"Nothing was answered or done: {slip} was removed again." in out) is not stays
    assert slip.parent.exists() is stays
    if stays:
        again, _ = wizard.start("--plain", "--dest", slip, talk=True).communicate("")
        assert "is made now" not in again
        assert slip.exists()


@pytest.mark.parametrize("command", ["status", "report", "verify"])
def test_a_destination_that_is_a_file_is_named_as_one(wizard: Wizard, tmp_path: Path, command: str) -> None:
    (tmp_path / "d").write_text("mine")
    done = wizard.run(command, "--dest", tmp_path / "d")
    assert done.returncode in (1, 2)
    assert f"{tmp_path / 'd'} is a file" in done.stderr
    assert "journal" not in done.stderr
    assert (tmp_path / "d").read_text() == "mine"


@pytest.mark.parametrize(
    ("started", "again"),
    [
        ([], "mseg-wizard --dest '/data/my sets'"),
        (["--mirror", "/nfs/a b"], "mseg-wizard --mirror '/nfs/a b' --dest '/data/my sets'"),
        (["run", "--dest=my sets", "--workers", "2"], "mseg-wizard run --workers 2 --dest '/data/my sets'"),
        (["--plain", "--form", "kitti", "--form=idd"], "mseg-wizard --plain --dest '/data/my sets'"),
        (["practice", "--keep"], "mseg-wizard practice   (it begins anew)"),
    ],
)
def test_the_command_to_go_on_has_all_options_and_can_be_pasted_into_a_shell(started: list[str], again: str) -> None:
    invocation = Invocation(tuple(started))
    assert invocation.resume_command(Path("/data/my sets")) == again
    said = invocation.resume_hint(Path("/data/my sets"))
    anew = "Practice begins anew each time: mseg-wizard practice"
    assert said == (anew if "anew" in again else f"What is done stays; start again to go on: {again}")


def test_plain_guided_ends_where_the_user_refuses_what_is_needed(golden: Path, wizard: Wizard, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(ANSWERS.replace("accept_modified_tree = true", ""))
    process = wizard.start(
        "--plain", "--dest", tmp_path / "d", "--mirror", golden / "mirror", "--answers", tmp_path / "a.toml", talk=True
    )
    out, _ = process.communicate("n\n" * 20)
    assert process.returncode == 3, out
    assert out.count("Without a yes to “") == 1


def test_nothing_can_be_allowed_that_nobody_asks_for(wizard: Wizard, tmp_path: Path) -> None:
    done = wizard.run("run", "--dest", tmp_path / "d", "--allow", "everything")
    assert done.returncode == 2
    assert "nothing that can be allowed" in done.stderr
