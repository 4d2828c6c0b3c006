"""Answers that no honest server gives and links that no e-mail held:
each is understood, asked again or told, and none crashes or hangs.
"""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mseg_wizard.answers import links
from mseg_wizard.answers.base_url import check_base_url
from mseg_wizard.core.background import Job
from mseg_wizard.http import html_pages, responses
from mseg_wizard.http import login as logging_in
from mseg_wizard.http.addresses import Routes, expiry, is_signed, origin, web_address, without_query
from mseg_wizard.http.attempt import beginning
from mseg_wizard.http.client import HttpClient, RedirectRefused
from mseg_wizard.http.partial_file import PartialFile, PartialState
from mseg_wizard.http.refusals import SourceRefused, TryAgain, network_failure
from mseg_wizard.http.remote_file import Location, endpoint_of
from mseg_wizard.http.responses import AllHere, OnDisk, ResponseHead, Take, Wanted
from mseg_wizard.progress import printable
from mseg_wizard.step import Step
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import Secret
from tests.fuzz.mutations import MEMORY, free, hostile, mutated, tried

STEPS = {step.id: step for step in load_steps()}
DATE = b"Mon, 01 Jan 2024 00:00:00 GMT"
HEADS = (
    b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "a"\r\nLast-Modified: '
    + DATE
    + b"\r\nDate: "
    + DATE
    + b"\r\n\r\nPK\3\4x",
    b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\nContent-Type: "
    b"application/zip\r\n\r\n12345",
    b"HTTP/1.1 416 No\r\nContent-Range: bytes */5\r\nContent-Length: 0\r\n\r\n",
    b'HTTP/1.1 302 Found\r\nLocation: http://xn--nxasmq6b.example:80/a?b=c#d\r\nSet-Cookie: a="b\xc3\xa9"; '
    b"Path=/\r\n\r\n",
    b"HTTP/1.1 503 Later\r\nRetry-After: "
    + DATE
    + b"\r\nDate: "
    + DATE
    + b"\r\nContent-Type: a/b; charset=idna\r\n\r\n<title>a</title>",
    b"HTTP/1.1 403 No\r\nContent-Encoding: gzip\r\nTransfer-Encoding: "
    b"chunked\r\n\r\n5\r\n\x1f\x8b\x08\0\0\r\n0\r\n\r\n",
)
PAGES = (
    b"<!DOCTYPE html><!-- a --><head><title>Log &amp; in</title></head><form action='/x'><input type=hidden "
    b"name='csrfmiddlewaretoken'"
    b' value="ab&#99;"><input name=username><input type=\'password\' name="password"></form><script>if (a<b) '
    b"{}</script>"
    b"<p>Your account is locked</p>4237c19de34c8a376e9ba46b495d6f66  gtFine_trainvaltest.zip",
    b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no</Message></Error>",
)
LINKS = (
    b"https://user:pa%20ss@example.org:8443/a/data_semantics.zip?X-Amz-Date=20240101T000000Z&X-Amz-Expires=60&X-Amz-Signature=x#y",
    b"https://example.org/get?response-content-disposition=attachment%3B%20filename%3D%22idd-segmentation.tar.gz%22&Expires=99",
    b"http://[::1]:80/v2/tasks/scannet_frames_25k.zip",
    b"<https://xn--nxasmq6b.example./%2e%2e/a;b>",
    b"/tmp/download-scannet.py",
    b"#!/usr/bin/env python\n# BASE_URL = 'no'\nBASE_URL = 'http://example.org/scannet/'\n",
)


class Teller:
    """A server on this machine that answers every request with the bytes that it was given last, and hangs up."""

    def __init__(self) -> None:
        self.says = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = httpx.URL(f"http://127.0.0.1:{self._listener.getsockname()[1]}/a?b=c")
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with closing(connection):
                try:
                    connection.recv(1 << 16)
                    connection.sendall(self.says)
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(1)
                except OSError:
                    continue

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def teller() -> Iterator[Teller]:
    with closing(Teller()) as teller:
        yield teller


@pytest.fixture(scope="module")
def web() -> Iterator[HttpClient]:
    with closing(HttpClient(Job(), stall=20)) as web:
        yield web


