"""Verification where not all is there: archives that are gone,
steps to come, another wizard, a kill; and repairs that go on.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mseg_wizard.practice.server import PracticeServer, origins
from mseg_wizard.state.journal import OWN
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tasks.verify import verify_missing
from mseg_wizard.verification.verdict import Verdict, read_verdict, subject, write_verdict
from tests.disks import disk
from tests.verification.finished import Finished, copy, make
from tests.waiting import wait_until
from tests.wizard import ANSWERS, Wizard, hold, tree_of

pytestmark = pytest.mark.long

IMAGE = "ADE20K/ADEChallengeData2016/images/training/ADE_train_00000001.jpg"
MAP = "SUNRGBD/semseg-label37/train/00000253.png"
LATE = "KITTI/training/label19/000198_10.png"


def test_an_archive_that_is_gone_is_named_with_its_size_and_asked_for(
    finished: Finished, original: Path, golden: Path
) -> None:
    (finished.dataset / IMAGE).write_bytes(b"")
    (finished.dataset / LATE).write_bytes(b"")
    done = finished.wizard.run("verify", "--repair", "--dest", finished.destination)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "ADEChallengeData2016.zip (to be fetched again, 967 MB)" in done.stderr
    assert "--allow again:ADEChallengeData2016.zip" in done.stderr
    assert "967 MB" in done.stderr
    assert (finished.destination / OWN / "faulty" / IMAGE).exists(), "nothing is thrown away before it is mended"
    # the same command goes on where it was, here with the archive
    done = finished.wizard.run("verify", "--repair", "--dest", finished.destination, "--mirror", golden / "mirror")
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree_of(finished.dataset) == tree_of(original / "mseg_dataset")


def test_once_it_is_allowed_just_that_archive_is_fetched_again(
    finished: Finished, original: Path, golden: Path
) -> None:
    (finished.dataset / IMAGE).unlink()
    with PracticeServer(golden / "mirror") as server:
        routes = [text for origin in origins(load_steps()) for text in ("--route", f"{origin}={server.url}")]
        allow = ("--allow", "again:ADEChallengeData2016.zip")
        done = finished.wizard.run("verify", "--repair", "--dest", finished.destination, *allow, *routes)
        asked = {request.path.rpartition("/")[2] for request in server.log}
    assert done.returncode == 0, done.stdout + done.stderr
    assert asked == {"ADEChallengeData2016.zip"}
    assert tree_of(finished.dataset) == tree_of(original / "mseg_dataset")


def test_label_maps_are_made_again_without_any_archive_and_nothing_else_is_touched(
    finished: Finished, original: Path
) -> None:
    for path in (MAP, LATE, "PASCAL_Context/Segmentation_GT_60cls/2008_000277.png"):
        with Image.open(finished.dataset / path) as image:
            pixels = np.array(image)
        pixels[0, 0] ^= 1
        Image.fromarray(pixels).save(finished.dataset / path)
    before = {path: path.stat().st_mtime_ns for path in finished.dataset.rglob("*.png")}
    done = finished.wizard.run("verify", "--repair", "--dest", finished.destination)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree_of(finished.dataset) == tree_of(original / "mseg_dataset")
    assert len([path for path, when in before.items() if path.stat().st_mtime_ns != when]) == 3


def test_a_repair_that_was_killed_goes_on_without_verifying_first(finished: Finished, original: Path) -> None:
    (finished.dataset / MAP).write_bytes(b"")
    (finished.dataset / LATE).write_bytes(b"")
    process = finished.wizard.start("verify", "--repair", "--dest", finished.destination)
    aside = finished.destination / OWN / "faulty" / LATE
    assert wait_until(aside.exists, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = finished.wizard.run("verify", "--repair", "--dest", finished.destination)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Verdict on") == 1
    assert tree_of(finished.dataset) == tree_of(original / "mseg_dataset")


def test_an_interrupted_repair_is_also_finished_by_the_usual_run(
    finished: Finished, original: Path, golden: Path
) -> None:
    (finished.dataset / IMAGE).unlink()
    assert finished.wizard.run("verify", "--repair", "--dest", finished.destination).returncode == 3
    (answers := finished.destination.parent / "answers.toml").write_text("[prepare]\n")
    options = ("--answers", answers, "--mirror", golden / "mirror", "--until", "relabel")
    done = finished.wizard.run("run", "--dest", finished.destination, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert finished.wizard.run("verify", "--dest", finished.destination).returncode == 0
    assert tree_of(finished.dataset) == tree_of(original / "mseg_dataset")


@pytest.fixture(scope="module")
def begun(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As far as KITTI; what comes after it, 62 GB at once, is still to be fetched."""
    return make(golden, tmp_path_factory, "kitti")


