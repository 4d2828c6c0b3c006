"""Proxies that the environment names: which address goes through which, and what is the proxy's fault.

What is fetched is not known here.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any
from urllib.request import getproxies

import httpx

from mseg_wizard.progress import Problem, printable

TRIED = 10.0
"""Seconds that a proxy gets for each answer when it is tried."""


class ProxyFailed(httpx.ProxyError):
    """The proxy is at fault, not the site behind it; in the user's words."""

    def __init__(self, why: str, request: httpx.Request, final: bool) -> None:
        super().__init__(why, request=request)
        self.final = final
        """It said no: asking again changes nothing."""


@dataclass(frozen=True)
class Proxy:
    """One proxy, and what names it."""

    url: httpx.URL = field(repr=False)
    named_by: str
    """HTTPS_PROXY, or the like."""

    @property
    def title(self) -> str:
        """Never its user name or password."""
        host = f"[{self.url.host}]" if ":" in self.url.host else self.url.host
        port = f":{self.url.port}" if self.url.port else ""
        return f"the proxy {printable(f'{self.url.scheme}://{host}{port}', 200)} that {self.named_by} names"

    def refuses(self, answer: str) -> str:
        """What its answer means, such as "407 Proxy Authentication Required", in the user's words."""
        if answer.startswith("407"):
            ways = "as http://name:password@proxy" if not self.url.userinfo else "and not the ones that are there"
            return f"{self.title} wants a user name and a password ({answer}): put them into {self.named_by}, {ways}"
        return f"{self.title} does not let this through ({printable(answer, 100)})"


@dataclass(frozen=True)
class Proxies:
    """Which addresses are asked through which proxy."""

    by_scheme: Mapping[str, Proxy]
    """http, https, all."""
    direct: tuple[str, ...] = ()
    """What is asked without one: names with all below them, addresses, ranges of addresses; `*`: everything."""

    @classmethod
    def of_environment(cls) -> Proxies:
        """Raises Problem where a proxy is named that can't be one."""
        found = getproxies()
        named: dict[str, Proxy] = {}
        for scheme in ("http", "https", "all"):
            # Desktops set all three, and the last to what the first two leave nothing for.
            if (text := found.get(scheme, "").strip()) and not (scheme == "all" and len(named) == 2):
                named[scheme] = _proxy(text, _variable(f"{scheme}_proxy"))
        rows = found.get("no", "").replace(" ", ",").split(",")
        return cls(named, tuple(row.strip().lower() for row in rows if row.strip()))

    def for_address(self, url: httpx.URL) -> Proxy | None:
        """The proxy that `url` is asked through; None: it is asked directly, as this machine always is."""
        proxy = self.by_scheme.get(url.scheme) or self.by_scheme.get("all")
        return None if proxy is None or _here(url.host) or any(_covers(row, url) for row in self.direct) else proxy


