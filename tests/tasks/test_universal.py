"""`mseg-wizard universal` over a destination that is relabelled: every label map right, resumed, compared, listed."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mseg_wizard.cli.commands.verify import compare_universal
from mseg_wizard.core.exits import Exit
from mseg_wizard.labels.universal import MASTER
from mseg_wizard.progress import Problem
from mseg_wizard.tasks.universal import estimate
from tests.tasks.making import stamps, temporaries
from tests.verification.finished import Finished, copy, make

pytestmark = pytest.mark.slow


@pytest.fixture
def relabelled(golden: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return copy(make(golden, tmp_path_factory, "relabel"), tmp_path / "copy")


def universal(finished: Finished, *args: str) -> subprocess.CompletedProcess[str]:
    return finished.wizard.run("universal", "--dest", finished.destination, "--workers", "2", *args)


def judged(golden: Path, finished: Finished) -> str:
    """What an independent program says of the result."""
    judge = [sys.executable, str(golden / "compare_universal.py"), str(finished.destination)]
    return subprocess.run(judge, capture_output=True, text=True, check=False).stdout


def rows_of(finished: Finished, name: str) -> list[dict[str, str]]:
    with (finished.destination / "mseg_universal" / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_label_map_is_right_and_a_second_start_makes_none(golden: Path, relabelled: Finished) -> None:
    if not (golden / "compare_universal.py").is_file():
        pytest.skip("this golden kit does not judge universal labels")
    done = universal(relabelled)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "to make: 142 of 142, about" in done.stdout
    assert "were not verified yet" in done.stdout
    assert judged(golden, relabelled).endswith("universal: 142 right, 0 wrong, 0 absent\n")
    folder = relabelled.destination / "mseg_universal"
    before = stamps(folder)
    again = universal(relabelled)
    assert "All 142 universal label maps are there." in again.stdout
    assert stamps(folder) == before
    assert temporaries(relabelled.destination) == []
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == [
        "README.md", "classes.csv", "test_mapping.csv", "train.csv", "val.csv",
    ]  # fmt: skip


def test_the_manifest_names_each_pair_once_in_the_order_of_the_lists(relabelled: Finished) -> None:
    lists = relabelled.destination / "mseg-api/mseg/dataset_lists"
    listed = lists / "bdd-relabeled/list/train.txt"
    lines = [line for line in listed.read_text().splitlines() if line]
    listed.write_bytes("\r\n".join([*lines, lines[0], ""]).encode())  # a row twice
    assert universal(relabelled).returncode == 0
    rows = rows_of(relabelled, "train.csv")
    assert list(rows[0]) == ["dataset", "image", "label", "source"]
    assert [row["image"] for row in rows if row["dataset"] == "bdd-relabeled"] == [
        f"mseg_dataset/BDD/bdd100k/{line.split()[0]}" for line in lines
    ]
    for row in (*rows, *rows_of(relabelled, "val.csv")):
        assert all((relabelled.destination / row[name]).is_file() for name in ("image", "label", "source"))
        assert row["label"].removeprefix("mseg_universal/") == row["source"].removeprefix("mseg_dataset/")
    classes = rows_of(relabelled, "classes.csv")
    assert [row["id"] for row in classes] == [*map(str, range(194)), "255"]
    person = next(row for row in classes if row["name"] == "person")
    assert person["coco-panoptic-133-relabeled"] == "person"
    assert person["wilddash-19"] == "person"
    assert len({row["color"] for row in classes}) == 195
    assert len(classes[0]) == 5 + 13
    mapping = rows_of(relabelled, "test_mapping.csv")
    assert len(mapping) == 194
    there = next(row for row in mapping if row["name"] == "person")
    assert (there["voc2012"], there["voc2012 class"], there["kitti-19 class"]) == ("15", "person", "person")
    backpack = next(row for row in mapping if row["name"] == "backpack")
    assert (backpack["kitti-19"], backpack["kitti-19 class"]) == ("255", "unlabeled")


def test_without_relabelling_it_says_so(golden: Path, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    finished = copy(make(golden, tmp_path_factory, "folders"), tmp_path / "copy")
    done = universal(finished)
    assert done.returncode == 3
    assert "step 12, Relabel, is not complete" in done.stderr
    assert not (finished.destination / "mseg_universal").exists()


def test_a_relabelled_map_that_vanished_is_said_before_anything_is_made(relabelled: Finished) -> None:
    next((relabelled.dataset / "BDD").rglob("seg_relabeled/**/*.png")).unlink()
    done = universal(relabelled)
    assert done.returncode == 3
    assert "not complete: BDD" in done.stderr


def test_a_class_without_a_row_is_named_and_nothing_made_of_it(relabelled: Finished) -> None:
    table = relabelled.destination / "mseg-api" / MASTER
    text = table.read_text("utf-8")
    header, *rows = text.split("\n")
    column = header.split("\t").index("idd-39-relabeled")
    cells = [row.split("\t") for row in rows]
    at = next(number for number, row in enumerate(cells) if row[column : column + 1] == ["road"])
    cells[at][column] = ""
    table.write_text("\n".join([header, *("\t".join(row) for row in cells)]), "utf-8")
    done = universal(relabelled)
    assert done.returncode == 1
    assert "class 'road' of idd-39-relabeled" in done.stderr
    assert not (relabelled.destination / "mseg_universal" / "train.csv").exists()


def test_damage_is_found_by_comparison_and_mended_by_the_next_start(
    golden: Path, relabelled: Finished, capsys: pytest.CaptureFixture[str]
) -> None:
    assert universal(relabelled).returncode == 0
    label = relabelled.destination / rows_of(relabelled, "val.csv")[3]["label"]
    ids = np.array(Image.open(label))
    ids[0, 0] = (int(ids[0, 0]) + 1) % 194
    Image.fromarray(ids).save(label)
    # Only a few of the steps are complete here; what `verify` says of them is another test's matter.
    with closing(relabelled.opened()) as ctx:
        assert compare_universal(ctx, repair=False) == Exit.FAILED
    assert f"{label.relative_to(relabelled.destination)} 1 pixel not as its label gives them" in capsys.readouterr().err
    assert not label.exists()
    with closing(relabelled.opened()) as ctx:
        assert compare_universal(ctx, repair=True) == Exit.DONE
    assert judged(golden, relabelled).endswith(" 0 wrong, 0 absent\n")


def test_what_was_compared_and_has_not_changed_is_not_looked_at_again(relabelled: Finished) -> None:
    assert universal(relabelled).returncode == 0
    label = relabelled.destination / rows_of(relabelled, "val.csv")[3]["label"]
    before = label.stat().st_mtime_ns
    label.write_bytes(label.read_bytes()[:-1] + b"?")
    os.utime(label, ns=(before, before))
    with closing(relabelled.opened()) as ctx:
        assert compare_universal(ctx, repair=False) == Exit.DONE
    label.touch()
    with closing(relabelled.opened()) as ctx:
        assert compare_universal(ctx, repair=False) == Exit.FAILED
    assert not label.exists()


def test_another_relabelling_or_table_has_them_made_again(golden: Path, relabelled: Finished) -> None:
    assert universal(relabelled).returncode == 0
    before = stamps(relabelled.destination / "mseg_universal")
    table = relabelled.destination / "mseg-api" / MASTER
    header, *rows = table.read_text("utf-8").rstrip("\n").split("\n")
    table.write_text("\n".join([header, rows[1], rows[0], *rows[2:]]) + "\n", "utf-8")  # two classes change places
    done = universal(relabelled)
    assert done.returncode == 0, done.stderr
    assert judged(golden, relabelled).endswith(" 0 wrong, 0 absent\n")
    after = stamps(relabelled.destination / "mseg_universal")
    changed = {path for path in before if before[path] != after[path]}
    assert {"classes.csv", "train.csv"} <= changed
    assert any(path.startswith("COCOPanoptic/") for path in changed)
    assert not any(path.startswith("BDD/") for path in changed)  # whose classes are neither of the two


def test_what_another_program_made_is_asked_for_first(golden: Path, relabelled: Finished) -> None:
    row = next((relabelled.dataset / "BDD").rglob("seg_relabeled/**/*.png")).relative_to(relabelled.dataset)
    place = relabelled.destination / "mseg_universal" / row
    place.parent.mkdir(parents=True)
    place.write_bytes(b"somebody's")
    done = universal(relabelled)
    assert done.returncode == 3
    assert (key := "remake:universal/universal/bdd-relabeled") in done.stderr
    assert place.read_bytes() == b"somebody's"
    assert universal(relabelled, "--allow", key).returncode == 0
    assert judged(golden, relabelled).endswith(" 0 wrong, 0 absent\n")


def test_too_little_room_is_said_before_it_begins(relabelled: Finished) -> None:
    ctx = relabelled.opened()
    with closing(ctx):
        assert estimate(ctx).missing == 142
        huge = [
            replace(step, calls=tuple(replace(call, each_bytes=10**15) for call in step.calls)) for step in ctx.steps
        ]
        ctx.steps = tuple(huge)
        with pytest.raises(Problem, match=r"There is not enough room: 142000.0 TB and 142 files are needed"):
            estimate(ctx)
