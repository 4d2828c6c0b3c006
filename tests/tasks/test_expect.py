"""An archive that only a browser can fetch: found, or awaited
while it is uploaded; what is something else is left alone.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from mseg_wizard.context import Context, Options
from mseg_wizard.practice.server import PracticeServer
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Progress, Waiting
from mseg_wizard.tasks import expect as module
from mseg_wizard.tasks.expect import expect, expect_missing, upload_command
from mseg_wizard.tasks.extract import extract, extract_missing
from tests.http.faulty_server import page, serving
from tests.installed import needs
from tests.registered import archive, downloaded, opened, run

FILE = "bdd100k_seg.zip"
ATTENDED = Options(attended=True)
SFTP = Path("/usr/lib/openssh/sftp-server")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STABLE", 0.5)
    monkeypatch.setattr(module, "POLL", 0.05)


def place(ctx: Context) -> Path:
    return ctx.dataset_folder / "BDD"


def waits(task: Generator[Progress, None, None]) -> Waiting:
    with pytest.raises(Waiting) as caught:
        run(task)
    return caught.value


def seen(task: Generator[Progress, None, None], words: str) -> Progress:
    """Go on until the user sees these words."""
    for progress in task:
        if words in progress.doing:
            return progress
    raise AssertionError(f"it ended without saying {words!r}")


def test_what_lies_in_its_folder_was_named_or_is_mirrored_needs_no_waiting(
    practice_world: World, tmp_path: Path
) -> None:
    right = practice_world.mirror / FILE
    mirrored = Options(mirror=str(practice_world.mirror), attended=True)
    for name, options in {"own": ATTENDED, "brought": ATTENDED, "mirrored": mirrored}.items():
        ctx = opened(practice_world, tmp_path / name, options=options)
        if name == "own":
            place(ctx).mkdir(parents=True)
            shutil.copy2(right, place(ctx))
            os.utime(place(ctx) / FILE, (1, 1))
        elif name == "brought":
            ctx.remember(ctx.step("bdd"), {"archives": str(right)})
        assert len(run(expect(ctx, archive(ctx, FILE)))) <= 3, "it watched"
        assert expect_missing(ctx, archive(ctx, FILE)) == []
        ctx.close()


def test_a_growing_upload_is_shown_and_taken_once_it_is_whole(
    practice_world: World, tmp_path: Path, quick: None
) -> None:
    ctx = opened(practice_world, tmp_path, options=ATTENDED)
    task, content = expect(ctx, archive(ctx, FILE)), (practice_world.mirror / FILE).read_bytes()
    assert upload_command(place(ctx), FILE) in seen(task, "Waiting for").doing
    assert expect_missing(ctx, archive(ctx, FILE)) == [FILE]
    with (place(ctx) / FILE).open("wb", buffering=0) as file:
        for start in range(0, len(content), 8000):
            file.write(content[start : start + 8000])
            shown = seen(task, f"receiving {FILE}")
            while shown.done < file.tell():
                shown = next(task)
            assert (shown.done, shown.unit) == (file.tell(), "B")
    run(task)
    assert expect_missing(ctx, archive(ctx, FILE)) == []
    assert downloaded(ctx, FILE) == place(ctx) / FILE
    run(extract(ctx, archive(ctx, FILE)))
    assert extract_missing(ctx, archive(ctx, FILE)) == []
    assert (place(ctx) / FILE).read_bytes() == content, "this archive stays"
    ctx.close()


def test_an_upload_that_stopped_half_way_is_not_taken_and_may_go_on(
    practice_world: World, tmp_path: Path, quick: None
) -> None:
    ctx = opened(practice_world, tmp_path, options=ATTENDED)
    content = (practice_world.mirror / FILE).read_bytes()
    place(ctx).mkdir(parents=True)
    (place(ctx) / FILE).write_bytes(content[:20_000])
    task = expect(ctx, archive(ctx, FILE))
    assert "Waiting for" in seen(task, f"{FILE} ").doing
    with (place(ctx) / FILE).open("ab") as file:
        file.write(content[20_000:])
    run(task)
    assert (place(ctx) / FILE).read_bytes() == content
    ctx.close()


def test_a_wrong_file_is_named_for_what_it_is_and_left_alone_until_the_right_one_takes_its_place(
    practice_world: World, tmp_path: Path, quick: None
) -> None:
    ctx = opened(practice_world, tmp_path, options=ATTENDED)
    place(ctx).mkdir(parents=True)
    wrong = place(ctx) / FILE
    shutil.copy(practice_world.mirror / "data_semantics.zip", wrong)
    task = expect(ctx, archive(ctx, FILE))
    shown = seen(task, "is not the archive that is wanted").doing
    assert "scp " in shown
    assert f"It lies at {wrong}." in shown
    assert wrong.read_bytes() == (practice_world.mirror / "data_semantics.zip").read_bytes()
    # the right one beside it can't get its name while the wrong one has it
    shutil.copy(practice_world.mirror / FILE, place(ctx) / "again.zip")
    for _ in range(30):
        next(task)
    assert sorted(path.name for path in place(ctx).iterdir()) == ["again.zip", FILE]
    wrong.unlink()
    run(task)
    assert [path.name for path in place(ctx).iterdir()] == [FILE]
    ctx.close()


@pytest.mark.parametrize("name", ["bdd100k_seg_2018.zip", "bdd100k_seg (1).zip", "BDD.ZIP"])
def test_an_upload_under_another_name_gets_its_own(
    practice_world: World, tmp_path: Path, quick: None, name: str
) -> None:
    ctx = opened(practice_world, tmp_path, options=ATTENDED)
    place(ctx).mkdir(parents=True)
    shutil.copy(practice_world.mirror / FILE, place(ctx) / name)
    run(expect(ctx, archive(ctx, FILE)))
    assert [path.name for path in place(ctx).iterdir()] == [FILE]
    assert name in ctx.notes[0]
    ctx.close()


@pytest.mark.parametrize("name", [f"{FILE}.part", f"{FILE}.filepart", f".{FILE}.Xy12zA", f"{FILE}.crdownload"])
def test_a_file_on_the_way_is_shown_and_taken_only_under_its_last_name(
    practice_world: World, tmp_path: Path, quick: None, name: str
) -> None:
    ctx = opened(practice_world, tmp_path, options=ATTENDED)
    place(ctx).mkdir(parents=True)
    shutil.copy(practice_world.mirror / FILE, place(ctx) / name)
    task = expect(ctx, archive(ctx, FILE))
    assert seen(task, "receiving").done == (practice_world.mirror / FILE).stat().st_size
    seen(task, "Waiting for")
    (place(ctx) / name).rename(place(ctx) / FILE)
    run(task)
    ctx.close()


def test_the_wizards_own_unfinished_download_is_no_upload(practice_world: World, tmp_path: Path, quick: None) -> None:
    ctx = opened(practice_world, tmp_path, options=ATTENDED)
    place(ctx).mkdir(parents=True)
    (place(ctx) / f"{FILE}.part").write_text("{}")
    (ctx.own / f"{FILE}.part.json").write_text("{}")
    task = expect(ctx, archive(ctx, FILE))
    next(task)
    assert all("Waiting for" in next(task).doing for _ in range(20))
    task.close()
    ctx.close()


def test_an_answer_in_the_form_ends_the_watch(practice_world: World, tmp_path: Path, quick: None) -> None:
    ctx = opened(practice_world, tmp_path, options=ATTENDED)
    task = expect(ctx, archive(ctx, FILE))
    seen(task, "Waiting for")
    ctx.remember(ctx.step("bdd"), {"archives": str(practice_world.mirror / FILE)})
    run(task)
    assert downloaded(ctx, FILE) == practice_world.mirror / FILE, "read where it is"
    ctx.close()


def test_where_questions_are_asked_one_by_one_it_waits_for_an_answer(practice_world: World, tmp_path: Path) -> None:
    ctx = opened(practice_world, tmp_path, options=Options(attended=True, by_questions=True))
    waiting = waits(expect(ctx, archive(ctx, FILE)))
    assert (waiting.step, waiting.lacks) == ("bdd", ("archives",))
    assert upload_command(place(ctx), FILE) in waiting.do
    place(ctx).mkdir(parents=True, exist_ok=True)
    shutil.copy(practice_world.mirror / FILE, place(ctx) / "uploaded meanwhile.zip")
    run(expect(ctx, archive(ctx, FILE)))
    ctx.close()


def test_unattended_the_public_address_is_tried_and_then_it_waits_with_the_command(
    practice_world: World, tmp_path: Path
) -> None:
    with PracticeServer(practice_world.mirror) as server, serving({"/": page("Gone", status=410)}) as gone:
        shutil.copy(practice_world.mirror / FILE, tmp_path / "bdd100k_seg_2018.zip")
        with PracticeServer(tmp_path) as legacy:
            ctx = opened(practice_world, tmp_path / "there", legacy.url)
            assert len(run(expect(ctx, archive(ctx, FILE)))) == 1
            assert downloaded(ctx, FILE).read_bytes() == (practice_world.mirror / FILE).read_bytes()
            ctx.close()
        for name, url in {"not there": server.url, "gone": gone.url, "no connection": "http://127.0.0.1:9"}.items():
            ctx = opened(practice_world, tmp_path / name, url)
            run(expect(ctx, archive(ctx, FILE)))
            with pytest.raises(Waiting) as caught:
                downloaded(ctx, FILE)
            assert caught.value.lacks == ("archives",)
            assert upload_command(place(ctx), FILE) in caught.value.do
            assert "dl.yf.io" in caught.value.what
            ctx.close()


def test_unattended_a_wrong_file_in_its_place_is_named_and_waited_about(practice_world: World, tmp_path: Path) -> None:
    ctx = opened(practice_world, tmp_path)
    place(ctx).mkdir(parents=True)
    (place(ctx) / FILE).write_text("<html><head><title>Log in</title></head></html>")
    waiting = waits(expect(ctx, archive(ctx, FILE)))
    assert "it is a web page" in waiting.what
    assert (place(ctx) / FILE).exists()
    ctx.close()


def test_the_command_names_this_machine_as_it_can_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "walker")
    monkeypatch.setattr("mseg_wizard.core.host.name", lambda: "node7")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    assert upload_command(Path("/data/mseg"), FILE) == f"scp {FILE} walker@node7:/data/mseg/"
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.5 50022 10.0.0.7 22")
    assert upload_command(Path("/data/mseg"), FILE) == f"scp {FILE} walker@10.0.0.7:/data/mseg/"
    monkeypatch.setenv("SSH_CONNECTION", "fd00::5 50022 fd00::7 2222")
    assert shlex.split(upload_command(Path("/data/my sets"), FILE)) == [
        "scp",
        "-P",
        "2222",
        "-s",
        FILE,
        "walker@[fd00::7]:/data/my sets/",
    ]
    monkeypatch.setattr("mseg_wizard.core.host.name", lambda: "node7.lab.example")
    assert "walker@node7.lab.example:" in upload_command(Path("/data"), FILE)


@pytest.mark.parametrize("folder", ["plain", "with blanks", 'quo\'te "$HOME" `x`', "stern * und ?", "ünï", "a#b&c;d"])
def test_the_command_brings_the_file_where_it_belongs_whatever_the_folder_is_called(
    tmp_path: Path, folder: str
) -> None:
    needs("scp", SFTP)
    (tmp_path / "ssh").write_text(f"#!/bin/sh\nexec {SFTP}\n")
    (tmp_path / "ssh").chmod(0o755)
    (tmp_path / folder).mkdir()
    (tmp_path / FILE).write_text("content")
    command = upload_command(tmp_path / folder, FILE).replace("scp ", f"scp -q -S {tmp_path}/ssh ", 1)
    subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=True)
    assert (tmp_path / folder / FILE).read_text() == "content"
