"""A dataset that nobody foresaw, with a login, polygons and a relabelling, is one step file and its tables: the whole
journey, verification and the report run with no code of its own."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mseg_wizard.context import Context, Options, open_context
from mseg_wizard.datasets.universal import training_sets
from mseg_wizard.engine import run
from mseg_wizard.labels.codec import read_ids
from mseg_wizard.labels.taxonomy import RECORDS_FILE
from mseg_wizard.practice.world import PracticeAnswers, World
from mseg_wizard.progress import Problem
from mseg_wizard.step import Step
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import Vault
from tests.conftest import ROOT
from tests.http.faulty_server import Answer, Asked, FaultyServer, page, redirect, serving
from tests.labels.trees import make_tree, write_lines

ZOO = """
id = "zoo"
title = "Zoo"
summary = "Animals behind bars"
why = "To see that a dataset is words, not code."
time = "a moment"

[[fields]]
name = "username"
kind = "text"
label = "User name"
secret = true
only_for = ["zoo.zip"]

[[fields]]
name = "password"
kind = "password"
label = "Password"
secret = true
only_for = ["zoo.zip"]

[[fields]]
name = "archives"
kind = "sources"
label = "Or zoo.zip"
required = false

[[logins]]
id = "keeper"
name = "The zoo"
origin = "https://zoo.example"
path = "/enter"
token = "stamp"

[[datasets]]
folder = "Menagerie"
lists = "zoo_v2"

[[archives]]
file = "zoo.zip"
dataset = "Menagerie"
login = "keeper"
login_path = "/cages?number=7"
about = 20_000
layout = ["zoo/photos/*.png", "zoo/outlines/*.json"]
take = { "zoo/" = "zoo_v2/" }
files = 10
rows = 10
holds = [
    { taxonomy = "zoo-4", column = "image" },
    { taxonomy = "zoo-4", column = "label", replace = { "numbers/" = "outlines/", ".png" = ".json" } },
]

[[tasks]]
task = "download"
title = "Zoo: fetch"
archive = "zoo.zip"

[[tasks]]
task = "extract"
title = "Zoo: unpack"
archive = "zoo.zip"

[[tasks]]
task = "remap"
title = "Zoo polygons to 4, 2"
source = "zoo-4"
targets = ["zoo-4", "zoo-2"]
reader = "polygons"
raw = "outlines/{}.json"
dump = "numbers/{}.png"
each_bytes = 100

[[tasks]]
task = "relabel"
title = "Zoo: 5 segments"
taxonomies = ["zoo-2"]
records = "zoo_update_records"
lines = "no {segment} of {stem} ({folder})"
masks = "polygon"
image = "photos/{}.png"
mask = "outlines/{}.json"
fewest = 3
each_bytes = 100
"""
STEMS = {"train": ("lion_1", "lion_2", "owl_1"), "val": ("lion_3", "owl_2")}
USER, PASSWORD = "keeper@zoo.example", "b&r + c@ge=7"
SIZE = (12, 16)
ANIMAL, THING = (2, 3, 9, 9), (0, 0, 15, 1)
"""Left, top, right and bottom of the two polygons of each image, the outline included."""


def test_a_dataset_with_login_polygons_and_relabelling_needs_no_code(practice_world: World, tmp_path: Path) -> None:
    steps = steps_at(tmp_path / "steps")
    tree = tree_at(tmp_path / "mseg-api", practice_world)
    answers: PracticeAnswers = {
        "prepare": {"read": True, "terms": True, "accept_modified_tree": True, "python": "", "mseg_api": str(tree)},
        "zoo": {"username": USER, "password": PASSWORD},
        "finish": {"confirm": True},
    }
    with zoo_site() as server, opened(steps, tmp_path / "d", server.url) as ctx:
        for step in steps:
            ctx.remember(step, answers.get(step.id, {}))
        for _ in run(steps, ctx):
            pass
        assert all(ctx.store.journal.done(call.key) for step in steps for call in step.calls)
        assert [asked.path for asked in server.log] == ["/enter", "/enter", "/home", "/cages"]
        top = ctx.dataset_folder / "Menagerie" / "zoo_v2"
        for split, stems in STEMS.items():
            for stem in stems:
                lion = stem.startswith("lion")
                assert at_places(top / f"numbers/{split}/{stem}.png") == (1 if lion else 2, 0, 255)
                assert at_places(top / f"kinds/{split}/{stem}.png") == (0, 1, 255)
                assert at_places(top / f"kinds_again/{split}/{stem}.png") == (1 if lion else 0, 2, 255)
        verdict = json.loads((ctx.own / "verdict.json").read_text())
        assert verdict["faults"] == []
        report = (ctx.own / "report" / "index.html").read_text()
        assert "zoo-2-relabeled" in report
        assert PASSWORD not in report + (ctx.own / "journal.json").read_text()
        assert [(one.title, one.taxonomy) for one in training_sets(ctx.steps)] == [("Menagerie", "zoo-2-relabeled")]

        # What is spoilt is found, and made again, by the same words.
        spoilt = top / "kinds_again" / "val" / "owl_2.png"
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(spoilt)
        ctx.store.reopen("verify/verify")
        with pytest.raises(Problem) as caught:
            for _ in run(steps, ctx):
                pass
        assert any("owl_2.png" in item for item in caught.value.items)


def at_places(file: Path) -> tuple[int, ...]:
    """The ids within the animal, within the thing, and beside both."""
    ids = read_ids(str(file))
    assert ids.shape == SIZE
    assert len({int(id_) for id_ in ids[3:10, 2:10].ravel()}) == 1
    return tuple(int(ids[place]) for place in ((5, 5), (0, 7), (11, 15)))


def steps_at(folder: Path) -> tuple[Step, ...]:
    """The wizard's own first and last steps, and the zoo between them."""
    folder.mkdir()
    shutil.copy(ROOT / "steps" / "01-prepare.toml", folder)
    (folder / "02-zoo.toml").write_text(ZOO)
    shutil.copy(ROOT / "steps" / "13-verify.toml", folder / "03-verify.toml")
    shutil.copy(ROOT / "steps" / "14-finish.toml", folder / "04-finish.toml")
    return load_steps(folder)


