"""Fetching and unpacking as tasks: which archive is taken from where,
what is refused, what is removed, and what is never fetched twice.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mseg_wizard.context import Consent, Context, Options
from mseg_wizard.datasets.locations import own_path
from mseg_wizard.engine import run as journey
from mseg_wizard.practice.server import PracticeServer, origins
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem
from mseg_wizard.tasks.download import download, download_missing
from mseg_wizard.tasks.extract import extract, extract_missing
from mseg_wizard.tasks.registry import load_steps
from tests.registered import archive, opened, run
from tests.wizard import tree_of

FILE = "ADEChallengeData2016.zip"
"""Its size and hash are published, and the practice world's differ."""


@pytest.fixture
def server(practice_world: World) -> Iterator[PracticeServer]:
    with PracticeServer(practice_world.mirror, tree=practice_world.tree) as server:
        yield server


def context(
    world: World, destination: Path, *, server: PracticeServer | None = None, mirror: Path | None = None, **more: bool
) -> Context:
    routes = tuple(f"{origin}={server.url}" for origin in origins(load_steps())) if server else ()
    options = Options(mirror=str(mirror) if mirror else None, routes=routes, **more)  # type: ignore[arg-type]
    return opened(world, destination, options=options)


def place(ctx: Context) -> Path:
    return ctx.dataset_folder / "ADE20K" / FILE


def sent(server: PracticeServer) -> int:
    return sum(request.sent for request in server.log if request.path.endswith(FILE))


def test_a_mirrors_archive_is_read_where_it_is_and_stays(practice_world: World, tmp_path: Path) -> None:
    before = tree_of(practice_world.mirror)
    ctx = context(practice_world, tmp_path / "d", mirror=practice_world.mirror)
    run(download(ctx, archive(ctx, FILE)))
    assert not place(ctx).exists()
    run(extract(ctx, archive(ctx, FILE)))
    assert extract_missing(ctx, archive(ctx, FILE)) == []
    assert tree_of(practice_world.mirror) == before
    ctx.close()


def test_an_archive_in_its_own_folder_comes_before_every_other_source(
    practice_world: World, server: PracticeServer, tmp_path: Path
) -> None:
    ctx = context(practice_world, tmp_path / "d", server=server)
    place(ctx).parent.mkdir(parents=True)
    shutil.copy(practice_world.mirror / FILE, place(ctx))
    run(download(ctx, archive(ctx, FILE)))
    assert sent(server) == 0
    assert any("not the published archive" in note for note in ctx.notes)
    run(extract(ctx, archive(ctx, FILE)))
    assert not place(ctx).exists(), "uploaded into the dataset's folder: removed once what it brought was checked"
    ctx.close()


def test_without_a_modified_tree_an_archive_that_is_not_the_published_one_is_refused_and_left_alone(
    practice_world: World, tmp_path: Path
) -> None:
    ctx = context(practice_world, tmp_path / "d", mirror=practice_world.mirror)
    tree = ctx.store.journal.tree
    assert tree
    ctx.store.keep_tree(replace(tree, pinned=True))
    with pytest.raises(Problem, match=r"is not the published .*967,382,037"):
        run(download(ctx, archive(ctx, FILE)))
    assert download_missing(ctx, archive(ctx, FILE)) == [FILE]
    assert (practice_world.mirror / FILE).is_file()
    ctx.close()


