"""Logging in at Cityscapes and WildDash: the right form to the
right place, and plain words for every way in which it can fail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mseg_wizard import calls
from mseg_wizard.context import Context
from mseg_wizard.practice.logins import ACCOUNTS
from mseg_wizard.practice.server import PracticeServer
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem, Waiting
from tests.http.faulty_server import Answer, Asked, FaultyServer, page, redirect, serving
from tests.registered import downloaded, leaks, opened

CITYSCAPES = dict(zip(("username", "password"), ACCOUNTS["cityscapes"], strict=True))
WILDDASH = dict(zip(("username", "password"), ACCOUNTS["wilddash"], strict=True))
ANSWERS = {"cityscapes": CITYSCAPES, "wilddash": WILDDASH}
FIELDS = (
    "<input name='username'><input name='password' type='password'><input type='submit' name='submit' value='Login'>"
)
FILE = "wd_val_01.zip"


def form(more: str = "", text: str = "") -> Answer:
    return page("Log in", f"{text}<form method='post'>{more}{FIELDS}</form>")


def token(html: str = "<input type='hidden' name='csrfmiddlewaretoken' value='t&amp;1'>") -> Answer:
    return form(html)


class WildDash:
    """A site of one's own making: what the login page says, what it says to a password, and the file behind it."""

    def __init__(self, world: World, shown: Answer | None = None, said: Answer | None = None) -> None:
        self.body = (world.mirror / FILE).read_bytes()
        self.shown = shown or token()
        self.said = said or redirect("/downloads/", headers=(("Set-Cookie", "sessionid=in; Path=/; HttpOnly"),))

    def plan(self) -> dict[str, Any]:
        return {"/accounts/login": self.login, f"/download/{FILE}": self.file, "/downloads/": page("Downloads")}

    def login(self, asked: Asked) -> Answer:
        return self.said if asked.method == "POST" else self.shown

    def file(self, asked: Asked) -> Answer:
        return Answer(body=self.body) if "sessionid=in" in asked.headers.get("Cookie", "") else form()


def posts(server: FaultyServer) -> list[Asked]:
    return [asked for asked in server.log if asked.method == "POST"]


def refused(ctx: Context, file: str = FILE) -> Problem:
    with pytest.raises(Problem) as caught:
        downloaded(ctx, file)
    return caught.value


@pytest.mark.parametrize(
    "file", ["gtFine_trainvaltest.zip", "leftImg8bit_trainvaltest.zip", "wd_both_01.zip", "wd_val_01.zip"]
)
def test_what_is_behind_a_login_is_fetched_with_a_password_that_has_to_be_encoded(
    practice_world: World, tmp_path: Path, file: str
) -> None:
    with PracticeServer(practice_world.mirror) as server:
        ctx = opened(practice_world, tmp_path, server.url, ANSWERS)
        assert downloaded(ctx, file).read_bytes() == (practice_world.mirror / file).read_bytes()
        assert len([seen for seen in server.log if seen.method == "POST"]) == 1
    assert leaks([CITYSCAPES["password"], WILDDASH["password"]], tmp_path) == []
    ctx.close()


def test_a_download_that_breaks_off_goes_on_with_the_session_it_has(practice_world: World, tmp_path: Path) -> None:
    with PracticeServer(practice_world.mirror, cut=3) as server:
        ctx = opened(practice_world, tmp_path, server.url, ANSWERS)
        assert downloaded(ctx, FILE).read_bytes() == (practice_world.mirror / FILE).read_bytes()
        assert len([seen for seen in server.log if seen.path == f"/download/{FILE}"]) > 1
        assert len([seen for seen in server.log if seen.method == "POST"]) == 1
    ctx.close()


def test_a_session_that_ends_in_the_middle_is_renewed_and_the_download_goes_on_from_there(
    practice_world: World, tmp_path: Path
) -> None:
    site = WildDash(practice_world)
    answers = [Answer(body=site.body, cut=1000), form(), Answer(body=site.body)]
    with serving({**site.plan(), f"/download/{FILE}": answers}) as server:
        ctx = opened(practice_world, tmp_path, server.url, ANSWERS)
        assert downloaded(ctx, FILE).read_bytes() == site.body
        assert server.ranges(f"/download/{FILE}") == [None, "bytes=1000-", "bytes=1000-"]
        assert len(posts(server)) == 2
    ctx.close()


@pytest.mark.parametrize(
    "hidden",
    [
        '<input type="hidden" name="csrfmiddlewaretoken" value="t&amp;1">',
        "<input type='hidden' name='csrfmiddlewaretoken' value='t&amp;1'>",
        "<input type=hidden name=csrfmiddlewaretoken value=t&amp;1>",
        "<INPUT VALUE='t&amp;1'\n NAME='csrfmiddlewaretoken' TYPE='hidden' />",
    ],
    ids=["double", "single", "none", "another order"],
)
def test_the_token_is_found_however_it_is_written(practice_world: World, tmp_path: Path, hidden: str) -> None:
    shown = page("Log in", f"<form action='/search'><input name='q'></form><form method='post'>{hidden}{FIELDS}</form>")
    with serving(WildDash(practice_world, shown).plan()) as server:
        ctx = opened(practice_world, tmp_path, server.url, ANSWERS)
        downloaded(ctx, FILE)
        sent = posts(server)[0]
        assert {name: values[0] for name, values in sent.form.items()} == {
            "csrfmiddlewaretoken": "t&1",
            **WILDDASH,
            "submit": "Login",
        }
        assert sent.headers["Referer"] == "https://wilddash.cc/accounts/login"
    ctx.close()


