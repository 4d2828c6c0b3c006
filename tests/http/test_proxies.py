"""Proxies of the environment: used where they should be, named where they are at fault, tried by doctor."""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from mseg_wizard.http.download import fetch
from mseg_wizard.http.proxies import Proxies, try_proxy
from mseg_wizard.http.remote_file import Location
from mseg_wizard.progress import Problem
from tests.conftest import ROOT
from tests.http.downloading import BODY, KNOWN, QUICK, finish, problem
from tests.http.faulty_server import Answer, page, self_signed, serving

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxy_but_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Tunnel:
    """A proxy that opens ways, whatever host is asked for, to one server; or answers CONNECT with `answer`."""

    def __init__(self, to: int = 0, answer: str = "200 OK", tls: tuple[Path, Path] | None = None) -> None:
        self.asked: list[str] = []
        self._to, self._answer = to, answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        if self._context and tls:
            self._context.load_cert_chain(*tls)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        with suppress(OSError), closing(client):
            channel = self._context.wrap_socket(client, server_side=True) if self._context else client
            head = b""
            while b"\r\n\r\n" not in head:
                if not (more := channel.recv(4096)):
                    return
                head += more
            self.asked.append(head.decode())
            channel.sendall(f"HTTP/1.1 {self._answer}\r\n\r\n".encode())
            if self._answer.startswith("200"):
                with socket.create_connection(("127.0.0.1", self._to)) as server:
                    _between(channel, server)


def _between(one: socket.socket, other: socket.socket) -> None:
    while True:
        pending = isinstance(one, ssl.SSLSocket) and one.pending()
        ready = [one] if pending else select.select([one, other], [], [])[0]
        for sender in ready:
            data = sender.recv(65536)
            if not data:
                return
            (other if sender is one else one).sendall(data)


@contextmanager
def tunnel(to: int = 0, answer: str = "200 OK", tls: tuple[Path, Path] | None = None) -> Iterator[Tunnel]:
    with closing(Tunnel(to, answer, tls)) as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("certificate"))


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_proxies_of_the_environment_are_used_but_never_for_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving({"/a.zip": BODY}) as proxy, serving({"/a.zip": BODY}) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        finish(fetch(tmp_path / "1.zip", [Location("http://archives.test/a.zip")], KNOWN, retry_policy=QUICK))
        finish(fetch(tmp_path / "2.zip", [Location(f"{server.url}/a.zip")], KNOWN, retry_policy=QUICK))
        assert [asked.target for asked in proxy.log] == ["http://archives.test/a.zip"]


@pytest.mark.parametrize("value", ["nonsense://proxy", "http://", "http://[::1", "ftp://127.0.0.1:21"])
def test_what_can_be_no_proxy_is_named_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    found = problem(fetch(tmp_path / "3.zip", [Location("http://archives.test/a.zip")], KNOWN, retry_policy=QUICK))
    assert "ALL_PROXY" in found.what and "ALL_PROXY" in found.do


def test_a_proxy_for_all_is_not_looked_at_where_none_is_left_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy.test:3128")
    monkeypatch.setenv("ALL_PROXY", "nonsense://proxy.test")
    assert set(Proxies.of_environment().by_scheme) == {"http", "https"}


@pytest.mark.skipif(find_spec("socksio") is not None, reason="what it takes is installed")
def test_a_socks_proxy_says_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5h://127.0.0.1:1080")
    with pytest.raises(Problem, match="ALL_PROXY names speaks SOCKS, for which the package socksio"):
        Proxies.of_environment()


