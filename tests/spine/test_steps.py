"""The step files: their order, their forms, every word that the user reads, and the complaints about broken ones."""

from __future__ import annotations

import inspect
import re
import shutil
from pathlib import Path
from typing import get_type_hints

import pytest

from mseg_wizard.answers.fields import check_field
from mseg_wizard.progress import Problem, Usage
from mseg_wizard.step import Step
from mseg_wizard.step_files import load
from mseg_wizard.tasks.registry import TASKS, load_steps
from tests.conftest import ROOT

STEPS = load_steps()
ARCHIVES = [archive for step in STEPS for archive in step.archives]
CALLS = [call for step in STEPS for call in step.calls]

FORMS = {
    "prepare": ["read", "terms", "destination", "workers", "mseg_api", "accept_modified_tree", "python"],
    "download-open": ["archives", "hf_token"],
    "remap-open": [],
    "folders": [],
    "bdd": ["archives"],
    "cityscapes": ["username", "password", "archives"],
    "idd": ["url", "archives"],
    "kitti": ["url", "archives"],
    "mapillary": ["url", "archives"],
    "scannet": ["base_url", "archives"],
    "wilddash": ["username", "password", "archives"],
    "relabel": [],
    "verify": [],
    "finish": ["confirm"],
}
"""Step ids in order, with their forms' fields: what --answers files and scripts rely on."""

HTTP_ONLY = {"mi.eng.cam.ac.uk", "host.robots.ox.ac.uk", "kaldir.vc.cit.tum.de", "www.scan-net.org"}


def test_the_steps_are_the_fourteen_in_their_order() -> None:
    assert [step.id for step in STEPS] == list(FORMS)
    assert [step.number for step in STEPS] == list(range(1, 15))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_a_form_asks_for_what_answers_files_name(step: Step) -> None:
    assert [item.name for item in step.fields] == FORMS[step.id]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_credentials_and_links_are_secret_and_needed_only_for_archives_from_nowhere_else(step: Step) -> None:
    for item in step.fields:
        login = item.name in ("username", "password", "url", "base_url")
        assert item.secret is (login or item.name == "hf_token")
        assert item.only_for == (tuple(archive.file for archive in step.archives) if login else ())
        assert item.required is (login or item.name in ("read", "terms", "destination", "mseg_api", "confirm"))
    for archive in step.archives:
        assert bool(archive.login) is ("password" in FORMS[step.id])
        assert archive.link_field in ("", *FORMS[step.id])


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_every_word_fits_where_it_is_shown(step: Step) -> None:
    assert len(step.title) <= 24
    assert len(step.summary) <= 76
    assert len(step.time) <= 76
    assert 1 <= len(step.why.split("\n\n")) <= 3
    for call in step.calls:
        assert len(call.title) <= 30
    for item in step.fields:
        assert len(item.label) <= 50
        assert item.help.strip()
    for text in _texts(step):
        assert re.fullmatch(r"[ -~\n–→]*", text), text
        assert all(len(line) <= 100 for line in text.splitlines()), text


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_links_are_https_where_the_site_speaks_it(step: Step) -> None:
    for link in step.links:
        host = re.fullmatch(r"https?://([a-z0-9.-]+)(/[!-~]*)?", link.url)
        assert host, link.url
        assert link.url.startswith("https://") or host[1] in HTTP_ONLY, link.url
        assert len(link.label) <= 60


def test_the_first_day_names_the_licences_that_take_days_and_the_terms_of_all_thirteen() -> None:
    prepare = STEPS[0]
    assert [link.label.split(":")[0] for link in prepare.links[:3]] == ["Ask today"] * 3
    assert all(name in prepare.why for name in ("Mapillary", "ScanNet", "WildDash"))
    assert sum(link.label.startswith("Terms: ") for link in prepare.links) == 13


def test_each_archive_is_fetched_then_unpacked_before_the_next_begins() -> None:
    for step in STEPS:
        moves = [(call.task, call.archive.file) for call in step.calls if call.archive and call.task != "expect"]
        assert moves == [(task, archive.file) for archive in step.archives for task in ("download", "extract")]
    assert [archive.file for archive in ARCHIVES if archive.keep] == [
        "bdd100k_seg.zip",
        "mapillary-vistas-dataset_public_v1.1.zip",
        "scannet_frames_25k.zip",
    ]
    assert [call.task for call in STEPS[4].calls] == ["expect", "download", "extract"]


