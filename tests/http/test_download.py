"""The download: whatever the connection does, the right file in place or a true beginning of it beside."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from mseg_wizard.http.download import fetch
from mseg_wizard.http.remote_file import Location, PublishedFacts
from mseg_wizard.progress import Progress
from tests.http.downloading import (
    BODY,
    KNOWN,
    OTHER,
    QUICK,
    SHA256,
    finish,
    leftovers,
    part,
    problem,
    stopped_at,
    zipped,
)
from tests.http.faulty_server import Answer, page, serving, with_body

WEAK = Answer(body=BODY, etag='W/"weak"', modified="")


def test_a_file_arrives_whole_with_its_hashes_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "a.zip"
    with serving({"/a.zip": BODY}) as server:
        seen: list[Progress] = []
        known = replace(KNOWN, md5_too=True)
        fetched = finish(fetch(target, [Location(f"{server.url}/a.zip?key=1")], known, retry_policy=QUICK), seen)
        headers = server.log[0].headers
    assert target.read_bytes() == BODY
    assert (fetched.bytes, fetched.sha256, fetched.md5) == (
        len(BODY),
        SHA256,
        hashlib.md5(BODY, usedforsecurity=False).hexdigest(),
    )
    assert fetched.source == f"{server.url}/a.zip"
    assert not (fetched.differs or fetched.doubt)
    assert leftovers(target) == []
    assert headers["Accept-Encoding"] == "identity"
    assert headers["User-Agent"].startswith("mseg-wizard/")
    assert all(progress.unit == "B" for progress in seen)


@pytest.mark.slow
def test_a_cut_at_any_byte_costs_no_other_byte(tmp_path: Path) -> None:
    edges = [64 * 1024 * i + near for i in range(1, len(BODY) // (64 * 1024) + 1) for near in (-1, 0, 1)]
    chance = random.Random(7)
    for cut in [1, 511, 512, 513, *edges, *(chance.randrange(600, len(BODY)) for _ in range(12)), len(BODY) - 1]:
        target = tmp_path / f"{cut}.zip"
        with serving({"/a.zip": with_body(BODY, Answer(cut=cut), Answer())}) as server:
            finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
            sent = server.sent("/a.zip")
        assert target.read_bytes() == BODY, cut
        # The first 512 bytes are only written once they are known to begin the right kind of file.
        assert sent == ([cut, len(BODY) - cut] if cut >= 512 else [cut, len(BODY)]), cut


def test_a_server_that_resets_again_and_again_is_asked_as_long_as_bytes_come(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": Answer(body=BODY, cut=20_000)}) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], KNOWN, retry_policy=QUICK))
        assert len(server.log) == len(BODY) // 20_000 + 1 > QUICK.tries
        assert sum(server.sent("/a.zip")) == len(BODY)
    assert target.read_bytes() == BODY


def test_a_reset_connection_is_resumed(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": with_body(BODY, Answer(cut=400_000, reset=True), Answer())}) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], KNOWN, retry_policy=QUICK))
    assert target.read_bytes() == BODY


def test_a_server_that_brings_nothing_is_given_up_and_what_is_here_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": with_body(BODY, Answer(cut=300_000), Answer(cut=0))}) as server:
        found = problem(fetch(target, [Location(f"{server.url}/a.zip")], KNOWN, retry_policy=QUICK))
        assert len(server.log) == 1 + QUICK.tries
    assert "a.zip" in found.what
    assert "300 kB that are here are kept" in found.do
    assert part(target).read_bytes() == BODY[:300_000]
    assert not target.exists()


def test_a_download_goes_on_in_the_next_process_where_it_stopped(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": with_body(BODY, Answer(stall=300_000), Answer())}) as server:
        stopped_at(300_000, target, fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert server.ranges("/a.zip") == [None, "bytes=300000-"]
        assert server.log[1].headers["If-Range"] == '"one"'
    assert target.read_bytes() == BODY
    assert leftovers(target) == []


def test_the_note_may_lie_elsewhere(tmp_path: Path) -> None:
    target, notes = tmp_path / "a.zip", tmp_path / "notes" / "a.json"
    notes.parent.mkdir()
    with serving({"/a.zip": with_body(BODY, Answer(stall=300_000), Answer())}) as server:
        stopped_at(
            300_000, target, fetch(target, [Location(f"{server.url}/a.zip")], state_path=notes, retry_policy=QUICK)
        )
        assert json.loads(notes.read_text())["total"] == len(BODY)
        assert leftovers(target) == ["a.zip.part", "notes"]
        finish(fetch(target, [Location(f"{server.url}/a.zip")], state_path=notes, retry_policy=QUICK))
    assert leftovers(target) == ["notes"]
    assert not notes.exists()


@pytest.mark.parametrize("expected", [PublishedFacts(), KNOWN], ids=["unknown", "known"])
@pytest.mark.parametrize(
    "odd",
    [
        Answer(body=BODY, ranges=False),
        Answer(body=BODY, shift=-1000),
        Answer(body=BODY, shift=1),
        Answer(body=BODY, multipart=True),
        Answer(body=BODY, claims=len(BODY) + 1),
        Answer(body=BODY, claims=400_000),
        Answer(body=BODY, etag='"two"', if_range=False),
        Answer(body=BODY, etag='"two"'),
        Answer(body=BODY, modified="Tue, 02 Jan 2018 00:00:00 GMT", if_range=False),
        Answer(body=BODY, status=206),
    ],
    ids=[
        "ignored",
        "earlier",
        "later",
        "multipart",
        "longer",
        "shorter",
        "etag",
        "if-range",
        "modified",
        "no-content-range",
    ],
)
def test_a_part_that_does_not_belong_behind_the_first_bytes_restarts_the_download(
    tmp_path: Path, odd: Answer, expected: PublishedFacts, caplog: pytest.LogCaptureFixture
) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": [Answer(body=BODY, cut=300_000), odd, Answer(body=BODY)]}) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], expected, retry_policy=QUICK))
        assert server.ranges("/a.zip")[:2] == [None, "bytes=300000-"]
        assert server.sent("/a.zip")[-1] == len(BODY)
    assert target.read_bytes() == BODY
    assert "fetched anew" not in caplog.text  # it was seen before a byte was written, not at the end


def test_a_changed_remote_file_restarts_the_download(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving(
        {"/a.zip": [Answer(body=BODY, cut=300_000), Answer(body=OTHER, etag='"two"', if_range=False)]}
    ) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
    assert target.read_bytes() == OTHER


def test_a_large_file_that_changes_after_much_of_it_was_hashed_gets_the_new_files_hash(tmp_path: Path) -> None:
    before, after = zipped(5, 5_000_000), zipped(6, 5_000_000)
    with serving({"/a.zip": [Answer(body=before, cut=4_500_000), Answer(body=after, etag='"two"')]}) as server:
        fetched = finish(fetch(tmp_path / "a.zip", [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
    assert fetched.sha256 == hashlib.sha256(after).hexdigest()


def test_a_part_without_validators_leaves_those_of_the_first_answer_in_force(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    bare = Answer(cut=100_000, etag="", modified="", if_range=False)
    with serving({"/a.zip": with_body(BODY, Answer(cut=300_000), bare, Answer())}) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert server.ranges("/a.zip") == [None, "bytes=300000-", "bytes=400000-"]
        assert server.log[2].headers["If-Range"] == '"one"'
    assert target.read_bytes() == BODY


def test_a_last_modified_date_serves_where_there_is_no_etag(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    answers = with_body(BODY, Answer(cut=300_000, etag=""), Answer(etag=""))
    with serving({"/a.zip": answers}) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert server.log[1].headers["If-Range"] == answers[0].modified
        assert sum(server.sent("/a.zip")) == len(BODY)
    assert target.read_bytes() == BODY


def test_without_a_strong_validator_only_a_published_hash_allows_to_go_on(tmp_path: Path) -> None:
    for expected, ranges in ((PublishedFacts(), [None, None]), (KNOWN, [None, "bytes=300000-"])):
        target = tmp_path / f"{len(expected.sha256)}.zip"
        with serving({"/a.zip": [replace(WEAK, cut=300_000), WEAK]}) as server:
            finish(fetch(target, [Location(f"{server.url}/a.zip")], expected, retry_policy=QUICK))
            assert server.ranges("/a.zip") == ranges
            assert all("If-Range" not in asked.headers for asked in server.log)
        assert target.read_bytes() == BODY


def test_a_part_of_a_file_of_unknown_length_is_taken_only_with_a_strong_validator(tmp_path: Path) -> None:
    for answer, requests in ((Answer(body=BODY), 2), (WEAK, 3)):
        target = tmp_path / f"{requests}.zip"
        with serving({"/a.zip": [replace(answer, cut=300_000), replace(answer, claims="*"), answer]}) as server:
            finish(fetch(target, [Location(f"{server.url}/a.zip")], KNOWN, retry_policy=QUICK))
            assert len(server.log) == requests
        assert target.read_bytes() == BODY


def test_another_mirror_goes_on_only_where_a_published_hash_decides(tmp_path: Path) -> None:
    for expected, ranges in ((PublishedFacts(), [None]), (KNOWN, ["bytes=300000-"])):
        target = tmp_path / f"{len(expected.sha256)}.zip"
        with serving(
            {"/one.zip": with_body(BODY, Answer(cut=300_000), Answer(status=404)), "/two.zip": BODY}
        ) as server:
            places = [Location(f"{server.url}/one.zip"), Location(f"{server.url}/two.zip")]
            finish(fetch(target, places, expected, retry_policy=QUICK))
            assert server.ranges("/two.zip") == ranges
            assert all("If-Range" not in asked.headers for asked in server.log if asked.path == "/two.zip")
        assert target.read_bytes() == BODY


def test_another_mirror_whose_file_has_another_size_starts_anew(tmp_path: Path) -> None:
    target, longer = tmp_path / "a.zip", zipped(3, 800_000)
    known = PublishedFacts(sha256=hashlib.sha256(longer).hexdigest())
    with serving({"/one.zip": with_body(BODY, Answer(cut=300_000), Answer(status=404)), "/two.zip": longer}) as server:
        finish(
            fetch(
                target,
                [Location(f"{server.url}/one.zip"), Location(f"{server.url}/two.zip")],
                known,
                retry_policy=QUICK,
            )
        )
        assert server.ranges("/two.zip") == ["bytes=300000-", None]
    assert target.read_bytes() == longer


def test_a_partial_file_without_its_note_is_worth_what_the_published_hash_says(tmp_path: Path) -> None:
    for expected, ranges in ((PublishedFacts(), [None]), (KNOWN, ["bytes=300000-"])):
        target = tmp_path / f"{len(expected.sha256)}.zip"
        part(target).write_bytes(BODY[:300_000])
        with serving({"/a.zip": BODY}) as server:
            finish(fetch(target, [Location(f"{server.url}/a.zip")], expected, retry_policy=QUICK))
            assert server.ranges("/a.zip") == ranges
        assert target.read_bytes() == BODY


def test_pieces_that_do_not_fit_together_are_thrown_away_and_fetched_anew(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    part(target).write_bytes(OTHER[:300_000])
    with serving({"/a.zip": BODY}) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], KNOWN, retry_policy=QUICK))
        assert server.ranges("/a.zip") == ["bytes=300000-", None]
    assert target.read_bytes() == BODY


def test_a_whole_partial_file_is_checked_and_named_without_asking_anyone(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": Answer(body=BODY, stall=300_000)}) as server:
        stopped_at(300_000, target, fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        part(target).write_bytes(BODY)
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert len(server.log) == 1
    assert target.read_bytes() == BODY


def test_a_server_that_announced_too_much_says_so_at_the_end_and_is_believed(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": [Answer(body=BODY, length=len(BODY) + 500), Answer(body=BODY)]}) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert [asked.status for asked in server.log] == [200, 416]
    assert target.read_bytes() == BODY


@pytest.mark.parametrize(
    "now", [Answer(body=zipped(4, 200_000)), Answer(body=zipped(4, 200_000), claims="*")], ids=["said", "unsaid"]
)
def test_a_file_that_shrank_on_the_server_is_fetched_anew(tmp_path: Path, now: Answer) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": [Answer(body=BODY, cut=300_000), now]}) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert [asked.status for asked in server.log] == [200, 416, 200]
    assert target.read_bytes() == now.body


def test_a_partial_file_longer_than_the_whole_is_not_continued(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    part(target).write_bytes(BODY + b"more")
    with serving({"/a.zip": BODY}) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], KNOWN, retry_policy=QUICK))
        assert server.ranges("/a.zip") == [None]
    assert target.read_bytes() == BODY


def test_parts_shorter_than_asked_for_are_put_together(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": with_body(BODY, Answer(cut=100_000), Answer(most=150_000))}) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert sum(server.sent("/a.zip")) == len(BODY)
    assert target.read_bytes() == BODY


def test_a_chunked_answer_without_a_length_arrives_and_resumes(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving(
        {"/a.zip": with_body(BODY, Answer(framing="chunked", cut=300_000), Answer(framing="chunked"))}
    ) as server:
        seen: list[Progress] = []
        fetched = finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK), seen)
        assert sum(server.sent("/a.zip")) == len(BODY)
    assert target.read_bytes() == BODY
    assert not (fetched.differs or fetched.doubt)


def test_an_answer_that_ends_with_the_connection_is_taken_with_a_warning_unless_the_file_is_known(
    tmp_path: Path,
) -> None:
    with serving(
        {"/a.tar": Answer(body=b"any", framing="close"), "/a.zip": Answer(body=BODY, framing="close")}
    ) as server:
        fetched = finish(fetch(tmp_path / "notes.txt", [Location(f"{server.url}/a.tar")], retry_policy=QUICK))
        assert "did not say how long it is" in fetched.doubt
        assert not finish(fetch(tmp_path / "a.zip", [Location(f"{server.url}/a.zip")], KNOWN, retry_policy=QUICK)).doubt


@pytest.mark.parametrize("framing", ["close", "chunked"])
def test_a_body_that_ends_too_early_is_continued(tmp_path: Path, framing: str) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": [Answer(body=BODY[:300_000], framing=framing), Answer(body=BODY)]}) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], KNOWN, retry_policy=QUICK))
        assert server.sent("/a.zip") == [300_000, len(BODY) - 300_000]
    assert target.read_bytes() == BODY


def test_a_zip_that_ends_before_its_directory_is_not_taken_for_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": Answer(body=BODY[:300_000])}) as server:
        found = problem(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
    assert "ends before the zip archive does" in found.what
    assert leftovers(target) == []


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_longer_than_published_is_refused(tmp_path: Path, framing: str) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": Answer(body=BODY + b"more", framing=framing)}) as server:
        found = problem(fetch(target, [Location(f"{server.url}/a.zip")], KNOWN, retry_policy=QUICK))
    assert f"{len(BODY):,}" in found.what
    assert leftovers(target) == []


def test_an_answer_without_an_end_is_left_where_the_published_size_is_passed(tmp_path: Path) -> None:
    endless = Answer(body=BODY + bytes(100_000), framing="chunked", stall=len(BODY) + 50_000)
    with serving({"/a.zip": endless}) as server:
        found = problem(
            fetch(tmp_path / "a.zip", [Location(f"{server.url}/a.zip")], KNOWN, retry_policy=replace(QUICK, stall=5))
        )
        assert len(server.log) == 1
    assert "has more than" in found.what


def test_silence_is_a_reason_to_ask_again(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": with_body(BODY, Answer(stall=300_000), Answer(mute=True), Answer())}) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], KNOWN, retry_policy=replace(QUICK, stall=1)))
        assert server.ranges("/a.zip")[-1] == "bytes=300000-"
    assert target.read_bytes() == BODY


def test_a_slow_server_is_waited_for(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": Answer(body=BODY, piece=70_000, pause=0.1)}) as server:
        seen: list[Progress] = []
        finish(fetch(target, [Location(f"{server.url}/a.zip")], KNOWN, retry_policy=QUICK), seen)
        assert len(server.log) == 1
    assert target.read_bytes() == BODY
    shown = [progress for progress in seen if progress.doing.startswith("downloading a.zip from 127.0.0.1")]
    assert shown
    assert all(progress.total == len(BODY) for progress in shown)
    assert any(progress.rate for progress in shown)


def test_after_a_power_cut_only_what_was_synced_is_trusted(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": with_body(BODY, Answer(stall=300_000), Answer())}) as server:
        stopped_at(300_000, target, fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        note = part(target).with_name("a.zip.part.json")
        note.write_text(json.dumps(json.loads(note.read_text()) | {"boot": "an earlier one", "synced": 200_000}))
        part(target).write_bytes(BODY[:200_000] + bytes(100_000))
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert server.ranges("/a.zip") == [None, "bytes=200000-"]
    assert target.read_bytes() == BODY


def test_a_page_in_the_middle_of_a_download_leaves_no_byte_behind(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving(
        {"/a.zip": [Answer(body=BODY, cut=300_000), page("Log on to the guest network"), Answer(body=BODY)]}
    ) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert server.ranges("/a.zip") == [None, "bytes=300000-", "bytes=300000-"]
    assert target.read_bytes() == BODY
