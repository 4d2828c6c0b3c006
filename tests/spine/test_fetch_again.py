"""What was fetched and is damaged inside: it is had once more where that may help, and nothing else is given up."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mseg_wizard.context import Context, Options
from mseg_wizard.engine import run
from mseg_wizard.progress import Problem
from tests.http.faulty_server import Answer, FaultyServer
from tests.spine.test_lanes import HEAD, TASK, destination

FILES = 20
ARCHIVE = """
[[archives]]
file = "a.zip"
dataset = "a"
urls = ["{url}/a.zip"]
about = 1_000
layout = ["a/*"]
take = {{ "a/" = "" }}
{more}
"""
ALL, FIRST, OTHERS = (f'also = ["0.bin", "{last}.bin"]' for last in (FILES - 1, 1, FILES))
"""What MSeg lists: the last file too, only the first two, one that isn't in it."""
EXTRACT, DOWNLOAD = "fetch/extract/a.zip", "fetch/download/a.zip"


def archive(*, damaged_at: int = -1, count: int = FILES) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for number in range(count):
            file.writestr(f"a/{number}.bin", bytes([number]) * 1000)
    data = content.getvalue()
    if damaged_at >= 0:
        data = data.replace(bytes([damaged_at]) * 1000, bytes([damaged_at]) * 999 + b"?")
    return data


GOOD, BAD, SHORT = archive(), archive(damaged_at=10), archive(count=FILES - 1)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    server = FaultyServer({"/a.zip": Answer(body=BAD)})
    yield server
    server.close()


@contextmanager
def opened(folder: Path, server: FaultyServer, more: str, mirror: str = "") -> Iterator[Context]:
    step = HEAD.format(id="fetch") + ARCHIVE.format(url=server.url, more=more)
    step += "".join(TASK.format(task=task, name="a") for task in ("download", "extract"))
    with destination(folder, step, Options(mirror=mirror, workers=1)) as ctx:
        yield ctx


def finish_from_a_mirror(folder: Path, server: FaultyServer) -> Path:
    """Go on to the end with a good archive that is named now; returns the destination's datasets."""
    mirror = folder / "mirror"
    mirror.mkdir()
    (mirror / "a.zip").write_bytes(GOOD)
    with opened(folder, server, ALL, str(mirror)) as ctx:
        list(run(ctx.steps, ctx))
        assert ctx.store.journal.done(EXTRACT)
    assert (mirror / "a.zip").read_bytes() == GOOD
    return ctx.dataset_folder


def asked(server: FaultyServer) -> int:
    return len(server.sent("/a.zip"))


def test_it_is_had_once_more_by_the_run_and_once_at_each_start(server: FaultyServer, tmp_path: Path) -> None:
    for count in (2, 3):
        with (
            opened(tmp_path, server, ALL) as ctx,
            pytest.raises(Problem, match=r"damaged.*It was removed\. Start again: it is fetched anew"),
        ):
            list(run(ctx.steps, ctx))
        assert asked(server) == count
        assert not list((tmp_path / "d").rglob("a.zip"))
    server.answers["/a.zip"] = Answer(body=GOOD)
    with opened(tmp_path, server, ALL) as ctx:
        list(run(ctx.steps, ctx))
        assert "had to be fetched once more: a.zip is damaged at a/10.bin" in ctx.store.journal.remarks(DOWNLOAD)[0]
    assert asked(server) == 4


def test_what_has_the_published_sum_is_kept(server: FaultyServer, tmp_path: Path) -> None:
    more = f'{ALL}\nsha256 = "{hashlib.sha256(BAD).hexdigest()}"'
    for _ in range(2):
        with opened(tmp_path, server, more) as ctx, pytest.raises(Problem, match="is damaged"):
            list(run(ctx.steps, ctx))
        assert asked(server) == 1
        assert (ctx.dataset_folder / "a" / "a.zip").read_bytes() == BAD


def test_what_lacks_files_is_kept_and_is_enough_once_the_lists_are_mended(server: FaultyServer, tmp_path: Path) -> None:
    server.answers["/a.zip"] = Answer(body=GOOD)
    for _ in range(2):
        with opened(tmp_path, server, OTHERS) as ctx, pytest.raises(Problem, match="did not bring 1 files"):
            list(run(ctx.steps, ctx))
        assert (ctx.dataset_folder / "a" / "a.zip").read_bytes() == GOOD
    with opened(tmp_path, server, ALL) as ctx:
        list(run(ctx.steps, ctx))
        assert ctx.store.journal.done(EXTRACT)
    assert asked(server) == 1


def test_what_lacks_files_makes_way_for_what_is_named(server: FaultyServer, tmp_path: Path) -> None:
    """And goes once that was unpacked."""
    server.answers["/a.zip"] = Answer(body=SHORT)
    with opened(tmp_path, server, ALL) as ctx, pytest.raises(Problem, match="did not bring 1 files"):
        list(run(ctx.steps, ctx))
    assert not (finish_from_a_mirror(tmp_path, server) / "a" / "a.zip").exists()
    assert asked(server) == 1


def test_nothing_is_fetched_for_what_no_list_names(server: FaultyServer, tmp_path: Path) -> None:
    """All that MSeg lists came out before the damage; the archive goes when that was seen."""
    with opened(tmp_path, server, FIRST) as ctx, pytest.raises(Problem, match=r"damaged.*all that MSeg lists is there"):
        list(run(ctx.steps, ctx))
    with opened(tmp_path, server, FIRST) as ctx:
        list(run(ctx.steps, ctx))
        assert ctx.store.journal.done(EXTRACT)
        assert not (ctx.dataset_folder / "a" / "a.zip").exists()
    assert asked(server) == 1


def test_a_file_that_is_named_after_the_failure_is_taken(server: FaultyServer, tmp_path: Path) -> None:
    with opened(tmp_path, server, ALL) as ctx, pytest.raises(Problem):
        list(run(ctx.steps, ctx))
    finish_from_a_mirror(tmp_path, server)
    assert asked(server) == 2
