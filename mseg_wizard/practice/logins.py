"""How the practice server's sites let people in: two login forms and signed links.

Nothing here touches a socket or a file.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

ACCOUNTS: Mapping[str, tuple[str, str]] = {
    "cityscapes": ("practice-user", "p&ss + w@rd=100%"),
    "wilddash": ("walker@practice.example", "d&sh + w!ld@50%"),
}
"""Step → (user name, password). The passwords hold what a form has to encode."""

LINKS = "https://links.practice.example"
"""Origin of the links that would come by e-mail; a reserved name, so that an unrouted request reaches nobody."""

PACKAGES: Mapping[str, str] = {"1": "gtFine_trainvaltest.zip", "3": "leftImg8bit_trainvaltest.zip"}
"""Cityscapes' packageID → file."""

_KEY = b"practice"
_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class PageResponse:
    """An answer that is no file."""

    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class FileResponse:
    """The answer is a file of the served folder."""

    name: str
    named: bool = False
    """The address does not name it, so a header does."""
    ranges: bool = True
    """Parts of it can be had, and its length is told beforehand."""


def html_page(title: str, text: str) -> str:
    """A small HTML page."""
    return f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1>{text}</body></html>\n"


def sign_link(url: str, now: datetime | None = None, hours: float = 24) -> str:
    """A link as S3 signs them: good for `hours` from `now`; it opens what it names to whoever holds it."""
    start, seconds = (now or datetime.now(UTC)).strftime(_TIME), str(round(hours * 3600))
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"PRACTICE/{start[:8]}/eu-practice-1/s3/aws4_request",
        "X-Amz-Date": start,
        "X-Amz-Expires": seconds,
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": _signature(urlsplit(url).path, start, seconds),
    }
    return f"{url}?{urlencode(query)}"


def refused(method: str, path: str, query: Mapping[str, str], now: datetime | None = None) -> PageResponse | None:
    """S3's answer to a link that is unsigned, changed or expired; None where it is good."""
    start, seconds, signature = (query.get(f"X-Amz-{part}", "") for part in ("Date", "Expires", "Signature"))
    if not signature:
        return _denied("AccessDenied", "Access Denied")
    # a link is signed for one method: HEAD with a link for GET is refused by the real service too
    if method != "GET" or not hmac.compare_digest(signature, _signature(path, start, seconds)):
        return _denied(
            "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."
        )
    end = datetime.strptime(start, _TIME).replace(tzinfo=UTC) + timedelta(seconds=int(seconds))
    if (now or datetime.now(UTC)) > end:
        times = f"<X-Amz-Expires>{seconds}</X-Amz-Expires><Expires>{end:%Y-%m-%dT%H:%M:%SZ}</Expires>"
        return _denied("AccessDenied", "Request has expired", times)
    return None