class ProxyTransport(httpx.BaseTransport):
    """Sends each request directly or through its proxy, and names the proxy where that is at fault."""

    def __init__(self, context: ssl.SSLContext, proxies: Proxies) -> None:
        self._context, self._proxies = context, proxies
        self._ways: dict[Proxy | None, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        proxy = self._proxies.for_address(request.url)
        if proxy is None:
            return self._way(None).handle_request(request)
        met = _Met(request.extensions.get("trace"))
        request.extensions = {**request.extensions, "trace": met}
        try:
            response = self._way(proxy).handle_request(request)
        except httpx.ProxyError as error:
            answer = str(error)
            raise ProxyFailed(proxy.refuses(answer), request, not answer.startswith("5")) from None
        except httpx.TransportError as error:
            if met.behind(proxy, request.url):
                raise
            why = f"no connection to {proxy.title}" if not met.connected else f"{proxy.title} does not answer"
            detail = printable(str(error), 120)
            raise ProxyFailed(why + (f" ({detail})" if detail else ""), request, final=False) from error
        if response.status_code == 407:
            response.close()
            answer = f"407 {response.reason_phrase}".strip()
            raise ProxyFailed(proxy.refuses(answer), request, final=True)
        return response

    def close(self) -> None:
        for way in self._ways.values():
            way.close()

    def _way(self, proxy: Proxy | None) -> httpx.HTTPTransport:
        if proxy not in self._ways:
            through = None
            if proxy:
                through = httpx.Proxy(proxy.url, ssl_context=self._context if proxy.url.scheme == "https" else None)
            limits = httpx.Limits(max_keepalive_connections=0)  # nothing is kept between two requests
            self._ways[proxy] = httpx.HTTPTransport(verify=self._context, proxy=through, limits=limits, trust_env=False)
        return self._ways[proxy]


class _Met:
    """How far a request through a proxy came, by what httpcore says of it."""

    def __init__(self, following: Callable[[str, Mapping[str, Any]], None] | None) -> None:
        self._following = following
        self.connected = False
        self._begun = self._secured = 0
        """How often TLS was begun, and came about: with a proxy of https:// first, with the site behind it then."""

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        self.connected = self.connected or event == "connection.connect_tcp.complete"
        self._begun += event.endswith("start_tls.started")
        self._secured += event.endswith("start_tls.complete")
        if self._following:
            self._following(event, info)

    def behind(self, proxy: Proxy, url: httpx.URL) -> bool:
        """Whether what failed lies behind the proxy, as far as can be told."""
        if url.scheme == "https":
            return self._begun > (proxy.url.scheme == "https")
        return self.connected and (proxy.url.scheme == "http" or bool(self._secured))


def try_proxy(proxy: Proxy, host: str, port: int = 443) -> str:
    """Why nothing gets through the proxy to a site, in the user's words; empty where something does."""
    url = proxy.url
    try:
        with socket.create_connection((url.host, _port(url)), TRIED) as plain:
            if url.scheme.startswith("socks"):
                return ""  # it listens: more would be a language of its own
            channel = plain
            if url.scheme == "https":
                channel = httpx.create_ssl_context().wrap_socket(plain, server_hostname=url.host)
            login = f"{url.username}:{url.password}".encode()
            lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
            lines += [f"Proxy-Authorization: Basic {base64.b64encode(login).decode()}"] if url.userinfo else []
            channel.sendall("\r\n".join([*lines, "", ""]).encode())
            with channel.makefile("rb") as answers:
                status = answers.readline(200).decode("latin-1").strip()
    except OSError as error:
        return f"no connection to {proxy.title} ({printable(str(error), 120)})"
    answer = status.partition(" ")[2]
    if not status.startswith("HTTP/"):
        return f"{proxy.title} is no proxy: it answers something else than HTTP"
    return "" if answer.startswith("2") else proxy.refuses(answer)


def _port(url: httpx.URL) -> int:
    return url.port or {"https": 443, "http": 80}.get(url.scheme, 1080)


def _proxy(text: str, variable: str) -> Proxy:
    with suppress(httpx.InvalidURL, UnicodeError, ValueError):
        url = httpx.URL(text if "://" in text else f"http://{text}")
        if url.host and url.scheme in ("http", "https"):
            return Proxy(url, variable)
        if url.host and url.scheme in ("socks5", "socks5h"):
            if find_spec("socksio"):
                return Proxy(url, variable)
            raise Problem(
                f"The proxy that {variable} names speaks SOCKS, for which the package socksio is not installed here.",
                f"Install socksio beside the wizard, or set {variable} to a proxy of http://.",
            )
    raise Problem(
        f"The proxy that {variable} names can't be used: it is no http:// or https:// address.",
        f"Set {variable} to one, such as http://proxy.lab.example:3128, or unset it.",
    )


def _variable(name: str) -> str:
    """Which variable of the environment it comes from; a system may name proxies in its settings too."""
    given = [each for each in (name, name.upper()) if os.environ.get(each)]
    return given[0] if given else "the system's settings"


def _here(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"


def _covers(row: str, url: httpx.URL) -> bool:
    """Whether a row of NO_PROXY is about the address; one that can't be understood is about none."""
    host = url.host.lower().rstrip(".")
    if row == "*":
        return True
    scheme, _, row = row.rpartition("://")
    if scheme not in ("", "all", url.scheme):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name, _, port = row.partition(":")
        name = name.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}")) and port in ("", str(_port(url)))
    with_port = re.fullmatch(r"\[([^]]*)\](?::(\d{1,5}))?|([^:]*):(\d{1,5})", row)
    only = with_port and (with_port[2] or with_port[4])
    with suppress(ValueError):
        place = ipaddress.ip_network((with_port[1] or with_port[3]) if with_port else row, strict=False)
        return address in place and only in (None, str(_port(url)))
    return False