def tree_at(folder: Path, world: World) -> Path:
    """A tree to which the zoo's classes, lists, tables and records were added."""
    shutil.copytree(world.tree, folder)
    kinds = {"zoo-4": "numbers", "zoo-2": "kinds", "zoo-2-relabeled": "kinds_again"}
    make_tree(
        folder,
        {
            "zoo-4": ["bars", "lion", "owl", "keeper"],
            "zoo-2": ["animal", "thing"],
            "zoo-2-relabeled": ["animal", "lion", "thing"],
        },
        tables={
            ("zoo-4", "zoo-2"): [("bars", "thing"), ("lion", "animal"), ("owl", "animal"), ("keeper", "unlabeled")],
            ("zoo-2", "zoo-2-relabeled"): [("animal", "animal"), ("thing", "thing")],
        },
        lists={
            (taxonomy, split): [f"photos/{split}/{stem}.png {kind}/{split}/{stem}.png" for stem in stems]
            for taxonomy, kind in kinds.items()
            for split, stems in STEMS.items()
        },
    )
    code = [f'    DatasetClassUpdateRecord("zoo", "{split}", "animal", "lion", "zoo/{split}.txt"),' for split in STEMS]
    with (folder / RECORDS_FILE).open("a") as records:
        records.write("\n".join(["", "zoo_update_records = [", *code, "]", ""]))
    for split, stems in STEMS.items():
        lines = [f"no 40 of {stem} ({split}).txt" for stem in stems if stem.startswith("lion")]
        write_lines(folder / "mseg" / "relabeled_data" / "zoo" / f"{split}.txt", lines)
    return folder


def zoo_zip() -> bytes:
    """Photos and outlines: a thing on top, an animal below it, and nothing around them."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for split, stems in STEMS.items():
            for number, stem in enumerate(stems):
                photo = io.BytesIO()
                Image.fromarray(np.full((*SIZE, 3), 40 * number, np.uint8)).save(photo, "PNG")
                archive.writestr(f"zoo/photos/{split}/{stem}.png", photo.getvalue())
                objects = [outline(7, "bars", *THING), outline(40, stem.partition("_")[0], *ANIMAL)]
                scene = {"imgHeight": SIZE[0], "imgWidth": SIZE[1], "objects": objects}
                archive.writestr(f"zoo/outlines/{split}/{stem}.json", json.dumps(scene))
    return data.getvalue()


def outline(id_: int, label: str, left: int, top: int, right: int, bottom: int) -> dict[str, object]:
    return {"id": id_, "label": label, "polygon": [[left, top], [right, top], [right, bottom], [left, bottom]]}


@contextmanager
def zoo_site() -> Iterator[FaultyServer]:
    """A site whose archive is for those alone who came in by its form."""
    data = zoo_zip()
    form = (
        "<form method='post'><input type='hidden' name='stamp' value='s1'><input name='username'>"
        "<input type='password' name='password'></form>"
    )

    def inside(asked: Asked) -> bool:
        return "ticket=yes" in asked.headers.get("Cookie", "")

    def enter(asked: Asked) -> Answer:
        given = {name: values[0] for name, values in asked.form.items()}
        if asked.method == "POST" and (given["username"], given["password"], given["stamp"]) == (USER, PASSWORD, "s1"):
            return redirect("/home", headers=(("Set-Cookie", "ticket=yes; Path=/"),))
        return page("Enter", form)

    def home(asked: Asked) -> Answer:
        return page("Welcome") if inside(asked) else redirect("/enter")

    def cages(asked: Asked) -> Answer:
        return Answer(body=data) if inside(asked) and asked.query == {"number": ["7"]} else redirect("/enter")

    with serving({"/enter": enter, "/home": home, "/cages": cages}) as server:
        yield server


@contextmanager
def opened(steps: tuple[Step, ...], destination: Path, url: str) -> Iterator[Context]:
    vault = Vault("test", backend=None, environment={})
    options = Options(routes=(f"https://zoo.example={url}",), workers=1)
    ctx = open_context(steps, destination, options, vault=vault, remember=False)
    try:
        yield ctx
    finally:
        ctx.close()
