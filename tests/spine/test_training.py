"""What training code reads: the pairs, the classes, each dataset's share; and the examples of the page about it."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem
from mseg_wizard.training import Mseg
from tests.conftest import ROOT
from tests.faults.stages import relabelled
from tests.wizard import Wizard

pytestmark = pytest.mark.slow

PAGE = (ROOT / "mseg_wizard" / "docs" / "training.md").read_text("utf-8")


@pytest.fixture(scope="module")
def destination(practice_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A practice destination with its universal labels. Change nothing in it."""
    place = relabelled(practice_world, tmp_path_factory)
    home = tmp_path_factory.mktemp("home")
    done = Wizard(home).run("universal", "--dest", place, "--workers", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    return place


def test_pairs_classes_and_mapping_are_those_of_the_lists(destination: Path) -> None:
    train = Mseg(destination, "train")
    image, label, dataset = train[0]
    assert image.is_file()
    assert label.is_file()
    assert dataset == "ade20k-150-relabeled"
    assert len(train) == len(train[:]) == sum(train.counts.values())
    assert len(train.counts) == 7
    assert [row.id for row in train.classes] == list(range(len(train.classes)))
    assert all(row.definition and len(row.color) == 3 for row in train.classes)
    names = (destination / "mseg-api/mseg/dataset_lists/voc2012/voc2012_names.txt").read_text().split("\n")
    table = train.to_test("voc2012")
    with (destination / "mseg_universal/classes.csv").open(newline="") as file:
        there = {int(row["id"]): row["voc2012"] for row in csv.DictReader(file)}
    mapped = [row.id for row in train.classes if table[row.id] != 255]
    assert mapped
    assert all(names[table[id_]].strip() == there[id_] for id_ in mapped)
    assert train.to_test("voc2012")[255] == 255
    with pytest.raises(Problem, match="There are camvid-11, "):
        train.to_test("voc")


def test_each_dataset_has_the_same_share_and_no_image_comes_twice_before_all_came(destination: Path) -> None:
    train = Mseg(destination)
    drawn = list(train.evenly(7 * min(train.counts.values()), seed=3))
    assert len(set(Counter(pair.dataset for pair in drawn).values())) == 1
    assert len(set(drawn)) == len(drawn)
    assert drawn == list(train.evenly(len(drawn), seed=3)) != list(train.evenly(len(drawn), seed=4))


def test_where_there_are_no_lists_the_command_that_makes_them_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="mseg-wizard universal"):
        Mseg(tmp_path)


def test_it_loads_nothing_heavy() -> None:
    code = (
        "import sys; from mseg_wizard.training import Mseg; "
        "print([name for name in ('numpy', 'PIL', 'textual', 'httpx', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_model_learns_from_it_in_twenty_lines_of_numpy(destination: Path) -> None:
    """The class of a pixel from its colour, by gradient descent: that the loss falls shows labels and images agree."""
    train = Mseg(destination, "train")
    chance = np.random.default_rng(0)
    weights = np.zeros((4, len(train.classes)))
    losses = []
    for image, label, _ in train.evenly(210, seed=0):
        pixels = np.asarray(Image.open(image).convert("RGB"), np.float64).reshape(-1, 3) / 255 - 0.5
        ids = np.asarray(Image.open(label)).ravel()
        known = np.flatnonzero(ids != 255)
        if not known.size:
            continue
        batch = chance.choice(known, 256)
        inputs = np.column_stack([pixels[batch], np.ones(256)])
        scores = inputs @ weights
        chances = np.exp(scores - scores.max(1, keepdims=True))
        chances /= chances.sum(1, keepdims=True)
        losses.append(-np.log(chances[np.arange(256), ids[batch]] + 1e-9).mean())
        chances[np.arange(256), ids[batch]] -= 1
        weights -= 2.0 * inputs.T @ chances / 256
    assert losses[0] == pytest.approx(np.log(len(train.classes)), rel=1e-3)
    assert np.mean(losses[-40:]) < 0.8 * losses[0]


def test_the_examples_run_as_they_stand_as_far_as_their_libraries_are_there(destination: Path) -> None:
    ran = 0
    for section in PAGE.split("\n## "):
        names: dict[str, Any] = {}
        for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL):
            compiled = compile(code.replace("/data/mseg", str(destination)), "training.md", "exec")
            modules = re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE)
            if all(find_spec(module) for module in modules):
                exec(compiled, names)  # noqa: S102 - the page's own example
                ran += 1
    assert ran >= 6


def test_the_numbers_of_the_page_are_those_of_the_lists(full_tree: Path) -> None:
    rows = re.findall(r"^\| [\w -]+ \| ([\d,]+) \| (\d+) % \| 1/7 \| ([\d.]+) \|$", PAGE, re.MULTILINE)
    counts = [int(count.replace(",", "")) for count, _, _ in rows]
    assert len(counts) == 7
    for count, (_, part, times) in zip(counts, rows, strict=True):
        assert round(100 * count / sum(counts)) == int(part)
        assert 3_000_000 / 7 / count == pytest.approx(float(times), rel=0.02)
    lists = full_tree / "mseg" / "dataset_lists"
    for taxonomy in ("ade20k-150", "mapillary-public65", "bdd", "idd-39", "sunrgbd-37", "cityscapes-19"):
        assert len((lists / f"{taxonomy}-relabeled/list/train.txt").read_text().split("\n")[:-1]) in counts
