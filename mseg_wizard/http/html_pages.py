"""What a server's response is if it is not the file: login pages, portals, error documents, requests to wait.

Pure: bytes and headers in.
"""

from __future__ import annotations

import codecs
import html
import re
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

HEAD = 512
"""First bytes of a file by which it is known: one tar header."""
BODY = 65536
"""Bytes of a page that are read to name it."""

# Of every pattern here the time grows with the text alone, whoever
# wrote the text: none starts over what another part of it may hold.
_TEXT = re.compile(
    rb"(\xef\xbb\xbf)?\s*(?>(?:<!--.*?-->\s*)*)<(!doctype\s+html|html|head|body|title|script|meta|\?xml|error)\b",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"<[^<>]*>")
_HIDDEN = re.compile(r"<(script|style)\b|<!--", re.IGNORECASE)
_END = {"": re.compile("-->"), **{name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in ("script", "style")}}
_NO_DATE = (ValueError, TypeError, OverflowError, IndexError)
"""What Python's parser of dates raises."""
_CHARSETS = re.compile(r"ascii|utf-?\d+|iso8859-\d+|cp125\d|koi8-[rtu]|big5|gbk?|gb2312|gb18030|shift_jis|euc_..")


@dataclass(frozen=True)
class HtmlPage:
    """A document that came in a file's place."""

    title: str
    """Its own title or error code; foreign text, to be cleaned before it is shown."""
    login: bool = False


def detect_page(head: bytes, content_type: str = "", encoding: str = "") -> HtmlPage | None:
    """The page that these first bytes begin, None where they are no HTML or XML."""
    if encoding.lower() in ("gzip", "x-gzip", "deflate"):
        head = _inflated(head)
    if not _TEXT.match(head):
        return None
    text = text_of(head, content_type)
    code, message = _element(text, "Code"), _element(text, "Message")
    title = ": ".join(filter(None, (code, message))) if code else _element(text, "title") or _element(text, "h1")
    return HtmlPage(title, bool(re.search(r"<input\b[^<>]*\btype\s*=\s*[\"']?password", text, re.IGNORECASE)))


def body(chunks: Iterable[bytes], headers: Mapping[str, str], most: int = BODY) -> bytes:
    """The first `most` bytes of a response's body, uncompressed here: HTTP libraries do so without bounds."""
    data = b""
    for chunk in chunks:
        data += chunk
        if len(data) >= most:
            break
    compressed = headers.get("content-encoding", "").lower() in ("gzip", "x-gzip", "deflate")
    return (_inflated(data, most) if compressed else data)[:most]


def text_of(body: bytes, content_type: str = "") -> str:
    """A page's text by the charset that its server names, as far as that is one of pages; else as UTF-8."""
    named = re.search(r"charset=[\"']?([\w-]{1,40})", content_type)
    with suppress(LookupError, ValueError):
        # Python knows others too: some raise what they like, some take an hour.
        if named and _CHARSETS.fullmatch(codecs.lookup(named[1]).name):
            return body.decode(named[1], "replace")
    return body.decode("utf-8", "replace")


def untagged(text: str) -> str:
    """What a person would read of a page, with blanks where its tags, scripts, styles and comments were."""
    parts, at = [], 0
    while hidden := _HIDDEN.search(text, at):
        parts.append(text[at : hidden.start()])
        end = _END[(hidden[1] or "").lower()].search(text, hidden.end())
        if end is None:
            at = len(text)
            break
        at = end.end()
    return _TAG.sub(" ", " ".join([*parts, text[at:]]))


def wrong_beginning(name: str, head: bytes) -> str:
    """Why a file called `name` cannot begin with these bytes, in words that follow "it"; empty where it can."""
    name = name.lower()
    if name.endswith((".tar.gz", ".tgz")):
        # Looking inside too: some servers compress what is compressed already.
        inner = _inflated(head)
        return (
            ""
            if head.startswith(b"\x1f\x8b") and (len(inner) < HEAD or _tar(inner))
            else "is not a gzipped tar archive"
        )
    if name.endswith(".gz"):
        return "" if head.startswith(b"\x1f\x8b") else "is not a gzip file"
    if name.endswith(".tar"):
        return "" if _tar(head) else "is not a tar archive"
    if name.endswith(".zip"):
        return "" if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) else "is not a zip archive"
    return ""


def known_beginning(name: str) -> bool:
    """Whether it is known how a file called `name` begins."""
    return name.lower().endswith((".gz", ".tgz", ".tar", ".zip"))


def wait_asked(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for, as a number or as a date
    against the server's own clock; None where it does not say.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    with suppress(*_NO_DATE):
        when = _date(text)
        now = datetime.now(UTC)
        with suppress(*_NO_DATE):
            now = _date(headers.get("date", ""))
        return max(0.0, (when - now).total_seconds())
    return None


def validator(headers: Mapping[str, str]) -> str:
    """What `If-Range` may carry: a strong ETag, or a Last-Modified
    that was a minute old when it was sent; else empty.
    """
    etag = headers.get("etag", "")
    if re.fullmatch(r'"[\x21-\x7e]*"', etag):
        return etag
    with suppress(*_NO_DATE):
        modified = headers.get("last-modified", "")
        if modified.isascii() and (_date(headers.get("date", "")) - _date(modified)).total_seconds() >= 60:
            return modified
    return ""


def _date(text: str) -> datetime:
    when = parsedate_to_datetime(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _element(text: str, name: str) -> str:
    begin = re.search(rf"<{name}\b[^<>]*>", text, re.IGNORECASE)
    end = begin and re.compile(rf"</{name}\s*>", re.IGNORECASE).search(text, begin.end())
    return _unescaped(_TAG.sub(" ", text[begin.end() : end.start()])).strip() if begin and end else ""


def _unescaped(text: str) -> str:
    with suppress(ValueError):  # a character of some thousand digits
        return html.unescape(text)
    return text


def _inflated(data: bytes, most: int = BODY) -> bytes:
    with suppress(zlib.error):
        return zlib.decompressobj(47).decompress(data, most)
    return b""


def _tar(head: bytes) -> bool:
    with suppress(tarfile.HeaderError):
        tarfile.TarInfo.frombuf(head[:HEAD], "utf-8", "surrogateescape")
        return True
    return False
