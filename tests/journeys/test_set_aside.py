"""The whole journey where WildDash's site has its zips no more: on to the end, never called complete, and complete once
somebody has a copy.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.datasets.test_withdrawn import FILE, OTHER, SITE, Site
from tests.http.test_login import WILDDASH
from tests.wizard import ANSWERS, Wizard, compare


@pytest.mark.long
def test_the_journey_ends_without_wilddash_and_says_so_until_a_copy_turns_up(golden: Path, tmp_path: Path) -> None:
    mirror, home, destination = tmp_path / "mirror", tmp_path / "home", tmp_path / "d"
    for folder in (mirror, home):
        folder.mkdir()
    for file in (golden / "mirror").iterdir():
        if file.name not in (FILE, OTHER):
            (mirror / file.name).symlink_to(file)
    answers = tmp_path / "a.toml"
    answers.write_text(ANSWERS + "\n[finish]\nconfirm = true\n")
    login = {"WILDDASH_USERNAME": WILDDASH["username"], "WILDDASH_PASSWORD": WILDDASH["password"]}
    known, wizard = Wizard(home, extra=login), Wizard(home)
    with Site().serving() as server:
        command = ("run", "--dest", destination, "--mirror", mirror, "--answers", answers)
        routed = ("--route", f"{SITE}={server.url}")
        asked = known.run(*command, *routed)
        assert asked.returncode == 3, asked.stdout + asked.stderr
        assert "--allow aside:wilddash" in asked.stderr
        done = known.run(*command, *routed, "--allow", "aside:wilddash")
        assert done.returncode == 5, done.stdout + done.stderr
    assert "\nComplete but for WildDash, which is set aside: " in done.stdout
    assert f"{SITE}/download/{FILE}: it answered 404" in done.stdout
    assert "files are missing" in done.stdout
    status = json.loads(wizard.run("status", "--dest", destination, "--json").stdout)
    states = {step["id"]: step["state"] for step in status["steps"]}
    assert states.pop("wilddash") == "aside"
    assert set(states.values()) == {"done"}
    assert status["run"]["state"] == "aside"
    assert [row["file"] for row in status["aside"]] == [FILE, OTHER]
    told = wizard.run("status", "--dest", destination).stdout
    assert "[-] 11 WildDash                   set aside" in told
    assert "Complete but for WildDash" in told
    verified = wizard.run("verify", "--dest", destination, "--json")
    verdict = json.loads(verified.stdout)
    assert verified.returncode == 5, verified.stderr
    assert (verdict["clean"], verdict["faults"], len(verdict["aside"])) == (False, [], 2)
    page = next((destination / ".mseg-wizard").rglob("index.html")).read_text("utf-8")
    assert f"Not complete: {FILE} is set aside" in page

    (mirror / FILE).symlink_to(golden / "mirror" / FILE)
    (mirror / OTHER).symlink_to(golden / "mirror" / OTHER)
    whole = wizard.run(*command)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert compare(golden, destination / "mseg_dataset").stdout.splitlines()[-1].startswith("389 of 389")
    page = next((destination / ".mseg-wizard").rglob("index.html")).read_text("utf-8")
    assert "set aside" not in page
    assert json.loads(wizard.run("status", "--dest", destination, "--json").stdout)["run"]["state"] == "done"
