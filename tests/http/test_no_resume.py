"""Servers that can't resume a download: what is proven is kept, and useless attempts end with true words."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from mseg_wizard.http.download import fetch
from mseg_wizard.http.remote_file import Location
from tests.http.downloading import BODY, OTHER, QUICK, finish, leftovers, part, problem, zipped
from tests.http.faulty_server import Answer, Asked, page, serving


def test_a_server_that_sends_no_parts_loses_nothing_that_is_proven_by_comparing(tmp_path: Path) -> None:
    kinds = {
        "strong": Answer(body=BODY, ranges=False),
        "weak": Answer(body=BODY, ranges=False, etag='W/"weak"', modified=""),
        "no tags": Answer(body=BODY, ranges=False, etag="", modified=""),
        "no length": Answer(body=BODY, ranges=False, framing="chunked", etag=""),
        "no end": Answer(body=BODY, ranges=False, framing="close", etag="", modified=""),
    }
    for name, kind in kinds.items():
        target = tmp_path / f"{name}.zip"
        cuts = [replace(kind, cut=cut) for cut in (300_000, 200_000, 500_000, 100_000)]
        with serving({"/a.zip": [*cuts, kind]}) as server:
            running = fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK)
            held = 0
            while True:
                try:
                    progress = next(running)
                except StopIteration as done:
                    assert not done.value.doubt or name == "no end"
                    break
                assert progress.done >= held or progress.doing.startswith("checking"), name
                held = max(held, progress.done)
            assert server.sent("/a.zip") == [300_000, 200_000, 500_000, 100_000, len(BODY)]
        assert target.read_bytes() == BODY, name
        assert all(left.endswith(".zip") for left in leftovers(target))


def test_a_body_that_differs_from_what_is_here_takes_its_place_from_that_byte_on(tmp_path: Path) -> None:
    late = BODY[:250_000] + OTHER[250_000:]
    for name, again in {"at once": OTHER, "late": late}.items():
        target = tmp_path / f"{name}.zip"
        bare = Answer(ranges=False, etag="", modified="")
        answers = [
            replace(bare, body=BODY, cut=300_000),
            replace(bare, body=again, cut=280_000),
            replace(bare, body=again),
        ]
        with serving({"/a.zip": answers}) as server:
            fetched = finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert target.read_bytes() == again, name
        assert fetched.sha256 == hashlib.sha256(again).hexdigest()


def test_a_server_that_begins_anew_and_breaks_off_each_time_is_told_from_one_that_is_down(tmp_path: Path) -> None:
    for name, kind in {
        "at 30 kB": Answer(body=BODY, ranges=False, cut=30_000),
        "no length": Answer(body=BODY, ranges=False, framing="close", etag="", modified="", cut=30_000),
    }.items():
        target = tmp_path / f"{name}.zip"
        with serving({"/a.zip": kind}) as server:
            found = problem(
                fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=replace(QUICK, tries=10, first=0))
            )
            assert len(server.log) == 4, name
        assert "it begins at the first byte each time and comes no further than the 30.0 kB" in found.what
        assert "can't resume a download" in found.what
        assert "fetched with a browser" in found.do
        assert "goes on from there" not in found.do
        assert "30.0 kB that are here are kept, and compared with what comes" in found.do
        assert part(target).read_bytes() == BODY[:30_000]


def test_a_total_that_changes_with_each_answer_ends_in_few_tries(tmp_path: Path) -> None:
    def another(asked: Asked) -> Answer:
        number = len(server.log)
        return Answer(body=zipped(number, 100_000 + 1000 * number), etag=f'"{number}"', if_range=False, cut=30_000)

    with serving({}) as server:
        server.answers["/a.zip"] = another
        found = problem(
            fetch(tmp_path / "a.zip", [Location(f"{server.url}/a.zip")], retry_policy=replace(QUICK, tries=10))
        )
        assert len(server.log) < 9
    assert "the file there has changed" in found.what
    assert "can't resume a download" in found.what


def test_each_attempts_own_reason_is_told_and_whether_it_goes_on_where_it_was(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    busy, odd = page("Busy", status=503), Answer(body=BODY, multipart=True)
    with serving({"/a.zip": [Answer(body=BODY, cut=300_000), busy, busy, odd, busy]}) as server:
        found = problem(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
    several = "it answers with several parts where one was asked for"
    assert f"it answered 503 Service Unavailable (Busy) (2 times), then {several}, then it answered 503" in found.what
    assert "in a row, " not in found.what
    assert "the download goes on from there" in found.do
    bare = Answer(body=BODY, ranges=False, etag="", modified="", cut=300_000)
    with serving({"/a.zip": [bare, busy]}) as server:
        found = problem(fetch(tmp_path / "b.zip", [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
    assert "the connection broke" not in found.what
    assert "503 Service Unavailable (Busy), 4 times in a row" in found.what
    assert "300 kB that are here are kept" in found.do
    assert "goes on from there" not in found.do
    assert "compared with what comes" in found.do
