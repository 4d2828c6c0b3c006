"""`mseg-wizard practice`: the whole journey in miniature, as a new user starts it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.wizard import Wizard, tree_of


@pytest.fixture
def wizard(tmp_path: Path) -> Wizard:
    home = tmp_path / "home"
    home.mkdir()
    return Wizard(home, extra={"TMPDIR": str(tmp_path)})


@pytest.mark.long
def test_plain_practice_walks_the_whole_journey_mistakes_included_and_leaves_nothing_behind(
    wizard: Wizard, tmp_path: Path
) -> None:
    done = wizard.run("practice", "--plain")
    assert done.returncode == 0, done.stdout + done.stderr
    for words in (
        "images only",  # the wrong upload
        "does not accept the user name and password",
        "The link to data_semantics.zip at https://links.practice.example/… expired",
        "ADE20K's release of 2021 stands in for it",
        "has wd_both_01.zip no more",
        "Complete but for WildDash, which is set aside.",
        "a colleague has a copy",
        "Complete: all steps are done.",
        "was set aside; a colleague's copy came.",
    ):
        assert words in done.stdout
    assert done.stdout.count("ADE20K 2016: unpack: complete") == 1, "what is complete is told once"
    folder = re.search(r"in (\S*mseg-practice-\S+)", done.stdout)
    assert folder
    assert not Path(folder[1]).exists()
    assert tree_of(wizard.home) == {}, "practice wrote into the user's own folders"
    assert wizard.left_over() == []
    for secret in ("not-my-password", "X-Amz-Signature"):
        assert secret not in done.stdout + done.stderr


def test_practice_without_a_terminal_names_the_plain_one(wizard: Wizard) -> None:
    done = wizard.run("practice")
    assert done.returncode == 2
    assert "practice --plain" in done.stderr


@pytest.mark.long
def test_kept_practice_has_the_datasets_and_the_report(wizard: Wizard, tmp_path: Path) -> None:
    done = wizard.run("practice", "--plain", "--keep")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = Path(done.stdout.rsplit("was kept: ", 1)[1].strip())
    names = {path.name for path in (folder / "mseg" / "mseg_dataset").iterdir()}
    assert {
        "ADE20K",
        "BDD",
        "Camvid",
        "Cityscapes",
        "COCOPanoptic",
        "IDD",
        "KITTI",
        "MapillaryVistasPublic",
        "PASCAL_Context",
        "PASCAL_VOC_2012",
        "ScanNet",
        "SUNRGBD",
        "WildDash",
    } == names
    assert (folder / "mseg" / ".mseg-wizard" / "report" / "index.html").is_file()