ROWS = [
    ("[::1]", "http://archives.test/", False),
    ("localhost,127.0.0.1,[::1],fe80::/10", "http://archives.test/", False),
    ("[2001:db8::7]", "http://[2001:db8::7]/", True),
    ("2001:db8::7", "https://[2001:db8:0::7]/", True),
    ("[2001:db8::]/32", "https://[2001:db8::7]/", False),
    ("2001:db8::/32", "https://[2001:db8::7]/", True),
    ("2001:db8::/32", "https://[2001:db9::7]/", False),
    ("[2001:db8::7]:8080", "http://[2001:db8::7]:8080/", True),
    ("[2001:db8::7]:8080", "http://[2001:db8::7]/", False),
    ("10.0.0.0/8", "http://10.1.2.3/", True),
    ("10.0.0.0/8", "http://11.1.2.3/", False),
    ("10.1.2.3", "http://10.1.2.3/", True),
    ("10.1.2.3:80", "http://10.1.2.3/", True),
    ("10.1.2.3:81", "http://10.1.2.3/", False),
    ("2.3", "http://10.1.2.3/", False),
    ("lab.example", "http://files.lab.example/", True),
    (".lab.example", "http://files.lab.example/", True),
    ("*.lab.example", "http://files.lab.example/", True),
    ("lab.example", "http://notlab.example/", False),
    ("lab.example:443", "https://lab.example/", True),
    ("lab.example:443", "http://lab.example/", False),
    ("http://lab.example", "http://lab.example/", True),
    ("http://lab.example", "https://lab.example/", False),
    ("other.test lab.example", "http://lab.example/", True),
    ("*", "http://anywhere.test/", True),
    ("//[[::,:::,%%%,é,/", "http://anywhere.test/", False),
    ("", "http://localhost:9/", True),
    ("", "http://127.8.8.8/", True),
    ("", "http://[::1]/", True),
    ("", "http://anywhere.test/", False),
]


@pytest.mark.parametrize(("row", "address", "direct"), ROWS)
def test_what_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch, row: str, address: str, direct: bool) -> None:
    monkeypatch.setenv("HTTP_PROXY", "proxy.test:3128")
    monkeypatch.setenv("https_proxy", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", row)
    assert (Proxies.of_environment().for_address(httpx.URL(address)) is None) == direct


def test_an_odd_row_of_no_proxy_is_no_reason_to_fetch_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.0/8,[::1],fe80::/10")
    with serving({"/a.zip": BODY}) as server:
        finish(fetch(tmp_path / "a.zip", [Location(f"{server.url}/a.zip")], KNOWN, retry_policy=QUICK))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_dead_proxy_is_named_and_no_site_is_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    dead = f"http://me:s3cr3t-word@127.0.0.1:{closed_port()}"
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", dead)
    found = problem(fetch(tmp_path / "a.zip", [Location(f"{scheme}://kitti.test/a.zip")], KNOWN, retry_policy=QUICK))
    assert f"no connection to the proxy {dead.replace('me:s3cr3t-word@', '')} that {scheme.upper()}_PROXY names" in (
        found.what
    )
    assert "s3cr3t" not in found.what + found.do
    assert "no connection to kitti" not in found.what


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_login_is_asked_once_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with tunnel(answer="407 Proxy Authentication Required") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        found = problem(
            fetch(tmp_path / "a.zip", [Location(f"{scheme}://kitti.test/a.zip")], KNOWN, retry_policy=QUICK)
        )
        assert len(proxy.asked) == 1
    assert f"the proxy {proxy.url} that {scheme.upper()}_PROXY names wants a user name and a password" in found.what
    assert "407" in found.what


def test_a_proxy_that_lets_nothing_through_or_is_in_trouble_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for answer, requests in (("403 Forbidden by policy", 1), ("503 Busy", QUICK.tries)):
        with tunnel(answer=answer) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            found = problem(fetch(tmp_path / "a.zip", [Location("https://kitti.test/a.zip")], retry_policy=QUICK))
            assert len(proxy.asked) == requests
        assert f"the proxy {proxy.url} that HTTPS_PROXY names does not let this through ({answer})" in found.what


def test_what_lies_behind_a_proxy_is_not_its_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path]
) -> None:
    with serving({"/a.zip": BODY}, tls=certificate) as server, tunnel(server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        found = problem(fetch(tmp_path / "a.zip", [Location("https://kitti.test/a.zip")], KNOWN, retry_policy=QUICK))
        assert "its certificate can't be verified" in found.what
        assert "proxy" not in found.what
    with serving({"/a.zip": page("No", status=404)}) as plain:
        monkeypatch.setenv("HTTP_PROXY", plain.url)
        found = problem(fetch(tmp_path / "a.zip", [Location("http://kitti.test/a.zip")], KNOWN, retry_policy=QUICK))
        assert "404" in found.what and "proxy" not in found.what
        plain.answers["/a.zip"] = Answer(body=BODY, mute=True)
        impatient = replace(QUICK, tries=1, stall=0.5)
        found = problem(fetch(tmp_path / "a.zip", [Location("http://kitti.test/a.zip")], KNOWN, retry_policy=impatient))
        assert "it sent nothing for" in found.what


def test_a_proxy_that_is_spoken_to_with_tls_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path]
) -> None:
    with serving({"/a.zip": BODY}, tls=certificate) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        found = problem(fetch(tmp_path / "1.zip", [Location("http://kitti.test/a.zip")], KNOWN, retry_policy=QUICK))
        assert f"the proxy {proxy.url} that HTTP_PROXY names does not answer" in found.what
        assert "CERTIFICATE_VERIFY_FAILED" in found.what
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        finish(fetch(tmp_path / "1.zip", [Location("http://kitti.test/a.zip")], KNOWN, retry_policy=QUICK))
        assert [asked.target for asked in proxy.log] == ["http://kitti.test/a.zip"]
    # TLS within TLS: the site is reached, and its certificate is for 127.0.0.1, which nobody asks through a proxy.
    with serving({"/a.zip": BODY}, tls=certificate) as server, tunnel(server.port, tls=certificate) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        found = problem(fetch(tmp_path / "2.zip", [Location("https://kitti.test/a.zip")], KNOWN, retry_policy=QUICK))
        assert "its certificate can't be verified" in found.what and "proxy" not in found.what
        assert proxy.asked[0].startswith("CONNECT kitti.test:443")


