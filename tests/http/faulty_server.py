"""A real HTTP server on this machine that misbehaves on demand, and tells what it was asked and what it sent."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

from tests.installed import needs

OLD = "Mon, 01 Jan 2018 00:00:00 GMT"


class Line:
    """So many bytes a second, however many connections there are."""

    def __init__(self, rate: float) -> None:
        self._rate, self._free, self._lock = rate, time.monotonic(), threading.Lock()

    def delay(self, count: int) -> float:
        """Seconds until so many more bytes are through."""
        with self._lock:
            self._free = max(self._free, time.monotonic()) + count / self._rate
            return self._free - time.monotonic()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one request gets. The defaults are a well-behaved server with ranges and a strong validator."""

    body: bytes = b""
    status: int | None = None
    """None: 200, or 206 and 416 as the request has it."""
    kind: str = "application/octet-stream"
    etag: str = '"one"'
    modified: str = OLD
    headers: tuple[tuple[str, str], ...] = ()
    ranges: bool = True
    """Honours `Range`."""
    if_range: bool = True
    """Honours `If-Range`; without it a part is sent whatever has changed."""
    shift: int = 0
    """A part begins so many bytes off what was asked for."""
    most: int | None = None
    """A part has at most so many bytes."""
    claims: int | str | None = None
    """Total that a part's Content-Range claims; None: the true one."""
    multipart: bool = False
    """A part comes as multipart/byteranges."""
    length: int | None = None
    """Content-Length that is announced; None: the true one."""
    framing: str = "length"
    """`length`; `chunked`; `close`: neither, the body ends with the connection."""
    cut: int | None = None
    """Bytes of this answer's body after which the connection ends."""
    reset: bool = False
    """A cut connection ends with a reset, not a farewell."""
    stall: int | None = None
    """Bytes of this answer's body after which nothing comes any more, while the connection stays open."""
    mute: bool = False
    """Not even a status line comes."""
    piece: int = 65536
    pause: float = 0.0
    """Bytes that are sent at a time, and seconds between: a limit for each connection."""
    line: Line | None = None
    """What all connections share."""


@dataclass
class Asked:
    """One request, and how it was answered."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    form: dict[str, list[str]] = field(default_factory=dict)
    target: str = ""
    """As in the request line: proxies are asked for whole addresses."""
    status: int = 0
    sent: int = 0
    """Bytes of the body."""


Plan = bytes | Path | Answer | list[Answer] | Callable[[Asked], Answer]
"""For one path: a body; a folder (whose files appear below the
path); one answer; one after another (the last stays); a rule.
"""


class FaultyServer:
    """`answers` may be changed while it runs; `log` grows."""

    def __init__(self, answers: Mapping[str, Plan], tls: tuple[Path, Path] | None = None) -> None:
        self.answers: dict[str, Plan] = dict(answers)
        self.log: list[Asked] = []
        self.stalled = threading.Event()
        """Some answer has come to its stall."""
        self.closing = threading.Event()
        self.open = self.most_open = 0
        """Bodies that are being sent; and how many there were at most."""
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def sent(self, path: str) -> list[int]:
        """Bytes of each answer's body at this path."""
        return [asked.sent for asked in self.log if asked.path == path]

    def ranges(self, path: str) -> list[str | None]:
        """The Range header of each request for this path."""
        return [asked.headers.get("Range") for asked in self.log if asked.path == path]

    def plan(self, asked: Asked) -> Answer:
        found = self.answers.get(asked.path)
        if found is None:
            found = next(
                (
                    _file(folder, prefix, asked.path)
                    for prefix, folder in self.answers.items()
                    if isinstance(folder, Path)
                ),
                None,
            )
        with self._lock:
            self.log.append(asked)
            count = self._counts[asked.path] = self._counts.get(asked.path, 0) + 1
        if isinstance(found, bytes):
            return Answer(body=found)
        if isinstance(found, Answer):
            return found
        if isinstance(found, list):
            return found[min(count, len(found)) - 1]
        return found(asked) if callable(found) else page("Not Found", status=404)

    @contextmanager
    def sending(self) -> Iterator[None]:
        with self._lock:
            self.open += 1
            self.most_open = max(self.open, self.most_open)
        try:
            yield
        finally:
            with self._lock:
                self.open -= 1

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def serving(answers: Mapping[str, Plan] | Path, tls: tuple[Path, Path] | None = None) -> Iterator[FaultyServer]:
    """A running server; a folder stands for itself at `/`."""
    server = FaultyServer({"/": answers} if isinstance(answers, Path) else answers, tls)
    try:
        yield server
    finally:
        server.close()


