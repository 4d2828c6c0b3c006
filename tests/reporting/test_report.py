"""The report: what it says and shows, that it is safe to open and to
keep, and that it is whole whatever happens while it is written.
"""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import stat
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mseg_wizard.labels.taxonomy import IGNORED, MsegApiTree
from mseg_wizard.state.journal import OWN
from mseg_wizard.tasks.report import report, report_missing
from mseg_wizard.verification.verdict import forget_verdict
from mseg_wizard.workers import pool
from tests.verification.finished import Finished, copy, make
from tests.waiting import wait_until
from tests.wizard import ANSWERS, Wizard, tree_of

pytestmark = pytest.mark.long

TRAINING = (
    "ade20k-150-relabeled",
    "bdd-relabeled",
    "cityscapes-19-relabeled",
    "cityscapes-34-relabeled",
    "coco-panoptic-133-relabeled",
    "idd-39-relabeled",
    "mapillary-public65-relabeled",
    "sunrgbd-37-relabeled",
)
TESTING = ("camvid-11", "kitti-19", "pascal-context-60", "scannet-20", "voc2012", "wilddash-19")


class Page(HTMLParser):
    """The page as a browser takes it apart."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.source = (folder / "index.html").read_text("utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.pictures: dict[str, list[str]] = {}
        """Section → pictures in it."""
        self.ids: list[str] = []
        self._sections: list[str] = []
        self._skip = False
        self.feed(self.source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        table = dict(attrs)
        self.tags.append((tag, table))
        self._skip = tag == "style"
        if identifier := table.get("id"):
            self.ids.append(identifier)
        if tag == "section":
            self._sections.append(str(identifier))
        if tag == "img":
            self.pictures.setdefault(self._sections[-1], []).append(str(table["src"]))

    def handle_endtag(self, tag: str) -> None:
        self._skip = False
        if tag == "section":
            self._sections.pop()

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.words.append(data)


@pytest.fixture(scope="module")
def original(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(golden, tmp_path_factory, "verify")


@pytest.fixture(scope="module")
def page(original: Path) -> Page:
    return Page(original / OWN / "report")


@pytest.fixture
def finished(original: Path, tmp_path: Path) -> Finished:
    return copy(original, tmp_path)


def again(finished: Finished, *args: str) -> Page:
    """Have the report written again, as a user would."""
    done = finished.wizard.run("report", "--dest", finished.destination, *args)
    assert done.returncode == 0, done.stdout + done.stderr
    place = Path(done.stdout.removesuffix("\n"))  # all that a script has to read
    assert place == finished.destination / OWN / "report" / "index.html"
    return Page(place.parent)


# What it says and shows


def test_every_final_set_of_classes_is_shown_with_five_images_of_each_list(page: Page, original: Path) -> None:
    tree = MsegApiTree(original / "mseg-api")
    for taxonomy in (*TRAINING, *TESTING, *(name.removesuffix("-relabeled") for name in TRAINING)):
        images = [min(5, len(tree.unique_rows(taxonomy, split))) for split in ("train", "val")]
        assert len(page.pictures[taxonomy]) == 3 * sum(images), taxonomy
    assert len(page.pictures.pop("look")) == 3 * 13, "it opens with a strip for each dataset"
    assert list(page.ids)[:2] == ["look", "classes"]
    assert not set(page.pictures) - {*TRAINING, *TESTING, *(name.removesuffix("-relabeled") for name in TRAINING)}


def test_labels_before_and_after_relabelling_are_shown_of_the_same_images(page: Page) -> None:
    for taxonomy in TRAINING:
        assert page.pictures[taxonomy][::3] == page.pictures[taxonomy.removesuffix("-relabeled")][::3]


def test_the_pictures_of_labels_hold_the_ids_in_the_colours_of_the_legend(page: Page, original: Path) -> None:
    with Image.open(page.folder / "pictures" / "bdd-relabeled-val-1-labels.png") as picture:
        assert picture.mode == "P"
        shown, palette = np.asarray(picture), np.array(picture.getpalette()).reshape(-1, 3)
    row = re.search(r"<span class=\"path\">(BDD/bdd100k/seg_relabeled/labels/val/[^<]+)</span>", page.source)
    assert row
    with Image.open(original / "mseg_dataset" / row[1]) as label:
        stored = np.asarray(label)
    assert set(np.unique(shown)) <= set(np.unique(stored))
    assert shown.shape[0] / shown.shape[1] == pytest.approx(stored.shape[0] / stored.shape[1], rel=0.02)
    with (page.folder / "classes" / "bdd-relabeled.csv").open(newline="") as file:
        colors = {int(line["id"]): line["color"] for line in csv.DictReader(file)}
    assert {id_: f"#{bytes(palette[id_].astype(np.uint8)).hex()}" for id_ in colors} == colors


def test_every_set_of_classes_has_a_table_of_its_ids(page: Page, original: Path) -> None:
    tree, seen = MsegApiTree(original / "mseg-api"), 0
    for file in (page.folder / "classes").glob("*.csv"):
        if file.stem == "universal":
            continue
        with file.open(newline="") as lines:
            rows = [(int(line["id"]), line["name"]) for line in csv.DictReader(lines)]
        names = list(enumerate(tree.names(file.stem)))
        assert rows == (names if len(names) > IGNORED else [*names, (IGNORED, "unlabeled")]), file.stem
        seen += 1
    assert seen == 33
    with (page.folder / "classes" / "universal.csv").open(newline="") as lines:
        shared = [line["name"] for line in csv.DictReader(lines)]
    assert len(shared) == 195
    with (page.folder / "classes" / "universal.csv").open(newline="") as lines:
        colors = {line["name"]: line["color"] for line in csv.DictReader(lines)}
    people = {}
    for file in (page.folder / "classes").glob("*.csv"):
        with file.open(newline="") as lines:
            for line in csv.DictReader(lines):
                # ScanNet's becomes unlabeled, and is no class any more
                if line["name"] == "person" and line.get("universal"):
                    people[file.stem] = line["color"]
    assert len(people) > 15
    assert set(people.values()) == {colors["person"]}, "one colour for one class, wherever it occurs"
    assert shared[98] == "road"  # MSeg's own answer to a user who asked
    assert shared[-1] == "unlabeled"


def test_every_universal_class_has_a_page_that_says_where_it_comes_from(page: Page) -> None:
    folder = page.folder / "class"
    assert len(list(folder.glob("*.html"))) == 194
    person = (folder / "125.html").read_text("utf-8")
    assert "a human being" in person
    for taxonomy in (*TRAINING, "wilddash-19"):
        assert f'<td class="name">{taxonomy}</td>' in person
    assert person.count("<figure") == 6
    for file in folder.glob("*.html"):
        text = file.read_text("utf-8")
        for target in re.findall(r'(?:src|href)="([^"#]+)', text):
            assert (folder / target).exists(), (file.name, target)


def test_it_says_where_everything_is_and_how_training_finds_it(page: Page, original: Path) -> None:
    assert f"MSEG_DST_DIR = {original} in {original}/mseg-api/mseg/utils/dataset_config.py" in page.text
    assert str(original / "mseg_dataset") in page.text
    assert "255 means unlabeled" in page.text
    assert "no instance or panoptic labels" in page.text
    assert "https://github.com/mseg-dataset/mseg-semantic" in page.text


def test_it_says_what_came_from_where_and_what_is_not_the_published_archive(page: Page, original: Path) -> None:
    archives = json.loads((original / OWN / "journal.json").read_text())["archives"]
    assert len(archives) == 21
    for file, record in archives.items():
        assert file in page.text
        assert record["sha256"] in page.text
    others = [file for file, record in archives.items() if not record["as_published"]]
    assert page.source.count('<td class="warn">not the published archive') == len(others) > 0
    assert ", ".join(others) in page.text
    assert "Made with a modified mseg-api tree" in page.text
    assert "So these rules applied" in page.text


def test_it_gives_the_verdict_the_notes_and_the_times(page: Page) -> None:
    assert "UTC: no fault was found. Nobody has looked at the files since." in page.text
    assert "targeted pixels 43" in page.text
    assert "Camvid: 56,618 pixels in 11 labels as they came have a colour that no class has" in page.text
    assert "Working time in all" in page.text
    assert "ADE20K 151 to 150" in page.text


def test_the_frequencies_are_those_of_the_label_maps(page: Page, original: Path) -> None:
    tree, counts = MsegApiTree(original / "mseg-api"), np.zeros(256, np.int64)
    for row in (*tree.unique_rows("kitti-19", "train"), *tree.unique_rows("kitti-19", "val")):
        with Image.open(original / "mseg_dataset" / "KITTI" / str(row.label)) as label:
            counts += np.bincount(np.asarray(label).ravel(), minlength=256)
    section = page.source.partition('<section id="kitti-19">')[2].partition("</section>")[0]
    assert "all 9 label maps of train and val" in section
    chart = section.partition('<ol class="chart">')[2]
    shown = re.findall(r'class="id">(\d+)<.*?class="share">([^<]*)<', chart)
    assert [int(id_) for id_, _ in shown] == sorted([*range(19), IGNORED], key=lambda id_: (-counts[id_], id_))
    first = 100 * counts.max() / counts.sum()
    assert shown[0][1] == (f"{first:.0f} %" if first >= 10 else f"{first:.1f} %")


# Safe to open, to keep and to read


def test_it_needs_nothing_from_elsewhere_and_runs_its_own_script_alone(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form"), tag
        assert not [name for name in attributes if name.startswith("on")], attributes
        assert tag != "script" or attributes == {"src": "report.js", "defer": None}
        if source := attributes.get("src"):
            assert (page.folder / source).is_file(), source
        href = attributes.get("href") or ""
        if href and not href.startswith("https://"):
            assert href.removeprefix("#") in page.ids if href.startswith("#") else (page.folder / href).exists(), href
    assert not re.search(r"url\((?!#)", page.source), "but for what stands in the page itself"
    assert "@import" not in page.source
    assert len(page.ids) == len(set(page.ids))


def test_it_is_for_its_owner_alone(page: Page) -> None:
    for path in (page.folder, *page.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_text_is_legible_in_light_in_dark_and_in_print(page: Page) -> None:
    def light(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    themes = [
        dict(re.findall(r"--(\w+): (#\w{6})", rules))
        for rules in re.findall(r":root \{(.*?)\}", page.source, re.DOTALL)
    ]
    assert len(themes) == 3
    for theme in themes:
        for ground in ("paper", "panel"):
            for ink in ("ink", "soft", "good", "warn", "link"):
                bright, dark = sorted((light(theme[ground]), light(theme[ink])), reverse=True)
                assert (bright + 0.05) / (dark + 0.05) >= 4.5, (ground, ink, theme)


def test_foreign_text_stays_text_and_links_lose_what_they_carry(finished: Finished) -> None:
    names = finished.destination / "mseg-api/mseg/dataset_lists/kitti-19/kitti-19_names.txt"
    names.write_text(
        names.read_text().replace("road", "<script>alert('road')</script>").replace("car\n", "car\x1b[31m&amp;\n")
    )
    path = finished.destination / OWN / "journal.json"
    journal = json.loads(path.read_text())
    journal["archives"]["data_semantics.zip"]["source"] = (
        "https://user:canary@example.org/data_semantics.zip?X-Amz-Signature=canary"
    )
    journal["notes"]["kitti/remap/kitti-34"] = ["<img src=x onerror=alert(1)> from https://example.org/a?token=canary"]
    path.write_text(json.dumps(journal))
    page = again(finished)
    assert "<script>alert('road')</script>" in page.text, "it is shown as it is called"
    assert "<img src=x onerror=alert(1)> from https://example.org/a?…" in page.text
    assert "https://example.org/data_semantics.zip?…" in page.text
    test_it_needs_nothing_from_elsewhere_and_runs_its_own_script_alone(page)
    assert "canary" not in page.source
    assert "\x1b" not in page.source


# Whole, whatever happens


def test_it_belongs_to_the_state_that_it_was_written_about(finished: Finished) -> None:
    again(finished)
    ctx = finished.opened()
    assert report_missing(ctx) == []
    ctx.store.spent("remap-open/remap/camvid-32", 1.0)
    assert report_missing(ctx), "label maps were made again"
    ctx.store.spent("remap-open/remap/camvid-32", -1.0)
    assert report_missing(ctx) == []
    forget_verdict(ctx)
    assert report_missing(ctx), "the verdict that it tells is gone"
    ctx.close()


def test_what_can_not_be_read_is_told_and_stops_nothing(finished: Finished) -> None:
    before = Page(finished.destination / OWN / "report")
    section = before.source.partition('<section id="kitti-19">')[2]
    shown = re.findall(r'<span class="path">([^<]+)</span><br><span class="path">(KITTI[^<]+)</span>', section)
    image, label = shown[0][0], shown[1][1]
    (finished.dataset / image).write_bytes(b"no image")
    (finished.dataset / label).write_bytes(b"")
    page = again(finished)
    assert f"{image} is not shown: " in page.text
    assert "is empty" in page.text
    assert "1 could not be read." in page.text
    assert len(page.pictures["kitti-19"]) == len(before.pictures["kitti-19"]) - 6
    journal = json.loads((finished.destination / OWN / "journal.json").read_text())
    assert "2 of the pictures could not be drawn; the report says why" in journal["notes"]["verify/report"]


def test_stopped_anywhere_the_last_report_stays_and_nothing_else(finished: Finished) -> None:
    pool.prepare_start()
    place = finished.destination / OWN / "report"
    before = tree_of(place)
    for stop in (0, 1, 3, 8, 15):
        ctx = finished.opened()
        work = report(ctx)
        for _ in range(stop + 1):
            next(work)
        work.close()
        ctx.close()
        assert tree_of(place) == before
        assert not list((finished.destination / OWN).glob(".report*")), stop


def written(folder: Path) -> int:
    """Files below it by now, -1 where it isn't there: it is swept and made while it is looked at."""
    found = [names for _, _, names in os.walk(folder)]
    return sum(map(len, found)) if found else -1


