"""Step 1 again: trees that stand already, answers that changed, edits, stops and kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mseg_wizard.datasets.mseg_config import CONFIG
from mseg_wizard.labels.taxonomy import RECORDS_FILE
from mseg_wizard.progress import Problem
from mseg_wizard.tasks.configure import configure, configure_missing
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tasks.tree import tree, tree_missing
from tests.conftest import ROOT
from tests.tasks.preparing import changed, contents, give, journal, make_tree, opened, pin, prepared, run, zipped


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that counts as MSeg's own."""
    folder = make_tree(tmp_path / "checkout")
    pin(monkeypatch, folder)
    return folder


def test_a_folder_of_the_users_at_the_place_is_never_replaced(mine: Path, tmp_path: Path) -> None:
    theirs = make_tree(tmp_path / "d" / "mseg-api", files={"notes.txt": "my work"})
    before = contents(theirs)
    with opened(tmp_path / "d", mseg_api=str(mine)) as ctx:
        with pytest.raises(Problem, match="is another tree"):
            run(tree(ctx))
        assert contents(theirs) == before
        give(ctx, mseg_api=str(theirs))
        assert prepared(ctx) == theirs
        assert contents(theirs) == before


def test_the_same_tree_at_the_place_is_adopted_and_needs_no_network(mine: Path, tmp_path: Path) -> None:
    theirs = make_tree(tmp_path / "d" / "mseg-api")
    before = contents(theirs)
    with opened(tmp_path / "d", routes=("https://github.com=http://127.0.0.1:9",)) as ctx:
        assert prepared(ctx) == theirs
        assert "already" in journal(ctx).source
    with opened(tmp_path / "d", mseg_api=str(mine)) as ctx:
        assert prepared(ctx) == theirs
    assert contents(theirs) == before


def test_another_source_in_the_answers_brings_another_tree_and_keeps_the_old_one(mine: Path, tmp_path: Path) -> None:
    other = changed(make_tree(tmp_path / "other"), "README.md")
    with opened(tmp_path / "d", mseg_api=str(mine)) as ctx:
        prepared(ctx)
        (ctx.tree_folder / "work.txt").write_text("mine")
        give(ctx, mseg_api=str(other))
        assert tree_missing(ctx)
        assert (prepared(ctx) / "README.md").read_bytes() == (other / "README.md").read_bytes()
        assert (ctx.destination / "mseg-api.replaced-1" / "work.txt").read_text() == "mine"
        assert any("mseg-api.replaced-1" in note for note in ctx.notes)


def test_naming_a_python_later_uses_the_checkout_in_place(mine: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "d", mseg_api=str(mine)) as ctx:
        prepared(ctx)
        give(ctx, python=sys.executable)
        assert tree_missing(ctx)
        assert prepared(ctx) == mine


def test_a_list_that_was_edited_after_the_check_is_noticed_and_the_edit_is_kept_aside(
    mine: Path, tmp_path: Path
) -> None:
    with opened(tmp_path / "d", mseg_api=str(mine)) as ctx:
        names = prepared(ctx) / "mseg/dataset_lists/a/a_names.txt"
        assert ctx.tree.names("a") == ("road",)
        names.write_text("sky\n")
        assert tree_missing(ctx)
        prepared(ctx)
        assert names.read_text() == "road\n"
        assert ctx.tree.names("a") == ("road",)
        assert (ctx.destination / "mseg-api.replaced-1/mseg/dataset_lists/a/a_names.txt").read_text() == "sky\n"


def test_a_touched_tree_is_read_again_and_a_moved_one_only_configured_and_neither_is_fetched_again(
    mine: Path, tmp_path: Path
) -> None:
    archive = zipped(mine, tmp_path / "mine.zip", "")
    with opened(tmp_path / "d", mseg_api=str(archive)) as ctx:
        os.utime(prepared(ctx) / RECORDS_FILE, (1, 1))
        archive.unlink()
        assert tree_missing(ctx)
        prepared(ctx)
        run(configure(ctx))
        assert configure_missing(ctx) == []
    (tmp_path / "d").rename(tmp_path / "e")
    with opened(tmp_path / "e", mseg_api=str(archive)) as ctx:
        assert tree_missing(ctx) == [], "the record moves along, and the stamp knows no folder above the tree"
        assert configure_missing(ctx), "MSeg's code is told the old place"
        assert prepared(ctx) == tmp_path / "e" / "mseg-api"
        run(configure(ctx))
        assert f'"{tmp_path / "e"}"' in (ctx.tree_folder / CONFIG).read_text()
        assert tree_missing(ctx) == []


def test_a_tree_exchanged_during_the_session_is_read_anew(mine: Path, tmp_path: Path) -> None:
    other = make_tree(tmp_path / "other", files={"mseg/dataset_lists/a/a_names.txt": "sky\n"})
    with opened(tmp_path / "d", steps=load_steps()[:1], mseg_api=str(mine)) as ctx:
        prepared(ctx)
        assert ctx.tree.names("a") == ("road",)
        give(ctx, mseg_api=str(other), accept_modified_tree=True)
        prepared(ctx)
        assert ctx.tree.names("a") == ("sky",)


@pytest.mark.parametrize("after", range(6))
def test_stopped_at_any_word_it_leaves_no_half_tree(mine: Path, tmp_path: Path, after: int) -> None:
    archive = zipped(mine, tmp_path / "mine.zip", "top/")
    with opened(tmp_path / "d", mseg_api=str(archive)) as ctx:
        task = tree(ctx)
        for _ in range(after):
            if next(task, None) is None:
                break
        task.close()
        left = [path.name for path in ctx.destination.iterdir() if path.name != ".mseg-wizard"]
        assert left in ([], ["mseg-api"])
        assert prepared(ctx)


def test_killed_while_it_copies_it_leaves_only_what_the_next_start_sweeps(golden: Path, tmp_path: Path) -> None:
    code = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from mseg_wizard.tasks.tree import tree
from tests.tasks.preparing import opened
with opened(Path({str(tmp_path / "d")!r}), mirror={str(golden / "mirror")!r}, accept_modified_tree=True) as ctx:
    for progress in tree(ctx):
        if progress.doing.startswith("copying") and list(ctx.destination.glob(".mseg-api.*.tmp")):
            os.kill(os.getpid(), {int(signal.SIGKILL)})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert list((tmp_path / "d").glob(".mseg-api.*.tmp")), "it was killed too early or too late"
    with opened(tmp_path / "d", mirror=golden / "mirror", accept_modified_tree=True) as ctx:
        prepared(ctx)
        assert sorted(path.name for path in ctx.destination.iterdir()) == [".mseg-wizard", "mseg-api"]
