"""Archives that users name in a form: every step that has archives takes them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path, PurePosixPath
from threading import Thread
from zipfile import is_zipfile

import pytest

from mseg_wizard import calls, engine
from mseg_wizard.answers.fields import taken_as
from mseg_wizard.context import Context, Options
from mseg_wizard.datasets.inventory import missing_files
from mseg_wizard.datasets.locations import local_source
from mseg_wizard.http.hub import HUB
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem, Waiting
from mseg_wizard.step import Step
from mseg_wizard.tasks.extract import extract
from mseg_wizard.tasks.registry import load_steps
from tests.registered import archive, downloaded, opened, run
from tests.repackaged import ADE, BDD, MAPILLARY, ade_2021, bdd_kaggle, mapillary_2
from tests.wizard import tree_of


@pytest.mark.parametrize("step", [step for step in load_steps() if step.archives], ids=lambda step: step.id)
def test_every_step_that_fetches_takes_files_folders_and_links(step: Step) -> None:
    assert [item.kind for item in step.fields if item.name == "archives"] == ["sources"]


def test_the_archive_that_no_server_has_is_given_by_hand(practice_world: World, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / ADE).write_bytes((practice_world.mirror / ADE).read_bytes())
    ctx = opened(practice_world, tmp_path / "d", answers={"download-open": {"archives": [str(mine)]}})
    try:
        assert downloaded(ctx, ADE) == mine / ADE
    finally:
        ctx.close()


def test_an_archive_that_no_address_gives_is_asked_for_by_the_form_that_takes_it(
    practice_world: World, tmp_path: Path
) -> None:
    with HTTPServer(("127.0.0.1", 0), _Gone) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        routes = (f"{site}=http://127.0.0.1:{server.server_port}" for site in ("https://groups.csail.mit.edu", HUB))
        ctx = opened(practice_world, tmp_path / "d", options=Options(routes=tuple(routes)))
        try:
            with pytest.raises(Problem) as caught:
                downloaded(ctx, ADE)
            assert "the form of step 2, Open datasets" in caught.value.do
        finally:
            ctx.close()
            server.shutdown()


@pytest.mark.parametrize(
    ("step", "file", "make"),
    [("download-open", ADE, ade_2021), ("bdd", BDD, bdd_kaggle), ("mapillary", MAPILLARY, mapillary_2)],
)
def test_what_may_stand_in_for_an_archive_is_taken_by_the_form_under_its_own_name(
    step: str, file: str, make: Callable[[Path, Path], Path], golden: Path, practice_world: World, tmp_path: Path
) -> None:
    made = make(golden / "mirror", tmp_path)
    ctx = opened(practice_world, tmp_path / "d", answers={step: {"archives": [str(made)]}})
    try:
        assert downloaded(ctx, file) == made
        assert any("stands in for it" in note for note in ctx.notes)
        ctx.remember(ctx.step(step), {"archives": [f"https://lab.example/{made.name}"]})
        # What has its name and is something else is refused before anything is begun.
        (other := tmp_path / "other").mkdir()
        (other / made.name).write_bytes((golden / "mirror" / "data_semantics.zip").read_bytes())
        with pytest.raises(Problem, match="is not the archive that is wanted"):
            ctx.remember(ctx.step(step), {"archives": [str(other / made.name)]})
    finally:
        ctx.close()


KITTI = "data_semantics.zip"
ODD_NAMES = ("data_semantics (1).zip", "data_semantics.zip.1", "KITTI.ZIP", "from the e-mail.zip")


def unzipped(packed: Path, into: Path) -> Path:
    """As a person unpacks it."""
    into.mkdir(parents=True)
    shutil.unpack_archive(packed, into, "zip" if is_zipfile(packed) else "gztar" if is_gzip(packed) else "tar")
    return into


def _without(tree: dict[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {path: content for path, content in tree.items() if not path.endswith(names)}


def is_gzip(path: Path) -> bool:
    return path.read_bytes()[:2] == b"\x1f\x8b"


def brought(world: World, folder: Path, step: str, file: str, named: Path, **options: str) -> Context:
    """A destination for which `named` was answered."""
    answers = {step: {"archives": [str(named)]}} if not options else {}
    return opened(world, folder, answers=answers, options=Options(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("way", ["folder", "mirror", "upload"])
def test_an_archive_of_another_name_is_known_by_what_is_in_it(
    practice_world: World, tmp_path: Path, way: str, name: str
) -> None:
    mine = tmp_path / "d/mseg_dataset/KITTI" if way == "upload" else tmp_path / "mine"
    mine.mkdir(parents=True)
    (mine / "a.zip").write_bytes((practice_world.mirror / "wd_val_01.zip").read_bytes())
    (mine / name).write_bytes((practice_world.mirror / KITTI).read_bytes())
    options = {"mirror": str(mine)} if way == "mirror" else {}
    ctx = brought(practice_world, tmp_path / "d", "kitti", KITTI, mine, **options)
    try:
        assert calls.waiting(ctx.step("kitti"), ctx) == []
        assert downloaded(ctx, KITTI) == mine / name
        run(extract(ctx, archive(ctx, KITTI)))
        assert (mine / name).exists() == (way != "upload"), "what was uploaded is tidied away as ever"
    finally:
        ctx.close()


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(archive.file, marks=[] if archive.file == KITTI else pytest.mark.slow)
        for step in load_steps()
        for archive in step.archives
    ],
)
def test_an_unpacked_archive_is_taken_as_the_archive_is(practice_world: World, tmp_path: Path, file: str) -> None:
    step = next(step for step in load_steps() if file in {archive.file for archive in step.archives})
    packed = practice_world.mirror / file
    for place in ("itself", "in it"):
        folder = unzipped(packed, tmp_path / place / PurePosixPath(file.removesuffix(".gz")).stem)
        before = tree_of(folder)
        ctx = brought(
            practice_world, tmp_path / "d" / place, step.id, file, folder.parent if place == "in it" else folder
        )
        calm = brought(practice_world, tmp_path / "calm" / place, step.id, file, packed)
        try:
            assert local_source(ctx, archive(ctx, file)), "nothing is fetched"
            downloaded(ctx, file)
            assert "no sum was there to compare" in " ".join(ctx.notes)
            for one in (ctx, calm):
                downloaded(one, file)
                run(extract(one, archive(one, file)))
            assert missing_files(ctx, archive(ctx, file)) == []
            small = ("README", "authors.txt", "license.txt", "readme.txt")  # beside a folder that is named itself
            assert _without(tree_of(ctx.dataset_folder), small) == _without(tree_of(calm.dataset_folder), small)
            assert tree_of(folder) == before, "what is the user's was changed"
        finally:
            ctx.close()
            calm.close()


def test_a_mirror_may_have_the_version_that_serves_as_well(practice_world: World, tmp_path: Path) -> None:
    (mirror := tmp_path / "mirror").mkdir()
    (mirror / MAPILLARY.replace("v1.1", "v1.2")).write_bytes((practice_world.mirror / MAPILLARY).read_bytes())
    ctx = brought(practice_world, tmp_path / "d", "mapillary", MAPILLARY, mirror, mirror=str(mirror))
    try:
        assert downloaded(ctx, MAPILLARY).name.endswith("v1.2.zip")
    finally:
        ctx.close()


def test_files_of_other_names_are_told_apart_where_a_step_has_several(practice_world: World, tmp_path: Path) -> None:
    made = {"labels.zip": "gtFine_trainvaltest.zip", "images.zip": "leftImg8bit_trainvaltest.zip"}
    for name, file in made.items():
        (tmp_path / name).write_bytes((practice_world.mirror / file).read_bytes())
    rows = [str(tmp_path / name) for name in made]
    ctx = opened(practice_world, tmp_path / "d", answers={"cityscapes": {"archives": rows}})
    try:
        for name, file in made.items():
            assert downloaded(ctx, file) == tmp_path / name
        (other := tmp_path / "other.zip").write_bytes((practice_world.mirror / KITTI).read_bytes())
        with pytest.raises(Problem, match="by its name or by what is in it"):
            ctx.remember(ctx.step("cityscapes"), {"archives": [*rows, str(other)]})
    finally:
        ctx.close()


def waits(ctx: Context, step: str) -> str:
    """What the wizard says where that step's turn comes."""
    with pytest.raises(Waiting) as caught:
        for call in ctx.step(step).calls[:1]:
            list(engine._work(ctx, ctx.step(step), call))
    return str(caught.value)


