"""The pages for people: their links lead somewhere, their commands are taken, their example is run as it stands."""

from __future__ import annotations

import re
import shutil
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mseg_wizard.cli.parser import parser
from mseg_wizard.datasets.disk_space import FULL_ARCHIVES_LEFT, FULL_AT_ONCE, FULL_BYTES, FULL_FETCHED, FULL_FILES
from mseg_wizard.practice.world import World
from mseg_wizard.tasks.registry import load_steps
from tests.cli.test_shell import commands_in
from tests.conftest import ROOT
from tests.wizard import Wizard

DOCS = ROOT / "mseg_wizard" / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), ROOT / ".github" / "CONTRIBUTING.md"]


def headings(page: Path) -> set[str]:
    """The anchors of a page, as code hosts make them."""
    return {
        re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in page.read_text("utf-8").splitlines()
        if line.startswith("#")
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if not target.startswith(("http://", "https://")):
            path, _, anchor = target.partition("#")
            there = (page.parent / path).resolve() if path else page
            assert there.exists(), target
            assert not anchor or anchor in headings(there), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_is_one_that_the_wizard_takes(page: Path) -> None:
    text = page.read_text("utf-8")
    typed = "\n".join(re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) + re.findall(r"`(mseg-wizard[^`]*)`", text))
    ids = [step.id for step in load_steps()] + ["toy"]
    for arguments in commands_in(typed.replace("[--json]", "--json").replace("DIR", "/d")):
        chosen = parser().parse_args([word for word in arguments if word != "--help"])
        step = getattr(chosen, "step", None) or getattr(chosen, "until", None)
        assert step is None or step in ids, arguments


def test_what_the_page_about_the_house_names_is_there() -> None:
    text = (DOCS / "design.md").read_text("utf-8")
    package, rooms = ROOT / "mseg_wizard", {path.parent.name for path in (ROOT / "mseg_wizard").rglob("__init__.py")}
    for name in re.findall(r"`((?:\w+/)+\w*(?:\.\w+)?)`", text):
        assert any((place / name).exists() for place in (ROOT, package, *package.iterdir())), name
    for name in re.findall(r"`((?:\w+\.)+\w+)`", text):
        room, *rest = name.split(".")
        if room in rooms and rest[-1] not in ("py", "html"):
            assert any(
                (package / room / Path(*rest[:end])).with_suffix(kind).exists()
                for end in (1, 2)
                for kind in ("", ".py")
            ), name


def test_every_page_is_found_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for page in PAGES[1:]:
        assert f"({page.relative_to(ROOT).as_posix()})" in text


def test_the_pages_tell_of_space_what_the_program_knows() -> None:
    text = " ".join((ROOT / "README.md").read_text("utf-8").split())
    left = FULL_AT_ONCE - FULL_ARCHIVES_LEFT
    for count in (FULL_FETCHED, FULL_AT_ONCE, FULL_BYTES, left):
        assert f"{count // 10**9} GB" in text
    prepare, finish = (
        " ".join((step.why + "".join(field.help for field in step.fields)).split())
        for step in (load_steps()[0], load_steps()[-1])
    )
    assert prepare.count(f"{FULL_AT_ONCE // 10**9} GB and {FULL_FILES / 1e6} million files") == 2
    assert f"{FULL_FETCHED // 10**9} GB have to be downloaded" in prepare
    assert f"To save {FULL_ARCHIVES_LEFT // 10**9} GB you may delete" in finish


def test_the_example_of_an_own_dataset_runs_as_it_stands(practice_world: World, tmp_path: Path) -> None:
    files = dict(re.findall(r"`([\w./-]+)`:\n\n```\w*\n(.*?)```", (DOCS / "steps.md").read_text("utf-8"), re.DOTALL))
    package, archives = tmp_path / "site" / "mseg_wizard", tmp_path / "archives"
    shutil.copytree(ROOT / "mseg_wizard", package, ignore=shutil.ignore_patterns("__pycache__", "steps"))
    steps = package / "steps"
    steps.mkdir()
    for name in ("__init__.py", "01-prepare.toml"):
        shutil.copy(ROOT / "steps" / name, steps)
    shutil.copytree(practice_world.tree, archives / "mseg-api")
    for name, text in files.items():
        base = {"steps": package, "mseg": archives / "mseg-api"}.get(name.partition("/")[0], tmp_path)
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text(text)
    with zipfile.ZipFile(archives / "toy.zip", "w") as toy:
        for name, ids in (("a", [[0, 1], [2, 255]]), ("b", [[1, 1], [0, 0]])):
            toy.writestr(f"toy/images/{name}.jpg", picture(np.zeros((2, 2, 3), np.uint8), "JPEG"))
            toy.writestr(f"toy/labels/{name}.png", picture(np.array(ids, np.uint8), "PNG"))
    (tmp_path / "home").mkdir()
    wizard = Wizard(tmp_path / "home", extra={"PYTHONPATH": str(package.parent)})
    options = ("--dest", tmp_path / "d", "--mirror", archives, "--answers", tmp_path / "answers.toml")
    done = wizard.run("run", *options, "--until", "toy")
    assert done.returncode == 0, done.stdout + done.stderr
    made = tmp_path / "d" / "mseg_dataset" / "toy" / "labels2"
    assert np.array(Image.open(made / "a.png")).tolist() == [[0, 1], [255, 255]]
    assert np.array(Image.open(made / "b.png")).tolist() == [[1, 1], [0, 0]]


def picture(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], kind: str) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()
