"""The practice server: plays every web site that MSeg's archives come from, on loopback.

Who may have what is decided in logins.
"""

from __future__ import annotations

import argparse
import hashlib
import socket
import socketserver
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from urllib.parse import unquote, urlsplit

from mseg_wizard.http.hub import HUB
from mseg_wizard.practice.logins import (
    ACCOUNTS,
    LINKS,
    PACKAGES,
    FileResponse,
    PageResponse,
    Sessions,
    fields,
    html_page,
    refused,
)
from mseg_wizard.practice.served_files import ServedFile, ServedFiles, requested_range
from mseg_wizard.step import Step

_BLOCK = 1 << 16
_GITHUB = "/mseg-dataset/mseg-api/archive/"


TREE_ORIGIN = "https://github.com"


def origins(steps: Iterable[Step]) -> list[str]:
    """Every origin that the steps may ask."""
    known = tuple(steps)
    public = {
        "{0.scheme}://{0.netloc}".format(urlsplit(url))
        for step in known
        for archive in step.archives
        for url in archive.urls
    }
    return sorted({*public, TREE_ORIGIN, HUB, *(site.origin for step in known for site in step.logins), LINKS})


@dataclass(slots=True)
class Request:
    """One line of the log. Queries, forms, cookies and other headers are never in it: they hold what opens doors."""

    method: str
    path: str
    range: str
    status: int
    sent: int = 0
    """Bytes of the body handed to the network; grows while the body is sent."""


class PracticeServer:
    """Serves the files of a folder by the last part of the path, whatever comes before it; a context manager.

    `tree`: the mseg-api tree that is handed out as a zip, else the folder's own `mseg-api/`. `limit`: bytes per second
    on each connection. `cut`: a seed; the first one to three bodies of each file then break off after a random number
    of bytes. `redirects`: plain downloads are first sent to another address of the same origin. `gone`: paths at which
    there is no file, to whoever may ask for it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tree: Path | None = None,
        port: int = 0,
        limit: int | None = None,
        cut: int | None = None,
        redirects: bool = False,
        gone: Collection[str] = (),
        accounts: Mapping[str, tuple[str, str]] = ACCOUNTS,
    ) -> None:
        self.log: list[Request] = []
        files = ServedFiles(folder, tree or folder / "mseg-api")
        self._http = _Http(port, files, Sessions(accounts), self.log, limit, _Cutter(cut), redirects, frozenset(gone))
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="practice server", daemon=True
        )

    @property
    def url(self) -> str:
        """Its origin, without a slash at the end."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> PracticeServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.stop()
        self._thread.join()


