"""The whole journey with the golden kit, as users start it: from
an empty disk, undisturbed, and with everything going wrong.
"""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from mseg_wizard.practice.server import PracticeServer, origins
from mseg_wizard.tasks.registry import load_steps
from tests.wizard import ANSWERS, Wizard, compare, tree_of

OPEN = ("ADE20K", "Camvid", "COCOPanoptic", "PASCAL_Context", "PASCAL_VOC_2012", "SUNRGBD")
KILLS = 30


@pytest.fixture
def wizard(tmp_path: Path) -> Wizard:
    home = tmp_path / "home"
    home.mkdir()
    return Wizard(home)


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    path = tmp_path / "answers.toml"
    path.write_text(ANSWERS)
    return path


@pytest.mark.slow
def test_the_open_datasets_from_a_mirror_are_what_msegs_own_code_makes(
    golden: Path, wizard: Wizard, answers: Path, tmp_path: Path
) -> None:
    destination, before = tmp_path / "a folder with blanks", tree_of(golden / "mirror")
    options = (
        "run",
        "--dest",
        destination,
        "--mirror",
        golden / "mirror",
        "--answers",
        answers,
        "--until",
        "remap-open",
    )
    done = wizard.run(*options)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = compare(golden, destination / "mseg_dataset", "--only", *OPEN, "--skip", "relabeled", "--tree")
    assert verdict.returncode == 0, verdict.stdout
    assert verdict.stdout.splitlines()[-1].startswith("141 of 141"), verdict.stdout
    assert tree_of(golden / "mirror") == before, "the mirror was changed"
    # CamVid's test labels, which MSeg's code never makes
    assert (destination / "mseg_dataset/Camvid/semseg11/0001TP_009030_L.png").is_file()
    assert "MSEG_DST_DIR" in (destination / "mseg-api/mseg/utils/dataset_config.py").read_text()
    # what the wizard says of it
    status = json.loads(wizard.run("status", "--dest", destination, "--json").stdout)
    assert [(step["id"], step["state"]) for step in status["steps"][:4]] == [
        ("prepare", "done"),
        ("download-open", "done"),
        ("remap-open", "done"),
        ("folders", "pending"),
    ]
    said = wizard.run("status", "--dest", destination).stdout
    assert "ADEChallengeData2016.zip is not the published archive" in said
    assert "the mseg-api tree is a modified one" in said
    # a second run finds nothing to do and changes nothing
    finished = tree_of(destination / "mseg_dataset")
    again = wizard.run(*options)
    assert again.returncode == 0, again.stdout + again.stderr
    assert tree_of(destination / "mseg_dataset") == finished
    assert wizard.left_over() == []


def test_a_modified_tree_is_refused_until_it_is_accepted(
    golden: Path, wizard: Wizard, answers: Path, tmp_path: Path
) -> None:
    answers.write_text(ANSWERS.replace("accept_modified_tree = true", ""))
    done = wizard.run("run", "--dest", tmp_path / "d", "--mirror", golden / "mirror", "--answers", answers)
    assert done.returncode in (1, 3)
    assert "accept" in done.stderr
    assert not (tmp_path / "d" / "mseg_dataset" / "ADE20K").exists()


@pytest.mark.long
def test_killed_and_cut_off_many_times_it_ends_with_the_same_tree_and_fetches_nothing_twice(
    golden: Path, wizard: Wizard, answers: Path, tmp_path: Path
) -> None:
    options = ("--answers", answers, "--until", "remap-open", "--workers", "2")
    calm = wizard.run("run", "--dest", tmp_path / "calm", "--mirror", golden / "mirror", *options)
    assert calm.returncode == 0, calm.stderr
    chance = random.Random(7)
    with PracticeServer(golden / "mirror", cut=7, limit=400_000) as server:
        routes = [text for origin in origins(load_steps()) for text in ("--route", f"{origin}={server.url}")]
        killed = 0
        while True:
            process = wizard.start("run", "--dest", tmp_path / "rough", *options, *routes)
            if killed < KILLS:
                time.sleep(chance.uniform(0.3, 3.0))
                process.send_signal(signal.SIGKILL)
                killed += 1
            out, err = process.communicate()
            assert process.returncode in (0, -signal.SIGKILL), out + err
            if process.returncode == 0:
                break
        assert wizard.left_over() == []
        sent: Counter[str] = Counter()
        for request in server.log:
            sent[request.path.rpartition("/")[2]] += request.sent
    assert tree_of(tmp_path / "rough" / "mseg_dataset") == tree_of(tmp_path / "calm" / "mseg_dataset")
    for archive in (archive for step in load_steps() for archive in step.archives):
        if archive.file in sent:
            whole = (golden / "mirror" / archive.file).stat().st_size
            assert sent[archive.file] < 2 * whole, f"{archive.file} was fetched twice"
