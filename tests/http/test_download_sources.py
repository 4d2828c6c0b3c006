"""Where a download may come from: refusals, pages in a file's
place, what was published, waiting as asked, links that expired.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from mseg_wizard.http.addresses import Routes
from mseg_wizard.http.download import fetch
from mseg_wizard.http.refusals import LinkRefused
from mseg_wizard.http.remote_file import Location, PublishedFacts
from mseg_wizard.progress import Progress
from mseg_wizard.vault import Secret
from tests.http.downloading import BODY, KNOWN, OTHER, QUICK, SHA256, finish, leftovers, part, problem, stopped_at
from tests.http.faulty_server import Answer, page, redirect, s3_error, serving

SIGNED = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20200101T000000Z&X-Amz-Expires=3600&X-Amz-Signature=0123456789abcdef"
)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_a_source_that_refuses_makes_way_for_the_next_at_once(tmp_path: Path, status: int) -> None:
    target = tmp_path / "a.zip"
    with serving({"/gone.zip": page("No", status=status), "/a.zip": BODY}) as server:
        fetched = finish(
            fetch(
                target, [Location(f"{server.url}/gone.zip"), Location(f"{server.url}/a.zip")], KNOWN, retry_policy=QUICK
            )
        )
        assert [asked.path for asked in server.log] == ["/gone.zip", "/a.zip"]
    assert fetched.source.endswith("/a.zip")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again(tmp_path: Path, status: int) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": [page("Try later", status=status), Answer(body=BODY)]}) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
    assert target.read_bytes() == BODY


def test_all_refusals_are_told_with_their_places(tmp_path: Path) -> None:
    with serving({"/one.zip": page("Closed for good", status=410)}) as server:
        places = [
            Location(f"{server.url}/one.zip"),
            Location(f"{server.url}/two.zip?x=1"),
            Location("ftp://elsewhere/a.zip"),
        ]
        found = problem(fetch(tmp_path / "a.zip", places, retry_policy=QUICK))
        assert f"{server.url}/one.zip: it answered 410 Gone (Closed for good)" in found.what
        assert f"{server.url}/two.zip: it answered 404 Not Found" in found.what
    assert len(found.items) == 3
    assert not isinstance(found, LinkRefused)
    assert list(tmp_path.iterdir()) == []


def test_no_source_at_all_is_a_problem_too(tmp_path: Path) -> None:
    assert "a.zip could not be downloaded" in problem(fetch(tmp_path / "a.zip", [])).what


def test_a_host_that_takes_no_connection_is_named(tmp_path: Path) -> None:
    with serving({}) as server:
        dead = server.url
    found = problem(fetch(tmp_path / "a.zip", [Location(f"{dead}/a.zip")], retry_policy=QUICK))
    assert f"{dead}/a.zip: no connection" in found.what


def gzipped_tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("a.zip", page("Hotel &amp; Bar\x9b31m: log on"), "“Hotel & Bar·31m: log on”"),
        (
            "a.zip",
            Answer(body=b"\xef\xbb\xbf \n<!-- quota -->\n<HTML><title>Quota exceeded</title>"),
            "“Quota exceeded”",
        ),
        ("a.zip", Answer(body=b"<html><h1>Moved</h1>", kind="application/zip"), "“Moved”"),
        ("a.zip", s3_error(200, "AccessDenied", "Request has expired"), "“AccessDenied: Request has expired”"),
        ("a.zip", Answer(body=b'{"error": "quota"}', kind="application/json"), "not a zip archive"),
        ("a.zip", Answer(body=b""), "not a zip archive"),
        ("a.tgz", Answer(body=BODY), "not a gzipped tar archive"),
        ("a.tar.gz", Answer(body=gzip.compress(gzipped_tar() + bytes(2000))), "not a gzipped tar archive"),
        ("a.tgz", Answer(body=gzip.compress(page("Portal").body), headers=(("Content-Encoding", "gzip"),)), "“Portal”"),
        ("a.tar", Answer(body=gzipped_tar()), "not a tar archive"),
        ("a.bin", Answer(body=b"any", headers=(("Content-Encoding", "br"),)), "another encoding (br)"),
    ],
)
def test_what_is_not_the_file_is_named_and_leaves_no_byte_behind(
    tmp_path: Path, name: str, answer: Answer, words: str
) -> None:
    with serving({"/a": answer}) as server:
        found = problem(fetch(tmp_path / name, [Location(f"{server.url}/a")], retry_policy=QUICK))
    assert words in found.what
    assert list(tmp_path.iterdir()) == []


def test_archives_of_each_kind_are_recognised(tmp_path: Path) -> None:
    packed = gzipped_tar()
    plain = gzip.decompress(packed)
    # A server that labels a gzipped archive's own compression as its encoding sends the archive all the same.
    with serving({"/tgz": Answer(body=packed, headers=(("Content-Encoding", "x-gzip"),)), "/tar": plain}) as server:
        finish(fetch(tmp_path / "a.tgz", [Location(f"{server.url}/tgz")], retry_policy=QUICK))
        finish(fetch(tmp_path / "a.tar", [Location(f"{server.url}/tar")], retry_policy=QUICK))
    assert (tmp_path / "a.tgz").read_bytes() == packed
    assert (tmp_path / "a.tar").read_bytes() == plain


def test_a_wrong_hash_discards_the_file_and_the_next_source_is_tried(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/wrong.zip": OTHER, "/a.zip": BODY}) as server:
        finish(
            fetch(
                target,
                [Location(f"{server.url}/wrong.zip"), Location(f"{server.url}/a.zip")],
                KNOWN,
                retry_policy=QUICK,
            )
        )
        assert server.sent("/wrong.zip") == server.sent("/a.zip") == [len(BODY)]
    assert target.read_bytes() == BODY


def test_a_wrong_hash_is_told_with_both_values_and_the_source(tmp_path: Path) -> None:
    with serving({"/wrong.zip": OTHER}) as server:
        found = problem(fetch(tmp_path / "a.zip", [Location(f"{server.url}/wrong.zip")], KNOWN, retry_policy=QUICK))
        assert f"{server.url}/wrong.zip" in found.what
    assert SHA256 in found.what
    assert hashlib.sha256(OTHER).hexdigest() in found.what
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "right",
    [
        PublishedFacts(sha256=SHA256.upper()),
        PublishedFacts(sha1=hashlib.sha1(BODY, usedforsecurity=False).hexdigest()),
        PublishedFacts(md5=hashlib.md5(BODY, usedforsecurity=False).hexdigest()),
    ],
    ids=["sha256", "sha1", "md5"],
)
def test_each_published_kind_of_hash_is_checked(tmp_path: Path, right: PublishedFacts) -> None:
    kind, value = next(iter(right.hashes.items()))
    with serving({"/right.zip": BODY, "/wrong.zip": OTHER}) as server:
        finish(fetch(tmp_path / "right.zip", [Location(f"{server.url}/right.zip")], right, retry_policy=QUICK))
        found = problem(fetch(tmp_path / "wrong.zip", [Location(f"{server.url}/wrong.zip")], right, retry_policy=QUICK))
    assert f"its {kind} is {hashlib.new(kind, OTHER).hexdigest()}, the published one is {value}" in found.what


def test_a_wrong_size_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/short.zip": Answer(body=BODY[:-1], stall=10_000)}) as server:
        found = problem(
            fetch(target, [Location(f"{server.url}/short.zip")], replace(KNOWN, sha256=""), retry_policy=QUICK)
        )
    assert f"{len(BODY) - 1:,} bytes" in found.what
    assert f"{len(BODY):,}" in found.what
    assert list(tmp_path.iterdir()) == []


def test_a_weak_publication_only_warns(tmp_path: Path) -> None:
    weak = replace(KNOWN, bytes=17, warn_only=True)
    with serving({"/a.zip": OTHER}) as server:
        fetched = finish(fetch(tmp_path / "a.zip", [Location(f"{server.url}/a.zip")], weak, retry_policy=QUICK))
    assert len(fetched.differs) == 2
    assert SHA256 in fetched.differs[1]
    assert fetched.sha256 == hashlib.sha256(OTHER).hexdigest()


def test_another_file_is_lenient_only_where_the_user_named_the_place(tmp_path: Path) -> None:
    lenient = replace(KNOWN, bytes=17, lenient=True)
    with serving({"/a.zip": OTHER, "/away.zip": redirect("http://public.test/a.zip")}) as server:
        url, routes = "https://public.test/a.zip", Routes.parse([f"https://public.test={server.url}"])
        assert finish(
            fetch(tmp_path / "1.zip", [Location(f"{server.url}/a.zip", named=True)], lenient, retry_policy=QUICK)
        ).differs
        assert finish(fetch(tmp_path / "2.zip", [Location(url)], lenient, routes=routes, retry_policy=QUICK)).differs
        for number, strict in ((3, replace(lenient, lenient=False)), (4, lenient)):
            target, place = tmp_path / f"{number}.zip", Location(f"{server.url}/a.zip", named=number == 3)
            assert "the published one" in problem(fetch(target, [place], strict, retry_policy=QUICK)).what


def test_a_redirect_out_of_the_routes_ends_their_leniency(tmp_path: Path) -> None:
    with serving({"/a.zip": OTHER}) as public, serving({"/a.zip": redirect(f"{public.url}/a.zip")}) as cache:
        routes = Routes.parse([f"http://lab.test={cache.url}"])
        place, lenient = Location("http://lab.test/a.zip"), replace(KNOWN, lenient=True)
        assert SHA256 in problem(fetch(tmp_path / "a.zip", [place], lenient, routes=routes, retry_policy=QUICK)).what


@pytest.mark.parametrize("asks", ["1", "date"])
def test_retry_after_is_obeyed_and_counted_down(tmp_path: Path, asks: str) -> None:
    now = datetime.now(UTC) + timedelta(days=3)  # a server whose clock is wrong
    value = format_datetime(now + timedelta(seconds=1), usegmt=True) if asks == "date" else asks
    headers = (("Retry-After", value), *((("Date", format_datetime(now, usegmt=True)),) if asks == "date" else ()))
    busy = replace(page("Busy", status=503), headers=headers)
    seen: list[Progress] = []
    with serving({"/a.zip": [busy, Answer(body=BODY)]}) as server:
        finish(
            fetch(tmp_path / "a.zip", [Location(f"{server.url}/a.zip")], retry_policy=replace(QUICK, jitter=lambda: 0)),
            seen,
        )
    waits = [progress for progress in seen if progress.retry_in is not None]
    assert waits
    assert "503" in waits[0].doing
    left = [progress.retry_in for progress in waits if progress.retry_in is not None]
    assert left == sorted(left, reverse=True)
    assert 0 < left[0] <= 1.0


def test_an_absurd_retry_after_is_capped_and_said(tmp_path: Path) -> None:
    busy = replace(page("Busy", status=429), headers=(("Retry-After", "999999"),))
    seen: list[Progress] = []
    with serving({"/a.zip": [busy, Answer(body=BODY)]}) as server:
        finish(
            fetch(tmp_path / "a.zip", [Location(f"{server.url}/a.zip")], retry_policy=replace(QUICK, asked=0.5)), seen
        )
    waits = [progress for progress in seen if progress.retry_in is not None]
    assert waits
    assert all("asks to wait 11 d" in progress.doing and (progress.retry_in or 0) <= 0.5 for progress in waits)


def test_rather_than_wait_for_days_the_next_source_is_asked(tmp_path: Path) -> None:
    busy = replace(page("Busy", status=429), headers=(("Retry-After", "999999"),))
    with serving({"/busy.zip": busy, "/a.zip": BODY}) as server:
        finish(
            fetch(
                tmp_path / "a.zip",
                [Location(f"{server.url}/busy.zip"), Location(f"{server.url}/a.zip")],
                retry_policy=QUICK,
            )
        )
        assert [asked.path for asked in server.log] == ["/busy.zip", "/a.zip"]


def test_waits_grow_and_are_spread() -> None:
    retry_policy = replace(QUICK, first=1, most=300, jitter=lambda: 0.5)
    assert [retry_policy.delay(n) for n in (0, 1, 2, 3, 9, 50)] == [0.5, 0.5, 1, 2, 128, 150]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_an_expired_link_asks_for_a_fresh_one_and_keeps_what_is_here(tmp_path: Path, status: int) -> None:
    target = tmp_path / "a.zip"
    refusal = s3_error(status, "AccessDenied", "Request has expired")
    with serving({"/a.zip": [Answer(body=BODY, cut=300_000), refusal, Answer(body=BODY)], "/b.zip": OTHER}) as server:
        pasted = Location(Secret(f"{server.url}/a.zip?{SIGNED}"))
        found = problem(fetch(target, [pasted, Location(f"{server.url}/b.zip")], retry_policy=QUICK))
        assert isinstance(found, LinkRefused)
        assert "expired on 2020-01-01 at 01:00 UTC" in found.what
        assert "fresh link" in found.do
        assert "300 kB that are here are kept" in found.do
        assert part(target).read_bytes() == BODY[:300_000]
        # A fresh link: another signature for the same path.
        finish(
            fetch(
                target, [Location(Secret(f"{server.url}/a.zip?X-Amz-Signature=fedcba9876543210"))], retry_policy=QUICK
            )
        )
        assert server.ranges("/a.zip") == [None, "bytes=300000-", "bytes=300000-"]
        assert server.sent("/b.zip") == []
    assert target.read_bytes() == BODY


def test_a_fresh_link_may_have_another_path_but_must_be_the_same_file(tmp_path: Path) -> None:
    for name, again in (("same", BODY), ("other", OTHER)):
        target, tag = tmp_path / f"{name}.zip", '"one"' if again == BODY else '"two"'
        with serving(
            {"/tok1/a.zip": Answer(body=BODY, stall=300_000), "/tok2/a.zip": Answer(body=again, etag=tag)}
        ) as server:
            stopped_at(
                300_000, target, fetch(target, [Location(Secret(f"{server.url}/tok1/a.zip"))], retry_policy=QUICK)
            )
            finish(fetch(target, [Location(Secret(f"{server.url}/tok2/a.zip"))], retry_policy=QUICK))
            assert server.sent("/tok2/a.zip") == [len(BODY) - 300_000 if again == BODY else len(OTHER)]
        assert target.read_bytes() == again


def test_a_refused_link_makes_way_while_nothing_is_here(tmp_path: Path) -> None:
    with serving({"/a.zip": s3_error(403, "AccessDenied", "no"), "/b.zip": BODY}) as server:
        finish(
            fetch(
                tmp_path / "a.zip",
                [Location(Secret(f"{server.url}/a.zip?{SIGNED}")), Location(f"{server.url}/b.zip")],
                retry_policy=QUICK,
            )
        )
        found = problem(
            fetch(
                tmp_path / "b.zip",
                [Location(f"{server.url}/a.zip?{SIGNED}"), Location(f"{server.url}/c.zip")],
                retry_policy=QUICK,
            )
        )
    assert isinstance(found, LinkRefused)
    assert len(found.items) == 2


@pytest.mark.parametrize(
    "answer", [page("Sign in", '<input type="password">'), page("Gone", status=404), page("Index")]
)
def test_a_pasted_link_that_leads_to_a_page_asks_for_a_fresh_one(tmp_path: Path, answer: Answer) -> None:
    with serving({"/a": answer}) as server:
        assert isinstance(
            problem(fetch(tmp_path / "a.zip", [Location(Secret(f"{server.url}/a"))], retry_policy=QUICK)), LinkRefused
        )


def test_a_signature_that_a_redirect_brought_is_renewed_by_asking_the_first_address_again(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    store = [Answer(body=BODY, cut=300_000), s3_error(403, "AccessDenied", "Request has expired"), Answer(body=BODY)]
    with serving({"/a.zip": redirect(f"/store/a.zip?{SIGNED}"), "/store/a.zip": store}) as server:
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert server.ranges("/store/a.zip") == [None, "bytes=300000-", "bytes=300000-"]
        assert server.sent("/a.zip") == [0, 0, 0]
    assert target.read_bytes() == BODY


def test_a_disk_without_room_is_told_before_the_first_byte(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": Answer(body=BODY, length=10**16)}) as server:
        found = problem(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
    assert "a.zip needs 10000.0 TB" in found.what
    assert "are free" in found.what
    assert leftovers(target) == []