@pytest.mark.parametrize("way", ["folder", "mirror"])
def test_a_folder_that_does_not_help_is_said_with_what_is_there_instead(
    practice_world: World, tmp_path: Path, way: str
) -> None:
    (mine := tmp_path / "mine").mkdir()
    options = {"mirror": str(mine)} if way == "mirror" else {}
    ctx = brought(practice_world, tmp_path / "d", "kitti", KITTI, mine, **options)
    field = ctx.step("kitti").field("archives")
    try:
        assert f"{mine} has no {KITTI}, under any name or unpacked. It is empty." in waits(ctx, "kitti")
        (mine / "scene_flow.zip").write_bytes((practice_world.mirror / "wd_val_01.zip").read_bytes())
        (mine / "training").mkdir()
        said = waits(ctx, "kitti")
        assert "scene_flow.zip (nothing in it is called training/image_2/*.png" in said
        assert "training/" in said
        assert way == "mirror" or "scene_flow.zip" in taken_as(ctx.step("kitti"), field, str(mine))
    finally:
        ctx.close()


def test_one_of_two_archives_is_said_with_the_one_that_is_missing(practice_world: World, tmp_path: Path) -> None:
    (mine := tmp_path / "mine").mkdir()
    labels, images = "gtFine_trainvaltest.zip", "leftImg8bit_trainvaltest.zip"
    (mine / images).write_bytes((practice_world.mirror / images).read_bytes())
    ctx = brought(practice_world, tmp_path / "d", "cityscapes", images, mine)
    try:
        said = waits(ctx, "cityscapes")
        assert f"{mine} has no {labels}" in said
        assert f"There are: {images}" in said
        step = ctx.step("cityscapes")
        assert taken_as(step, step.field("archives"), str(mine)) == f"in {mine}: not there: {labels}"
    finally:
        ctx.close()


def test_what_was_unpacked_into_the_destination_is_not_taken_for_an_archive(
    practice_world: World, tmp_path: Path
) -> None:
    folder = unzipped(practice_world.mirror / KITTI, tmp_path / "d/mseg_dataset/KITTI")
    next(folder.rglob("*.png")).unlink()
    ctx = brought(practice_world, tmp_path / "d", "kitti", KITTI, folder)
    try:
        assert calls.waiting(ctx.step("kitti"), ctx) == ["url"]
    finally:
        ctx.close()


class _Gone(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *args: object) -> None:
        pass