def page(title: str, text: str = "", status: int = 200, **more: Any) -> Answer:
    """An HTML page."""
    html = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><p>{text}</p></body></html>"
    return Answer(
        body=html.encode(), kind="text/html; charset=utf-8", status=status, etag="", modified="", ranges=False, **more
    )


def redirect(place: str, status: int = 302, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status=status, headers=(("Location", place), *headers), etag="", modified="")


def s3_error(status: int, code: str, message: str) -> Answer:
    """How S3 says no."""
    xml = (
        '<?xml version="1.0" '
        f'encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message><HostId>x</HostId></Error>'
    )
    return Answer(body=xml.encode(), kind="application/xml", status=status, etag="", modified="", ranges=False)


def _file(folder: Path, prefix: str, path: str) -> Plan | None:
    inner = path.removeprefix(prefix).lstrip("/")
    place = (folder / inner).resolve()
    if path.startswith(prefix) and inner and place.is_relative_to(folder.resolve()) and place.is_file():
        return place.read_bytes()
    return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    owner: FaultyServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave, and TLS that fails, are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        asked = Asked(
            self.command, unquote(parts.path), parse_qs(parts.query), dict(self.headers), parse_qs(text), self.path
        )
        owner = cast(_Server, self.server).owner
        answer = owner.plan(asked)
        self.close_connection = True
        if answer.mute:
            owner.stalled.set()
            self._until_left(owner)
            return
        status, body, extra = _ranged(answer, asked.headers)
        asked.status = status
        self.send_response_only(status)
        if "Date" not in dict(answer.headers):
            self.send_header("Date", self.date_time_string())
        for name, value in {
            "Content-Type": answer.kind,
            "ETag": answer.etag,
            "Last-Modified": answer.modified,
            **extra,
        }.items():
            if value:
                self.send_header(name, value)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.framing == "length":
            self.send_header("Content-Length", str(len(body) if answer.length is None else answer.length))
        elif answer.framing == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        with suppress(ConnectionError, ssl.SSLError), owner.sending():
            self._send(answer, body, asked, owner)

    do_POST = do_GET

    def _send(self, answer: Answer, body: bytes, asked: Asked, owner: FaultyServer) -> None:
        stops = [stop for stop in (answer.cut, answer.stall) if stop is not None]
        end = min([len(body), *stops])
        while asked.sent < end:
            piece = body[asked.sent : min(end, asked.sent + answer.piece)]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if answer.framing == "chunked" else piece)
            asked.sent += len(piece)
            pause = answer.line.delay(len(piece)) if answer.line else answer.pause
            if pause and owner.closing.wait(pause):
                return
        if answer.stall is not None and end == answer.stall:
            owner.stalled.set()
            self._until_left(owner)
        elif answer.cut is not None and end == answer.cut:
            if answer.reset:
                # Without lingering, close() sends a reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
        elif answer.framing == "chunked":
            self.wfile.write(b"0\r\n\r\n")

    def _until_left(self, owner: FaultyServer) -> None:
        """Wait until the client is gone, or the server is to close."""
        while not owner.closing.is_set():
            if select.select([self.connection], [], [], 0.02)[0]:
                return


def _ranged(answer: Answer, headers: Mapping[str, str]) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of an answer, as the request's Range and If-Range have it."""
    body, asked = answer.body, headers.get("Range", "")
    condition = headers.get("If-Range", "")
    unchanged = not condition or not answer.if_range or condition in (answer.etag, answer.modified)
    if answer.status is not None or not answer.ranges or not asked.startswith("bytes=") or not unchanged:
        return answer.status or 200, body, {}
    first, _, last = asked.removeprefix("bytes=").partition("-")
    start = int(first)
    total = len(body) if answer.claims is None else answer.claims
    if start >= len(body):
        return 416, b"", {"Content-Range": f"bytes */{total}"}
    start = max(0, start + answer.shift)
    part = body[start : int(last) + 1 + answer.shift if last else None][: answer.most]
    span = f"bytes {start}-{start + len(part) - 1}/{total}"
    if answer.multipart:
        inner = b"--b\r\nContent-Range: %s\r\n\r\n%s\r\n--b--\r\n" % (span.encode(), part)
        return 206, inner, {"Content-Type": "multipart/byteranges; boundary=b", "Content-Range": span}
    return 206, part, {"Content-Range": span}


def with_body(body: bytes, *answers: Answer) -> list[Answer]:
    """The same file behind several answers."""
    return [replace(answer, body=body) for answer in answers]


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine that nobody vouches for, and its key, made in `folder`; skips without openssl."""
    needs("openssl")
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    files = ["-keyout", "key.pem", "-out", "cert.pem"]
    named = ["-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*made, *files, *named], cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"