def test_killed_at_any_moment_it_is_whole_in_the_end_and_the_pictures_are_the_same(finished: Finished) -> None:
    place, beside = finished.destination / OWN / "report", finished.destination / OWN / ".report.tmp"
    before, killed = tree_of(place), 0
    for seen in (0, 1, 20, len(before) - 2):
        process = finished.wizard.start("report", "--dest", finished.destination)
        wait_until(lambda seen=seen: written(beside) >= seen, process)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    assert killed
    page = again(finished)
    assert not list((finished.destination / OWN).glob(".report*"))
    after = tree_of(place)
    changed = {name for name in before if before[name] != after.get(name)}
    assert {name for name in changed if not name.endswith(".html")} == set()
    assert set(after) == set(before)
    assert page.pictures
    assert finished.wizard.left_over() == []


def test_before_anything_is_made_it_says_what_is_not_complete(golden: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "answers.toml").write_text(ANSWERS)
    wizard = Wizard(tmp_path / "home")
    early = wizard.run("report", "--dest", tmp_path / "d")
    assert early.returncode == 1
    assert "No wizard has worked in" in early.stderr
    assert not (tmp_path / "d").exists()
    options = ("--dest", tmp_path / "d", "--mirror", golden / "mirror", "--answers", tmp_path / "answers.toml")
    assert wizard.run("run", *options, "--until", "prepare").returncode == 0
    page = again(Finished(wizard, tmp_path / "d"))
    assert "Not verified yet." in page.text
    assert "Not complete yet: 2 Open datasets, 3 Remap open datasets" in page.text
    assert "15 images and 15 label maps of this list are not there: nothing to show." in page.text
    assert page.pictures == {}
    assert (page.folder / "classes" / "ade20k-150.csv").is_file()
    status = json.loads(wizard.run("status", "--dest", tmp_path / "d", "--json").stdout)
    assert next(step for step in status["steps"] if step["id"] == "verify")["state"] != "done"
