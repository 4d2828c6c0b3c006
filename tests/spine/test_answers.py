"""What is pasted into a form: taken if it can be right, refused in plain words if it can't, and never quoted."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mseg_wizard.answers.fields import check_answer
from mseg_wizard.answers.links import UnusableAnswer
from mseg_wizard.calls import waiting
from mseg_wizard.cli.destination import give_answers
from mseg_wizard.cli.plain import exit_code
from mseg_wizard.context import Context, Options
from mseg_wizard.core.exits import Exit
from mseg_wizard.practice.logins import sign_link
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem, Usage
from mseg_wizard.standing.snapshot import Snapshot
from mseg_wizard.standing.step_states import lacking, overview
from mseg_wizard.state.store import Store, Unwritten
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import Vault
from tests.disks import disk
from tests.registered import leaks, opened

STEPS = {step.id: step for step in load_steps()}
S3 = "https://s3.eu-central-1.amazonaws.com"
KITTI = f"{S3}/avg-kitti/data_semantics.zip"
MAPILLARY = f"{S3}/vistas/mapillary-vistas-dataset_public_v1.1.zip"
IDD = "https://idd.insaan.iiit.ac.in/files/idd-segmentation.tar.gz?token=0123456789abcdef"
BASE = "http://kaldir.vc.in.tum.example/scannet/"
SCRIPT = f"""#!/usr/bin/env python
# Downloads ScanNet; BASE_URL = 'http://an.old.example/one/'
import argparse
#BASE_URL = "http://an.older.example/one/"
BASE_URL = '{BASE}'
TOS_URL = BASE_URL + 'ScanNet_TOS.pdf'
"""
LATE = datetime(2020, 1, 1, tzinfo=UTC)


def check(step: str, name: str, value: object) -> object:
    return check_answer(STEPS[step], STEPS[step].field(name), value)


def refusal(step: str, name: str, value: str | list[str]) -> Problem:
    with pytest.raises(Problem) as caught:
        check(step, name, value)
    rows = [value] if isinstance(value, str) else value
    assert leaks([row for row in rows if "://" in row], str(caught.value), repr(caught.value)) == []
    assert caught.value.do
    return caught.value


@pytest.mark.parametrize(
    ("step", "link"),
    [
        ("kitti", KITTI),
        ("kitti", sign_link(KITTI)),
        ("mapillary", sign_link(MAPILLARY)),
        ("mapillary", sign_link(MAPILLARY.replace("v1.1", "v1.2"))),
        (
            "mapillary",
            f"{S3}/0f3e?response-content-disposition=attachment%3B%20filename%3D%22mapillary-vistas-dataset_public_v1.1.zip%22",
        ),
        ("idd", IDD),
        ("idd", IDD.replace("https", "http")),
    ],
)
def test_a_link_to_the_archive_is_taken(step: str, link: str) -> None:
    assert check(step, "url", link) == link


@pytest.mark.parametrize("wrap", ["\n", "\r\n", " \n  ", "=\n"[1:]])
def test_a_link_that_a_mail_program_wrapped_and_decorated_is_put_together(wrap: str) -> None:
    link = sign_link(KITTI)
    assert check("kitti", "url", f"  <{link[:40]}{wrap}{link[40:90]}{wrap}{link[90:].replace('&', '&amp;')}>\n") == link
    assert check("kitti", "url", f"'{link}'") == link


@pytest.mark.parametrize(
    ("step", "link", "words"),
    [
        (
            "kitti",
            f"{S3}/avg-kitti/data_scene_flow.zip?X-Amz-Signature=0123456789",
            "does not lead to data_semantics.zip",
        ),
        (
            "mapillary",
            sign_link(MAPILLARY.replace("v1.1", "v3.0")),
            "does not lead to mapillary-vistas-dataset_public_v1.1.zip",
        ),
        ("idd", "https://idd.insaan.iiit.ac.in/dataset/download/", "does not lead to idd-segmentation.tar.gz"),
        ("idd", "https://idd.insaan.iiit.ac.in/files/idd20kII.tar.gz?token=0123456789abcdef", "does not lead to"),
        ("kitti", "data_semantics.zip", "is no link"),
        ("kitti", "ftp://example.org/data_semantics.zip", "is no link"),
        ("kitti", "https:///data_semantics.zip", "is no link"),
        ("kitti", "https://[half/data_semantics.zip", "is no link"),
        ("kitti", "https://xn--/data_semantics.zip", "is no link"),
    ],
)
def test_another_link_is_refused_in_plain_words(step: str, link: str, words: str) -> None:
    assert words in refusal(step, "url", link).what


def test_an_expired_link_says_when_it_ended_and_one_that_still_lives_does_not() -> None:
    problem = refusal("kitti", "url", sign_link(KITTI, LATE, hours=1))
    assert isinstance(problem, UnusableAnswer)
    assert "expired on 2020-01-01 at 01:00 UTC" in problem.what
    soon = int((datetime.now(UTC) + timedelta(minutes=1)).timestamp())
    for link in (sign_link(KITTI, datetime.now(UTC) - timedelta(hours=23.9)), f"{KITTI}?Expires={soon}&Signature=x"):
        assert check("kitti", "url", link) == link


@pytest.mark.parametrize(
    "value",
    [
        BASE,
        f"  {BASE}\n",
        SCRIPT,
        SCRIPT.replace("'", '"'),
        "".join(SCRIPT.split("\n")[4:]),
        f"BASE_URL = '{BASE}'",
        f"{BASE}v2/tasks/scannet_frames_25k.zip",
        f"<{BASE}>",
    ],
    ids=[
        "itself",
        "with blanks",
        "the script",
        "its other quotes",
        "joined lines",
        "its line",
        "the archive's link",
        "in brackets",
    ],
)
def test_scannets_base_url_is_found_in_whatever_was_pasted(value: str) -> None:
    assert check("scannet", "base_url", value) == BASE


def test_scannets_base_url_is_found_in_the_script_at_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "my scripts" / "download-scannet.py"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in (str(script), f"'{script}'", "~/my scripts/download-scannet.py"):
        assert check("scannet", "base_url", value) == BASE
    script.write_bytes(b"\xff\xfe" + SCRIPT.replace("http:", "https:").encode("latin-1"))
    assert check("scannet", "base_url", str(script)) == BASE.replace("http:", "https:")
    script.write_text("print('another script')")
    assert "no line BASE_URL" in refusal("scannet", "base_url", str(script)).what


@pytest.mark.parametrize(
    "value", ["/nowhere/download-scannet.py", "kaldir.example/scannet", "x\0y", "~nobody-of-that-name/x.py"]
)
def test_what_is_neither_address_nor_script_is_refused(value: str) -> None:
    assert "the path of download-scannet.py" in refusal("scannet", "base_url", value).do


def test_wilddashs_user_name_is_an_email_address() -> None:
    assert check("wilddash", "username", " walker@example.org ") == "walker@example.org"
    for value in ("walker", "walker@", "a b@example.org", "walker@example", "walker@@example.org"):
        assert "no e-mail address" in refusal("wilddash", "username", value).what
    assert check("cityscapes", "username", "walker") == "walker"


def test_archives_on_this_machine_are_looked_into_and_kept_with_their_whole_path(
    practice_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = practice_world.mirror
    assert check("cityscapes", "archives", str(mirror)) == [str(mirror)]
    both = [str(mirror / "gtFine_trainvaltest.zip"), str(mirror / "leftImg8bit_trainvaltest.zip")]
    assert check("cityscapes", "archives", "\n".join(both)) == both
    shutil.copy(mirror / "bdd100k_seg.zip", tmp_path / "any name.zip")
    monkeypatch.chdir(tmp_path)
    assert check("bdd", "archives", "any name.zip") == [str(tmp_path / "any name.zip")]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert check("bdd", "archives", ["~/any name.zip"]) == [str(tmp_path / "any name.zip")]


def test_wrong_archives_on_this_machine_are_named_for_what_they_are(practice_world: World, tmp_path: Path) -> None:
    wrong = tmp_path / "bdd100k_seg.zip"
    shutil.copy(practice_world.mirror / "data_semantics.zip", wrong)
    assert "is not the archive that is wanted" in refusal("bdd", "archives", [str(wrong)]).what
    wrong.write_text("<html><title>Log in</title></html>")
    assert "it is a web page" in refusal("bdd", "archives", [str(wrong)]).what
    wrong.write_bytes((practice_world.mirror / "bdd100k_seg.zip").read_bytes()[:-100])
    assert "bdd100k_seg.zip" in refusal("bdd", "archives", [str(wrong)]).what
    other = tmp_path / "other.zip"
    shutil.copy(practice_world.mirror / "data_semantics.zip", other)
    problem = refusal("cityscapes", "archives", [str(other)])
    assert "none of this step's archives" in problem.what
    assert "leftImg8bit_trainvaltest.zip" in problem.do
    assert isinstance(refusal("bdd", "archives", [str(tmp_path / "nowhere.zip")]), UnusableAnswer)


def test_links_among_the_archives_are_held_against_the_names() -> None:
    assert check("bdd", "archives", ["https://example.org/any.zip"]) == ["https://example.org/any.zip"]
    assert check("wilddash", "archives", ["https://example.org/wd_val_01.zip"]) == ["https://example.org/wd_val_01.zip"]
    assert (
        "does not lead to any archive"
        in refusal("wilddash", "archives", ["https://example.org/wd_bench_01.zip?key=012345"]).what
    )
    assert isinstance(refusal("kitti", "archives", [sign_link(KITTI, LATE)]), UnusableAnswer)
    # a link that lost its beginning must not be taken for a path that may be shown
    text = "s3.amazonaws.com/data_semantics.zip?X-Amz-Signature=0123456789abcdef"
    assert leaks(["0123456789abcdef"], str(refusal("kitti", "archives", [text]))) == []


def test_in_an_answers_file_what_has_expired_since_stops_nothing_before_it_is_needed(
    practice_world: World, tmp_path: Path
) -> None:
    ctx = opened(practice_world, tmp_path)
    gone = str(tmp_path / "gone")
    give_answers(
        ctx,
        {
            "kitti": {"url": sign_link(KITTI, LATE)},
            "cityscapes": {"username": "walker", "archives": [gone, str(practice_world.mirror)]},
        },
    )
    assert ctx.secret("kitti", "url") is None
    assert any("expired on 2020-01-0" in reason for reason in ctx.reasons("kitti"))
    assert ctx.answer("cityscapes", "archives") == [str(practice_world.mirror)]
    assert any("is not there" in reason for reason in ctx.reasons("cityscapes"))
    # a fresh one that is stored is not overwritten by the old one of the file
    fresh = sign_link(KITTI)
    ctx.remember(ctx.step("kitti"), {"url": fresh})
    assert ctx.reasons("kitti") == []
    give_answers(ctx, {"kitti": {"url": sign_link(KITTI, LATE)}})
    kept = ctx.secret("kitti", "url")
    assert kept is not None
    assert kept.reveal() == fresh
    with pytest.raises(Usage, match=r"kitti\.url: “KITTI download link” does not lead to data_semantics\.zip"):
        give_answers(ctx, {"kitti": {"url": sign_link(MAPILLARY)}})
    ctx.close()


@pytest.mark.parametrize(
    ("given", "lacks"),
    [
        ({}, ["read", "terms", "destination"]),
        ({"read": False, "terms": True, "destination": "/d"}, ["read"]),
        ({"read": True, "terms": "yes", "destination": "/d"}, ["terms"]),
        ({"read": True, "terms": True, "destination": ""}, ["destination"]),
        ({"read": True, "terms": True, "destination": "/d", "python": ""}, []),
    ],
)
def test_status_and_engine_agree_on_what_is_answered(
    given: dict[str, object], lacks: list[str], tmp_path: Path
) -> None:
    store = Store(tmp_path)
    for name, value in given.items():
        store.answer("prepare", name, value)
    ctx = Context(tuple(STEPS.values()), store, Vault("test", backend=None, environment={}), Options())
    assert lacking(STEPS["prepare"], store.journal) == waiting(STEPS["prepare"], ctx) == lacks
    states = overview(ctx.steps, store.journal, Snapshot(), lambda step: lacking(step, store.journal))
    assert (states[0].state, list(states[0].waits_for)) == ("waiting" if lacks else "pending", lacks)
    ctx.close()


def test_a_disk_that_takes_no_answer_is_the_disks_fault_and_not_the_answers(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "size=1m") as place:
        ctx = Context(load_steps(), Store(place / "d"), Vault("test", backend=None, environment={}))
        try:
            with suppress(OSError), (place / "full").open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
            with pytest.raises(Unwritten, match="No space left") as caught:
                give_answers(ctx, {"prepare": {"read": True}})
            assert exit_code(caught.value) == Exit.FAILED
            (place / "full").unlink()
            give_answers(ctx, {"prepare": {"read": True}})
            assert ctx.answer("prepare", "read") is True
        finally:
            ctx.close()
