"""Step 1, the mseg-api tree: from where it comes, what is accepted, and what is never touched."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mseg_wizard.datasets.mseg_api import COMMIT
from mseg_wizard.labels.taxonomy import RECORDS_FILE
from mseg_wizard.progress import Problem, Waiting
from mseg_wizard.tasks import tree as tree_module
from mseg_wizard.tasks.configure import configure
from mseg_wizard.tasks.tree import tree, tree_missing
from tests.http.faulty_server import serving
from tests.tasks.preparing import (
    CONFIG,
    changed,
    contents,
    give,
    journal,
    make_tree,
    opened,
    pin,
    prepared,
    run,
    zipped,
)

ON_GITHUB = f"/mseg-dataset/mseg-api/archive/{COMMIT}.zip"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that counts as MSeg's own."""
    folder = make_tree(tmp_path / "checkout")
    pin(monkeypatch, folder)
    return folder


# the golden kit, which is a modified tree


def test_a_modified_tree_is_refused_until_the_user_accepts_it_and_the_complaint_names_what_differs(
    golden: Path, tmp_path: Path
) -> None:
    with opened(tmp_path / "d", mirror=golden / "mirror") as ctx:
        with pytest.raises(Waiting) as caught:
            run(tree(ctx))
        assert (caught.value.step, caught.value.lacks) == ("prepare", ("accept_modified_tree",))
        assert "mseg/dataset_lists" in caught.value.what
        assert RECORDS_FILE in caught.value.what
        assert "mseg/class_remapping_files" not in caught.value.what, "the kit's class tables are MSeg's"
        assert sorted(path.name for path in ctx.destination.iterdir()) == [".mseg-wizard"]
        assert tree_missing(ctx)
        assert ctx.store.journal.tree is None


def test_an_accepted_modified_tree_is_copied_and_every_note_names_it(golden: Path, tmp_path: Path) -> None:
    before = contents(golden / "mirror" / "mseg-api")
    with opened(tmp_path / "d", mirror=golden / "mirror", accept_modified_tree=True) as ctx:
        assert prepared(ctx) == tmp_path / "d" / "mseg-api"
        run(configure(ctx))
        assert (journal(ctx).pinned, journal(ctx).whole) == (False, False)
        assert ctx.modified_tree
        assert journal(ctx).sha256 in ctx.notes[0]
        assert "not MSeg's as published" in ctx.notes[0]
        assert len(ctx.tree.rows("ade20k-151", "train")) == 15
        assert contents(ctx.tree_folder).keys() == before.keys()
    assert contents(golden / "mirror" / "mseg-api") == before


def test_withdrawing_the_acceptance_makes_the_tree_missing_again(golden: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "d", mirror=golden / "mirror", accept_modified_tree=True) as ctx:
        prepared(ctx)
        give(ctx, accept_modified_tree=False)
        assert tree_missing(ctx)
        with pytest.raises(Waiting):
            run(tree(ctx))


# where it comes from


def test_the_published_tree_is_fetched_from_github_unpacked_and_told_to_be_whole(mine: Path, tmp_path: Path) -> None:
    archive = zipped(mine, tmp_path / "x.zip", f"mseg-api-{COMMIT}/")
    with (
        serving({ON_GITHUB: archive.read_bytes()}) as server,
        opened(tmp_path / "d", routes=(f"https://github.com={server.url}",)) as ctx,
    ):
        folder = prepared(ctx)
        assert (folder / "README.md").read_bytes() == (mine / "README.md").read_bytes()
        assert (journal(ctx).pinned, journal(ctx).whole, journal(ctx).kind) == (True, True, "fetch")
        assert "complete and unchanged" in ctx.notes[0]
        assert sorted(path.name for path in ctx.destination.iterdir()) == [".mseg-wizard", "mseg-api"]
        assert not list(ctx.own.glob("mseg-api*"))


