"""The registered datasets as users run them, unattended, with everything
that can be wrong at first: and no secret is seen anywhere.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mseg_wizard.cli.ask import by_questions
from mseg_wizard.context import Context, Options
from mseg_wizard.core.exits import Exit
from mseg_wizard.practice.server import PracticeServer, origins
from mseg_wizard.practice.world import PracticeAnswers, World, toml
from mseg_wizard.tasks.registry import load_steps
from tests.registered import leaks, opened
from tests.wizard import Wizard

WRONG = "wr0ng & w+ord 100%"


@pytest.fixture
def wizard(tmp_path: Path) -> Wizard:
    home = tmp_path / "home"
    home.mkdir()
    return Wizard(home)


@contextmanager
def watching_arguments(seen: set[str], mark: str) -> Iterator[None]:
    """Collect the arguments of every process of this wizard's: everybody on the machine can see those.

    Of no other's: another test's, or another person's, may have such words in its own.
    """
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if mark.encode() not in (process / "environ").read_bytes():
                        continue
                    seen.add((process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
                except OSError:
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.long
def test_each_thing_that_is_wrong_is_said_with_its_form_until_all_is_right_and_no_secret_is_seen(
    practice_world: World, wizard: Wizard, tmp_path: Path
) -> None:
    right, destination, said = practice_world.answers, tmp_path / "d", []
    secrets = [
        WRONG,
        str(right["cityscapes"]["password"]),
        str(right["wilddash"]["password"]),
        "X-Amz-Signature=",
        "/scannet/v2",
    ]
    answers = tmp_path / "answers.toml"
    arguments: set[str] = set()

    def start(given: PracticeAnswers, code: int) -> str:
        answers.write_text(toml(given))
        answers.chmod(0o600)
        done = wizard.run("run", "--dest", destination, "--answers", answers, "--until", "wilddash", *routes)
        assert done.returncode == code, done.stdout + done.stderr
        said.extend([done.stdout, done.stderr])
        return done.stderr

    def waiting() -> dict[str, list[str]]:
        done = wizard.run("status", "--dest", destination, "--json")
        said.append(done.stdout)
        return {
            step["id"]: step["waits_for"] for step in json.loads(done.stdout)["steps"] if step["state"] == "waiting"
        }

    with (
        PracticeServer(practice_world.mirror, tree=practice_world.tree) as server,
        watching_arguments(arguments, wizard.mark),
    ):
        routes = [part for origin in origins(load_steps()) for part in ("--route", f"{origin}={server.url}")]
        kitti = str(right["kitti"]["url"])
        given: PracticeAnswers = {
            **{step: table for step, table in right.items() if step != "bdd"},
            "kitti": {"url": kitti[:-6] + "000000"},
            "cityscapes": {**right["cityscapes"], "password": WRONG},
            "wilddash": {**right["wilddash"], "password": WRONG},
            "scannet": {"base_url": str(practice_world.scannet_script)},
        }
        assert "scp bdd100k_seg.zip" in start(given, 3)
        assert waiting() == {"bdd": ["archives"]}
        given["bdd"] = right["bdd"]
        assert "Cityscapes does not accept the user name and password" in start(given, 3)
        assert waiting() == {"cityscapes": ["password"]}, "ahead of its turn as at its turn"
        given["cityscapes"] = right["cityscapes"]
        assert "SignatureDoesNotMatch" in start(given, 3)
        assert waiting() == {"kitti": ["url"]}
        given["kitti"] = right["kitti"]
        assert "form of step 11, WildDash" in start(given, 3)
        assert waiting() == {"wilddash": ["password"]}
        given["wilddash"] = right["wilddash"]
        start(given, 0)
        answers.unlink()
        wiped = wizard.run("wipe", "--dest", destination)
        said += [wiped.stdout, wiped.stderr, wizard.run("status", "--dest", destination).stdout]
        assert wiped.returncode == 0
    assert (destination / "mseg_dataset" / "WildDash" / "wd_val_19class").is_dir()
    assert leaks(secrets, *said, *arguments, destination, wizard.home) == []
    assert any("--until wilddash" in row for row in arguments)
    assert wizard.left_over() == []


def answering(ctx: Context, step: str, calls: int, *typed: str) -> tuple[int, list[str]]:
    """Go through the first calls of a step with questions, typing these answers; the exit code and what was asked."""
    left, asked = list(typed), []

    def ask(question: str) -> str:
        asked.append(question)
        return left.pop(0)

    chosen = ctx.step(step)
    code = by_questions(ctx, (replace(chosen, calls=chosen.calls[:calls]),), ask)
    assert left == [], asked
    return code, asked


def test_with_questions_what_was_refused_is_asked_for_again_and_the_work_goes_on(
    practice_world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user, password = (str(practice_world.answers["wilddash"][name]) for name in ("username", "password"))
    with PracticeServer(practice_world.mirror) as server:
        ctx = opened(practice_world, tmp_path, server.url, {"wilddash": {"username": user, "password": WRONG}})
        ctx.options = replace(ctx.options, attended=True, by_questions=True)
        # the user name is kept by an empty line; there is no archive to name
        code, asked = answering(ctx, "wilddash", 2, "", password, "")
    assert code == Exit.DONE
    assert ["e-mail" in asked[0], "password" in asked[1], "zips" in asked[2]] == [True, True, True]
    told = capsys.readouterr()
    assert "WildDash does not accept" in told.err
    assert leaks([WRONG, password], told.out, told.err) == []
    ctx.close()


def test_with_questions_an_archive_can_be_uploaded_or_named(
    practice_world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ctx = opened(practice_world, tmp_path, options=Options(attended=True, by_questions=True))
    # an empty line looks again; then a path that is wrong, then the right one
    mirror = practice_world.mirror
    code, _ = answering(ctx, "bdd", 2, "", str(mirror / "data_semantics.zip"), str(mirror / "bdd100k_seg.zip"))
    assert code == Exit.DONE
    told = capsys.readouterr().err
    assert told.count("scp bdd100k_seg.zip") == 2
    assert "data_semantics.zip is not the archive that is wanted" in told
    ctx.close()