def test_before_all_steps_are_complete_it_checks_what_is_there_and_says_what_is_to_come(
    begun: Path, tmp_path: Path
) -> None:
    early = copy(begun, tmp_path)
    done = early.wizard.run("verify", "--dest", early.destination)
    assert done.returncode == 3, done.stdout + done.stderr
    assert (
        "these steps are not complete: 9 (Mapillary Vistas), 10 (ScanNet), 11 (WildDash), 12 (Relabel)" in done.stderr
    )
    assert early.verdict["faults"] == []
    (early.dataset / LATE).write_bytes(b"")
    assert early.wizard.run("verify", "--dest", early.destination).returncode == 1
    assert early.faults() == {LATE: ("is empty", "kitti")}
    done = early.wizard.run("verify", "--repair", "--dest", early.destination)
    assert done.returncode == 3, done.stdout + done.stderr
    assert early.verdict["faults"] == []
    assert not (early.dataset / "WildDash" / "wd_val_01").exists(), "a repair does not begin what is still to come"


def test_a_repair_needs_no_room_for_what_is_still_to_come(begun: Path, tmp_path: Path) -> None:
    with disk(tmp_path / "small", "size=100m") as small:
        early = copy(begun, small)
        (early.dataset / LATE).write_bytes(b"")
        done = early.wizard.run("verify", "--repair", "--dest", early.destination)
        assert done.returncode == 3, done.stdout + done.stderr
        assert early.verdict["faults"] == []
        (early.destination.parent / "answers.toml").write_text(ANSWERS)
        done = early.wizard.run(
            "run", "--dest", early.destination, "--answers", early.destination.parent / "answers.toml"
        )
        assert done.returncode == 1
        assert "There is not enough room" in done.stderr, "what is still to come does need it"


def test_where_no_wizard_has_worked_there_is_nothing_to_verify(tmp_path: Path) -> None:
    done = Wizard(tmp_path).run("verify", "--dest", tmp_path / "nowhere")
    assert done.returncode == 1
    assert "No wizard has worked" in done.stderr
    assert not (tmp_path / "nowhere").exists()


def test_while_another_wizard_works_it_does_not_verify(finished: Finished) -> None:
    other = hold(finished.destination)
    try:
        assert finished.wizard.run("verify", "--dest", finished.destination).returncode == 4
    finally:
        other.communicate()


def test_killed_in_the_middle_it_leaves_no_verdict_and_no_process(finished: Finished) -> None:
    assert finished.wizard.run("verify", "--dest", finished.destination).returncode == 0
    process = finished.wizard.start("verify", "--dest", finished.destination)
    assert wait_until(lambda: not (finished.destination / OWN / "verdict.json").exists(), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert finished.wizard.left_over() == []
    assert not (finished.destination / OWN / "verdict.json").exists()


def test_a_verdict_holds_until_something_is_made_again(finished: Finished) -> None:
    finished.wizard.run("verify", "--dest", finished.destination)
    ctx = finished.opened()
    try:
        assert verify_missing(ctx) == []
        verdict = read_verdict(ctx.own)
        assert verdict is not None
        assert verdict.of == subject(ctx)
        ctx.store.spent("kitti/remap/kitti-34", 12.0)
        ctx.store.finish("kitti/remap/kitti-34")
        assert verify_missing(ctx) == ["a verdict on the present state"]
        (ctx.own / "verdict.json").write_text("{")
        assert verify_missing(ctx) == ["a verdict on the present state"]
    finally:
        ctx.close()


def test_a_repair_that_an_earlier_wizard_began_is_known_as_one(finished: Finished) -> None:
    ctx = finished.opened()
    try:
        path = write_verdict(ctx, Verdict(subject(ctx), "2026-11-23T00:00:00+00:00", "a tree"))
        table = json.loads(path.read_text())
        del table["repairing"]
        path.write_text(json.dumps(table | {"mending": ["kitti"]}))  # as it was called at first
        verdict = read_verdict(ctx.own)
        assert verdict is not None
        assert verdict.repairing == ("kitti",)
    finally:
        ctx.close()
