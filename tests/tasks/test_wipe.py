"""Wiping: every stored password and link is gone for good, what others
left is found and offered, and nothing is said that isn't so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mseg_wizard import engine
from mseg_wizard.answers.fields import secret_fields
from mseg_wizard.cli.ask import by_questions
from mseg_wizard.context import Consent, Context, Options
from mseg_wizard.core.exits import Exit
from mseg_wizard.practice.logins import sign_link
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem, Waiting
from mseg_wizard.state.journal import OWN
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tasks.wipe import wipe, wipe_missing
from tests.registered import leaks, opened, run
from tests.secret_service import alone, in_session
from tests.wizard import hold

PASSWORD = "p&ss + w@rd=100%"
LINK = sign_link("https://links.practice.example/signed/data_semantics.zip")
BASE = "http://kaldir.practice.example/scannet-for-walker/"
ANSWERS: dict[str, dict[str, object]] = {
    "cityscapes": {"username": "walker", "password": PASSWORD},
    "kitti": {"url": LINK},
    "scannet": {"base_url": BASE},
    "wilddash": {"archives": "https://links.practice.example/signed/wd_val_01.zip?X-Amz-Signature=0123456789abcdef"},
    "finish": {"confirm": True},
}
NAMES = ["cityscapes.username", "cityscapes.password", "kitti.url", "scannet.base_url", "wilddash.archives"]
ATTENDED = Options(attended=True)


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's own shell history is none of a test's business."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("HISTFILE", raising=False)


def litter(ctx: Context) -> dict[str, Path]:
    """What MSeg's scripts and a shell leave behind."""
    texts = {
        "mseg_dataset/Cityscapes/cookies.txt": ".www.cityscapes-dataset.com\tTRUE\t/\tPHPSESSID\tabc",
        "mseg_dataset/WildDash/wd_cookies_downl.txt": "sessionid",
        "mseg_dataset/Cityscapes/index.html?packageID=1": "<!DOCTYPE html>\n<html><title>Login</title></html>",
        "set_credentials.sh": "export CITYSCAPES_USERNAME=walker\n",
        "download.log": "wget --post-data 'password=p%26ss+%2B+w%40rd%3D100%25'\n",
        "mseg-api/download_scripts/mseg_download_cityscapes.sh": f"PASSWORD='{PASSWORD}'\n",
    }
    innocent = {
        "mseg_dataset/Cityscapes/README": "walker's copy\n",
        "mseg-api/download_scripts/set_credentials.sh": "export CITYSCAPES_USERNAME=\nexport CITYSCAPES_PASSWORD=$1\n",
        "mseg_dataset/Cityscapes/gtFine/train/index.html": "<html></html>",
        "mseg_dataset/KITTI/index.html": "PK\3\4",
    }
    for name, text in {**texts, **innocent}.items():
        (ctx.destination / name).parent.mkdir(parents=True, exist_ok=True)
        (ctx.destination / name).write_text(text)
    return {name: ctx.destination / name for name in texts}


def test_nothing_is_left_of_any_secret(practice_world: World, tmp_path: Path) -> None:
    ctx = opened(practice_world, tmp_path, answers=ANSWERS)
    assert sorted(wipe_missing(ctx)) == sorted(NAMES)
    run(wipe(ctx))
    assert wipe_missing(ctx) == []
    assert all(ctx.vault.get(*name.split(".")) is None for name in NAMES)
    assert ctx.sources("wilddash") == ()
    assert any(all(name in text for name in NAMES) for text in ctx.notes)
    assert leaks([PASSWORD, LINK, BASE], tmp_path) == []
    run(wipe(ctx))
    ctx.close()


def test_it_wipes_only_when_told_and_again_when_something_was_entered_since(
    practice_world: World, tmp_path: Path
) -> None:
    ctx = opened(practice_world, tmp_path, answers={**ANSWERS, "finish": {"confirm": False}})
    last = ctx.steps[-1:]
    with pytest.raises(Waiting) as caught:
        list(engine.run(last, ctx))
    assert (caught.value.step, caught.value.lacks) == ("finish", ("confirm",))
    with pytest.raises(Waiting):
        run(wipe(ctx))
    assert len(wipe_missing(ctx)) == len(NAMES)
    ctx.remember(ctx.step("finish"), {"confirm": True})
    list(engine.run(last, ctx))
    ctx.remember(ctx.step("kitti"), {"url": LINK})
    list(engine.run(last, ctx))
    assert wipe_missing(ctx) == []
    ctx.close()


