"""Several connections where a server limits each: as careful
with every byte as one is, and no more of them than help.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mseg_wizard.core.background import Job
from mseg_wizard.core.host import boot_id
from mseg_wizard.http import connections
from mseg_wizard.http.byte_ranges import byte_count, clipped, gaps, joined, prefix
from mseg_wizard.http.client import HttpClient
from mseg_wizard.http.download import fetch
from mseg_wizard.http.refusals import LinkRefused
from mseg_wizard.http.remote_file import Fetched, Location, PublishedFacts, endpoint_of
from mseg_wizard.progress import Progress
from mseg_wizard.vault import Secret
from tests.http.downloading import QUICK, finish, helpers, leftovers, noted, part, problem, sha256, zipped
from tests.http.faulty_server import OLD, Answer, Asked, FaultyServer, Line, page, redirect, s3_error, serving
from tests.http.test_download_stops import fetched_with_room

BODY, OTHER = zipped(11, 3_000_000), zipped(12, 3_000_000)
KNOWN = PublishedFacts(bytes=len(BODY), sha256=sha256(BODY))
PARTS = (("Accept-Ranges", "bytes"),)
RIGHT = Answer(body=BODY, headers=PARTS)
SLOW, BRISK = replace(RIGHT, piece=10_000, pause=0.02), replace(RIGHT, piece=10_000, pause=0.01)
"""6 s and 3 s over one connection."""
CONNECTION = 1 << 20
"""Bytes that each connection may cost which is broken off."""


def place(server: FaultyServer) -> list[Location]:
    return [Location(f"{server.url}/a.zip")]


def twice(server: FaultyServer) -> int:
    """Bytes that were sent beyond one whole file."""
    return sum(server.sent("/a.zip")) - len(BODY)


def together(fetches: Iterable[Generator[Progress, None, Fetched]]) -> None:
    """Several at a time, each to its end."""
    running = list(fetches)
    for each in running:
        next(each)
    for each in running:
        finish(each)


def until_several(target: Path, server: FaultyServer, expected: PublishedFacts = KNOWN) -> None:
    """Fetch over several connections, and stop there; from a slower server where all came before there were as many."""
    pause = SLOW.pause
    while not _reaches_several(fetch(target, place(server), expected, retry_policy=QUICK), server):
        target.unlink()
        server.log.clear()
        pause *= 2
        server.answers["/a.zip"] = replace(SLOW, pause=pause)
    assert helpers() == []


def _reaches_several(running: Generator[Progress, None, Fetched], server: FaultyServer) -> bool:
    for _ in running:
        if server.open >= 3:
            next(running)
            running.close()
            return True
    return False


def test_a_server_that_limits_each_connection_is_asked_for_several_parts_at_a_time(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": SLOW}) as server:
        fetched = finish(fetch(target, place(server), KNOWN, retry_policy=QUICK))
        assert server.ranges("/a.zip")[0] is None
        assert all(asked.headers["If-Range"] == '"one"' for asked in server.log[1:])
        assert 2 < server.most_open <= 8
        assert twice(server) <= CONNECTION * len(server.log)
    assert target.read_bytes() == BODY
    assert fetched.sha256 == KNOWN.sha256
    assert leftovers(target) == []
    assert helpers() == []


def test_what_proves_neither_parts_nor_sameness_is_fetched_over_one_connection(tmp_path: Path) -> None:
    plain = {
        "no promise": replace(BRISK, headers=()),
        "no parts": replace(BRISK, ranges=False, headers=(("Accept-Ranges", "none"),)),
        "weak": replace(BRISK, etag='W/"weak"', modified=""),
        "no length": replace(BRISK, framing="chunked"),
    }
    with serving({f"/{name}": answer for name, answer in plain.items()}) as server:
        together(
            fetch(tmp_path / f"{name}.zip", [Location(f"{server.url}/{name}")], KNOWN, retry_policy=QUICK)
            for name in plain
        )
        assert sorted(asked.path for asked in server.log) == sorted(f"/{name}" for name in plain)


def test_a_date_that_is_old_enough_proves_sameness_too(tmp_path: Path) -> None:
    with serving({"/a.zip": replace(SLOW, etag="")}) as server:
        finish(fetch(tmp_path / "a.zip", place(server), KNOWN, retry_policy=QUICK))
        assert server.most_open > 1
        assert {asked.headers["If-Range"] for asked in server.log[1:]} == {OLD}


def test_connections_that_bring_nothing_are_let_go_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the calmest of some tries: where other programs take their turns, more connections do seem to help."""
    monkeypatch.setattr(connections, "GLANCE", 1.0)  # over 0.2 s, such turns look like a faster line
    opened: list[int] = []
    while len(opened) < 5 and not any(1 < most <= 4 for most in opened):
        target = tmp_path / f"{len(opened)}.zip"
        with serving({"/a.zip": replace(RIGHT, piece=5000, line=Line(500_000))}) as server:
            finish(fetch(target, place(server), KNOWN, retry_policy=QUICK))
            opened.append(server.most_open)
        assert target.read_bytes() == BODY
    assert 1 < opened[-1] <= 4, opened


