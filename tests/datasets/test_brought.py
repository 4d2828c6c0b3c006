"""Archives that users name in a form: every step that has archives takes them."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from mseg_wizard.context import Options
from mseg_wizard.http.hub import HUB
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem
from mseg_wizard.step import Step
from mseg_wizard.tasks.registry import load_steps
from tests.registered import downloaded, opened
from tests.repackaged import ADE, BDD, MAPILLARY, ade_2021, bdd_kaggle, mapillary_2


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


class _Gone(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *args: object) -> None:
        pass
