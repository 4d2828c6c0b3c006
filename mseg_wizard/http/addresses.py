"""Web addresses: which can be asked, what of them may be shown,
when they expire, and which origin is asked in another's place.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mseg_wizard.progress import Problem, printable

if TYPE_CHECKING:  # it takes longer to load than all else here, and most starts need no address
    import httpx

_SIGNED = {"x-amz-signature", "signature", "x-goog-signature", "sig", "key-pair-id", "oh"}
"""Names in the query of links that are signed for a while: S3 (new, old), Google, Azure, CloudFront, Meta."""


def web_address(text: str | httpx.URL) -> httpx.URL | None:
    """A web address that can be asked; None where the text is none:
    httpx and sockets raise whatever they like at odd hosts and ports.
    """
    import httpx

    with suppress(httpx.InvalidURL, UnicodeError):
        url = httpx.URL(text)
        url.raw_host.decode().encode("idna")  # as the socket does
        if (
            url.scheme in ("http", "https")
            and url.host
            and "%" not in url.host
            and (url.port is None or 0 < url.port < 1 << 16)
        ):
            return url
    return None


def joined_address(url: httpx.URL, place: str) -> httpx.URL | None:
    """Where `place`, as `url` gives it, leads; None where that is no web address."""
    import httpx

    with suppress(httpx.InvalidURL, ValueError):
        # Whatever a server puts before the @ is not ours to send.
        return web_address(url.join(place).copy_with(userinfo=b"", fragment=None))
    return None


def origin(url: httpx.URL) -> str:
    """`scheme://host[:port]`, default ports left out: what cookies, credentials and routes belong to."""
    scheme, host = url.scheme.lower(), url.host.lower()
    port = f":{url.port}" if url.port and url.port != {"http": 80, "https": 443}.get(scheme) else ""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{port}"


def without_query(url: httpx.URL) -> str:
    """Origin and path: never the query, a user name or a password."""
    return printable(origin(url) + url.raw_path.split(b"?")[0].decode("ascii", "replace"), 200)


def is_signed(url: httpx.URL) -> bool:
    """Whether the link carries a signature that expires."""
    return any(name.lower() in _SIGNED for name in url.params)


def expiry(url: httpx.URL) -> datetime | None:
    """When a signed link expires, as it says itself (X-Amz-Date
    and X-Amz-Expires, Expires, or oe in hexadecimal digits); None where it does not say.
    """
    query = {name.lower(): value for name, value in url.params.items()}
    with suppress(ValueError, OverflowError, OSError):
        for brand in ("amz", "goog"):
            if lasts := query.get(f"x-{brand}-expires"):
                start = datetime.strptime(query.get(f"x-{brand}-date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                return start + timedelta(seconds=int(lasts))
        if "expires" in query:
            return datetime.fromtimestamp(int(query["expires"]), UTC)
        if "oe" in query:
            return datetime.fromtimestamp(int(query["oe"], 16), UTC)
    return None


@dataclass(frozen=True)
class Routes:
    """Which origins are asked in another's place; whose cookies and credentials they are stays with the original."""

    table: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Routes:
        """From `ORIGIN=ORIGIN`; raises Problem unless the target is https, or http on this machine."""
        table: dict[str, str] = {}
        for text in texts:
            asked, equals, instead = (part.strip() for part in text.partition("="))
            if not equals:
                raise Problem(
                    f"The route {printable(text)!r} is not ORIGIN=ORIGIN.",
                    "Write it like https://example.org=https://cache.lab.",
                )
            source, target = _bare(asked, text), _bare(instead, text)
            if target.scheme == "http" and not _loopback(target.host):
                raise Problem(
                    f"The route to {origin(target)} would send requests unencrypted over the network.",
                    "Route to https.",
                )
            if origin(source) in table:
                raise Problem(f"{origin(source)} is routed twice.", "Give each origin one route.")
            table[origin(source)] = origin(target)
        return cls(table)

    def covers(self, url: httpx.URL) -> bool:
        return origin(url) in self.table

    def there(self, url: httpx.URL) -> httpx.URL:
        """The address that is asked in `url`'s place."""
        instead = self.table.get(origin(url))
        return _moved(url, instead) if instead else url

    def back(self, url: httpx.URL, asked: httpx.URL) -> httpx.URL:
        """Where a redirect leads that `asked`'s stand-in gave: its own address means the original's."""
        instead = self.table.get(origin(asked))
        return _moved(url, origin(asked)) if instead and origin(url) == instead else url


def _bare(text: str, route: str) -> httpx.URL:
    """An origin and nothing else."""
    url = web_address(text)
    if url is not None and url.path in ("", "/") and not (url.query or url.userinfo or url.fragment):
        return url
    raise Problem(
        f"The route {printable(route)!r} is not ORIGIN=ORIGIN.",
        "An origin is a scheme, a host and perhaps a port: no path.",
    )


def _loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"


def _moved(url: httpx.URL, where: str) -> httpx.URL:
    import httpx

    base = httpx.URL(where)
    return url.copy_with(scheme=base.scheme, host=base.host, port=base.port)