WRONG = {
    "ranges ignored": replace(RIGHT, ranges=False),
    "an earlier part": replace(RIGHT, shift=-1000),
    "a later part": replace(RIGHT, shift=1),
    "several parts": replace(RIGHT, multipart=True),
    "another total": replace(RIGHT, claims=len(BODY) + 1),
    "no total": replace(RIGHT, claims="*"),
    "a part without saying which": replace(RIGHT, status=206),
    "another version": replace(RIGHT, etag='"two"', if_range=False),
    "another date": replace(RIGHT, modified="Tue, 02 Jan 2018 00:00:00 GMT", if_range=False),
    "too many requests": page("Slow down", status=429, headers=(("Retry-After", "3600"),)),
    "busy": page("Busy", status=503),
    "a page": page("Welcome"),
    "forbidden": page("No", status=403),
    "not there": page("No", status=404),
    "a login": redirect("/login"),
    "nothing to send": Answer(status=416),
}


@pytest.mark.slow
def test_whatever_a_second_connection_is_answered_the_first_goes_on_alone(tmp_path: Path) -> None:
    # Slow enough that a second connection is worth while even where sixteen at a time are slow to be measured.
    with serving({f"/{name}": [SLOW, wrong, RIGHT] for name, wrong in WRONG.items()}) as server:
        together(
            fetch(tmp_path / f"{name}.zip", [Location(f"{server.url}/{name}")], retry_policy=QUICK) for name in WRONG
        )
        for name in WRONG:
            assert (tmp_path / f"{name}.zip").read_bytes() == BODY, name
            first, _, *others = server.sent(f"/{name}")
            assert 1 <= len(others) <= 2, name
            assert first + sum(others) <= len(BODY) + CONNECTION, name
    assert helpers() == []


def test_a_file_that_changes_between_two_segments_is_fetched_anew(tmp_path: Path) -> None:
    for name, if_range in (("honest", True), ("careless", False)):
        target = tmp_path / f"{name}.zip"
        with serving({"/a.zip": [BRISK, replace(RIGHT, body=OTHER, etag='"two"', if_range=if_range)]}) as server:
            finish(fetch(target, place(server), retry_policy=QUICK))
        assert target.read_bytes() == OTHER


def test_bytes_of_another_file_under_the_same_name_and_tag_are_found_by_the_hash_and_fetched_over_one_connection(
    tmp_path: Path,
) -> None:
    target = tmp_path / "a.zip"

    def forged(asked: Asked) -> Answer:
        return BRISK if len(server.log) == 1 else replace(RIGHT, body=OTHER if asked.headers.get("Range") else BODY)

    with serving({"/a.zip": forged}) as server:
        finish(fetch(target, place(server), KNOWN, retry_policy=QUICK))
        assert server.ranges("/a.zip")[-1] is None
    assert target.read_bytes() == BODY


