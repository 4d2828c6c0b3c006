"""An archive is set aside only where its own site, logged in to, has it no more and nobody else does; nothing else
leads there, and it is due again once a place turns up.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mseg_wizard.context import Consent, Context, Options
from mseg_wizard.datasets.withdrawn import PlaceAnswer, is_withdrawn, stays_aside
from mseg_wizard.engine import Runner, run
from mseg_wizard.http import download
from mseg_wizard.http.remote_file import RetryPolicy
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem, Usage
from mseg_wizard.standing.remarks import notes_of
from mseg_wizard.standing.snapshot import published, standing
from mseg_wizard.standing.step_states import overview
from mseg_wizard.tasks.registry import load_steps
from tests.conftest import ROOT
from tests.http.faulty_server import Answer, Asked, FaultyServer, page, redirect, serving
from tests.http.test_login import WILDDASH, form, token
from tests.registered import archive, opened

FILE, OTHER = "wd_both_01.zip", "wd_val_01.zip"
SITE = "https://wilddash.cc"
GONE = page("Not Found", status=404)
LOGIN = PlaceAnswer("login", "login", "the site: it answered 404", gone=True)
MIRROR = PlaceAnswer("mirror", "mirror", "the mirror: it answered 404", gone=True)


@pytest.mark.parametrize(
    ("places", "answers", "may"),
    [
        (["login"], [LOGIN], True),
        (["mirror", "login"], [MIRROR, LOGIN], True),
        (["login"], [], False),
        (["login"], [replace(LOGIN, gone=False)], False),
        (["mirror", "login"], [LOGIN], False),
        (["mirror", "login"], [replace(MIRROR, gone=False), LOGIN], False),
        (["mirror"], [MIRROR], False),
        (["mirror", "login"], [MIRROR], False),
        (["mirror", "login"], [MIRROR, replace(LOGIN, gone=False)], False),
        (["/a/file", "login"], [LOGIN], False),
        ([], [], False),
    ],
)
def test_what_places_answered_decides(places: Sequence[str], answers: Sequence[PlaceAnswer], may: bool) -> None:
    every = {archive.file: archive for step in load_steps() for archive in step.archives}
    assert is_withdrawn(every[FILE], places, answers) is may
    assert not any(is_withdrawn(other, places, answers) for file, other in every.items() if file not in (FILE, OTHER))


def test_wilddash_alone_may_be_set_aside() -> None:
    assert {archive.file for step in load_steps() for archive in step.archives if archive.withdrawn} == {FILE, OTHER}


@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        ("08-kitti.toml", 'file = "data_semantics.zip"', "", "withdrawn is given, and no login"),
        ("06-cityscapes.toml", 'file = "gtFine_trainvaltest.zip"', "", "is of an archive that may be set aside"),
    ],
)
def test_a_step_file_can_say_it_of_nothing_that_others_need(
    file: str, old: str, new: str, what: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "steps", tmp_path / "steps")
    path = tmp_path / "steps" / file
    path.write_text(path.read_text().replace(old, f'{old}\nwithdrawn = "why not"'))
    with pytest.raises(Usage, match=what):
        load_steps(tmp_path / "steps")


class Site:
    """WildDash's site: its login, and what it answers for each zip to who is logged in."""

    def __init__(self, file: Answer = GONE, said: Answer | None = None) -> None:
        self.said = said or redirect("/downloads/", headers=(("Set-Cookie", "sessionid=in; Path=/; HttpOnly"),))
        self.answers = {FILE: file, OTHER: file}

    def asked(self, asked: Asked) -> Answer:
        if asked.path == "/accounts/login":
            return self.said if asked.method == "POST" else token()
        if asked.path == "/downloads/":
            return page("Downloads")
        inside = "sessionid=in" in asked.headers.get("Cookie", "")
        return self.answers[asked.path.rpartition("/")[2]] if inside else redirect("/accounts/login")

    @contextmanager
    def serving(self) -> Iterator[FaultyServer]:
        paths = ("/accounts/login", "/downloads/", f"/download/{FILE}", f"/download/{OTHER}")
        with serving(dict.fromkeys(paths, self.asked)) as server:
            yield server


def go(ctx: Context) -> None:
    """Work through WildDash's step."""
    for _ in run([ctx.step("wilddash")], ctx):
        pass


