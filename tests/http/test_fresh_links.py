"""Pasted links that a server no longer takes: their field is asked
for, they are not used again, and no byte is fetched twice.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mseg_wizard import calls
from mseg_wizard.context import Context
from mseg_wizard.practice.logins import sign_link
from mseg_wizard.practice.server import PracticeServer
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem, Waiting
from tests.http.faulty_server import Answer, Asked, page, s3_error, serving
from tests.registered import downloaded, leaks, opened

LINKS = "https://links.practice.example"
FILE = "data_semantics.zip"
PATH = f"/signed/{FILE}"
EXPIRED = s3_error(403, "AccessDenied", "Request has expired")
CUT = 4000


def link(key: str) -> str:
    return f"{LINKS}{PATH}?X-Amz-Signature={key}"


def s3(body: bytes, *answers: Answer) -> Callable[[Asked], Answer]:
    """The bucket: `answers` to the first link one after the other, then refusals; the file to the second link."""
    left = list(answers)

    def plan(asked: Asked) -> Answer:
        if asked.query["X-Amz-Signature"] == ["second-signature"]:
            return Answer(body=body)
        return left.pop(0) if left else EXPIRED

    return plan


def waits(ctx: Context, file: str = FILE) -> Waiting:
    with pytest.raises(Waiting) as caught:
        downloaded(ctx, file)
    return caught.value


def test_a_link_that_expires_on_the_way_is_asked_for_anew_and_the_download_goes_on_from_the_same_byte(
    practice_world: World, tmp_path: Path
) -> None:
    body = (practice_world.mirror / FILE).read_bytes()
    with serving({PATH: s3(body, Answer(body=body, cut=CUT))}) as server:
        ctx = opened(practice_world, tmp_path, server.url, {"kitti": {"url": link("first-signature")}})
        problem = waits(ctx)
        assert (problem.step, problem.lacks) == ("kitti", ("url",))
        assert "The link to data_semantics.zip at https://links.practice.example/…" in problem.what
        assert "Request has expired" in problem.what
        assert "The 4.0 kB that are here are kept" in problem.do
        assert (ctx.dataset_folder / "KITTI" / f"{FILE}.part").stat().st_size == CUT
        assert leaks(["first-signature"], str(problem), repr(problem.items), tmp_path) == []
        # it is lacking until it is replaced, and the form's gate says why
        assert calls.waiting(ctx.step("kitti"), ctx) == ["url"]
        assert ctx.reasons("kitti") == [problem.what]
        asked = len(server.log)
        with pytest.raises(Problem):
            downloaded(ctx, FILE)
        assert len(server.log) == asked, "the refused link was followed again"
        ctx.remember(ctx.step("kitti"), {"url": link("second-signature")})
        assert calls.waiting(ctx.step("kitti"), ctx) == []
        assert downloaded(ctx, FILE).read_bytes() == body
        last = server.log[-1]
        assert (last.headers["Range"], last.headers["If-Range"], last.sent) == (
            f"bytes={CUT}-",
            '"one"',
            len(body) - CUT,
        )
    assert leaks(["first-signature", "second-signature"], tmp_path) == []
    ctx.close()


def test_a_fresh_link_to_a_file_that_has_changed_begins_again(practice_world: World, tmp_path: Path) -> None:
    body = (practice_world.mirror / FILE).read_bytes()
    earlier = Answer(body=bytes(len(body)), etag='"earlier"', cut=CUT)
    with serving({PATH: s3(body, Answer(body=b"PK\3\4" + earlier.body[4:], etag='"earlier"', cut=CUT))}) as server:
        ctx = opened(practice_world, tmp_path, server.url, {"kitti": {"url": link("first-signature")}})
        waits(ctx)
        ctx.remember(ctx.step("kitti"), {"url": link("second-signature")})
        assert downloaded(ctx, FILE).read_bytes() == body
    ctx.close()


def test_s3_says_no_to_a_link_that_is_wrong_and_the_next_start_asks_once_more(
    practice_world: World, tmp_path: Path
) -> None:
    good = sign_link(f"{LINKS}{PATH}")
    wrong = good[:-6] + "abcdef"
    with PracticeServer(practice_world.mirror) as server:
        ctx = opened(practice_world, tmp_path, server.url, {"kitti": {"url": wrong}})
        assert "SignatureDoesNotMatch" in waits(ctx).what
        # the very same link again is somebody's decision
        ctx.remember(ctx.step("kitti"), {"url": wrong})
        assert calls.waiting(ctx.step("kitti"), ctx) == []
        waits(ctx)
        ctx.remember(ctx.step("kitti"), {"url": good})
        downloaded(ctx, FILE)
    ctx.close()


def test_a_refused_link_among_the_archives_is_named_with_its_field(practice_world: World, tmp_path: Path) -> None:
    body = (practice_world.mirror / FILE).read_bytes()
    with serving({PATH: s3(body)}) as server:
        ctx = opened(practice_world, tmp_path, server.url, {"kitti": {"archives": link("first-signature")}})
        assert waits(ctx).lacks == ("archives",)
        assert ctx.sources("kitti") == ()
        # the other field serves as well
        assert calls.waiting(ctx.step("kitti"), ctx) == ["url"]
        ctx.remember(ctx.step("kitti"), {"url": link("second-signature")})
        downloaded(ctx, FILE)
    ctx.close()


def test_a_refused_base_url_is_asked_for_and_a_refused_link_of_the_environment_is_named(
    practice_world: World, tmp_path: Path
) -> None:
    environment = {"MSEG_WIZARD_SCANNET_BASE_URL": f"{LINKS}/revoked-1234/"}
    with serving({}) as server:
        ctx = opened(practice_world, tmp_path, server.url, environment=environment)
        problem = waits(ctx, "scannet_frames_25k.zip")
        assert (problem.step, problem.lacks) == ("scannet", ("base_url",))
        assert "MSEG_WIZARD_SCANNET_BASE_URL" in problem.do
        assert leaks(["revoked-1234"], str(problem), tmp_path) == []
        assert calls.waiting(ctx.step("scannet"), ctx) == ["base_url"]
    with PracticeServer(practice_world.mirror) as there:
        ctx.options = opened(practice_world, tmp_path / "other", there.url).options
        ctx.remember(ctx.step("scannet"), {"base_url": practice_world.scannet_script.read_text()})
        assert calls.waiting(ctx.step("scannet"), ctx) == []
        downloaded(ctx, "scannet_frames_25k.zip")
    ctx.close()


def test_a_link_that_brings_something_else_is_forgotten(practice_world: World, tmp_path: Path) -> None:
    other = (practice_world.mirror / "wd_val_01.zip").read_bytes()
    with serving({PATH: other}) as server:
        ctx = opened(practice_world, tmp_path, server.url, {"kitti": {"url": link("first-signature")}})
        problem = waits(ctx)
        assert problem.lacks == ("url",)
        assert "something else" in problem.what
        assert "nothing in it is called training/image_2/*.png" in problem.what
        assert ctx.vault.get("kitti", "url") is None
        assert not (ctx.dataset_folder / "KITTI" / FILE).exists()
    ctx.close()


def test_a_page_in_the_files_place_asks_for_a_fresh_link_too(practice_world: World, tmp_path: Path) -> None:
    with serving({PATH: page("Your session is over")}) as server:
        ctx = opened(practice_world, tmp_path, server.url, {"kitti": {"url": link("first-signature")}})
        assert "Your session is over" in waits(ctx).what
    ctx.close()