def test_leftovers_are_offered_once_and_deleted_when_allowed(practice_world: World, tmp_path: Path) -> None:
    ctx = opened(practice_world, tmp_path, answers=ANSWERS, options=ATTENDED)
    left = litter(ctx)
    script = left.pop("mseg-api/download_scripts/mseg_download_cityscapes.sh")
    before = {path for path in tmp_path.rglob("*") if path.is_file() and OWN not in path.parts}
    with pytest.raises(Consent) as caught:
        run(wipe(ctx))
    assert wipe_missing(ctx) == [], "the secrets are wiped before anything is asked"
    assert caught.value.offer
    assert sorted(caught.value.items) == sorted(str(path) for path in left.values())
    ctx.consents.add(caught.value.key)
    run(wipe(ctx))
    after = {path for path in tmp_path.rglob("*") if path.is_file() and OWN not in path.parts}
    assert before - after == set(left.values())
    assert script.exists(), "a part of a checkout is only named"
    ctx.close()


def test_who_declines_the_offer_goes_on_and_finds_them_named(practice_world: World, tmp_path: Path) -> None:
    ctx = opened(practice_world, tmp_path, answers=ANSWERS, options=ATTENDED)
    left = litter(ctx)
    last = ctx.steps[-1:]
    with pytest.raises(Consent):
        list(engine.run(last, ctx))
    list(engine.run(last, ctx))
    assert all(path.exists() for path in left.values())
    notes = " ".join(ctx.store.journal.notes["finish/wipe"])
    assert all(str(path) in notes for path in left.values() if "mseg-api" not in str(path))
    ctx.close()


def test_with_questions_no_is_an_answer_and_the_work_goes_on(practice_world: World, tmp_path: Path) -> None:
    ctx = opened(practice_world, tmp_path, answers=ANSWERS, options=replace(ATTENDED, by_questions=True))
    left = litter(ctx)
    questions = []

    def no(question: str) -> str:
        questions.append(question)
        return "n"

    assert by_questions(ctx, ctx.steps[-1:], no) == Exit.DONE
    assert len(questions) == 1
    assert all(path.exists() for path in left.values())
    ctx.close()


def test_unattended_leftovers_are_only_named(practice_world: World, tmp_path: Path) -> None:
    ctx = opened(practice_world, tmp_path, answers=ANSWERS)
    left = litter(ctx)
    run(wipe(ctx))
    assert all(path.exists() for path in left.values())
    assert all(any(str(path) in text for text in ctx.notes) for path in left.values())
    assert leaks([PASSWORD, LINK, BASE], *ctx.notes) == []
    ctx.close()


@pytest.mark.parametrize("name", ["log.txt", "journal.previous.json", "report/index.html"])
def test_a_secret_in_the_wizards_own_folder_would_be_found_and_stop_it(
    practice_world: World, tmp_path: Path, name: str
) -> None:
    ctx = opened(practice_world, tmp_path, answers=ANSWERS)
    path = ctx.own / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x" * 5_000_000 + json.dumps(PASSWORD))
    with pytest.raises(Problem) as caught:
        run(wipe(ctx))
    assert any(str(path) in item for item in caught.value.items)
    assert leaks([PASSWORD], str(caught.value), *caught.value.items) == []
    ctx.close()


def test_what_is_not_ours_to_remove_is_named(practice_world: World, tmp_path: Path) -> None:
    history = Path.home() / ".bash_history"
    history.write_text(f"ls\nexport CITYSCAPES_PASSWORD='{PASSWORD}'\n")
    ctx = opened(
        practice_world,
        tmp_path,
        answers=ANSWERS,
        environment={"CITYSCAPES_PASSWORD": PASSWORD, "MSEG_WIZARD_IDD_URL": "x"},
    )
    run(wipe(ctx))
    told = " ".join(ctx.notes)
    assert str(history) in told
    assert "CITYSCAPES_PASSWORD in this shell's environment" in told
    assert "MSEG_WIZARD_IDD_URL" in told
    assert history.read_text().count(PASSWORD) == 1
    assert wipe_missing(ctx) == []
    ctx.close()