def test_a_login_page_that_moved_within_its_site_is_followed(practice_world: World, tmp_path: Path) -> None:
    site = WildDash(practice_world)
    with serving(
        {**site.plan(), "/accounts/login": redirect("/accounts/login/", 301), "/accounts/login/": site.login}
    ) as server:
        ctx = opened(practice_world, tmp_path, server.url, ANSWERS)
        downloaded(ctx, FILE)
        assert [asked.path for asked in posts(server)] == ["/accounts/login/"]
    ctx.close()


def test_credentials_are_never_sent_to_another_host(practice_world: World, tmp_path: Path) -> None:
    for name, site in {
        "page": {"/accounts/login": redirect("https://links.practice.example/login")},
        "form": WildDash(practice_world, said=redirect("https://links.practice.example/login", 307)).plan(),
    }.items():
        with serving(site) as server, serving({"/login": form()}) as other:
            ctx = opened(practice_world, tmp_path / name, server.url, ANSWERS)
            routes = [*ctx.options.routes]
            routes[2] = f"https://links.practice.example={other.url}"
            ctx.options = type(ctx.options)(routes=tuple(routes))
            problem = refused(ctx)
            assert "links.practice.example" in problem.what
            assert not isinstance(problem, Waiting)
            assert posts(other) == []
            assert all("Cookie" not in asked.headers for asked in other.log)
            ctx.close()


def test_a_wrong_password_asks_for_another_in_its_own_form_and_is_not_tried_twice(
    practice_world: World, tmp_path: Path
) -> None:
    with PracticeServer(practice_world.mirror) as server:
        ctx = opened(practice_world, tmp_path, server.url, {"wilddash": WILDDASH | {"password": "wr0ng & w+ord"}})
        problem = refused(ctx)
        assert isinstance(problem, Waiting)
        assert (problem.step, problem.lacks) == ("wilddash", ("password",))
        assert "WildDash does not accept" in problem.what
        assert "form of step 11, WildDash" in problem.do
        assert leaks(["wr0ng & w+ord", WILDDASH["username"]], str(problem), repr(problem), tmp_path) == []
        # kept, and not used again until something is entered
        assert ctx.vault.get("wilddash", "password") is not None
        assert calls.waiting(ctx.step("wilddash"), ctx) == ["password"]
        tries = len([seen for seen in server.log if seen.method == "POST"])
        assert isinstance(refused(ctx), Problem)
        ctx.remember(ctx.step("wilddash"), {"username": WILDDASH["username"]})
        assert calls.waiting(ctx.step("wilddash"), ctx) == ["password"], (
            "another name with the old password would be another failed try"
        )
        assert len([seen for seen in server.log if seen.method == "POST"]) == tries
        ctx.remember(ctx.step("wilddash"), {"password": WILDDASH["password"]})
        assert calls.waiting(ctx.step("wilddash"), ctx) == []
        downloaded(ctx, FILE)
    ctx.close()


def test_a_wrong_password_of_the_environment_is_named_and_what_is_entered_goes_before_it(
    practice_world: World, tmp_path: Path
) -> None:
    environment = {"CITYSCAPES_USERNAME": CITYSCAPES["username"], "CITYSCAPES_PASSWORD": "from the shell"}
    with PracticeServer(practice_world.mirror) as server:
        ctx = opened(practice_world, tmp_path, server.url, environment=environment)
        problem = refused(ctx, "gtFine_trainvaltest.zip")
        assert "CITYSCAPES_PASSWORD" in problem.do
        ctx.remember(ctx.step("cityscapes"), {"password": CITYSCAPES["password"]})
        downloaded(ctx, "gtFine_trainvaltest.zip")
    ctx.close()


@pytest.mark.parametrize(
    "said", [form(text="<p>Wrong.</p>"), redirect("/accounts/login?next=/")], ids=["again", "sent back"]
)
def test_a_form_that_comes_back_means_wrong_credentials(practice_world: World, tmp_path: Path, said: Answer) -> None:
    with serving(WildDash(practice_world, said=said).plan()) as server:
        ctx = opened(practice_world, tmp_path, server.url, ANSWERS)
        assert "does not accept the user name and password" in refused(ctx).what
    ctx.close()