class _Cutter:
    """Decides which bodies break off; the same seed decides alike,
    whatever the order of the requests for different files.
    """

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._bodies: Counter[str] = Counter()

    def after(self, name: str, length: int) -> tuple[int, bool] | None:
        """(bytes after which this body breaks off, whether with a reset), or None for a whole one."""
        if self._seed is None or length == 0:
            return None
        with self._lock:
            self._bodies[name] += 1
            turn = self._bodies[name]
        if turn > Random(f"{self._seed}/{name}").randrange(1, 4):  # noqa: S311  (faults, not keys)
            return None
        random = Random(f"{self._seed}/{name}/{turn}")  # noqa: S311
        return random.randrange(length), random.random() < 0.5


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        port: int,
        files: ServedFiles,
        sessions: Sessions,
        log: list[Request],
        limit: int | None,
        cutter: _Cutter,
        redirects: bool,
        gone: frozenset[str],
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.files, self.sessions, self.log = files, sessions, log
        self.limit, self.cutter, self.redirects, self.gone = limit, cutter, redirects, gone
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.connections: set[socket.socket] = set()

    def server_bind(self) -> None:
        """Without the look-up of the host's full name that HTTPServer
        adds: it may take seconds on a machine without a network.
        """
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def stop(self) -> None:
        """Stop listening and hang up on everybody."""
        self.stopping.set()
        self.shutdown()
        with self.lock:
            for connection in self.connections:
                with suppress(OSError):  # it may have ended by itself
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news here; anything else is told as usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "practice"
    disable_nagle_algorithm = True
    server: _Http

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections.add(self.connection)

    def finish(self) -> None:
        with self.server.lock:
            self.server.connections.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        self._answer("")

    def do_HEAD(self) -> None:
        self._answer("")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace"))

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal: a request line may hold a signed link."""

    def _answer(self, form: str) -> None:
        address = urlsplit(self.path)
        answer = self._decide(address.path, fields(address.query), fields(form))
        if isinstance(answer, PageResponse):
            self._reply(address.path, answer)
        elif address.path not in self.server.gone and (item := self.server.files.take(answer.name)):
            with item.file:
                self._file(address.path, answer, item)
        else:
            self._reply(
                address.path, PageResponse(404, html_page("Not found", "<p>The practice world has no such file.</p>"))
            )

    def _decide(self, path: str, query: Mapping[str, str], form: Mapping[str, str]) -> PageResponse | FileResponse:
        """Which site this address belongs to, and what that site says."""
        sessions, cookies, name = self.server.sessions, self._cookies(), unquote(path.rsplit("/", 1)[-1])
        if path == "/login":
            return sessions.cityscapes_login(self.command, form, cookies)
        if path.rstrip("/") == "/accounts/login":
            return sessions.wilddash_login(self.command, form, cookies, self.headers.get("Referer", ""), path)
        if self.command == "POST":
            return PageResponse(405, html_page("Method not allowed", ""))
        if path in ("/", "/downloads/"):
            return PageResponse(200, html_page("Downloads", "<p>The practice server stands here for every site.</p>"))
        if path.rstrip("/") == "/file-handling":
            return sessions.cityscapes_file(query, cookies)
        if path.rstrip("/") == "/md5-sum":
            return self._md5(PACKAGES.get(query.get("packageID", ""), ""))
        if path.startswith("/download/"):
            return sessions.wilddash_file(path, cookies)
        if path.startswith("/signed/") or "X-Amz-Signature" in query:
            return refused(self.command, path, query) or FileResponse(name)
        if path.startswith(("/s/", "/scl/")) and query.get("dl") != "1":
            return PageResponse(
                200, html_page(name, "<p>A preview. The file itself is at the same address with dl=1.</p>")
            )
        if path.startswith(_GITHUB) and name.endswith(".zip"):
            return FileResponse(f"mseg-api-{name}", named=True, ranges=False)
        if self.server.redirects and not path.startswith("/served/"):
            return PageResponse(302, headers=(("Location", f"/served/{name}"),))
        return FileResponse(name)

    def _cookies(self) -> dict[str, str]:
        try:
            return {key: morsel.value for key, morsel in SimpleCookie(self.headers.get("Cookie", "")).items()}
        except CookieError:
            return {}

    def _md5(self, name: str) -> PageResponse:
        item = self.server.files.take(name)
        if item is None:
            return PageResponse(404, html_page("Not found", ""))
        with item.file as file:
            return PageResponse(
                200, f"{hashlib.file_digest(file, 'md5').hexdigest()}  {name}\n", content_type="text/plain"
            )

    def _begin(self, path: str, status: int) -> Request:
        """The status line, and the log's line before it: whoever has the answer finds it in the log."""
        seen = Request(self.command, path, self.headers.get("Range", ""), status)
        self.server.log.append(seen)
        self.send_response(status)
        return seen

    def _reply(self, path: str, reply: PageResponse) -> None:
        body = reply.body.encode()
        seen = self._begin(path, reply.status)
        for key, value in reply.headers:
            self.send_header(key, value)
        if body:
            self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(body)))
        seen.sent = 0 if self.command == "HEAD" else len(body)
        self.end_headers()
        self.wfile.write(body[: seen.sent])

    def _file(self, path: str, answer: FileResponse, item: ServedFile) -> None:
        """Send a file or the part that was asked for."""
        dated = formatdate(item.changed, usegmt=True)
        same = self.headers.get("If-Range", item.etag) in (item.etag, dated)
        asked = requested_range(self.headers.get("Range", ""), item.size) if answer.ranges and same else None
        first, last = asked or (0, item.size - 1)
        status = 200 if asked is None else 206 if first < item.size else 416
        length = 0 if status == 416 else last - first + 1
        seen = self._begin(path, status)
        self.send_header("Content-Type", item.content_type)
        self.send_header("ETag", item.etag)
        self.send_header("Last-Modified", dated)
        if answer.named:
            self.send_header("Content-Disposition", f'attachment; filename="{answer.name}"')
        if status != 200:
            self.send_header(
                "Content-Range", f"bytes {first}-{last}/{item.size}" if status == 206 else f"bytes */{item.size}"
            )
        if answer.ranges:
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(length))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command != "HEAD":
            item.file.seek(first)
            self._body(item, seen, length, answer)

    def _body(self, item: ServedFile, seen: Request, length: int, answer: FileResponse) -> None:
        limit, started = self.server.limit, time.monotonic()
        cut, reset = self.server.cutter.after(answer.name, length) or (None, False)
        end = length if cut is None else cut
        block = min(_BLOCK, max(1, limit // 20)) if limit else _BLOCK
        while seen.sent < end:
            data = item.file.read(min(block, end - seen.sent))
            seen.sent += len(data)
            self.wfile.write(data if answer.ranges else f"{len(data):x}\r\n".encode() + data + b"\r\n")
            if limit and self.server.stopping.wait(max(0.0, started + seen.sent / limit - time.monotonic())):
                cut = seen.sent
                break
        if cut is not None:
            self._hang_up(reset)
        elif not answer.ranges:
            self.wfile.write(b"0\r\n\r\n")

    def _hang_up(self, reset: bool) -> None:
        self.close_connection = True
        if reset:  # closing with a linger time of zero sends a reset instead of an orderly end
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.connection.close()


def main() -> None:
    """Serve a folder until interrupted; prints its address first."""
    parser = argparse.ArgumentParser(
        prog="python -m mseg_wizard.practice.server", description="Serve archives as their web sites do."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--limit", type=int, metavar="BYTES/S", help="on each connection")
    parser.add_argument("--cut", type=int, metavar="SEED", help="break the first downloads of each file off")
    given = parser.parse_args()
    with (
        PracticeServer(given.folder, port=given.port, limit=given.limit, cut=given.cut) as server,
        suppress(KeyboardInterrupt),
    ):
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