def test_a_server_that_allows_few_connections_is_left_at_one(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    refused: list[int] = []

    def few(asked: Asked) -> Answer:
        if server.open < 3:
            return BRISK if refused else SLOW
        refused.append(server.open)
        return page("Too many connections", status=503, headers=(("Retry-After", "0"),))

    with serving({}) as server:
        server.answers["/a.zip"] = few
        finish(fetch(target, place(server), KNOWN, retry_policy=QUICK))
        assert 1 <= len(refused) <= 2  # of four, two were too many
    assert target.read_bytes() == BODY


def test_connections_that_are_reset_are_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": replace(SLOW, cut=300_000, reset=True)}) as server:
        finish(fetch(target, place(server), KNOWN, retry_policy=QUICK))
        assert len(server.log) > len(BODY) // 300_000
        assert twice(server) <= CONNECTION * len(server.log)
    assert target.read_bytes() == BODY


def test_connections_that_end_at_once_are_not_opened_again_and_again(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": lambda asked: replace(RIGHT, cut=1000) if server.open else BRISK}) as server:
        finish(fetch(target, place(server), KNOWN, retry_policy=QUICK))
        assert 3 <= len(server.log) < 20  # as quickly as they end it could be hundreds
    assert target.read_bytes() == BODY


def test_what_a_silent_connection_holds_is_fetched_by_the_others(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": [SLOW, SLOW, replace(SLOW, stall=50_000), replace(SLOW, mute=True), SLOW]}) as server:
        finish(fetch(target, place(server), KNOWN, retry_policy=replace(QUICK, stall=3600)))
        assert server.stalled.is_set()
    assert target.read_bytes() == BODY
    assert helpers() == []


def test_a_stop_while_several_run_keeps_what_is_here_and_goes_on_in_the_holes(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": SLOW}) as server:
        until_several(target, server, PublishedFacts())
        began = len(server.log)
        server.answers["/a.zip"] = RIGHT
        finish(fetch(target, place(server), retry_policy=QUICK))
        assert all(server.ranges("/a.zip")[began:])
        assert twice(server) <= CONNECTION * began
    assert target.read_bytes() == BODY
    assert leftovers(target) == []


def test_after_a_power_cut_no_hole_looks_whole(tmp_path: Path) -> None:
    target, note = tmp_path / "a.zip", tmp_path / "a.zip.part.json"
    with serving({"/a.zip": SLOW}) as server:
        until_several(target, server, PublishedFacts())
        table, lines = noted(note)
        assert len(lines) > 2
        note.write_text(note.read_text().replace(table["boot"], "an earlier one"))
        # Nothing came to the disk but what the note calls safe.
        safe = bytearray(part(target).stat().st_size)
        for start, stop in table["spread"]:
            safe[start:stop] = BODY[start:stop]
        part(target).write_bytes(safe)
        server.answers["/a.zip"] = RIGHT
        finish(fetch(target, place(server), retry_policy=QUICK))
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("torn", [b"12", b"0 40000", b"0 4000000"], ids=["half", "almost", "all but its end"])
def test_a_line_of_the_note_that_was_cut_off_counts_for_nothing(tmp_path: Path, torn: bytes) -> None:
    target, note = tmp_path / "a.zip", tmp_path / "a.zip.part.json"
    with serving({"/a.zip": SLOW}) as server:
        until_several(target, server, PublishedFacts())
        with note.open("ab") as file:
            file.write(torn)
        server.answers["/a.zip"] = RIGHT
        finish(fetch(target, place(server), retry_policy=QUICK))
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("spread", ["5", "[[1]]", "[[-5, 9]]", '[["a", 2]]', "[[9, 5]]", "{}"])
def test_a_note_that_makes_no_sense_proves_nothing(tmp_path: Path, spread: str) -> None:
    target, note = tmp_path / "a.zip", tmp_path / "a.zip.part.json"
    part(target).write_bytes(OTHER[:500_000])
    with serving({"/a.zip": RIGHT}) as server:
        key = endpoint_of(place(server)[0], HttpClient(Job())).key
        told = {
            "source": key,
            "title": "y",
            "etag": '"one"',
            "validator": '"one"',
            "total": len(BODY),
            "boot": boot_id(),
        }
        note.write_text(json.dumps(told).replace("}", f', "spread": {spread}}}') + "\n")
        finish(fetch(target, place(server), retry_policy=QUICK))
    assert target.read_bytes() == BODY


def test_a_partial_file_with_holes_whose_note_is_lost_is_no_beginning(tmp_path: Path) -> None:
    for name, expected in (("known", KNOWN), ("unknown", PublishedFacts())):
        target = tmp_path / f"{name}.zip"
        with serving({"/a.zip": SLOW}) as server:
            until_several(target, server, expected)
            (tmp_path / f"{name}.zip.part.json").unlink()
            server.answers["/a.zip"] = RIGHT
            finish(fetch(target, place(server), expected, retry_policy=QUICK))
        assert target.read_bytes() == BODY


def test_a_file_that_may_grow_no_further_ends_all_connections_and_what_is_here_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": SLOW}) as server:
        said = fetched_with_room(1_200_000, target, f"{server.url}/a.zip")
        assert "a.zip.part" in said
        assert "are kept" in said
        assert part(target).stat().st_size <= 1_200_000
        server.answers["/a.zip"] = RIGHT
        began = len(server.log)
        finish(fetch(target, place(server), retry_policy=QUICK))
        assert all(server.ranges("/a.zip")[began:])
    assert target.read_bytes() == BODY


def test_every_connection_of_a_login_carries_its_cookie_and_no_other_origin_gets_it(tmp_path: Path) -> None:
    def login(web: HttpClient) -> None:
        web.cookies.setdefault(site.url, {})["session"] = "s3ss1on"

    with serving({"/store.zip": SLOW}) as store, serving({"/a.zip": redirect(f"{store.url}/store.zip")}) as site:
        places = [Location(f"{site.url.replace('//', '//me:pass@')}/a.zip", login=login)]
        finish(fetch(tmp_path / "a.zip", places, KNOWN, retry_policy=QUICK))
        assert len(site.log) == len(store.log) > 2
        assert all(
            asked.headers["Cookie"] == "session=s3ss1on" and asked.headers["Authorization"] for asked in site.log
        )
        assert not any("Cookie" in asked.headers or "Authorization" in asked.headers for asked in store.log)


def test_a_pasted_link_that_expires_between_two_segments_asks_for_a_fresh_one_which_fills_the_holes(
    tmp_path: Path,
) -> None:
    target = tmp_path / "a.zip"
    expired = s3_error(403, "AccessDenied", "Request has expired")

    def until_expired(asked: Asked) -> Answer:
        return (
            expired if "old" in asked.query["key"] and len(server.log) > 4 else SLOW if len(server.log) <= 4 else RIGHT
        )

    with serving({}) as server:
        server.answers["/a.zip"] = until_expired
        found = problem(fetch(target, [Location(Secret(f"{server.url}/a.zip?key=old"))], retry_policy=QUICK))
        assert isinstance(found, LinkRefused)
        assert "are kept" in found.do
        kept = sum(server.sent("/a.zip")[:4])
        finish(fetch(target, [Location(Secret(f"{server.url}/a.zip?key=new"))], retry_policy=QUICK))
        again = sum(asked.sent for asked in server.log if "new" in asked.query["key"])
        assert kept + again <= len(BODY) + 4 * CONNECTION
    assert target.read_bytes() == BODY


spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)))


@given(spans, st.integers(0, 40))
def test_ranges_are_the_sets_that_they_stand_for(pieces: list[tuple[int, int]], end: int) -> None:
    here = joined(pieces)
    bytes_ = {number for start, stop in pieces for number in range(start, stop)}
    assert {number for start, stop in here for number in range(start, stop)} == bytes_
    assert all(before[1] < after[0] for before, after in pairwise(here))
    assert byte_count(here) == len(bytes_)
    assert prefix(here) == next(number for number in range(42) if number not in bytes_)
    assert byte_count(clipped(here, end)) == len([number for number in bytes_ if number < end])
    assert {number for start, stop in gaps(here, end) for number in range(start, stop)} == set(range(end)) - bytes_