def test_a_proxy_is_tried(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def tried(url: str) -> str:
        monkeypatch.setenv("HTTPS_PROXY", url)
        return try_proxy(Proxies.of_environment().by_scheme["https"], "archives.test")

    with serving({"/": page("Welcome")}) as server, tunnel(server.port) as works, tunnel(answer="407 Who") as asks:
        assert tried(works.url.replace("//", "//me:p%40ss@")) == ""
        assert f"Basic {base64.b64encode(b'me:p@ss').decode()}" in works.asked[0]
        assert "wants a user name and a password" in tried(asks.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        with tunnel(server.port, tls=certificate) as secured:
            assert tried(secured.url) == ""
            assert "no connection" in tried(secured.url.replace("https", "http")) or "no proxy" in tried(
                secured.url.replace("https", "http")
            )
    assert "no connection to the proxy" in tried(f"http://127.0.0.1:{closed_port()}")


def test_doctor_tries_each_proxy_and_names_it(tmp_path: Path) -> None:
    with (
        serving({}) as server,
        tunnel(server.port) as works,
        tunnel(answer="407 Proxy Authentication Required") as asks,
    ):
        environment = {
            **{name: value for name, value in os.environ.items() if name.lower() not in VARIABLES},
            "HTTPS_PROXY": works.url,
            "HTTP_PROXY": asks.url,
            "NO_PROXY": "lab.example,[::1]",
        }
        command = [sys.executable, "-m", "mseg_wizard", "doctor", "--json", "--dest", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    rows = [(row["what"], row["how"], row["fine"]) for row in json.loads(done.stdout)]
    proxies = {how: fine for what, how, fine in rows if what == "proxy"}
    assert list(proxies.values()) == [False, True]
    assert all(url in "".join(proxies) for url in (works.url, asks.url))
    assert ("no proxy", "for lab.example, [::1], and this machine", None) in rows


def test_doctor_says_what_is_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "ftp://proxy.test")
    with pytest.raises(Problem, match="HTTPS_PROXY"):
        Proxies.of_environment()