def test_the_label_work_is_all_there_and_in_order() -> None:
    remaps = [(call.args.source, call.args.targets) for call in CALLS if call.task == "remap"]
    assert remaps == [
        ("ade20k-151", ("ade20k-150",)),
        ("camvid-32", ("camvid-11",)),
        ("coco-panoptic-inst-201", ("coco-panoptic-201", "coco-panoptic-133")),
        ("pascal-context-460", ("pascal-context-460", "pascal-context-60")),
        ("sunrgbd-38", ("sunrgbd-37",)),
        ("cityscapes-34", ("cityscapes-19",)),
        ("idd-40", ("idd-40", "idd-39")),
        ("kitti-34", ("kitti-19",)),
        ("mapillary-public66", ("mapillary-public65",)),
        ("scannet-41", ("scannet-20",)),
        ("wilddash-34", ("wilddash-19",)),
    ]
    relabels = [taxonomy for call in CALLS if call.task == "relabel" for taxonomy in call.needs]
    assert relabels == [
        "ade20k-150",
        "bdd",
        "cityscapes-19",
        "cityscapes-34",
        "coco-panoptic-133",
        "idd-39",
        "mapillary-public65",
        "sunrgbd-37",
    ]
    assert len({call.key for call in CALLS}) == len(CALLS)


VALID = """
id = "one"
title = "One"
summary = "A step"
why = "Because."
time = "a moment"

[[links]]
label = "A page"
url = "https://example.org/"

[[fields]]
name = "url"
kind = "url"
label = "Link"

[[archives]]
file = "a.zip"
dataset = "A"
link_field = "url"
take = { "a/" = "b/" }
layout = ["a/*.png"]
nested = [{ file = "a/b.zip", into = "a/" }]
wrong = [{ md5 = "0", reason = "Not this." }]
holds = [{ taxonomy = "a-1", column = "image" }]

[[tasks]]
task = "download"
title = "Fetch"
archive = "a.zip"
each_bytes = 1
"""

