"""Logging in by a site's own form, as a browser does.

Which sites there are, and what is fetched afterwards, is not known here.
"""

from __future__ import annotations

import re
from contextlib import suppress
from html.parser import HTMLParser

import httpx

from mseg_wizard.http import html_pages
from mseg_wizard.http.addresses import joined_address, origin
from mseg_wizard.http.client import HttpClient, RedirectRefused
from mseg_wizard.http.refusals import TryAgain
from mseg_wizard.progress import Problem
from mseg_wizard.step import LoginSite
from mseg_wizard.vault import Secret

PAGE_BYTES = 1 << 20
"""Bytes of a login page that are read: some carry their scripts and pictures with them."""
SHORTEST = 3
"""Characters of a user name or password by which a page that repeats it is known."""
HOPS = 5
"""Redirects of a login page that are followed, within its own origin."""

_CLOSED = re.compile(
    r"\b(?:account|user|login)\b[^.!?]{0,60}\b(?:locked|blocked|disabled|suspended|deactivated|inactive)\b"
    r"|\blocked out\b|\btoo many [a-z ]{0,30}(?:attempts|logins|requests|tries)\b|\bcaptcha\b"
    r"|\bnot (?:yet )?(?:been )?(?:activated|confirmed|verified|approved)\b",
    re.IGNORECASE,
)
"""What a site says that refuses a right password too. Only ever read on a page that refuses one."""


class WrongCredentials(Problem):
    """The user name or the password is not right."""


def log_in(client: HttpClient, site: LoginSite, username: Secret, password: Secret) -> None:
    """Leave a session's cookies in `client`; raises WrongCredentials, Problem
    where the page is no longer what it was, TryAgain, TransportError.
    """
    client.hide(username.reveal(), password.reveal(), least=SHORTEST)
    url, form = _form(client, site)
    form |= {"username": username.reveal(), "password": password.reveal(), "submit": "Login"}
    with client.open(url, method="POST", headers={"Referer": str(url)}, form=form) as response:
        onward = _onward(client, url, response)
        if onward is None:
            raise _refusal(client, site, response)
        if response.status_code in (307, 308):  # it wants the password sent again, elsewhere
            raise _changed(site, f"its login form now leads on to {onward.host}")
    if origin(onward) == site.origin and not _session_works(client, onward):
        raise _wrong(site)


def _form(client: HttpClient, site: LoginSite) -> tuple[httpx.URL, dict[str, str]]:
    """The address of the login page, after redirects within its origin, and the hidden fields of its form."""
    url = httpx.URL(site.origin + site.path)
    for _ in range(HOPS):
        with client.open(url) as response:
            onward = _onward(client, url, response)
            if onward is None:
                return url, _fields(client, site, response)
        if origin(onward) != site.origin:
            raise _changed(site, f"its login page has moved to {onward.host}, where your password is not sent")
        url = onward
    raise _changed(site, "its login page redirects in a circle")


def _fields(client: HttpClient, site: LoginSite, response: httpx.Response) -> dict[str, str]:
    text = _text(response)
    if response.status_code != 200:
        raise _refusal(client, site, response, text)
    form = _Forms.with_password(text)
    if form is None:
        raise _changed(site, f"its login page has no form that asks for a password{_titled(client, response, text)}")
    if not {"username", "password"} <= form.keys():
        raise _changed(site, f"its login form asks for other things than before{_titled(client, response, text)}")
    if site.token and not form.get(site.token):
        raise _changed(site, f"its login page lacks what belongs to it{_titled(client, response, text)}")
    return {name: value for name, value in form.items() if value is not None}


