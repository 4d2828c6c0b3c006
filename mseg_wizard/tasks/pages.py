"""What a server's answer is if it is not the file: login pages, portals, error documents, requests to wait. Pure: bytes and headers in."""

from __future__ import annotations

import html
import re
import tarfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

HEAD = 512
"""First bytes of a file by which it is known: one tar header."""
BODY = 65536
"""Bytes of a page that are read to name it."""

_TEXT = re.compile(
    rb"^(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|title|script|meta|\?xml|error)\b", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class Page:
    """A document that came in a file's place."""

    title: str
    """Its own title or error code; foreign text, to be cleaned before it is shown."""
    login: bool = False


def page(head: bytes, content_type: str = "", encoding: str = "") -> Page | None:
    """The page that these first bytes begin, None where they are no HTML or XML."""
    if encoding.lower() in ("gzip", "x-gzip", "deflate"):
        head = _inflated(head)
    if not _TEXT.match(head):
        return None
    charset = re.search(r"charset=[\"']?([\w-]+)", content_type)
    try:
        text = head.decode(charset[1] if charset else "utf-8", "replace")
    except LookupError:
        text = head.decode("utf-8", "replace")
    code, message = _element(text, "Code"), _element(text, "Message")
    title = ": ".join(filter(None, (code, message))) if code else _element(text, "title") or _element(text, "h1")
    return Page(title, bool(re.search(r"<input\b[^>]*\btype\s*=\s*[\"']?password", text, re.IGNORECASE)))


def misfit(name: str, head: bytes) -> str:
    """Why a file called `name` cannot begin with these bytes, in words that follow "it"; empty where it can."""
    name = name.lower()
    if name.endswith((".tar.gz", ".tgz")):
        # Looking inside too: some servers compress what is compressed already.
        inner = _inflated(head)
        return "" if head.startswith(b"\x1f\x8b") and (len(inner) < HEAD or _tar(inner)) else "is not a gzipped tar archive"
    if name.endswith(".gz"):
        return "" if head.startswith(b"\x1f\x8b") else "is not a gzip file"
    if name.endswith(".tar"):
        return "" if _tar(head) else "is not a tar archive"
    if name.endswith(".zip"):
        return "" if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) else "is not a zip archive"
    return ""


def wait_asked(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for, as a number or as a date against the server's own clock; None where it does not say."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    with suppress(ValueError, TypeError):
        when = _date(text)
        now = datetime.now(UTC)
        with suppress(ValueError, TypeError):
            now = _date(headers.get("date", ""))
        return max(0.0, (when - now).total_seconds())
    return None


def validator(headers: Mapping[str, str]) -> str:
    """What `If-Range` may carry: a strong ETag, or a Last-Modified that was a minute old when it was sent; else empty."""
    etag = headers.get("etag", "")
    if etag.startswith('"'):
        return etag
    with suppress(ValueError, TypeError):
        if (_date(headers.get("date", "")) - _date(headers.get("last-modified", ""))).total_seconds() >= 60:
            return headers["last-modified"]
    return ""


def _date(text: str) -> datetime:
    when = parsedate_to_datetime(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _element(text: str, name: str) -> str:
    found = re.search(rf"<{name}\b[^>]*>(.*?)</{name}\s*>", text, re.IGNORECASE | re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", " ", found[1])).strip() if found else ""


def _inflated(data: bytes) -> bytes:
    with suppress(zlib.error):
        return zlib.decompressobj(47).decompress(data, BODY)
    return b""


def _tar(head: bytes) -> bool:
    with suppress(tarfile.HeaderError):
        tarfile.TarInfo.frombuf(head[:HEAD], "utf-8", "surrogateescape")
        return True
    return False
