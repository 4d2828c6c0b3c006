"""All fourteen steps with the golden kit: from a mirror, and with
logins, links and an upload, down to the wiped credentials.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mseg_wizard.practice.logins import ACCOUNTS, LINKS, sign_link
from mseg_wizard.practice.server import PracticeServer, origins
from mseg_wizard.tasks.registry import load_steps
from tests.wizard import ANSWERS, Wizard, compare, tree_of

CONFIRMED = ANSWERS + "[finish]\nconfirm = true\n"


@pytest.fixture
def wizard(tmp_path: Path) -> Wizard:
    home = tmp_path / "home"
    home.mkdir()
    return Wizard(home)


def verdict_on(golden: Path, destination: Path) -> str:
    """The last lines of the golden kit's verdict over everything, stray and missing files included."""
    compared = compare(golden, destination / "mseg_dataset", "--tree")
    assert compared.returncode == 0, compared.stdout
    return compared.stdout


@pytest.mark.slow
def test_from_a_mirror_every_label_map_is_the_one_that_msegs_code_makes(
    golden: Path, wizard: Wizard, tmp_path: Path
) -> None:
    answers, destination = tmp_path / "answers.toml", tmp_path / "d"
    answers.write_text(CONFIRMED)
    done = wizard.run("run", "--dest", destination, "--mirror", golden / "mirror", "--answers", answers)
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdict_on(golden, destination).endswith("0 differences in the tree\n389 of 389 label maps identical\n")
    status = json.loads(wizard.run("status", "--dest", destination, "--json").stdout)
    assert {step["state"] for step in status["steps"]} == {"done"}
    assert (destination / ".mseg-wizard" / "report" / "index.html").is_file()
    before = tree_of(destination / "mseg_dataset")
    again = wizard.run("run", "--dest", destination)
    assert again.returncode == 0, again.stdout + again.stderr
    assert tree_of(destination / "mseg_dataset") == before
    assert wizard.left_over() == []


@pytest.mark.long
def test_with_logins_links_and_an_upload_it_is_the_same_and_no_secret_is_left_anywhere(
    golden: Path, wizard: Wizard, tmp_path: Path
) -> None:
    answers, destination = tmp_path / "answers.toml", tmp_path / "d"
    links = {
        "idd": sign_link(f"{LINKS}/signed/idd-segmentation.tar.gz"),
        "kitti": sign_link(f"{LINKS}/signed/data_semantics.zip"),
        "mapillary": sign_link(f"{LINKS}/signed/mapillary-vistas-dataset_public_v1.1.zip"),
    }
    text = CONFIRMED + f'[scannet]\nbase_url = "{LINKS}/canary-scannet/"\n'
    for step, (user, password) in ACCOUNTS.items():
        text += f"[{step}]\nusername = {json.dumps(user)}\npassword = {json.dumps(password)}\n"
    for step, link in links.items():
        text += f'[{step}]\nurl = "{link}"\n'
    answers.write_text(text)
    answers.chmod(0o600)
    upload = destination / "mseg_dataset" / "BDD" / "bdd100k_seg.zip"
    upload.parent.mkdir(parents=True)
    shutil.copy(golden / "mirror" / "bdd100k_seg.zip", upload)
    with PracticeServer(golden / "mirror") as server:
        routes = [text for origin in origins(load_steps()) for text in ("--route", f"{origin}={server.url}")]
        # The kit is not what was published: only a modified tree with routed origins lets it pass.
        done = wizard.run("run", "--dest", destination, "--answers", answers, *routes)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "389 of 389" in verdict_on(golden, destination)
    secrets = (
        [password for _, password in ACCOUNTS.values()]
        + [link.partition("?")[2] for link in links.values()]
        + ["canary-scannet"]
    )
    for path in (path for path in tmp_path.rglob("*") if path.is_file() and path != answers):
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in content], path
    assert not [secret for secret in secrets if secret in done.stdout + done.stderr]