def _refusal(
    client: HttpClient, site: LoginSite, response: httpx.Response, text: str | None = None
) -> Problem | TryAgain:
    """What a response means that is neither a login page to fill in nor a way in."""
    status = response.status_code
    text = _text(response) if text is None else text
    titled = _titled(client, response, text)
    if status in (408, 425, 429) or status >= 500:
        return TryAgain(f"its login answered {status}{titled}", html_pages.wait_asked(response.headers))
    said = _CLOSED.search(_visible(text))
    if said:
        return Problem(
            f"{site.name} does not let this account in: its page{titled} says “{client.clean(said[0])}”.",
            f"Log in with a browser at {site.origin}{site.path} and do what it asks for, then start again.",
        )
    page = html_pages.detect_page(text.encode())
    if status == 200 and page and page.login:
        return _wrong(site)
    if status in (401, 403):
        return Problem(
            f"{site.name} refuses the login: it answered {status}{titled}.",
            f"See with a browser at {site.origin}{site.path} whether you can log in, then start again.",
        )
    return _changed(site, f"its login answered {status}{titled}")


def _wrong(site: LoginSite) -> WrongCredentials:
    return WrongCredentials(
        f"{site.name} does not accept the user name and password.",
        f"Try them with a browser at {site.origin}{site.path}.",
    )


def _changed(site: LoginSite, how: str) -> Problem:
    return Problem(
        f"The wizard can't log in at {site.name}: {how}.",
        "Download the archives with a browser and name their folder in the form, or update mseg-wizard.",
    )


def _onward(client: HttpClient, url: httpx.URL, response: httpx.Response) -> httpx.URL | None:
    """Where a redirect leads; None where the response is none."""
    if response.status_code not in (301, 302, 303, 307, 308):
        return None
    place = joined_address(url, response.headers.get("location", ""))
    return None if place is None else client.routes.back(place, url)


def _session_works(client: HttpClient, url: httpx.URL) -> bool:
    """Does the page behind a login answer to its session? Only one that asks for the login again says no."""
    try:
        with client.follow(url) as (response, _):
            page = html_pages.detect_page(_text(response).encode())
    except RedirectRefused as refused:
        return not refused.login
    return not (page and page.login)


def published_md5(client: HttpClient, site: LoginSite, path: str, file: str) -> str:
    """The md5 that the site's own page gives for the file at
    `path`; empty where it can't be read: nothing depends on it.
    """
    query = httpx.URL(path).query
    try:
        with client.follow(httpx.URL(site.origin + site.sums).copy_with(query=query)) as (response, _):
            text = _visible(_text(response)) if response.status_code == 200 else ""
    except (RedirectRefused, httpx.TransportError):
        return ""
    found = re.findall(r"\b([0-9a-f]{32})\b(?:\s+\*?(\S+))?", text.lower())
    named = {value for value, name in found if name == file.lower()} or {value for value, _ in found}
    return named.pop() if len(named) == 1 else ""


def _text(response: httpx.Response) -> str:
    return html_pages.text_of(
        html_pages.body(response.iter_raw(), response.headers, PAGE_BYTES), response.headers.get("content-type", "")
    )


def _titled(client: HttpClient, response: httpx.Response, text: str) -> str:
    page = html_pages.detect_page(text.encode(), response.headers.get("content-type", ""))
    return f" (“{client.clean(page.title)}”)" if page and page.title else ""


def _visible(text: str) -> str:
    """What a person would read of a page."""
    return " ".join(html_pages.untagged(text).split())


class _Forms(HTMLParser):
    """Collects each form's fields: name → value of a hidden one, None for what a person fills in."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str | None]] = [{}]
        self.passwords: list[bool] = [False]

    @classmethod
    def with_password(cls, text: str) -> dict[str, str | None] | None:
        """The fields of the form that asks for a password; None where no form does."""
        parser = cls()
        # One of marked sections that Python does not know, the other of characters of some thousand digits.
        with suppress(AssertionError, ValueError):
            parser.feed(text)
        return next((form for form, asks in zip(parser.forms, parser.passwords, strict=True) if asks), None)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "form":
            self.forms.append({})
            self.passwords.append(False)
        if tag != "input":
            return
        given = dict(attributes)
        kind = (given.get("type") or "text").lower()
        self.passwords[-1] = self.passwords[-1] or kind == "password"
        if name := given.get("name"):
            self.forms[-1][name] = (given.get("value") or "") if kind == "hidden" else None
