"""HTTP as this project speaks it: hop by hop, cookies and credentials by origin, nothing secret shown.

What is fetched is not known here.
"""

from __future__ import annotations

import base64
import logging
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import copy
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from http.cookies import CookieError, SimpleCookie
from typing import Any

import httpx

from mseg_wizard import __version__
from mseg_wizard.core.background import Job
from mseg_wizard.core.log import LEAST, quotes
from mseg_wizard.http.addresses import Routes, joined_address, origin
from mseg_wizard.http.proxies import Proxies, ProxyTransport
from mseg_wizard.progress import Problem, printable

CONNECT = 4.5
"""Seconds for a connection, less than the 5 s that a stopped task
gets to end: a socket that is still connecting cannot be aborted.
"""
STALL = 60.0
"""Seconds without a single byte after which a connection counts as dead."""
REDIRECTS = 10
TOKEN = 16
"""Characters of a part of a path to which a redirect leads from which on it may be a token, and is not shown."""

_LOGIN = re.compile(r"(^|/)(log|sign)[-_]?in(/|\.|$)", re.IGNORECASE)

# Both log full addresses, and the queries of pasted links are bearer tokens.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)


class RedirectRefused(Exception):
    """A redirect that is not followed, in the user's words."""

    def __init__(self, why: str, login: bool = False) -> None:
        super().__init__(why)
        self.login = login


UNSHOWN = "… not shown: it repeats what was sent"


