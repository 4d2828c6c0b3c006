"""What people can get today in place of archives that are gone: the same label maps, or a refusal that says why."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import ZipFile

import pytest

from mseg_wizard.http.hub import HUB
from tests.http.faulty_server import serving
from tests.hub import SITE, STORE, Hub
from tests.installed import NOT_INSTALLED
from tests.repackaged import ADE, BDD, MAPILLARY, ade_2021, ade_parquet, bdd_kaggle, in_parts, mapillary_2
from tests.wizard import ANSWERS, Wizard, compare, tree_of


@pytest.mark.long
def test_equivalents_give_the_same_label_maps(golden: Path, tmp_path: Path) -> None:
    mirror, home, destination = tmp_path / "mirror", tmp_path / "home", tmp_path / "d"
    for folder in (mirror, home):
        folder.mkdir()
    for file in (golden / "mirror").iterdir():
        if file.name not in (ADE, BDD, MAPILLARY):
            (mirror / file.name).symlink_to(file)
    for make in (ade_2021, bdd_kaggle, mapillary_2):
        made = make(golden / "mirror", mirror)
    in_parts(made)
    answers = tmp_path / "a.toml"
    answers.write_text(ANSWERS + "\n[finish]\nconfirm = true\n")
    before, wizard = tree_of(mirror), Wizard(home)
    done = wizard.run("run", "--dest", destination, "--mirror", mirror, "--answers", answers)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = compare(golden, destination / "mseg_dataset")
    assert verdict.stdout.splitlines()[-1].startswith("389 of 389"), verdict.stdout
    assert tree_of(mirror) == before, "the mirror was changed"
    dataset = destination / "mseg_dataset"
    masks = [path for path in (dataset / "ADE20K/ADE20K_2016_07_26").rglob("*") if path.is_file()]
    assert masks
    assert all(path.name.endswith("_seg.png") for path in masks)
    assert not [path for path in (dataset / "BDD").rglob("*") if "100k/train" in str(path)]
    assert not (dataset / "MapillaryVistasPublic/training/v2.0").exists()
    said = wizard.run("status", "--dest", destination).stdout
    assert "ADE20K's release of 2021 stands in for it" in said
    assert "160 of 163 records (98.2 %)" in said
    used = json.loads(wizard.run("status", "--dest", destination, "--json").stdout)["equivalents"]
    assert [row["file"] for row in used] == [ADE, BDD, MAPILLARY]
    report = next((destination / ".mseg-wizard").rglob("*.html")).read_text("utf-8")
    assert "the repackaging of BDD100K on Kaggle" in report


@pytest.mark.long
def test_the_masks_of_hugging_face_give_the_same_label_maps(golden: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason=f"{NOT_INSTALLED}pyarrow")
    mirror, home, columns = tmp_path / "mirror", tmp_path / "home", tmp_path / "columns"
    for folder in (mirror, home, columns):
        folder.mkdir()
    for file in (golden / "mirror").iterdir():
        if file.name != ADE:
            (mirror / file.name).symlink_to(file)
    answers = tmp_path / "a.toml"
    answers.write_text(ANSWERS + "\n[finish]\nconfirm = true\n")
    hub, wizard = Hub(ade_parquet(golden / "mirror", columns)), Wizard(home)
    with serving(hub.plans()) as site, serving(hub.stored()) as store, serving({}) as dead:
        routes = [f"{HUB}={site.url}", f"{STORE}={store.url}", f"{SITE}={dead.url}"]
        options = [part for route in routes for part in ("--route", route)]
        done = wizard.run("run", "--dest", tmp_path / "d", "--mirror", mirror, "--answers", answers, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = compare(golden, tmp_path / "d/mseg_dataset")
    assert verdict.stdout.splitlines()[-1].startswith("389 of 389"), verdict.stdout
    said = wizard.run("status", "--dest", tmp_path / "d").stdout
    assert "ADE20K as Hugging Face has it stands in for it" in said
    assert "160 of 163 records (98.2 %)" in said
    assert not list((tmp_path / "d").rglob("*.parquet"))


@pytest.mark.slow
def test_an_unpacked_folder_of_2021_stands_in_too(golden: Path, tmp_path: Path) -> None:
    mine, home, mirror = tmp_path / "mine", tmp_path / "home", tmp_path / "mirror"
    for folder in (mine, home, mirror):
        folder.mkdir()
    for file in (golden / "mirror").iterdir():
        if file.name != ADE:
            (mirror / file.name).symlink_to(file)
    with ZipFile(ade_2021(golden / "mirror", tmp_path)) as archive:
        archive.extractall(mine)
    answers = tmp_path / "a.toml"
    answers.write_text(f'{ANSWERS}\n[download-open]\narchives = ["{mine}"]\n')
    before = tree_of(mine)
    done = Wizard(home).run(
        "run", "--dest", tmp_path / "d", "--mirror", mirror, "--answers", answers, "--until", "remap-open"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree_of(mine) == before
    assert "160 of 163" in Wizard(home).run("status", "--dest", tmp_path / "d").stdout
