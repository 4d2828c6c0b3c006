"""A wrong or damaged archive, then the right one: as a path, in a mirror, uploaded, as a link. None stays for ever."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mseg_wizard import calls
from mseg_wizard.context import Context, Options
from mseg_wizard.datasets.inventory import missing_files
from mseg_wizard.datasets.locations import own_path
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem
from mseg_wizard.tasks.download import download, download_missing
from mseg_wizard.tasks.extract import extract
from tests.http.faulty_server import FaultyServer, serving
from tests.registered import archive, downloaded, opened, run

FILE = "data_semantics.zip"
STEP = "kitti"


def damaged(body: bytes) -> bytes:
    """The archive with some bytes of a member's data turned: its directory and layout are right."""
    with zipfile.ZipFile(io.BytesIO(body)) as zipped:
        member = max(zipped.infolist(), key=lambda info: info.compress_size)
    at = member.header_offset + 30 + len(member.filename) + member.compress_size // 2
    return body[:at] + bytes(byte ^ 0xFF for byte in body[at : at + 8]) + body[at + 8 :]


def incomplete(body: bytes) -> bytes:
    """The archive without its last image."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as zipped, zipfile.ZipFile(out, "w") as less:
        last = [info for info in zipped.infolist() if "image_2" in info.filename and not info.is_dir()][-1]
        for info in zipped.infolist():
            if info is not last:
                less.writestr(info, zipped.read(info))
    return out.getvalue()


WRONG = {"damaged": damaged, "incomplete": incomplete}


@dataclass
class Bench:
    """A destination, a folder of the user's, a server, and the right archive."""

    ctx: Context
    mine: Path
    server: FaultyServer
    right: bytes

    @property
    def own(self) -> Path:
        return own_path(self.ctx, archive(self.ctx, FILE))

    def answer(self, **table: object) -> None:
        self.ctx.remember(self.ctx.step(STEP), table)

    def put(self, name: str, body: bytes) -> str:
        path = self.mine / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return str(path)

    def link(self, key: str, body: bytes) -> str:
        self.server.answers[f"/{key}/{FILE}"] = body
        return f"{self.server.url}/{key}/{FILE}"

    def unpacked(self) -> None:
        """Found and unpacked: complete by the lists."""
        wanted = archive(self.ctx, FILE)
        if download_missing(self.ctx, wanted):
            downloaded(self.ctx, FILE)
        run(extract(self.ctx, wanted))
        assert missing_files(self.ctx, wanted) == []


@contextmanager
def bench(world: World, folder: Path) -> Iterator[Bench]:
    with serving({}) as server:
        ctx = opened(world, folder / "d", options=Options())
        try:
            yield Bench(ctx, folder / "mine", server, (world.mirror / FILE).read_bytes())
        finally:
            ctx.close()


def by_path(it: Bench, name: str, body: bytes) -> None:
    it.answer(archives=[it.put(f"{name}.zip", body)])


def by_folder(it: Bench, name: str, body: bytes) -> None:
    it.put(f"{name}/{FILE}", body)
    it.answer(archives=[str(it.mine / name)])


def by_mirror(it: Bench, name: str, body: bytes) -> None:
    it.put(f"{name}/{FILE}", body)
    it.ctx.options = Options(mirror=str(it.mine / name))


def by_web_mirror(it: Bench, name: str, body: bytes) -> None:
    it.link(name, body)
    it.ctx.options = Options(mirror=f"{it.server.url}/{name}")


def by_upload(it: Bench, name: str, body: bytes) -> None:
    it.own.parent.mkdir(parents=True, exist_ok=True)
    it.own.unlink(missing_ok=True)
    it.own.write_bytes(body)


def by_archives_link(it: Bench, name: str, body: bytes) -> None:
    it.answer(archives=it.link(name, body))


def by_link(it: Bench, name: str, body: bytes) -> None:
    it.answer(url=it.link(name, body))


WAYS: dict[str, Callable[[Bench, str, bytes], None]] = {
    way.__name__: way for way in (by_path, by_folder, by_mirror, by_web_mirror, by_upload, by_archives_link, by_link)
}


@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("wrong", WRONG)
def test_the_right_archive_after_a_wrong_one_is_taken(
    practice_world: World, tmp_path: Path, wrong: str, first: str, second: str
) -> None:
    with bench(practice_world, tmp_path) as it:
        WAYS[first](it, "first", WRONG[wrong](it.right))
        with pytest.raises(Problem) as caught:
            it.unpacked()
        assert FILE in caught.value.what or "first.zip" in caught.value.what
        if second == "by_link" and first != "by_upload":
            assert calls.waiting(it.ctx.step(STEP), it.ctx) in ([], ["url"])
        WAYS[second](it, "second", it.right)
        it.unpacked()


@pytest.mark.parametrize("second", WAYS)
def test_a_new_answer_counts_before_anything_was_unpacked(practice_world: World, tmp_path: Path, second: str) -> None:
    with bench(practice_world, tmp_path) as it:
        by_path(it, "first", damaged(it.right))
        downloaded(it.ctx, FILE)
        if second in ("by_link", "by_mirror", "by_web_mirror"):
            it.answer(archives=[])
        WAYS[second](it, "second", it.right)
        if second == "by_link":  # a link is no place that was named: the file that is known is tried first
            with pytest.raises(Problem):
                it.unpacked()
        it.unpacked()


def test_a_file_that_failed_is_tried_again_where_there_is_no_other(practice_world: World, tmp_path: Path) -> None:
    with bench(practice_world, tmp_path) as it:
        by_path(it, "first", damaged(it.right))
        for _ in range(2):
            with pytest.raises(Problem, match="damaged"):
                it.unpacked()
        # Repaired in its place: the same name.
        by_path(it, "first", it.right)
        it.unpacked()


def test_a_wrong_file_in_its_place_does_not_hide_the_right_one_that_is_named(
    practice_world: World, tmp_path: Path
) -> None:
    with bench(practice_world, tmp_path) as it:
        by_upload(it, "first", (practice_world.mirror / "wd_val_01.zip").read_bytes())
        with pytest.raises(Problem, match="in it is called"):
            run(download(it.ctx, archive(it.ctx, FILE)))
        by_path(it, "second", it.right)
        it.unpacked()
        assert it.own.is_file(), "what the user put there was removed"
        assert any("Another file was taken" in note for note in it.ctx.notes)