BROKEN = [
    ('title = "One"', 'title = "One', ["line"]),
    ('title = "One"', "", ["title"]),
    ('summary = "A step"', 'summary = "  "', ["summary"]),
    ('why = "Because."', "why = 7", ["why"]),
    ('time = "a moment"', "", ["time"]),
    ('time = "a moment"', 'time = "now"\nlicence = 3', ["licence"]),
    ('id = "one"', 'id = "two"', ["id", "'two'", "'one'"]),
    ('id = "one"', "", ["id", "'one'"]),
    ('id = "one"', 'id = "one"\nwhither = "x"', ["'whither'", "why"]),
    ('label = "A page"', "", ["links[0]", "label"]),
    ('label = "A page"', 'lable = "A page"', ["links[0]", "'lable'", "label"]),
    ("[[links]]", "[links]", ["links", "[[links]]"]),
    ('name = "url"', "", ["fields[0]", "name"]),
    ('kind = "url"', 'kind = "link"', ["url", "'link'", "acknowledge"]),
    ('kind = "url"', 'kind = "password"', ["url", "secret"]),
    ('kind = "url"', 'kind = "choice"', ["url", "choices"]),
    ('kind = "url"', 'kind = "url"\nrequired = "yes"', ["fields[0]", "required", "bool"]),
    ('kind = "url"', 'kind = "url"\ndefault = 1.5', ["fields[0]", "default", "str or int or bool"]),
    ('kind = "url"', 'kind = "url"\nonly_for = ["b.zip"]', ["url", "only_for", "'b.zip'"]),
    ("[[archives]]", '[[fields]]\nname = "url"\nkind = "url"\nlabel = "L"\n[[archives]]', ["field", "'url'", "twice"]),
    ("[[tasks]]", '[[archives]]\nfile = "a.zip"\ndataset = "A"\n[[tasks]]', ["archive", "'a.zip'", "twice"]),
    ('dataset = "A"', "", ["archives[0]", "dataset"]),
    ('dataset = "A"', 'dataset = "A"\nbytes = "12"', ["archives[0]", "bytes", "int"]),
    ('dataset = "A"', 'dataset = "A"\nurls = "https://example.org/a.zip"', ["archives[0]", "urls", "list"]),
    ('dataset = "A"', 'dataset = "A"\nurls = [1]', ["archives[0]", "urls", "str"]),
    ('dataset = "A"', 'dataset = "A"\nlogin = "site"', ["a.zip", "login", "login_path"]),
    ('dataset = "A"', 'dataset = "A"\nlogin = "site"\nlogin_path = "/a"', ["a.zip", "'site'", "[[logins]]"]),
    ("[[tasks]]", '[[logins]]\nid = "site"\nname = "Site"\npath = "/in"\n[[tasks]]', ["logins[0]", "origin"]),
    ('link_field = "url"', 'link_field = "link"', ["a.zip", "link_field", "'link'"]),
    ('take = { "a/" = "b/" }', 'take = ["a/"]', ["archives[0]", "take", "table"]),
    ('take = { "a/" = "b/" }', 'take = { "a/" = 1 }', ["archives[0]", "take", "table"]),
    (', into = "a/"', "", ["archives[0]", "nested", "into"]),
    ('md5 = "0", ', "", ["a.zip", "wrong", "layout"]),
    ('reason = "Not this."', 'cause = "Not this."', ["archives[0]", "wrong", "'cause'"]),
    ('wrong = [{ md5 = "0", reason = "Not this." }]', 'wrong = ["0"]', ["archives[0]", "wrong"]),
    ('column = "image"', 'column = "images"', ["a.zip", "holds", "'images'", "image, label, records"]),
    ('taxonomy = "a-1", ', "", ["archives[0]", "holds", "taxonomy"]),
    ('task = "download"', "", ["task"]),
    ('title = "Fetch"', "", ["task", "title"]),
    ('archive = "a.zip"', 'archive = "b.zip"', ["download", "'b.zip'"]),
    ('archive = "a.zip"', 'archive = { file = "a.zip" }', ["download", "archive"]),
    ("each_bytes = 1", 'each_bytes = "1 kB"', ["download", "each_bytes", "'1 kB'"]),
    (
        "each_bytes = 1",
        '[[tasks]]\ntask = "download"\ntitle = "Again"\narchive = "a.zip"',
        ["one/download/a.zip", "twice"],
    ),
]


def test_the_step_that_is_broken_below_is_whole_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "01-one.toml").write_text(VALID)
    assert [step.id for step in load(tmp_path)] == ["one"]


@pytest.mark.parametrize(("old", "new", "words"), BROKEN)
def test_a_broken_step_file_is_named_with_key_and_remedy(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    assert VALID.count(old) == 1
    (tmp_path / "01-one.toml").write_text(VALID.replace(old, new))
    with pytest.raises(Problem) as caught:
        load(tmp_path, check_field=check_field)
    assert "01-one.toml" in caught.value.what
    assert caught.value.do
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("name", ["02-one.toml", "1-one.toml", "01-One.toml", "one.toml"])
def test_a_step_file_with_a_wrong_name_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(VALID)
    with pytest.raises(Problem, match=re.escape(name)) as caught:
        load(tmp_path)
    assert "01-" in caught.value.do


def test_a_gap_in_the_numbers_is_named(tmp_path: Path) -> None:
    (tmp_path / "01-one.toml").write_text(VALID)
    (tmp_path / "03-three.toml").write_text(VALID.replace('"one"', '"three"'))
    with pytest.raises(Problem, match=re.escape("03-three.toml")) as caught:
        load(tmp_path)
    assert "02-" in caught.value.do


def test_a_step_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "01-one.toml").write_bytes(VALID.replace("Because", "Weil ä").encode("latin-1"))
    with pytest.raises(Problem, match=re.escape("01-one.toml")) as caught:
        load(tmp_path)
    assert "UTF-8" in caught.value.do


def test_no_step_files_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="No step files"):
        load(tmp_path)


def _texts(step: Step) -> list[str]:
    """Every word that a step's pane shows."""
    return [
        step.title,
        step.summary,
        step.why,
        step.time,
        step.licence,
        *(link.label for link in step.links),
        *(text for item in step.fields for text in (item.label, item.help)),
        *(call.title for call in step.calls),
    ]


