"""The registered datasets as users run them, unattended, with everything that can be wrong at first: and no secret is seen anywhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mseg_wizard.practice.server import PracticeServer
from mseg_wizard.practice.session import origins
from mseg_wizard.practice.world import Answers, World, toml
from mseg_wizard.step import load
from tests.registered import leaks
from tests.wizard import Wizard

WRONG = "wr0ng & w+ord 100%"


@pytest.fixture
def wizard(tmp_path: Path) -> Wizard:
    home = tmp_path / "home"
    home.mkdir()
    return Wizard(home)


@contextmanager
def watching_arguments(seen: set[str]) -> Iterator[None]:
    """Collect the arguments of every process that lives meanwhile: everybody on the machine can see those."""
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            for process in Path("/proc").glob("[0-9]*"):
                try:
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


def test_each_thing_that_is_wrong_is_said_with_its_form_until_all_is_right_and_no_secret_is_seen(
    practice_world: World, wizard: Wizard, tmp_path: Path
) -> None:
    right, destination, said = practice_world.answers, tmp_path / "d", []
    secrets = [WRONG, str(right["cityscapes"]["password"]), str(right["wilddash"]["password"]), "X-Amz-Signature=", "/scannet/v2"]
    answers = tmp_path / "answers.toml"
    arguments: set[str] = set()

    def start(given: Answers, code: int) -> str:
        answers.write_text(toml(given))
        answers.chmod(0o600)
        done = wizard.run("run", "--dest", destination, "--answers", answers, "--until", "wilddash", *routes)
        assert done.returncode == code, done.stdout + done.stderr
        said.extend([done.stdout, done.stderr])
        return done.stderr

    def waiting() -> dict[str, list[str]]:
        done = wizard.run("status", "--dest", destination, "--json")
        said.append(done.stdout)
        return {step["id"]: step["waits_for"] for step in json.loads(done.stdout)["steps"] if step["state"] == "waiting"}

    with PracticeServer(practice_world.mirror, tree=practice_world.tree) as server, watching_arguments(arguments):
        routes = [part for origin in origins(load()) for part in ("--route", f"{origin}={server.url}")]
        kitti = str(right["kitti"]["url"])
        given: Answers = {
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
        assert waiting() == {"cityscapes": ["username", "password"]}
        given["cityscapes"] = right["cityscapes"]
        assert "SignatureDoesNotMatch" in start(given, 3)
        assert waiting() == {"kitti": ["url"]}
        given["kitti"] = right["kitti"]
        assert "form of step wilddash" in start(given, 3)
        assert waiting() == {"wilddash": ["username", "password"]}
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
