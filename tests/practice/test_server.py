"""The practice server: files and their parts, logins, signed links, faults, and a log without secrets."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from mseg_wizard.practice.logins import ACCOUNTS, sign_link
from mseg_wizard.practice.server import PracticeServer
from mseg_wizard.practice.world import World, make_world
from tests.once import once

TREE = "/mseg-dataset/mseg-api/archive/2bd00ae8.zip"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return once(tmp_path_factory, "two-images", lambda place: make_world(place, images=2))


@pytest.fixture
def server(world: World) -> Iterator[PracticeServer]:
    with PracticeServer(world.mirror) as running:
        yield running


@pytest.fixture
def client(server: PracticeServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as open_client:
        yield open_client


def test_a_file_is_found_by_its_name_whatever_the_folder(world: World, client: httpx.Client) -> None:
    whole = (world.mirror / "val2017.zip").read_bytes()
    for path in ("/val2017.zip", "/zips/val2017.zip", "/a/b/c/val2017.zip?x=y"):
        answer = client.get(path)
        assert (answer.status_code, answer.content) == (200, whole)
        assert answer.headers["content-type"] == "application/zip"
        assert answer.headers["accept-ranges"] == "bytes"


def test_head_says_what_get_would_and_sends_nothing(client: httpx.Client) -> None:
    head, get = client.head("/sun_rgbd.tgz"), client.get("/sun_rgbd.tgz")
    assert head.content == b""
    for name in ("content-length", "etag", "last-modified", "accept-ranges", "content-type"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize(
    "path", ["/", "/nothing.zip", "/..%2Fdownload-scannet.py", "/../download-scannet.py", "/mseg-api", "/%00.zip"]
)
def test_nothing_outside_the_folder_is_served(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.status_code == (200 if path == "/" else 404)


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=100-", 206, slice(100, None)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=10-99999999", 206, slice(10, None)),
        ("bytes=-99999999", 206, slice(None)),
        ("bytes=99999999-", 416, slice(0, 0)),
        ("bytes=-0", 416, slice(0, 0)),
        ("bytes=9-3", 200, slice(None)),
        ("bytes=1-2,4-5", 200, slice(None)),
        ("bytes=x-", 200, slice(None)),
        ("lines=1-2", 200, slice(None)),
    ],
)
def test_a_range_is_answered_with_exactly_that_part(
    world: World, client: httpx.Client, asked: str, status: int, part: slice
) -> None:
    whole = (world.mirror / "wd_val_01.zip").read_bytes()
    answer = client.get("/wd_val_01.zip", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (status, whole[part])
    if status == 206:
        first = whole.index(answer.content)
        assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(whole)}"
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(whole)}"


def test_if_range_gives_the_part_of_an_unchanged_file_and_the_whole_of_a_changed_one(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"old content")
    with PracticeServer(tmp_path) as server, httpx.Client(base_url=server.url) as client:
        before = client.get("/a.zip")
        for validator in (before.headers["etag"], before.headers["last-modified"]):
            assert client.get("/a.zip", headers={"Range": "bytes=4-", "If-Range": validator}).content == b"content"
        (tmp_path / "a.zip").write_bytes(b"newer content")
        after = client.get("/a.zip", headers={"Range": "bytes=4-", "If-Range": before.headers["etag"]})
        assert (after.status_code, after.content) == (200, b"newer content")
        assert after.headers["etag"] != before.headers["etag"]


def test_the_mseg_api_tree_comes_as_githubs_zip(world: World, client: httpx.Client) -> None:
    answer = client.get(TREE, headers={"Range": "bytes=5-"})
    assert answer.status_code == 200
    assert "content-length" not in answer.headers
    packed = zipfile.ZipFile(BytesIO(answer.content))
    files = {path.relative_to(world.tree).as_posix() for path in world.tree.rglob("*") if path.is_file()}
    assert {name for name in packed.namelist() if not name.endswith("/")} == {
        f"mseg-api-2bd00ae8/{path}" for path in files
    }
    for path in files:
        assert packed.read(f"mseg-api-2bd00ae8/{path}") == (world.tree / path).read_bytes()


def test_a_mirror_has_the_tree_as_mseg_api_zip(client: httpx.Client) -> None:
    answer = client.get("/mseg-api.zip")
    assert zipfile.ZipFile(BytesIO(answer.content)).namelist()[0].startswith("mseg-api/")
    assert client.get("/mseg-api.zip", headers={"Range": "bytes=0-3"}).content == b"PK\x03\x04"


def test_the_tree_may_stand_elsewhere(world: World, tmp_path: Path) -> None:
    with PracticeServer(tmp_path, tree=world.tree) as server:
        assert zipfile.ZipFile(BytesIO(httpx.get(server.url + TREE).content)).testzip() is None


def test_cityscapes_gives_its_packages_after_a_login_only(world: World, client: httpx.Client) -> None:
    user, password = ACCOUNTS["cityscapes"]
    form = {"username": user, "password": password, "submit": "Login"}
    assert _is_page(client.get("/file-handling/?packageID=1"))
    client.get("/login")
    wrong = client.post("/login", data={**form, "password": password + "x"})
    assert wrong.status_code == 200
    assert _is_page(wrong)
    assert _is_page(client.get("/file-handling/?packageID=1"))
    # `submit` belongs to it.
    assert client.post("/login", data={key: form[key] for key in ("username", "password")}).status_code == 200
    assert client.post("/login", data=form).status_code == 302
    for package, name in (("1", "gtFine_trainvaltest.zip"), ("3", "leftImg8bit_trainvaltest.zip")):
        answer = client.get(f"/file-handling/?packageID={package}")
        assert answer.content == (world.mirror / name).read_bytes()
        assert name in answer.headers["content-disposition"]
        assert (
            hashlib.md5(answer.content, usedforsecurity=False).hexdigest()
            in client.get(f"/md5-sum/?packageID={package}").text
        )
    part = client.get("/file-handling/?packageID=3", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"PK\x03\x04")
    assert client.get("/file-handling/?packageID=99").status_code == 404


def test_another_client_is_not_logged_in(server: PracticeServer, client: httpx.Client) -> None:
    user, password = ACCOUNTS["cityscapes"]
    client.post("/login", data={"username": user, "password": password, "submit": "Login"})
    assert _is_page(httpx.get(f"{server.url}/file-handling/?packageID=1"))


def test_wilddash_wants_cookie_token_referer_and_password(
    world: World, server: PracticeServer, client: httpx.Client
) -> None:
    user, password = ACCOUNTS["wilddash"]
    at = f"{server.url}/accounts/login"
    denied = client.get("/download/wd_val_01.zip")
    assert denied.status_code == 302
    assert denied.headers["location"].startswith("/accounts/login/")
    token = _token(client.get("/accounts/login"))
    form = {"username": user, "password": password, "submit": "Login", "csrfmiddlewaretoken": token}
    assert client.post("/accounts/login", data=form).status_code == 403
    assert (
        client.post("/accounts/login", data={**form, "csrfmiddlewaretoken": "x"}, headers={"Referer": at}).status_code
        == 403
    )
    assert httpx.post(at, data=form, headers={"Referer": at}).status_code == 403  # no cookie
    wrong = client.post("/accounts/login", data={**form, "password": "x"}, headers={"Referer": at})
    assert wrong.status_code == 200
    assert _is_page(wrong)
    assert client.get("/download/wd_val_01.zip").status_code == 302
    right = client.post("/accounts/login", data={**form, "csrfmiddlewaretoken": _token(wrong)}, headers={"Referer": at})
    assert right.status_code == 302
    for name in ("wd_both_01.zip", "wd_val_01.zip"):
        assert client.get(f"/download/{name}").content == (world.mirror / name).read_bytes()


def test_wilddash_quotes_its_hidden_field_both_ways(client: httpx.Client) -> None:
    pages = [client.get("/accounts/login/").text for _ in range(2)]
    assert sum("name='csrfmiddlewaretoken'" in text for text in pages) == 1
    assert sum('name="csrfmiddlewaretoken"' in text for text in pages) == 1


def test_a_signed_link_opens_its_file_until_it_expires(world: World, server: PracticeServer) -> None:
    url = f"{server.url}/signed/data_semantics.zip"
    good, old = sign_link(url), sign_link(url, datetime.now(UTC) - timedelta(hours=25))
    assert httpx.get(good).content == (world.mirror / "data_semantics.zip").read_bytes()
    assert httpx.get(good, headers={"Range": "bytes=2-5"}).status_code == 206
    expired = httpx.get(old)
    assert expired.status_code == 403
    assert expired.headers["content-type"] == "application/xml"
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in expired.text


def test_a_changed_or_missing_signature_opens_nothing(server: PracticeServer) -> None:
    url = f"{server.url}/signed/data_semantics.zip"
    good = sign_link(url)
    longer = good.replace("X-Amz-Expires=86400", "X-Amz-Expires=864000")
    assert longer != good
    for link in (longer, good.replace("data_semantics", "wd_val_01"), good[:-1] + ("0" if good[-1] != "0" else "1")):
        answer = httpx.get(link)
        assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)
    assert "AccessDenied" in httpx.get(url).text
    assert httpx.head(good).status_code == 403  # S3 signs one method


def test_answers_hold_links_that_the_server_takes(world: World, server: PracticeServer) -> None:
    for step, name in (
        ("idd", "idd-segmentation.tar.gz"),
        ("kitti", "data_semantics.zip"),
        ("mapillary", "mapillary-vistas-dataset_public_v1.1.zip"),
    ):
        link = str(world.answers[step]["url"])
        routed = server.url + link.removeprefix("https://links.practice.example")
        assert httpx.get(routed).content == (world.mirror / name).read_bytes()
    base = str(world.answers["scannet"]["base_url"]).replace("https://links.practice.example", server.url)
    assert httpx.get(base.rstrip("/") + "/v2/tasks/scannet_frames_25k.zip").status_code == 200


def test_dropbox_shows_a_page_unless_told_to_download(client: httpx.Client) -> None:
    assert _is_page(client.get("/s/oeu149j8qtbs1x0/SegmentationClassAug.zip"))
    assert _is_page(client.get("/s/oeu149j8qtbs1x0/SegmentationClassAug.zip?dl=0"))
    for path in ("/s/x/SegmentationClassAug.zip?dl=1", "/scl/fi/x/SegmentationClassAug.zip?rlkey=y&dl=1"):
        assert client.get(path).headers["content-type"] == "application/zip"


def test_redirects_lead_to_the_file(world: World) -> None:
    with PracticeServer(world.mirror, redirects=True) as server:
        first = httpx.get(f"{server.url}/zips/val2017.zip")
        assert first.status_code == 302
        answer = httpx.get(f"{server.url}/zips/val2017.zip", follow_redirects=True)
        assert answer.content == (world.mirror / "val2017.zip").read_bytes()


def test_a_limited_connection_takes_its_time(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"x" * 50_000)
    with PracticeServer(tmp_path, limit=100_000) as server:
        started = time.monotonic()
        assert len(httpx.get(f"{server.url}/a.zip").content) == 50_000
        assert time.monotonic() - started >= 0.45


def test_a_stopped_server_hangs_up_on_a_download_under_way(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"x" * 1_000_000)
    with httpx.Client() as client:
        with PracticeServer(tmp_path, limit=10_000) as server:
            body = client.send(client.build_request("GET", f"{server.url}/a.zip"), stream=True).iter_raw()
            next(body)
        with pytest.raises(httpx.TransportError):
            list(body)
        with pytest.raises(httpx.ConnectError):
            client.get(f"{server.url}/a.zip")


def test_cut_connections_break_off_early_and_a_patient_client_gets_everything(world: World) -> None:
    runs = []
    for _ in range(2):
        with PracticeServer(world.mirror, cut=3) as server, httpx.Client(base_url=server.url) as client:
            for name in world.archives:
                assert _patiently(client, name) == (world.mirror / name).read_bytes()
        asked = [line.path[1:] for line in server.log]
        first = {name: server.log[asked.index(name)].sent for name in world.archives}
        assert all(first[name] < (world.mirror / name).stat().st_size for name in world.archives)
        runs.append((first, [asked.count(name) for name in world.archives]))
    assert runs[0] == runs[1]
    assert set(runs[0][1]) == {2, 3, 4}  # one to three bodies break off, the next is whole


def test_some_cuts_are_resets_and_some_look_like_an_orderly_end(world: World) -> None:
    with PracticeServer(world.mirror, cut=5) as server:
        ways = set()
        for name in world.archives:
            try:
                httpx.get(f"{server.url}/{name}")
            except httpx.TransportError as error:
                ways.add(type(error))
    assert ways == {httpx.RemoteProtocolError, httpx.ReadError}


def test_the_log_tells_what_was_asked_and_no_secret(world: World, server: PracticeServer, client: httpx.Client) -> None:
    user, password = ACCOUNTS["cityscapes"]
    link = sign_link(f"{server.url}/signed/data_semantics.zip")
    client.get("/val2017.zip", headers={"Range": "bytes=0-9"})
    client.post("/login", data={"username": user, "password": password, "submit": "Login"})
    client.get(link)
    client.get("/nothing.zip?token=geheim")
    assert [(line.method, line.path, line.range, line.status) for line in server.log] == [
        ("GET", "/val2017.zip", "bytes=0-9", 206),
        ("POST", "/login", "", 302),
        ("GET", "/signed/data_semantics.zip", "", 200),
        ("GET", "/nothing.zip", "", 404),
    ]
    assert [line.sent for line in server.log][:3] == [10, 0, (world.mirror / "data_semantics.zip").stat().st_size]
    told = repr(server.log)
    for secret in (user, password, "geheim", "Signature", client.cookies["PHPSESSID"]):
        assert secret not in told


def test_the_golden_kits_mirror_is_served_as_it_is(golden: Path) -> None:
    mirror = golden / "mirror"
    with PracticeServer(mirror) as server, httpx.Client(base_url=server.url) as client:
        for path in (path for path in mirror.iterdir() if path.is_file()):
            answer = client.get(f"/some/where/{path.name}")
            assert hashlib.sha256(answer.content).digest() == hashlib.sha256(path.read_bytes()).digest()
        packed = zipfile.ZipFile(BytesIO(client.get(TREE).content))
        assert "mseg-api-2bd00ae8/mseg/utils/dataset_config.py" in packed.namelist()


def test_it_runs_as_a_program_until_interrupted(world: World) -> None:
    command = [sys.executable, "-m", "mseg_wizard.practice.server", str(world.mirror), "--limit", "5000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            url = process.stdout.readline().strip()
            assert httpx.get(f"{url}/val2017.zip").content == (world.mirror / "val2017.zip").read_bytes()
            process.send_signal(signal.SIGINT)
            assert process.wait() == 0
            assert process.stderr
            assert process.stderr.read() == ""
        finally:
            process.kill()


def _is_page(answer: httpx.Response) -> bool:
    return answer.headers["content-type"].startswith("text/html") and "<html>" in answer.text


def _token(answer: httpx.Response) -> str:
    found = re.search(r"""name=(['"])csrfmiddlewaretoken\1 value=(['"])(.+?)\2""", answer.text)
    assert found, answer.text
    return unescape(found[3])


def _patiently(client: httpx.Client, path: str) -> bytes:
    """A whole file from a server that breaks off: what arrived stays, and the next request asks for the rest."""
    got = b""
    while True:
        try:
            with client.stream("GET", path, headers={"Range": f"bytes={len(got)}-"} if got else {}) as answer:
                assert answer.status_code == (206 if got else 200)
                for block in answer.iter_raw():
                    got += block
                return got
        except httpx.TransportError:
            continue
