"""Downloads beside the plain tools, as ratios of paired runs: python -m tests.benchmarks.download [curl | aria2 …]

The server is a process of its own on this machine: on two cores or fewer it shares one with what is measured, and with
the hashes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mseg_wizard.core.host import cores
from mseg_wizard.http.download import fetch
from mseg_wizard.http.remote_file import Location, PublishedFacts
from tests.benchmarks.labels import MEMORY

LARGE, LIMITED = 1 << 30, 400_000_000
"""Bytes of the file over one connection without a limit, and over connections that are limited."""
EACH = 5_000_000
"""Bytes per second of a limited connection: what some of the real servers give."""
ROUNDS = 5
BLOCK = 1 << 18

Way = Callable[[str, Path], None]
"""Fetches an address into a file."""


def main(wanted: Sequence[str]) -> None:
    print(f"{cores()} cores, shared with the server{'' if cores() <= 2 else ' only where they are busy'}")
    print(f"{'':<34} {'plain MB/s':>10} {'ours MB/s':>10} {'ratio':>6}")
    if not wanted or "curl" in wanted:
        compare("curl, one connection, hashed", "curl", curl, LARGE, None, 1)
    for connections in (2, 4, 8):
        if not wanted or "aria2" in wanted:
            compare(
                f"aria2, {connections} of {EACH / 1e6:.0f} MB/s each, hashed",
                "aria2c",
                aria2(connections),
                LIMITED,
                EACH,
                connections,
            )


def compare(name: str, program: str, plain: Way, size: int, limit: int | None, connections: int) -> None:
    """Print one line: medians, and the median of the ratios of runs that followed one another."""
    if not shutil.which(program):
        print(f"{name:<34} skipped: {program} is not on the PATH")
        return
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        file = Path(folder) / "served"
        sha256 = noise(file, size)
        with serving(file, limit) as url:
            own = ours(size, sha256, connections)
            rounds = range(ROUNDS if limit is None else 1)
            pairs = [(seconds(plain, url, Path(folder)), seconds(own, url, Path(folder))) for _ in rounds]
    slow, fast = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(theirs / its for theirs, its in pairs)
    print(f"{name:<34} {size / slow / 1e6:10.0f} {size / fast / 1e6:10.0f} {ratio:6.2f}", flush=True)


def seconds(way: Way, url: str, folder: Path) -> float:
    """From the start to the whole file, by the clock: waiting is what is measured."""
    target = folder / "fetched"
    began = time.perf_counter()
    way(url, target)
    took = time.perf_counter() - began
    target.unlink()
    return took


def ours(size: int, sha256: str, connections: int) -> Way:
    def way(url: str, target: Path) -> None:
        for _ in fetch(target, [Location(url)], PublishedFacts(bytes=size, sha256=sha256), connections=connections):
            pass

    return way


def curl(url: str, target: Path) -> None:
    subprocess.run(["curl", "--silent", "--fail", "--output", target, url], check=True)


def aria2(connections: int) -> Way:
    def way(url: str, target: Path) -> None:
        number = str(connections)
        how = ("--quiet", "--no-conf", "--file-allocation=none", "-k", "1M", "-x", number, "-s", number)
        subprocess.run(["aria2c", *how, "-d", target.parent, "-o", target.name, url], check=True)

    return way


def noise(file: Path, size: int) -> str:
    """Write a file of noise; returns its sha256."""
    block, digest = os.urandom(BLOCK), hashlib.sha256()
    with file.open("wb") as out:
        for at in range(0, size, BLOCK):
            piece = block[: size - at]
            digest.update(piece)
            out.write(piece)
    return digest.hexdigest()


# The server: as little as a server can do, so that it takes no more of the processor than it must.


@contextmanager
def serving(file: Path, limit: int | None) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.download", "--serve", str(file), str(limit or 0)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/file"
        finally:
            server.kill()


def serve(file: Path, limit: int) -> None:
    """Serve one file for ever, over each connection at most `limit` bytes a second; 0: as fast as it goes."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as door:
        print(door.getsockname()[1], flush=True)
        while True:
            threading.Thread(target=answer, args=(door.accept()[0], file, limit), daemon=True).start()


def answer(connection: socket.socket, file: Path, limit: int) -> None:
    total = file.stat().st_size
    with connection, file.open("rb") as content, suppress(OSError):
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += connection.recv(65536)
        start, stop = 0, total
        spans = [line.split(b"=")[1] for line in asked.split(b"\r\n") if line.lower().startswith(b"range: bytes=")]
        for span in spans:
            first, last = span.split(b"-")
            start, stop = int(first), int(last) + 1 if last else total
        lines = [
            "HTTP/1.1 206 Partial Content" if spans else "HTTP/1.1 200 OK",
            f"Content-Length: {stop - start}",
            'ETag: "one"',
        ]
        lines += [
            "Accept-Ranges: bytes",
            "Connection: close",
            f"Content-Range: bytes {start}-{stop - 1}/{total}" if spans else "X: x",
        ]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        began, at = time.monotonic(), start
        while at < stop:
            at += os.sendfile(connection.fileno(), content.fileno(), at, min(limit // 20 or BLOCK * 16, stop - at))
            if limit:
                time.sleep(max(0.0, began + (at - start) / limit - time.monotonic()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main(sys.argv[1:])