def test_a_keyring_that_cannot_be_reached_any_more_is_not_called_wiped(practice_world: World, tmp_path: Path) -> None:
    ctx = opened(practice_world, tmp_path, answers=ANSWERS)
    run(wipe(ctx))  # nothing was ever kept in it: nothing can be left
    ctx.store.kept("idd.url")
    with pytest.raises(Problem) as caught:
        run(wipe(ctx))
    assert "idd.url in the system keyring" in caught.value.items[0]
    ctx.close()


def test_every_field_that_may_hold_a_secret_is_wiped() -> None:
    names = {f"{step}.{field}" for step, field in secret_fields(load_steps())}
    assert {
        "cityscapes.password",
        "wilddash.username",
        "idd.url",
        "mapillary.url",
        "scannet.base_url",
        "bdd.archives",
    } <= names


# --- the command, with a real Secret Service ---

WIZARD = f"{sys.executable} -m mseg_wizard"
LOOK = "secret-tool search --all service mseg-wizard 2>&1"


def answers_file(folder: Path) -> Path:
    rows = [
        f"[{step}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
        for step, table in ANSWERS.items()
    ]
    path = folder / "answers.toml"
    path.write_text("\n".join(rows))
    path.chmod(0o600)
    return path


def session(home: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    return in_session("unlocked", home, "/bin/sh", "-c", "\n".join(lines))


@pytest.mark.long
def test_the_command_wipes_a_destination_for_every_program_and_all_wipes_every_destination(tmp_path: Path) -> None:
    answers = answers_file(tmp_path)
    start = f"{WIZARD} run --answers {answers} --dest {tmp_path}"
    done = session(tmp_path / "home", f"{start}/one", f"{start}/two", LOOK)
    assert done.stdout.count(f"secret = {PASSWORD}") == 2
    assert done.stdout.count(f"secret = {LINK}") == 2
    (tmp_path / "one" / "cookies.txt").touch()
    done = session(tmp_path / "home", f"{WIZARD} wipe --dest {tmp_path}/one", "echo code $?", f"echo after; {LOOK}")
    said, after = done.stdout.split("after\n")
    assert "code 0" in said
    assert all(name in said for name in NAMES)
    assert f"{tmp_path}/one/cookies.txt" in said
    assert (tmp_path / "one" / "cookies.txt").exists(), "without a terminal nothing is deleted"
    assert after.count(f"secret = {PASSWORD}") == 1
    done = session(
        tmp_path / "home", f"{WIZARD} wipe --all", "echo code $?", f"echo after; {LOOK}", f"{WIZARD} wipe --all"
    )
    said, after = done.stdout.split("after\n")
    assert "code 0" in said
    assert "secret = " not in after
    assert after.endswith("Nothing was stored.\n")
    assert leaks([PASSWORD, LINK, BASE], done.stdout, done.stderr, tmp_path / "one", tmp_path / "two") == []
    remembered = (tmp_path / "home" / "config" / "mseg-wizard" / "preferences.json").read_text()
    assert len(json.loads(remembered)["ids"].split()) == 2
    assert leaks([PASSWORD, LINK, BASE], remembered) == []


@pytest.mark.slow
def test_the_command_says_with_exit_code_1_that_a_locked_keyring_was_not_wiped(tmp_path: Path) -> None:
    answers = answers_file(tmp_path)
    session(tmp_path / "home", f"{WIZARD} run --answers {answers} --dest {tmp_path}/one")
    done = in_session(
        "locked", tmp_path / "home", "/bin/sh", "-c", f"{WIZARD} wipe --dest {tmp_path}/one; echo code $?"
    )
    assert "code 1" in done.stdout
    assert "Still there: cityscapes.password" in done.stderr
    assert "the system keyring does not answer" in done.stderr


@pytest.mark.slow
def test_the_command_works_beside_a_running_wizard_and_where_none_has_worked_it_says_so(tmp_path: Path) -> None:
    done = alone(tmp_path / "home", *WIZARD.split(), "wipe", "--dest", tmp_path / "d")
    assert done.returncode == 1
    assert "No wizard has worked in" in done.stderr
    Store(tmp_path / "d").close()
    other = hold(tmp_path / "d")
    try:
        done = alone(tmp_path / "home", *WIZARD.split(), "wipe", "--dest", tmp_path / "d")
        assert done.returncode == 0, done.stderr
        assert "works on" in done.stdout
    finally:
        other.communicate()