def test_from_a_public_web_site_the_published_hash_decides_even_for_a_modified_tree(
    practice_world: World, server: PracticeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The sites' origins are asked directly here: the archive's
    # own addresses are replaced by the server's, without a route.
    ctx = context(practice_world, tmp_path / "d")
    real = archive(ctx, FILE)
    object.__setattr__(real, "urls", (f"{server.url}/{FILE}",))
    with pytest.raises(Problem):
        run(download(ctx, real))
    assert not place(ctx).exists()
    ctx.close()


def test_a_download_that_was_killed_before_it_was_noted_is_not_fetched_again(
    practice_world: World, server: PracticeServer, tmp_path: Path
) -> None:
    ctx = context(practice_world, tmp_path / "d", server=server)
    run(download(ctx, archive(ctx, FILE)))
    once = sent(server)
    ctx.store.keep_archive(FILE, None)  # as if the kill came between the rename and the journal
    run(download(ctx, archive(ctx, FILE)))
    assert sent(server) == once
    ctx.close()


def test_an_archive_that_was_tidied_away_is_not_fetched_again_and_lost_files_are_asked_for_first(
    practice_world: World, server: PracticeServer, tmp_path: Path
) -> None:
    ctx = context(practice_world, tmp_path / "d", server=server)
    step = ctx.step("download-open")
    only = type(step)(**{name: getattr(step, name) for name in step.__slots__} | {"calls": step.calls[2:4]})
    list(journey([only], ctx))
    assert not place(ctx).exists()
    once = sent(server)
    list(journey([only], ctx))
    assert sent(server) == once
    lost = ctx.dataset_folder / "ADE20K/ADEChallengeData2016/annotations/training"
    next(lost.iterdir()).unlink()
    with pytest.raises(Consent, match=r"Files of ADEChallengeData2016.zip are gone \(1\)") as caught:
        list(journey([only], ctx))
    assert "967 MB" in caught.value.do
    assert "mounted" not in caught.value.what
    (ctx.dataset_folder / "ADE20K").rename(away := tmp_path / "another disk")
    with pytest.raises(
        Consent, match=r"ADE20K is empty or not there: if it is on another disk, see first that this is mounted"
    ):
        list(journey([only], ctx))
    assert sent(server) == once
    shutil.rmtree(ctx.dataset_folder / "ADE20K", ignore_errors=True)
    away.rename(ctx.dataset_folder / "ADE20K")
    ctx.consents.add(caught.value.key)
    list(journey([only], ctx))
    assert sent(server) == 2 * once
    assert extract_missing(ctx, archive(ctx, FILE)) == []
    ctx.close()


def test_an_archive_stays_until_everything_that_it_should_bring_is_there(
    practice_world: World, server: PracticeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = context(practice_world, tmp_path / "d", server=server)
    run(download(ctx, archive(ctx, FILE)))
    incomplete = archive(ctx, FILE)
    object.__setattr__(incomplete, "skip", ("ADEChallengeData2016/annotations/validation/",))
    with pytest.raises(Problem, match="did not bring") as caught:
        run(extract(ctx, incomplete))
    assert all("annotations/validation" in item for item in caught.value.items)
    assert place(ctx).is_file()
    ctx.close()


def test_archives_can_be_kept(practice_world: World, server: PracticeServer, tmp_path: Path) -> None:
    ctx = context(practice_world, tmp_path / "d", server=server, keep_archives=True)
    run(download(ctx, archive(ctx, FILE)))
    run(extract(ctx, archive(ctx, FILE)))
    assert place(ctx).is_file()
    ctx.close()


def test_nothing_but_the_dataset_is_left_in_its_folder(
    practice_world: World, server: PracticeServer, tmp_path: Path
) -> None:
    ctx = context(practice_world, tmp_path / "d", server=server)
    run(download(ctx, archive(ctx, FILE)))
    run(extract(ctx, archive(ctx, FILE)))
    assert {path.name for path in (ctx.dataset_folder / "ADE20K").iterdir()} == {"ADEChallengeData2016"}
    ctx.close()


def test_an_archive_that_was_brought_is_not_unpacked_into_the_place_where_a_disk_was(
    practice_world: World, tmp_path: Path
) -> None:
    ctx = context(practice_world, tmp_path / "d", mirror=practice_world.mirror)
    step = ctx.step("download-open")
    only = type(step)(**{name: getattr(step, name) for name in step.__slots__} | {"calls": step.calls[2:4]})
    list(journey([only], ctx))
    (ctx.dataset_folder / "ADE20K").rename(away := tmp_path / "another disk")
    with pytest.raises(Consent, match="see first that this is mounted") as caught:
        list(journey([only], ctx))
    assert not (ctx.dataset_folder / "ADE20K").exists()
    away.rename(ctx.dataset_folder / "ADE20K")
    list(journey([only], ctx))
    shutil.rmtree(ctx.dataset_folder / "ADE20K")
    ctx.consents.add(caught.value.key)
    list(journey([only], ctx))
    assert extract_missing(ctx, archive(ctx, FILE)) == []
    ctx.close()


TAR = "VOCtrainval_11-May-2012.tar"


@pytest.mark.parametrize("own", [False, True], ids=["brought", "in its own folder"])
def test_a_plain_tar_that_changed_behind_size_and_time_is_not_unpacked(
    practice_world: World, tmp_path: Path, own: bool
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    ctx = context(practice_world, tmp_path / "d", mirror=mirror)
    wanted = archive(ctx, TAR)
    lies = own_path(ctx, wanted) if own else mirror / TAR
    lies.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(practice_world.mirror / TAR, lies)
    run(download(ctx, wanted))
    before, content = lies.stat(), bytearray(lies.read_bytes())
    with tarfile.open(lies) as tar:
        photo = next(member for member in tar if member.name.endswith(".jpg"))
    content[photo.offset_data + photo.size // 2] ^= 1
    lies.write_bytes(content)
    os.utime(lies, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(Problem, match="was changed since it was checked"):
        run(extract(ctx, wanted))
    assert not list(ctx.dataset_folder.rglob("*.jpg"))
    shutil.copy(practice_world.mirror / TAR, lies)
    run(download(ctx, wanted))
    run(extract(ctx, wanted))
    assert extract_missing(ctx, wanted) == []
    ctx.close()


def test_an_archive_that_changes_while_it_is_unpacked_is_looked_at_anew(practice_world: World, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    shutil.copy(practice_world.mirror / TAR, mirror)
    ctx = context(practice_world, tmp_path / "d", mirror=mirror)
    wanted = archive(ctx, TAR)
    run(download(ctx, wanted))
    with pytest.raises(Problem, match="changed while it was unpacked"):
        for progress in extract(ctx, wanted):
            if progress.doing.startswith(("unpacking", "saving")):
                os.utime(mirror / TAR)
    run(download(ctx, wanted))
    run(extract(ctx, wanted))
    assert extract_missing(ctx, wanted) == []
    ctx.close()