class Sessions:
    """Who is logged in where, for as long as the server runs."""

    def __init__(self, accounts: Mapping[str, tuple[str, str]] = ACCOUNTS) -> None:
        self._accounts = accounts
        self._cityscapes: set[str] = set()
        self._wilddash: set[str] = set()
        self._tokens: dict[str, set[str]] = {}
        """WildDash's csrftoken cookie → the form tokens handed out with it."""
        self._forms = 0

    def cityscapes_login(self, method: str, form: Mapping[str, str], cookies: Mapping[str, str]) -> PageResponse:
        """The form, or its answer: 302 when the password is right, the form again (200) when it is not."""
        session = cookies.get("PHPSESSID") or secrets.token_hex(13)
        cookie = (("Set-Cookie", f"PHPSESSID={session}; path=/; HttpOnly"),)
        if method == "POST" and form.get("submit") == "Login" and self._right("cityscapes", form):
            self._cityscapes.add(session)
            return PageResponse(302, headers=(*cookie, ("Location", "/downloads/")))
        said = "<p>Incorrect username or password.</p>" if method == "POST" else ""
        return PageResponse(200, _cityscapes_form(said), cookie)

    def cityscapes_file(self, query: Mapping[str, str], cookies: Mapping[str, str]) -> PageResponse | FileResponse:
        """The package, or, without a session, the login page (200)."""
        if cookies.get("PHPSESSID") not in self._cityscapes:
            return PageResponse(200, _cityscapes_form("<p>Please log in.</p>"))
        name = PACKAGES.get(query.get("packageID", ""))
        return FileResponse(name, named=True) if name else PageResponse(404, html_page("Not found", ""))

    def wilddash_login(
        self, method: str, form: Mapping[str, str], cookies: Mapping[str, str], referer: str, path: str
    ) -> PageResponse:
        """Django's form: 403 without cookie, token or Referer; 302 when
        the password is right, the form again (200) when it is not.
        """
        cookie = cookies.get("csrftoken", "")
        if method == "POST":
            if not referer or form.get("csrfmiddlewaretoken", "") not in self._tokens.get(cookie, ()):
                return PageResponse(
                    403, html_page("Forbidden (403)", "<p>CSRF verification failed. Request aborted.</p>")
                )
            if self._right("wilddash", form):
                session, fresh = secrets.token_hex(16), secrets.token_urlsafe(24)
                self._wilddash.add(session)
                self._tokens[fresh] = set()
                headers = (
                    f"sessionid={session}; HttpOnly; Path=/; SameSite=Lax",
                    f"csrftoken={fresh}; Path=/; SameSite=Lax",
                )
                return PageResponse(
                    302, headers=(*(("Set-Cookie", value) for value in headers), ("Location", "/downloads/"))
                )
        if cookie not in self._tokens:
            cookie = secrets.token_urlsafe(24)
        token = secrets.token_urlsafe(48)
        self._tokens.setdefault(cookie, set()).add(token)
        self._forms += 1
        mark = "'" if self._forms % 2 else '"'  # templates differ in their quotes, and both have been met
        said = (
            "<ul class='errorlist'><li>Please enter a correct username and password.</li></ul>"
            if method == "POST"
            else ""
        )
        fields = (
            f"<input type={mark}hidden{mark} name={mark}csrfmiddlewaretoken{mark} value={mark}{token}{mark}>" + _FIELDS
        )
        body = html_page("Log in", f'{said}<form method="post" action="{quote(path)}">{fields}</form>')
        return PageResponse(200, body, (("Set-Cookie", f"csrftoken={cookie}; Path=/; SameSite=Lax"),))

    def wilddash_file(self, path: str, cookies: Mapping[str, str]) -> PageResponse | FileResponse:
        """The file, or, without a session, the way to the login page (302)."""
        if cookies.get("sessionid") not in self._wilddash:
            return PageResponse(302, headers=(("Location", f"/accounts/login/?next={quote(path)}"),))
        return FileResponse(unquote(path.rsplit("/", 1)[-1]))

    def _right(self, site: str, form: Mapping[str, str]) -> bool:
        user, password = self._accounts[site]
        return (form.get("username"), form.get("password")) == (user, password)


def fields(text: str) -> dict[str, str]:
    """A query or a form body as a table; a later value wins."""
    return {key: values[-1] for key, values in parse_qs(text, keep_blank_values=True).items()}


_FIELDS = (
    '<input name="username"><input name="password" type="password"><input type="submit" name="submit" value="Login">'
)


def _cityscapes_form(said: str) -> str:
    return html_page("Login", f'{said}<form method="post" action="/login">{_FIELDS}</form>')


def _signature(path: str, start: str, seconds: str) -> str:
    return hmac.new(_KEY, "\n".join((unquote(path), start, seconds)).encode(), hashlib.sha256).hexdigest()


def _denied(code: str, message: str, more: str = "") -> PageResponse:
    error = f"<Code>{code}</Code><Message>{message}</Message>{more}<RequestId>PRACTICE</RequestId>"
    return PageResponse(
        403, f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{error}</Error>', content_type="application/xml"
    )
