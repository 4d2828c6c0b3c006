"""Links that mail filters and web sites put around others: Safe Links and its like, unwrapped without asking them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qs, unquote, urlsplit

DEEP = 4
"""Wrappers around wrappers that are taken off; a message that was passed on has one of each."""

_V3 = re.compile(r"/v3/__(?P<inner>.+?)__;(?P<left_out>[^!]*)", re.DOTALL)


def unwrapped(link: str) -> tuple[str, str]:
    """The link inside and the outermost wrapper's name; the link itself and "" where it is none."""
    name = ""
    for _ in range(DEEP):
        inner, by = _inner(link)
        if not by:
            break
        link, name = inner, name or by
    return link, name


def _inner(link: str) -> tuple[str, str]:
    with suppress(ValueError, binascii.Error):
        parts = urlsplit(link)
        host = (parts.hostname or "").lower()
        for pattern, path, name, read in WRAPPERS:
            if re.fullmatch(pattern, host) and parts.path.startswith(path):
                inner = read(link)
                if re.match("https?://", inner, re.IGNORECASE):
                    return inner, name
    return link, ""


def _parameter(*names: str) -> Callable[[str], str]:
    """From the query, decoded once."""

    def read(link: str) -> str:
        query = parse_qs(urlsplit(link).query)
        return next((query[name][0] for name in names if name in query), "")

    return read


def _proofpoint_2(link: str) -> str:
    written = _parameter("u")(link)
    return unquote(written.translate(str.maketrans("-_", "%/")))


def _proofpoint_3(link: str) -> str:
    """`*` stands for a character that is kept in base64 behind the link, `**x` for a run of them."""
    found = _V3.search(link)
    if not found:
        return ""
    left_out = base64.urlsafe_b64decode(found["left_out"] + "=" * (-len(found["left_out"]) % 4)).decode("utf-8")
    at = 0

    def put_back(star: re.Match[str]) -> str:
        nonlocal at
        count = _RUNS.index(star[1]) + 2 if star[1] else 1
        part, at = left_out[at : at + count], at + count
        return part

    inner = re.sub(r"\*(?:\*(.))?", put_back, found["inner"])
    return re.sub("^(https?):/(?=[^/])", r"\1://", inner)


_RUNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""The letter says how many characters: A two, B three, and so on."""


def _sophos(link: str) -> str:
    written = _parameter("u")(link)
    return base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)).decode("utf-8")


def _last_of_path(link: str) -> str:
    return unquote(urlsplit(link).path.rsplit("/", 1)[-1])


WRAPPERS: tuple[tuple[str, str, str, Callable[[str], str]], ...] = (
    (r"(.*\.)?safelinks\.protection\.outlook\.(com|us|de|cn)", "/", "Safe Links", _parameter("url")),
    (
        r"statics\.teams\.(cdn\.office\.net|microsoft\.com)",
        "/evergreen-assets/safelinks",
        "Safe Links",
        _parameter("url"),
    ),
    (r"urldefense\.(com|us)", "/v3/__", "URL Defense", _proofpoint_3),
    (r"urldefense\.proofpoint\.com", "/v2/url", "URL Defense", _proofpoint_2),
    (r"urldefense\.proofpoint\.com", "/v1/url", "URL Defense", _parameter("u")),
    (r"(www\.)?google(\.[a-z]{2,3}){1,2}", "/url", "Google", _parameter("q", "url")),
    (r"linkprotect\.cudasvc\.com", "/url", "Link Protect", _parameter("a")),
    (r"protect\d*\.fireeye\.com", "/", "FireEye", _parameter("u")),
    (r"clicktime\.symantec\.com", "/", "Click Time", _parameter("u")),
    (r"(.*\.)?protection\.sophos\.com", "/", "Sophos", _sophos),
    (r"secure-web\.cisco\.com", "/", "Cisco", _last_of_path),
    (r"(lm?|www)\.facebook\.com", "/l.php", "Facebook", _parameter("u")),
    (r"(www\.)?slack-redir\.net", "/link", "Slack", _parameter("url")),
    (r"(www\.)?linkedin\.com", "/redir/redirect", "LinkedIn", _parameter("url")),
    (r"(.*\.)?trendmicro\.com", "/wis/clicktime", "Trend Micro", _parameter("url")),
)
"""Host (whole), beginning of the path, name, how the link inside is read."""
