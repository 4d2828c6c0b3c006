"""`mseg-wizard sources`: every place of every archive, and what each public address answers now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from mseg_wizard.practice.server import origins
from mseg_wizard.tasks.registry import load_steps
from tests.wizard import Wizard


class Site(BaseHTTPRequestHandler):
    """Some addresses are sound, some are not."""

    def do_GET(self) -> None:
        if "ADE20K_2016" in self.path:
            self.send_error(404)
        elif "StillsRaw" in self.path:
            self._send(200, "text/html; charset=utf-8", b"<html>moved</html>")
        elif "sun_rgbd" in self.path:
            self._send(200, "application/gzip", b"x" * 1234)
        else:
            assert self.headers["Range"] == "bytes=0-0"
            self._send(206, "application/zip", b"P", "bytes 0-0/967382037")

    def _send(self, status: int, kind: str, body: bytes, content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def route() -> Iterator[list[str]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        yield [text for origin in origins(load_steps()) for text in ("--route", f"{origin}={address}")]
        server.shutdown()


@pytest.mark.slow
def test_what_each_address_answers_now(route: list[str], tmp_path: Path) -> None:
    done = Wizard(tmp_path).run("sources", "download-open", "--check", "--json", *route)
    assert done.returncode == 1, done.stderr
    rows = {row["file"]: row for row in json.loads(done.stdout)}
    answers = {file: [place["answer"] for place in row["places"] if place["answer"]] for file, row in rows.items()}
    assert answers["ADE20K_2016_07_26.zip"][0] == {"serves": False, "words": "answers 404", "bytes": None}
    assert "web page" in answers["701_StillsRaw_full.zip"][0]["words"]
    assert answers["sun_rgbd.tgz"][0] == {
        "serves": True,
        "words": "hands out 1,234 bytes, can't be resumed",
        "bytes": 1234,
    }
    assert answers["ADEChallengeData2016.zip"][0]["bytes"] == rows["ADEChallengeData2016.zip"]["bytes"]
    asked = [
        len(archive.urls) + sum(bool(known.hub) for known in archive.equivalents)
        for archive in load_steps()[1].archives
    ]
    assert [len(found) for found in answers.values()] == asked, "each public address is asked"


def test_without_asking_it_says_what_is_known_and_asks_nobody(tmp_path: Path) -> None:
    done = Wizard(tmp_path).run("sources", "--route", "https://groups.csail.mit.edu=http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert "last known: dead since 2021-02" in done.stdout
    assert "ADE20K's release of 2021: https://groups.csail.mit.edu" in done.stdout
    assert (
        "ADE20K as Hugging Face has it: https://huggingface.co/api/datasets/1aurent/ADE20K/tree/main/data"
        in done.stdout
    )
    assert "after your login: https://wilddash.cc/download/wd_both_01.zip" in done.stdout
    assert "now:" not in done.stdout
    for archive in (archive for step in load_steps() for archive in step.archives):
        assert archive.file in done.stdout


def test_a_step_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    assert Wizard(tmp_path).run("sources", "nowhere").returncode == 2
