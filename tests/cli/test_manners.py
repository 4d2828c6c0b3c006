"""What plain lines say at the end and beside the work: what is worth
knowing, once, with where to read on; and how answers are changed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mseg_wizard.cli.plain import progress_line
from mseg_wizard.core.preferences import remember_id
from mseg_wizard.progress import Progress, amount
from mseg_wizard.state.journal import OWN
from mseg_wizard.state.store import Store
from tests.wizard import ANSWERS, Wizard


@pytest.fixture
def wizard(tmp_path: Path) -> Wizard:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "a.toml").write_text(ANSWERS)
    return Wizard(home)


@pytest.mark.long
def test_at_the_end_it_says_what_is_not_as_published_and_where_that_is_listed(
    golden: Path, wizard: Wizard, tmp_path: Path
) -> None:
    """For the unattended run, the questions, and verification alone; each name in their lines once."""
    options = ("--dest", tmp_path / "d", "--mirror", golden / "mirror", "--answers", tmp_path / "a.toml")
    done = wizard.run("run", *options, "--until", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    (known,) = [line for line in done.stdout.splitlines() if line.startswith("Worth knowing: ")]
    told = wizard.run("status", "--dest", tmp_path / "d").stdout
    notes = [line for line in told.splitlines() if line.startswith("note: ")]
    assert notes[0].startswith("note: the mseg-api tree is a modified one")
    archives = sum("is not the published archive" in note for note in notes)
    assert (
        f"a modified mseg-api tree, {archives} archives not as published, {len(notes) - archives - 1} notes on the data"
        in known
    )
    assert known.endswith(f"mseg-wizard status --dest {tmp_path / 'd'}")
    assert "Complete up to step 13, Verify" in done.stdout
    twice = re.compile(r"^ *[0-9]+ (.+?): (checking: )?\1$")
    assert not [line for line in done.stdout.splitlines() if twice.match(line)]
    alone = wizard.run("verify", "--dest", tmp_path / "d")
    assert "Complete" not in alone.stdout + alone.stderr
    assert alone.stdout.endswith("No fault was found.\n")
    process = wizard.start("--plain", *options, talk=True)
    out, _ = process.communicate("y\n")
    assert process.returncode == 0, out
    assert f"Complete: {tmp_path / 'd' / 'mseg_dataset'}\n{known}\n" in out


def test_a_line_says_the_name_of_its_task_once() -> None:
    assert progress_line(1, "Fetch it", Progress("Fetch it")) == " 1 Fetch it: begins"
    assert progress_line(12, "Fetch it", Progress("checking: Fetch it")) == "12 Fetch it: checking"


def test_one_is_told_as_one() -> None:
    assert [amount(count, "images") for count in (0, 1, 2, 12000)] == [
        "0 images",
        "1 image",
        "2 images",
        "12,000 images",
    ]


@pytest.mark.slow
def test_where_no_wizard_worked_status_says_what_is_not_there(wizard: Wizard, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    Store(tmp_path / "d").close()
    (tmp_path / "d" / "mseg_dataset").mkdir()
    expected = {
        "no": "there is no such folder",
        "empty": "or start one there",
        "d/mseg_dataset": f"--dest {tmp_path / 'd'}",
    }
    for folder, words in expected.items():
        done = wizard.run("status", "--dest", tmp_path / folder)
        assert (done.returncode, done.stdout) == (1, "")
        assert words in done.stderr


@pytest.mark.slow
def test_an_answer_that_was_given_is_shown_changed_and_taken_back_by_questions(wizard: Wizard, tmp_path: Path) -> None:
    def asked(*lines: str) -> str:
        process = wizard.start("--plain", "--dest", tmp_path / "d", "--form", "prepare", talk=True)
        return process.communicate("".join(f"{line}\n" for line in lines))[0]

    def answers() -> dict[str, object]:
        table: dict[str, object] = json.loads((tmp_path / "d" / OWN / "journal.json").read_text())["answers"]["prepare"]
        return table

    asked("y", "n", "3", "/my/checkout")
    assert answers() == {
        "destination": str(tmp_path / "d"),
        "read": True,
        "terms": False,
        "workers": 3,
        "mseg_api": "/my/checkout",
    }
    out = asked("", "y", "2", "-")
    assert "Now: yes. Enter keeps that." in out
    assert "Now: 3. Enter keeps that, - takes it back." in out
    assert answers() == {"destination": str(tmp_path / "d"), "read": True, "terms": True, "workers": 2}
    assert "--form" not in out.splitlines()[-1], "what was asked first is not asked again"


def test_where_it_failed_another_form_can_be_asked_for(wizard: Wizard, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(ANSWERS + f'mseg_api = "{tmp_path / "none.zip"}"\n')
    process = wizard.start("--plain", "--dest", tmp_path / "d", "--answers", tmp_path / "a.toml", talk=True)
    out, err = process.communicate("kitti\nhttps://\n")
    assert "or a step whose answers you want to change first" in out, out + err
    assert "Step 8: KITTI" in out
    assert "is no link" in err


def test_several_archives_are_given_one_a_line(golden: Path, wizard: Wizard, tmp_path: Path) -> None:
    files = [str(golden / "mirror" / name) for name in ("wd_both_01.zip", "wd_val_01.zip")]
    process = wizard.start("--plain", "--dest", tmp_path / "d", "--form", "wilddash", talk=True)
    out, err = process.communicate("\n".join(["me@example.org", "", *files, "", ""]))
    assert json.loads((tmp_path / "d" / OWN / "journal.json").read_text())["answers"]["wilddash"] == {
        "archives": files
    }, out + err
    assert "GetPassWarning" not in err


def test_the_form_is_for_questions_only(wizard: Wizard) -> None:
    done = wizard.run("--form", "kitti")
    assert done.returncode == 2
    assert "Use it with --plain" in done.stderr


@pytest.mark.slow
def test_preferences_with_a_slip_are_named_and_not_written_over(
    wizard: Wizard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(wizard.home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    file = wizard.home / ".config" / "mseg-wizard" / "preferences.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"notify": "true",}')
    done = wizard.run("run", "--dest", tmp_path / "d")
    assert done.returncode == 2
    assert f"Your preferences, {file}, can't be understood" in done.stderr
    remember_id("0123")
    assert file.read_text() == '{"notify": "true",}'
    help_text = " ".join(wizard.run("run", "--help").stdout.split())
    assert '{"notify": "COMMAND"} in ~/.config/mseg-wizard/preferences.json' in help_text