ARGUMENTS = [
    ("03-remap-open.toml", 'task = "remap"', 'task = "remapp"', ["task 'remapp'", "remap, "]),
    ("03-remap-open.toml", 'source = "sunrgbd-38"', 'soure = "sunrgbd-38"', ["task remap", "'soure'", "source"]),
    ("03-remap-open.toml", 'source = "sunrgbd-38"\n', "", ["task remap", "source is missing"]),
    ("03-remap-open.toml", 'reader = "colors"', 'reader = "colours"', ["task remap", "'colours'", "colors"]),
    ("03-remap-open.toml", 'targets = ["sunrgbd-37"]', 'targets = "sunrgbd-37"', ["task remap", "targets", "[ … ]"]),
    ("03-remap-open.toml", 'targets = ["sunrgbd-37"]', "targets = []", ["task remap", "targets is empty"]),
    (
        "03-remap-open.toml",
        'splits = ["train", "val", "test"]',
        'splits = ["training"]',
        ["'training'", "train, val, test"],
    ),
    ("03-remap-open.toml", 'source = "sunrgbd-38"', 'source = "sunrgbd-83"', ["'sunrgbd-83'", "sunrgbd-38"]),
    ("04-folders.toml", '"KITTI"', '"../KITTI"', ["task folders", "'../KITTI'", "leads out of its folder"]),
    ("08-kitti.toml", 'task = "download"', 'task = "download"\nretries = 3', ["task download", "'retries'", "archive"]),
    ("12-relabel.toml", 'taxonomies = ["idd-39"]', 'taxonomies = ["idd-93"]', ["task relabel", "idd-93"]),
    ("12-relabel.toml", 'records = "bdd_update_records"\n', "", ["task relabel", "records is missing"]),
    ("12-relabel.toml", 'masks = "blue"', 'masks = "blew"', ["task relabel", "masks", "'blew'", "blue, "]),
    ("12-relabel.toml", '"{stem}_{segment}"', '"{stem}"', ["task relabel", "lines", "{segment}"]),
    ("12-relabel.toml", '"{stem}_{segment}"', '"{stem}_{segment}_{split}"', ["task relabel", "lines", "{stem}"]),
    ("12-relabel.toml", 'folders = { train = "training", val = "validation" }\n', "", ["lines", "{folder}", "folders"]),
    ("12-relabel.toml", ', val = "validation"', "", ["task relabel", "folders", "train, val"]),
    ("12-relabel.toml", "fewest = 10", "fewest = 0", ["task relabel", "fewest", "1 or more"]),
    ("12-relabel.toml", 'mask = "gtFine/{}_', 'mask = "gtFine/', ["task relabel", "image", "mask", "{}"]),
    ("12-relabel.toml", 'masks = "class"', 'masks = "class"\nimage = "{}"\nmask = "{}"', ["mask is", "Leave it out"]),
    ("12-relabel.toml", 'masks = "class"', 'masks = "instance"', ["masks of 'bdd'", "image and mask"]),
    (
        "02-download-open.toml",
        '"ade20k-150"\ncolumn',
        '"ade20k-149"\ncolumn',
        ["ADE20K_2016_07_26.zip", "'ade20k-149'"],
    ),
    ("03-remap-open.toml", 'taxonomy = "ade20k-150"', 'taxonomy = "camvid-11"', ["agreement", "'camvid-11'"]),
    ("13-verify.toml", 'task = "verify"', 'task = "verify"\nfull = true', ["task verify", "'full'"]),
]


@pytest.mark.parametrize(("file", "old", "new", "words"), ARGUMENTS)
def test_a_task_that_could_not_do_its_work_is_named_before_anything_begins(
    tmp_path: Path, file: str, old: str, new: str, words: list[str]
) -> None:
    for path in (ROOT / "steps").glob("*.toml"):
        shutil.copy(path, tmp_path)
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1))
    with pytest.raises(Usage) as caught:
        load_steps(tmp_path)
    assert file in caught.value.what
    assert caught.value.do
    assert [word for word in words if word not in str(caught.value)] == []


def test_the_arguments_of_each_kind_are_those_of_its_work() -> None:
    for name, task in TASKS.items():
        for function in (task.run, task.missing):
            hints = get_type_hints(inspect.unwrap(function))
            taken = [hints[parameter] for parameter in list(inspect.signature(function).parameters)[1:]]
            assert taken == ([task.arguments] if task.arguments else []), name