@pytest.mark.slow
def test_any_answer_is_understood_or_told(teller: Teller, web: HttpClient) -> None:
    note = PartialState("key", "a", '"a"', DATE.decode(), '"a"', 10, 5, "")

    @given(st.one_of(mutated(*HEADS), free().map(lambda data: b"HTTP/1.1 200 OK\r\n\r\n" + data)), st.booleans())
    @tried(400)
    def told(data: bytes, login: bool) -> None:
        teller.says = data
        web.cookies.clear()
        with hostile():
            try:
                with web.open(teller.url) as response:
                    web._onward(teller.url, response)
                    html_pages.wait_asked(response.headers)
                    validator = html_pages.validator(response.headers)
                    assert validator.isascii() and validator.isprintable()
                    total = responses.announced_length(response.headers)
                    assert total is None or 0 <= total < 10**19
                    if login:
                        raise logging_in._refusal(web, STEPS["wilddash"].logins[0], response)
                    first, page = beginning(response, response.iter_raw(), web)
                    head = ResponseHead(response.status_code, response.headers, first, page)
                    for here, start in ((OnDisk(), 0), (OnDisk(5, note, same=True), 5)):
                        decision = responses.decide(head, here, Wanted("a.zip", start=start))
                        if isinstance(decision, Take):
                            assert 0 <= decision.offset <= here.prefix
                            assert decision.state.total is None or decision.offset <= decision.state.total
                        elif not isinstance(decision, AllHere):
                            assert printable(decision.why, 1000) == decision.why
                with web.open(teller.url):  # with whatever cookies it set
                    pass
            except (TryAgain, SourceRefused, RedirectRefused) as said:
                assert printable(str(said), 1000) == str(said)
                if isinstance(said, TryAgain) and said.after is not None:
                    assert said.after >= 0
            except httpx.TransportError as error:
                why = str(network_failure(error, web, 20))
                assert printable(why, 1000) == why

    told()


KINDS = ("", "text/html; charset=punycode", "a; charset=undefined", "charset='iso-8859-1'", "charset=" + "x" * 99)


@pytest.mark.slow
@given(st.one_of(mutated(*PAGES), free(), free().map(lambda data: b"<html>" + data)), st.sampled_from(KINDS))
@tried(500)
def test_a_page_is_named_and_its_form_found_whatever_it_holds(data: bytes, kind: str) -> None:
    with hostile():
        for encoding in ("", "gzip"):
            page = html_pages.detect_page(data, kind, encoding)
            assert page is None or isinstance(page.title, str)
        text = html_pages.text_of(data, kind)
        logging_in._visible(text)
        form = logging_in._Forms.with_password(text)
        assert form is None or all(isinstance(name, str) for name in form)
        html_pages.wrong_beginning("a.tar.gz", data)
        html_pages.wrong_beginning("a.tar", data)


def link_of(step: Step, text: str) -> object:
    return links.check_link(step, next(field for field in step.fields if field.kind == "url"), text)


def base_url_of(step: Step, text: str) -> object:
    return check_base_url(step, step.field("base_url"), text)


def sources_of(step: Step, text: str) -> object:
    return links.check_sources(step, [text])


CHECKS: tuple[tuple[str, Callable[[Step, str], object]], ...] = (
    ("kitti", link_of),
    ("scannet", base_url_of),
    ("idd", sources_of),
)


@pytest.mark.slow
def test_a_pasted_text_is_a_link_or_refused(web: HttpClient) -> None:
    @given(st.one_of(mutated(*LINKS), free()), st.sampled_from(CHECKS))
    @tried(700)
    def judged(data: bytes, check: tuple[str, Callable[[Step, str], object]]) -> None:
        text = data.decode("utf-8", "surrogateescape")
        with hostile():
            check[1](STEPS[check[0]], text)
        for route in (f"{text}=https://example.org", f"https://example.org={text}"):
            with hostile():
                Routes.parse([route])
        for location in (Location(text), Location(Secret(text))):
            with hostile():
                source = endpoint_of(location, web)
                assert printable(source.title, 300) == source.title
        web.headers.clear()
        if url := web_address(text):
            assert origin(url).startswith("http") and without_query(url).isprintable()
            expires = expiry(url)
            assert expires is None or expires <= datetime.max.replace(tzinfo=UTC)
            is_signed(url)

    judged()


@pytest.mark.parametrize("spread", [False, True])
def test_a_note_beside_a_half_fetched_file_is_believed_or_not(spread: bool) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        target, notes = Path(folder, "a.zip"), Path(folder, "note.json")
        with PartialFile(target, notes) as partial:
            partial.begin(PartialState("key", "a", '"a"', DATE.decode(), '"a"', 10))
            partial.write(0, b"123")
            if spread:
                partial.allow_holes()
                partial.write(5, b"67")
        valid, half = notes.read_bytes(), partial.path.read_bytes()

        @given(st.one_of(mutated(valid), free()))
        @tried(200)
        def read(data: bytes) -> None:
            notes.write_bytes(data)
            partial.path.write_bytes(half)
            with hostile(), PartialFile(target, notes) as again:
                assert 0 <= again.size <= len(half) and 0 <= again.prefix <= len(half)
                assert 0 <= again.offset("key", True, 10) <= len(half)
                assert again.total(None) is None or isinstance(again.total(None), int)
                if again.state is not None:
                    again.resume(replace(again.state, boot=""))
                    again.write(again.prefix, b"90")
                    again.sync()

        read()