def test_what_its_own_site_has_no_more_is_set_aside_once_the_user_allows_it(
    practice_world: World, tmp_path: Path
) -> None:
    with Site().serving() as server:
        ctx = opened(practice_world, tmp_path / "d", server.url, {"wilddash": WILDDASH})
        with pytest.raises(Consent, match=rf"{FILE} no more.*{SITE}/download/{FILE}: it answered 404") as caught:
            go(ctx)
        assert caught.value.key == "aside:wilddash"
        assert "--allow aside:wilddash" in caught.value.do
        assert ctx.store.journal.aside == {}
        ctx.consents.add(caught.value.key)
        runner = Runner(ctx, [ctx.step("wilddash")])
        runner.start()
        assert runner.join(60)
    end = runner.snapshot
    assert len(end.calls) == 1, "what is set aside is not under way"
    assert (end.problem, end.crash, end.complete, end.aside) == (None, None, False, ("WildDash",))
    stands = standing(published(tmp_path / "d"))
    assert (stands.state, stands.brief) == ("aside", "complete for step 11, WildDash, but for WildDash")
    assert ctx.store.journal.finished == {}, "what is set aside is never done"
    assert set(ctx.store.journal.aside) == {FILE, OTHER}
    states = {state.id: state for state in overview(ctx.steps, ctx.store.journal, end, lambda step: ("username",))}
    assert (states["wilddash"].state, states["wilddash"].waits_for) == ("aside", ())
    assert states["relabel"].state == "pending"
    notes = [note for note in notes_of(ctx.steps, ctx.store.journal) if "set aside" in note]
    assert len(notes) == 2
    assert "files are missing" in notes[0]
    assert f"{SITE}/download/{FILE}: it answered 404" in notes[0]

    # It turns up: in the step's folder, and then at the site.
    folder = tmp_path / "d/mseg_dataset/WildDash"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(practice_world.mirror / OTHER, folder)
    assert stays_aside(ctx, archive(ctx, FILE))
    assert not stays_aside(ctx, archive(ctx, OTHER))
    go(ctx)
    assert set(ctx.store.journal.aside) == {FILE}
    assert ctx.store.journal.done("wilddash/remap/wilddash-34")
    ctx.close()
    site = Site()
    site.answers[FILE] = Answer(body=(practice_world.mirror / FILE).read_bytes())
    with site.serving() as server:
        again = opened(practice_world, tmp_path / "d", server.url, {"wilddash": WILDDASH})
        assert not stays_aside(again, archive(again, FILE)), "this session did not ask yet"
        go(again)
        assert again.store.journal.aside == {}
        assert {call.key for call in again.step("wilddash").calls} <= again.store.journal.done_calls()
        again.close()


def test_without_a_login_nothing_is_asked_again_and_no_other_place_asks_the_user_twice(
    practice_world: World, tmp_path: Path
) -> None:
    allowed = Options(consents=frozenset({"aside:wilddash"}))
    with Site().serving() as server:
        options = replace(allowed, routes=(f"{SITE}={server.url}",))
        first = opened(practice_world, tmp_path / "d", answers={"wilddash": WILDDASH}, options=options)
        first.consents |= allowed.consents
        go(first)
        first.close()
        # As after the last step: the login was wiped.
        later = opened(practice_world, tmp_path / "d", server.url)
        asked = len(server.log)
        go(later)
        assert len(server.log) == asked
        later.close()
        # With a login it is asked once more, and what was allowed here stays so.
        once_more = opened(practice_world, tmp_path / "d", server.url, {"wilddash": WILDDASH})
        go(once_more)
        assert len(server.log) > asked
        assert set(once_more.store.journal.aside) == {FILE, OTHER}
        once_more.close()


NEVER = {
    "a server error": Site(page("Sorry", status=500)),
    "a bad gateway": Site(page("Sorry", status=502)),
    "unauthorized": Site(page("Log in", status=401)),
    "forbidden": Site(page("Forbidden", status=403)),
    "too many requests": Site(page("Wait", status=429)),
    "for legal reasons": Site(page("No", status=451)),
    "a page instead of the file": Site(page("WildDash 2 is here")),
    "a login page as its answer": Site(form()),
    "a login page with status 404": Site(replace(form(), status=404)),
    "another server's 404": Site(redirect("https://elsewhere.example/wd.zip")),
    "nothing in time": Site(Answer(body=b"PK", stall=0)),
    "a wrong password": Site(said=token()),
    "a login that is gone": Site(said=page("Not Found", status=404)),
    "something else": Site(Answer(body=b"PK\x05\x06" + bytes(18))),
}


@pytest.mark.parametrize("name", NEVER)
def test_nothing_else_leads_there(
    name: str, practice_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = partial(RetryPolicy, tries=1, first=0.01, stall=1.0, connect=1.0)
    monkeypatch.setattr(download, "RetryPolicy", quick)
    with NEVER[name].serving() as server, serving({}) as elsewhere:
        routes = (f"{SITE}={server.url}", f"https://elsewhere.example={elsewhere.url}")
        ctx = opened(practice_world, tmp_path, answers={"wilddash": WILDDASH}, options=Options(routes=routes))
        ctx.consents.add("aside:wilddash")
        with pytest.raises(Problem) as caught:
            go(ctx)
        assert not isinstance(caught.value, Consent)
        assert ctx.store.journal.aside == {}
        assert not ctx.gone
        ctx.close()


@pytest.mark.parametrize("given", [{}, {"username": WILDDASH["username"]}])
def test_nor_do_a_lacking_login_and_a_site_that_is_not_there(
    given: dict[str, str], practice_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "RetryPolicy", partial(RetryPolicy, tries=1, first=0.01))
    for answers in (given, WILDDASH):
        ctx = opened(practice_world, tmp_path, answers={"wilddash": answers} if answers else {})
        ctx.consents.add("aside:wilddash")
        with pytest.raises(Problem):
            go(ctx)
        assert ctx.store.journal.aside == {}
        ctx.close()


def test_another_place_that_may_have_it_comes_first(
    practice_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "RetryPolicy", partial(RetryPolicy, tries=1, first=0.01))
    with Site().serving() as server, serving({}) as mirror:
        mirror.answers[f"/{FILE}"] = page("Sorry", status=503)
        options = Options(mirror=mirror.url, routes=(f"{SITE}={server.url}",))
        ctx = opened(practice_world, tmp_path, answers={"wilddash": WILDDASH}, options=options)
        ctx.consents.add("aside:wilddash")
        with pytest.raises(Problem, match="503"):
            go(ctx)
        assert ctx.store.journal.aside == {}
        mirror.answers[f"/{FILE}"] = page("Not Found", status=404)
        go(ctx)
        answers = ctx.store.journal.aside[FILE].answers
        assert [answer.partition(": ")[0] for answer in answers] == [f"{mirror.url}/{FILE}", f"{SITE}/download/{FILE}"]
        ctx.close()
