"""What reading and fuzzing found, each as the smallest input that shows it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import httpx
import pytest

from mseg_wizard.archives import reader
from mseg_wizard.archives.reader import members
from mseg_wizard.core.background import Job
from mseg_wizard.http import html_pages, login, responses
from mseg_wizard.http.addresses import Routes, web_address
from mseg_wizard.http.client import HttpClient, RedirectRefused
from mseg_wizard.http.refusals import network_failure
from mseg_wizard.http.remote_file import Location, endpoint_of
from mseg_wizard.labels.codec import read_colors, read_ids
from mseg_wizard.labels.readers.mat import read_mat
from mseg_wizard.labels.readers.polygons import rasterize
from mseg_wizard.labels.records import image_keys, updates
from mseg_wizard.labels.taxonomy import RECORDS_FILE, MsegApiTree
from mseg_wizard.progress import Problem
from tests.archives.hostile import gzipped, tarred
from tests.http.faulty_server import redirect, serving
from tests.labels.annotated import all_annotations
from tests.labels.png_files import chunk
from tests.labels.relabelings import RELABELINGS


def png(
    depth: int, color: int, rows: bytes, *, palette: bytes = b"", methods: tuple[int, int, int] = (0, 0, 0)
) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, depth, color, *methods))
    colors = chunk(b"PLTE", palette) if palette else b""
    return b"\x89PNG\r\n\x1a\n" + head + colors + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("depth", [0, 3, 16, 24, 32, 64, 255])
def test_indices_of_an_impossible_depth_are_refused(tmp_path: Path, depth: int) -> None:
    (tmp_path / "x").write_bytes(png(depth, 3, bytes(2 * (depth * 2 // 8 + 1)), palette=bytes(9)))
    with pytest.raises(Problem, match="impossible"):
        read_ids(tmp_path / "x")


@pytest.mark.parametrize("methods", [(1, 0, 0), (0, 1, 0), (0, 0, 2)])
def test_a_png_stored_in_a_way_that_no_png_is_is_refused(tmp_path: Path, methods: tuple[int, int, int]) -> None:
    (tmp_path / "x").write_bytes(png(8, 0, bytes(6), methods=methods))
    with pytest.raises(Problem, match="method"):
        read_ids(tmp_path / "x")


def test_a_palette_of_more_colours_than_indices_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(png(8, 3, bytes(6), palette=bytes(3 * 257)))
    with pytest.raises(Problem, match="palette"):
        read_colors(tmp_path / "x")


def test_texts_that_are_no_text_are_refused_in_json(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b'{"imgHeight":1,"imgWidth":1,"objects":[{"label":"\xff","polygon":[]}]}')
    with pytest.raises(Problem, match="no polygon annotation"):
        rasterize(tmp_path / "x", {}, 0)
    for bad in (
        b'{"annotations":[{"file_name":"\xff","segments_info":[]}]}',
        b'{"x":' + b"[" * 5000 + b'],"annotations":[]}',
    ):
        (tmp_path / "x").write_bytes(bad)
        with pytest.raises(Problem, match="no panoptic annotation"):
            all_annotations(tmp_path / "x")


def tree(at: Path, records: str, lines: str, row: str = "a/i.jpg a/l.png") -> MsegApiTree:
    for name, text in {
        RECORDS_FILE: f"bdd_update_records = [{records}]",
        "mseg/relabeled_data/x.txt": lines,
        "mseg/dataset_lists/bdd-relabeled/bdd-relabeled_names.txt": "road",
        "mseg/dataset_lists/bdd-relabeled/list/train.txt": row,
        "mseg/dataset_lists/bdd-relabeled/list/val.txt": "",
    }.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(text)
    return MsegApiTree(at)


@pytest.mark.parametrize("file", ["/etc/passwd", "../../../secret.txt", "a/../../x", r"a\0b", r"\ud800"])
def test_records_read_no_files_but_their_own(tmp_path: Path, file: str) -> None:
    with pytest.raises(Problem, match="leads out"):
        updates(tree(tmp_path, f'R("bdd", "train", "road", "road", "{file}")', ""), RELABELINGS["bdd"], "bdd")


def test_a_segment_of_five_thousand_digits_is_none(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="line 1"):
        updates(
            tree(tmp_path, 'R("bdd", "train", "road", "road", "x.txt")', f"i_{'9' * 5000}.jpg"),
            RELABELINGS["bdd"],
            "bdd",
        )


def test_a_label_may_lie_in_no_folder(tmp_path: Path) -> None:
    assert [place.folder for place in image_keys(tree(tmp_path, "", "", "i.jpg l.png"), "bdd-relabeled", "train")] == [
        ""
    ]


def test_a_tar_of_more_members_than_any_dataset_has_is_refused_while_it_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MOST_MEMBERS", 2)
    for data in (tarred(*((name, b"") for name in "abc")), gzipped(tarred(*((name, b"") for name in "abc")))):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(Problem, match="more than"):
            list(members(tmp_path / "x"))


HOSTS = [
    "http://xn--/",
    "http://xn--a/",
    "https://xn--ls8h.example/",
    "http://a:99999/",
    "http://a:0/",
    f"http://{'a' * 64}.example/",
    "http://a..b/",
    "http://[::1",
    "http://a%1b/",
    "http:./a",
    "ftp://a/",
    "//",
]


@pytest.mark.parametrize("place", HOSTS)
def test_a_host_or_port_that_cannot_be_asked_is_no_address(place: str) -> None:
    assert web_address(place) is None
    web = HttpClient(Job())
    assert endpoint_of(Location(place), web).url is None
    with pytest.raises(Problem, match="ORIGIN"):
        Routes.parse([f"{place}=https://example.org"])
    web.close()


@pytest.mark.parametrize("place", [place for place in HOSTS if place != "//"])
def test_a_redirect_to_what_cannot_be_asked_is_told(place: str) -> None:
    web = HttpClient(Job(), stall=20)
    not_followed = pytest.raises((RedirectRefused, httpx.RemoteProtocolError))
    with serving({"/a": redirect(place)}) as server, not_followed as caught, web.follow(httpx.URL(f"{server.url}/a")):
        pass
    if isinstance(caught.value, httpx.RemoteProtocolError):
        assert "no web address" in str(network_failure(caught.value, web, 20))
    web.close()


def test_a_cookie_or_an_etag_that_cannot_be_sent_back_is_not(tmp_path: Path) -> None:
    assert html_pages.validator({"etag": '"é"'}) == ""
    assert html_pages.validator({"etag": '"e"'}) == '"e"'
    web = HttpClient(Job(), stall=20)
    web.cookies["http://127.0.0.1:9"] = {"a": '"é"'}
    with pytest.raises(httpx.ConnectError), web.open(httpx.URL("http://127.0.0.1:9/")):
        pass
    web.close()


@pytest.mark.parametrize(
    "header", ["1 Jan 99999999999 00:00:00 GMT", "Mon, 01 Jan 2020 00:00:00 +99999999999", ", ,", "9" * 5000]
)
def test_a_date_beyond_all_dates_is_none(header: str) -> None:
    assert html_pages.wait_asked({"retry-after": header}) in (None, float("9" * 12))
    assert html_pages.validator({"date": header, "last-modified": header}) == ""


def test_numbers_of_five_thousand_digits_are_no_lengths() -> None:
    digits = "9" * 5000
    assert responses.announced_length({"content-length": digits}) is None
    for status, span in ((206, f"bytes 5-{digits}/{digits}"), (416, f"bytes */{digits}")):
        head = responses.ResponseHead(status, {"content-range": span})
        assert isinstance(
            responses.decide(head, responses.OnDisk(5), responses.Wanted("a.zip", start=5)), responses.AskAgain
        )


@pytest.mark.parametrize("charset", ["undefined", "idna", "punycode", "rot13", "hex", "nonsense", "utf-8"])
def test_a_page_in_any_charset_has_a_title(charset: str) -> None:
    page = html_pages.detect_page(b"<html>\xff<title>a</title>", f"text/html; charset={charset}")
    assert page is not None and page.title == "a"


def test_a_character_of_five_thousand_digits_stays_as_it_is() -> None:
    page = html_pages.detect_page(b"<title>&#" + b"1" * 5000 + b";</title>")
    assert page is not None and page.title.startswith("&#111")
    login._Forms.with_password(f"<input name='&#{'1' * 5000};'>")


def test_a_marked_section_that_nobody_knows_ends_a_form_and_not_the_login() -> None:
    assert login._Forms.with_password("<form><input type=password name=password><![foo[x") == {"password": None}


@pytest.mark.parametrize("kind", [0, 8, 14, 20, 0xA504, 0xFFFFFFFF])
def test_a_matrix_of_a_kind_of_numbers_that_there_is_not_is_refused(tmp_path: Path, kind: int) -> None:
    """scipy reads beyond its tables at these, and takes the process down."""
    parts = (
        struct.pack("<IIII", 6, 8, 11, 0) + struct.pack("<IIii", 5, 8, 2, 2) + struct.pack("<II", 1, 8) + b"LabelMap"
    )
    matrix = parts + struct.pack("<II", kind, 8) + bytes(8)
    (tmp_path / "x.mat").write_bytes(
        b"MATLAB 5.0".ljust(124) + b"\0\1IM" + struct.pack("<II", 14, len(matrix)) + matrix
    )
    with pytest.raises(Problem):
        read_mat(tmp_path / "x.mat")


@pytest.mark.parametrize("start", [b"MATL", b"\0\0\0\0"])
def test_a_matrix_of_version_4_is_not_read(tmp_path: Path, start: bytes) -> None:
    """Where its sizes are below zero scipy reads the same place again and again, for ever."""
    header = struct.pack("<5i", 0, -20, 1, 0, 0)
    (tmp_path / "x.mat").write_bytes((start + header).ljust(124, b"\0") + (b"\0\1IM" if not start[0] else b""))
    with pytest.raises(Problem, match="version 5"):
        read_mat(tmp_path / "x.mat")