@pytest.mark.parametrize(
    ("shown", "said", "words"),
    [
        (None, form(text="<p>Your account has been locked for a day.</p>"), "“account has been locked”"),
        (
            None,
            page("Slow down", "Too many failed login attempts.", status=403),
            "(“Slow down”) says “Too many failed login attempts”",
        ),
        (None, page("Forbidden", status=403), "answered 403 (“Forbidden”)"),
        (None, page("Welcome to our new portal"), "answered 200 (“Welcome to our new portal”)"),
        (page("Gone fishing", status=404), None, "answered 404 (“Gone fishing”)"),
        (page("Our new login"), None, "no form that asks for a password (“Our new login”)"),
        (
            page("SSO", "<form><input name='mail'><input type='password'></form>"),
            None,
            "asks for other things than before (“SSO”)",
        ),
        (redirect("/accounts/login"), None, "in a circle"),
    ],
)
def test_a_login_page_that_is_not_what_it_was_is_told_with_its_title(
    practice_world: World, tmp_path: Path, shown: Answer | None, said: Answer | None, words: str
) -> None:
    with serving(WildDash(practice_world, shown, said).plan()) as server:
        ctx = opened(practice_world, tmp_path, server.url, ANSWERS)
        problem = refused(ctx)
        assert words in problem.what
        assert not isinstance(problem, Waiting)
        assert calls.waiting(ctx.step("wilddash"), ctx) == [], "the password may be right"
        assert leaks([WILDDASH["password"]], str(problem), tmp_path) == []
    ctx.close()


def test_a_page_that_quotes_the_password_does_not_get_it_shown(practice_world: World, tmp_path: Path) -> None:
    said = page(f"Hello {WILDDASH['username']}, {WILDDASH['password']}")
    with serving(WildDash(practice_world, said=said).plan()) as server:
        ctx = opened(practice_world, tmp_path, server.url, ANSWERS)
        problem = refused(ctx)
        assert "not shown: it repeats what was sent" in problem.what
        assert leaks([*WILDDASH.values()], str(problem), tmp_path) == []
    ctx.close()


def test_a_login_in_trouble_is_asked_again(practice_world: World, tmp_path: Path) -> None:
    site = WildDash(practice_world)
    troubles = [page("Busy", status=503)]

    def login(asked: Asked) -> Answer:
        return troubles.pop() if troubles else site.login(asked)

    with serving({**site.plan(), "/accounts/login": login}) as server:
        ctx = opened(practice_world, tmp_path, server.url, ANSWERS)
        downloaded(ctx, FILE)
    ctx.close()


def md5(world: World) -> str:
    return hashlib.md5((world.mirror / "gtFine_trainvaltest.zip").read_bytes(), usedforsecurity=False).hexdigest()


def cityscapes(world: World, sums: Answer | Callable[[Asked], Answer]) -> Mapping[str, Any]:
    """Cityscapes with another page of sums."""
    body = (world.mirror / "gtFine_trainvaltest.zip").read_bytes()
    welcome = redirect("/downloads/", headers=(("Set-Cookie", "PHPSESSID=in"),))
    return {
        "/login": lambda asked: welcome if asked.method == "POST" else form(),
        "/file-handling/": Answer(body=body),
        "/md5-sum/": sums,
    }


@pytest.mark.parametrize(
    ("sums", "note"),
    [
        (page("Sums", f"gtFine_trainvaltest.zip: {'0' * 32}"), "says md5 00000000000000000000000000000000 now"),
        (page("Log in", status=403), "gave no md5 that could be read"),
        (page("Sums", f"{'0' * 32} and {'1' * 32}"), "gave no md5 that could be read"),
        (redirect("/login"), "gave no md5 that could be read"),
        (None, ""),
    ],
    ids=["another", "refused", "ambiguous", "login", "the same"],
)
def test_the_sites_own_md5_is_compared_and_never_stops_anything(
    practice_world: World, tmp_path: Path, sums: Answer | None, note: str
) -> None:
    right = md5(practice_world)
    several = page(
        "Sums", f"<td>{'2' * 32}  leftImg8bit_trainvaltest.zip</td><td>{right}  gtFine_trainvaltest.zip</td>"
    )
    with serving(cityscapes(practice_world, sums or several)) as server:
        ctx = opened(practice_world, tmp_path, server.url, ANSWERS)
        downloaded(ctx, "gtFine_trainvaltest.zip")
        assert [asked.query for asked in server.log if asked.path == "/md5-sum/"] == [{"packageID": ["1"]}]
        told = [text for text in ctx.notes if "own page" in text]
        assert len(told) == bool(note)
        assert all(note in text for text in told)
    ctx.close()


def test_without_a_published_match_a_file_is_refused_whatever_the_sites_own_md5_says(
    practice_world: World, tmp_path: Path
) -> None:
    right = md5(practice_world)
    with serving(cityscapes(practice_world, page("Sums", right))) as server:
        ctx = opened(practice_world, tmp_path, server.url, ANSWERS)
        tree = ctx.store.journal.tree
        assert tree
        ctx.store.keep_tree(replace(tree, pinned=True))
        assert "the published one" in refused(ctx, "gtFine_trainvaltest.zip").what
    ctx.close()


def test_a_login_without_credentials_is_no_source(practice_world: World, tmp_path: Path) -> None:
    ctx = opened(practice_world, tmp_path)
    assert calls.waiting(ctx.step("cityscapes"), ctx) == ["username", "password"]
    ctx.close()