def test_a_fetched_tree_that_is_not_the_published_one_is_thrown_away_even_if_modified_trees_are_accepted(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = zipped(changed(mine, "mseg/__init__.py"), tmp_path / "x.zip", "mseg-api-main/")
    with serving({ON_GITHUB: archive.read_bytes()}) as server:
        monkeypatch.setattr(tree_module, "URL", server.url + ON_GITHUB)
        with opened(tmp_path / "d", accept_modified_tree=True) as ctx:
            with pytest.raises(Problem, match="other files in it differ"):
                run(tree(ctx))
            assert sorted(path.name for path in ctx.destination.iterdir()) == [".mseg-wizard"]


def test_a_mirror_folder_comes_before_github(mine: Path, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    zipped(mine, mirror / "mseg-api.zip", "")
    with opened(tmp_path / "d", mirror=mirror, routes=("https://github.com=http://127.0.0.1:9",)) as ctx:
        assert (prepared(ctx) / CONFIG).is_file()
        assert journal(ctx).kind == "mirror"


def test_a_mirror_server_is_asked_first_and_github_where_it_has_none(mine: Path, tmp_path: Path) -> None:
    body = zipped(mine, tmp_path / "x.zip", "mseg-api/").read_bytes()
    with serving({"/lab/mseg-api.zip": body}) as server, opened(tmp_path / "one", mirror=f"{server.url}/lab/") as ctx:
        prepared(ctx)
        assert (journal(ctx).kind, journal(ctx).source) == ("mirror", f"{server.url}/lab/mseg-api.zip")
    with serving({ON_GITHUB: body}) as server:
        with opened(tmp_path / "two", mirror=f"{server.url}/lab", routes=(f"https://github.com={server.url}",)) as ctx:
            prepared(ctx)
            assert journal(ctx).kind == "fetch"
        assert [asked.path for asked in server.log] == ["/lab/mseg-api.zip", ON_GITHUB]


@pytest.mark.parametrize("top", ["", "mseg-api-main/", "some/where/mseg-api/"])
def test_a_zip_of_the_users_may_have_any_folder_on_top(mine: Path, tmp_path: Path, top: str) -> None:
    archive = zipped(mine, tmp_path / "mine.zip", top)
    with opened(tmp_path / "d", mseg_api=str(archive)) as ctx:
        assert (prepared(ctx) / RECORDS_FILE).is_file()
        assert (journal(ctx).kind, journal(ctx).whole) == ("zip", True)
    assert archive.is_file()


def test_a_checkout_is_copied_without_git_and_caches_unless_a_python_will_import_it(mine: Path, tmp_path: Path) -> None:
    for extra in (".git/HEAD", "mseg/__pycache__/x.pyc", "mseg.egg-info/PKG-INFO"):
        make_tree(mine, files={extra: "x"})
    before = contents(mine)
    with opened(tmp_path / "d", mseg_api=str(mine)) as ctx:
        folder = prepared(ctx)
        run(configure(ctx))
        assert folder == tmp_path / "d" / "mseg-api"
        assert set(before) - set(contents(folder)) == {".git/HEAD", "mseg/__pycache__/x.pyc", "mseg.egg-info/PKG-INFO"}
        assert journal(ctx).whole
    assert contents(mine) == before


def test_a_checkout_is_used_in_place_where_a_python_will_import_it(mine: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "d", mseg_api=str(mine), python=sys.executable) as ctx:
        assert prepared(ctx) == mine
        assert not (tmp_path / "d" / "mseg-api").exists()


def test_a_read_only_mirror_gives_a_copy_that_can_be_configured(mine: Path, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    mine.rename(mirror / "mseg-api")
    for path in [*mirror.rglob("*"), mirror]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with opened(tmp_path / "d", mirror=mirror) as ctx:
            prepared(ctx)
            run(configure(ctx))
            assert (ctx.tree_folder / CONFIG).stat().st_mode & 0o600 == 0o600
    finally:
        for path in [mirror, *mirror.rglob("*")]:
            path.chmod(0o755)


def test_a_destination_inside_the_checkout_is_not_copied_into_itself(mine: Path) -> None:
    with opened(mine / "out", mseg_api=str(mine)) as ctx:
        folder = prepared(ctx)
        assert not (folder / "out").exists()


# what it is


def test_a_checkout_with_local_edits_keeps_the_published_data_and_says_so(mine: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "d", mseg_api=str(changed(mine, "README.md"))) as ctx:
        prepared(ctx)
        assert (journal(ctx).pinned, journal(ctx).whole) == (True, False)
        assert "other files in it differ" in ctx.notes[0]


@pytest.mark.parametrize(
    "path", [RECORDS_FILE, "mseg/relabeled_data/a/a_train.txt", "mseg/class_remapping_files/a_to_b.tsv"]
)
def test_one_changed_line_of_the_data_makes_it_a_modified_tree(mine: Path, tmp_path: Path, path: str) -> None:
    with opened(tmp_path / "d", mseg_api=str(changed(mine, path))) as ctx, pytest.raises(Waiting) as caught:
        run(tree(ctx))
    parts = ("class_remapping_files", "dataset_lists", "relabeled_data", "dataset_update_records")
    named = [part for part in parts if part in caught.value.what]
    assert len(named) == 1
    assert named[0] in path


def test_a_checkout_that_was_configured_and_installed_before_is_still_whole(mine: Path, tmp_path: Path) -> None:
    (mine / CONFIG).write_text('# where things are\nMSEG_DST_DIR = "/data/mseg"\nOTHER = 1\n')
    make_tree(mine, files={"mseg.egg-info/PKG-INFO": "x", "mseg/utils/__pycache__/y.pyc": "x"})
    with opened(tmp_path / "d", mseg_api=str(mine), python=sys.executable) as ctx:
        prepared(ctx)
        assert journal(ctx).whole


# what is wrong with it


@pytest.mark.parametrize("lost", ["mseg/dataset_lists/a", "mseg/relabeled_data", RECORDS_FILE, CONFIG])
def test_a_tree_that_lacks_a_part_is_refused_by_the_name_of_the_part(mine: Path, tmp_path: Path, lost: str) -> None:
    subprocess.run(["rm", "-r", str(mine / lost)], check=True)
    if lost == "mseg/dataset_lists/a":
        (mine / "mseg/dataset_lists").rmdir()
    with opened(tmp_path / "d", mseg_api=str(mine), accept_modified_tree=True) as ctx, pytest.raises(Problem) as caught:
        run(tree(ctx))
    assert lost.removesuffix("/a") in caught.value.what
    assert str(mine) in caught.value.what


@pytest.mark.slow
def test_lists_that_cannot_be_used_are_named_before_any_work_begins(golden: Path, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    shutil.copytree(golden / "mirror" / "mseg-api", mirror / "mseg-api", copy_function=shutil.copyfile)
    subprocess.run(["chmod", "-R", "u+w", str(mirror)], check=True)
    lists = mirror / "mseg-api/mseg/dataset_lists"
    (lists / "bdd/list/train.txt").unlink()
    (lists / "camvid-32/list/val.txt").write_bytes(b"\xff\xfe\x00")
    with opened(tmp_path / "d", mirror=mirror, accept_modified_tree=True) as ctx, pytest.raises(Problem) as caught:
        run(tree(ctx))
    assert len(caught.value.items) == 2
    assert "bdd/list/train.txt is missing" in caught.value.items[0]
    assert "camvid-32/list/val.txt is not UTF-8" in caught.value.items[1]


def test_an_answer_that_names_nothing_and_a_file_that_is_no_archive_are_said_in_plain_words(tmp_path: Path) -> None:
    with opened(tmp_path / "d", mseg_api=str(tmp_path / "nowhere")) as ctx:
        with pytest.raises(Problem, match="nothing is there"):
            run(tree(ctx))
        (tmp_path / "page.zip").write_text("<html>")
        give(ctx, mseg_api=str(tmp_path / "page.zip"))
        with pytest.raises(Problem, match="web page"):
            run(tree(ctx))
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "a").write_text("a")
        give(ctx, mseg_api=str(zipped(tmp_path / "other", tmp_path / "other.zip", "")))
        with pytest.raises(Problem, match="no mseg-api tree"):
            run(tree(ctx))
        assert sorted(path.name for path in ctx.destination.iterdir()) == [".mseg-wizard"]