class HttpClient:
    """One task's connections: broken off when the task is closed; cookies live here, in memory, by origin."""

    def __init__(self, job: Job, routes: Routes | None = None, *, stall: float = STALL) -> None:
        self.routes = routes or Routes()
        self.cookies: dict[str, dict[str, str]] = {}
        """Origin → name → value; sent to that origin only."""
        self.headers: dict[str, dict[str, str]] = {}
        """Origin → headers that are sent to it only: credentials."""
        self._job = job
        self._stall = stall
        self._secrets: set[str] = set()
        self._lock = threading.RLock()
        self._sockets: set[socket.socket] = set()
        self._aborted = False
        self._client = _client()
        job.on_stop(self.abort)

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def branch(self) -> Iterator[HttpClient]:
        """The same, whose own connections are broken off when this ends."""
        twin = copy(self)
        twin._sockets, twin._aborted = set(), False
        self._job.on_stop(twin.abort)
        try:
            yield twin
        finally:
            twin.abort()

    def hide(self, *values: str, least: int = LEAST) -> None:
        """Have nothing shown that quotes one of these, see `clean`; shorter ones than `least` are in every text."""
        with self._lock:
            self._secrets.update(value for value in values if len(value) >= least)

    def clean(self, text: str, limit: int = 160) -> str:
        """Text from a server made fit to show, without control characters.

        None of it where it quotes a piece of a link's query, a cookie or a password: who repeats one may say more.
        """
        with self._lock:
            secrets = frozenset(self._secrets)
        if quotes(text, secrets):
            return UNSHOWN
        return printable(" ".join(text.split()), limit)

    @contextmanager
    def open(
        self,
        url: httpx.URL,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        connect: float = CONNECT,
    ) -> Iterator[httpx.Response]:
        """One request, its body still unread; a redirect is a response like any other.

        Raises httpx.TransportError, Stopped.
        """
        self._job.check()
        home = origin(url)
        own = {"Accept-Encoding": "identity", **(headers or {}), **self.headers.get(home, {})}
        with self._lock:
            if jar := self.cookies.get(home):
                own["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items() if value.isascii())
        self.hide(
            *url.params.values(),
            url.query.decode("ascii", "replace"),
            *re.split("[&=]", url.query.decode("ascii", "replace")),
        )
        timeout = httpx.Timeout(self._stall, connect=min(connect, self._stall))
        sockets: set[socket.socket] = set()
        try:
            request = self._client.build_request(
                method,
                self.routes.there(url),
                headers=own,
                data=form,
                timeout=timeout,
                extensions={"trace": partial(self._watch, sockets)},
            )
            response = self._sent(request)
            try:
                self._keep_cookies(home, response)
                yield response
            finally:
                response.close()
        except httpx.TransportError:
            self._job.check()  # a socket that we shut down ourselves looks like a failing network
            raise
        finally:
            self._forget(sockets)

    @contextmanager
    def follow(
        self,
        url: httpx.URL,
        *,
        headers: Mapping[str, str] | None = None,
        downgrade: bool = False,
        connect: float = CONNECT,
    ) -> Iterator[tuple[httpx.Response, httpx.URL]]:
        """GET through redirects: the last response and its address before routing.

        Raises RedirectRefused where one is not followed.
        """
        seen = {url}
        while True:
            with self.open(url, headers=headers, connect=connect) as response:
                onward = self._onward(url, response)
                if onward is None:
                    yield response, url
                    return
            if _LOGIN.search(onward.path):
                raise RedirectRefused(f"it redirects to the login page of {onward.host}", login=True)
            if url.scheme == "https" and onward.scheme == "http" and not downgrade:
                raise RedirectRefused(
                    f"it redirects from https to plain http on {onward.host}, where anyone on the way could change "
                    "the file"
                )
            if onward in seen:
                raise RedirectRefused("its redirects go round in a circle")
            if len(seen) > REDIRECTS:
                raise RedirectRefused(f"it redirects more than {REDIRECTS} times")
            seen.add(onward)
            url = onward

    def _onward(self, url: httpx.URL, response: httpx.Response) -> httpx.URL | None:
        place = response.headers.get("location")
        if response.status_code not in (301, 302, 303, 307, 308) or not place:
            return None
        onward = joined_address(url, place)
        if onward is None:
            raise RedirectRefused("it redirects to something that is no web address")
        self.hide(onward.path, *onward.path.split("/"), least=TOKEN)
        return self.routes.back(onward, url)

    def _sent(self, request: httpx.Request) -> httpx.Response:
        try:
            return self._client.send(request, stream=True)
        # httpx looks at where a redirect leads, whether it is to follow or not.
        except (httpx.InvalidURL, UnicodeError):
            raise httpx.RemoteProtocolError("Invalid URL in location header", request=request) from None

    def authorize(self, url: httpx.URL) -> httpx.URL:
        """`url` without its `user:password@`, which from now on is
        sent to its origin, as HTTP's basic authorization.
        """
        if not url.userinfo:
            return url
        pair = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
        self.hide(url.username, url.password, url.userinfo.decode("ascii", "replace"), pair.rstrip("="))
        self.headers.setdefault(origin(url), {})["Authorization"] = f"Basic {pair}"
        return url.copy_with(userinfo=b"")

    def _keep_cookies(self, home: str, response: httpx.Response) -> None:
        with self._lock:
            jar = self.cookies.setdefault(home, {})
            for line in response.headers.get_list("set-cookie"):
                with suppress(CookieError):
                    for name, morsel in SimpleCookie(line).items():
                        self.hide(morsel.value)
                        if morsel.value and morsel["max-age"] != "0":
                            jar[name] = morsel.coded_value
                        else:
                            jar.pop(name, None)

    def _watch(self, sockets: set[socket.socket], event: str, info: Mapping[str, Any]) -> None:
        """Called by httpcore: a second handle on each new connection,
        good for shutting it down whatever TLS makes of the first.
        """
        if event != "connection.connect_tcp.complete":
            return
        stream = info["return_value"]
        with self._lock:
            if not self._aborted:
                connection = stream.get_extra_info("socket").dup()
                sockets.add(connection)
                self._sockets.add(connection)
                return
        stream.close()
        self._job.check()
        raise httpx.ConnectError("broken off")

    def abort(self) -> None:
        """Break off what is open, and let nothing more be opened."""
        with self._lock:
            self._aborted = True
            for connection in self._sockets:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _forget(self, sockets: set[socket.socket]) -> None:
        with self._lock:
            for connection in sockets:
                connection.close()
            self._sockets -= sockets


def _client() -> httpx.Client:
    """A client that keeps nothing between two requests: no connection,
    and no cookie (its jar goes by domain, ours by origin).
    """
    try:
        context = httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        raise Problem(
            f"The file of certificate authorities can't be read: {error.strerror or 'it holds no certificate'}.",
            "Have SSL_CERT_FILE name a PEM file, or SSL_CERT_DIR a folder of certificates, or unset them.",
        ) from None
    return httpx.Client(
        transport=ProxyTransport(context, Proxies.of_environment()),
        headers={"User-Agent": f"mseg-wizard/{__version__}"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        trust_env=False,  # its proxies and files of certificates are read above
    )
