"""The way to a server: redirects, routes, logins, certificates
and proxies, with every secret kept to its own origin.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from mseg_wizard.http.addresses import Routes, expiry, is_signed, origin, without_query
from mseg_wizard.http.client import HttpClient
from mseg_wizard.http.download import fetch
from mseg_wizard.http.refusals import LinkRefused
from mseg_wizard.http.remote_file import Location
from mseg_wizard.progress import Problem
from tests.http.downloading import BODY, KNOWN, QUICK, finish, leftovers, problem
from tests.http.faulty_server import Answer, Asked, page, redirect, self_signed, serving


def test_addresses_are_shown_without_query_user_or_password() -> None:
    url = httpx.URL("https://user:pass@Example.ORG:443/a%20b/c.zip?token=1#there")
    assert without_query(url) == "https://example.org/a%20b/c.zip"
    assert origin(url) == "https://example.org"
    assert origin(httpx.URL("http://[::1]:8080/x")) == "http://[::1]:8080"


def test_signed_links_are_known_and_say_when_they_expire() -> None:
    s3 = httpx.URL("https://b.s3.amazonaws.com/a.zip?X-Amz-Date=20260101T100000Z&X-Amz-Expires=5400&X-Amz-Signature=00")
    old = httpx.URL("https://b.s3.amazonaws.com/a.zip?AWSAccessKeyId=A&Signature=b%2F&Expires=1767265200")
    assert expiry(s3) == datetime(2026, 1, 1, 11, 30, tzinfo=UTC)
    assert expiry(old) == datetime(2026, 1, 1, 11, 0, tzinfo=UTC)
    assert is_signed(s3)
    assert is_signed(old)
    for plain in (
        "https://example.org/a.zip?dl=1",
        "https://example.org/a?Expires=never",
        "https://example.org/a?X-Amz-Expires=5",
    ):
        assert expiry(httpx.URL(plain)) is None
        assert not is_signed(httpx.URL(plain))


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org",
        "https://example.org=http://example.com",
        "https://example.org=http://127.0.0.1.example.com",
        "https://example.org=ftp://127.0.0.1",
        "https://example.org/path=https://example.com",
        "https://example.org=https://user:pass@example.com",
        "https://example.org=https://example.com?x",
        "example.org=https://example.com",
        "=https://example.com",
    ],
)
def test_a_route_is_two_origins_and_never_leaves_the_machine_unencrypted(text: str) -> None:
    with pytest.raises(Problem):
        Routes.parse([text])


@pytest.mark.parametrize(
    "target", ["https://cache.lab:8443", "http://localhost:1", "http://127.8.0.1:1", "http://[::1]:1"]
)
def test_routes_change_the_origin_and_nothing_else(target: str) -> None:
    routes = Routes.parse([f"https://Example.org:443/ = {target}"])
    url = httpx.URL("https://example.org/a%2Fb?X-Amz-Signature=a%2Fb&c=~'")
    assert str(routes.there(url)) == f"{target}/a%2Fb?X-Amz-Signature=a%2Fb&c=~'"
    assert routes.covers(url)
    other = httpx.URL("http://example.org/")
    assert routes.there(other) == other
    with pytest.raises(Problem, match="twice"):
        Routes.parse([f"https://example.org={target}"] * 2)


def test_redirects_of_every_kind_are_followed(tmp_path: Path) -> None:
    hops = {
        f"/{status}": redirect(f"{status + 1 if status != 303 else 307}", status) for status in (301, 302, 303, 307)
    }
    with serving({"/308": redirect("./deep/a.zip#part", 308), "/deep/a.zip": BODY, **hops}) as server:
        finish(fetch(tmp_path / "a.zip", [Location(f"{server.url}/301")], retry_policy=QUICK))
        assert [asked.path for asked in server.log] == ["/301", "/302", "/303", "/307", "/308", "/deep/a.zip"]


@pytest.mark.parametrize(
    ("hops", "words"),
    [
        ({"/0": redirect("/1"), "/1": redirect("/0")}, "in a circle"),
        ({f"/{n}": redirect(f"/{n + 1}") for n in range(20)}, "more than 10 times"),
        ({"/0": redirect("ftp://example.org/a.zip")}, "no web address"),
        ({"/0": redirect("http://host:port/a.zip")}, "no web address"),
        ({"/0": redirect("file:///etc/passwd")}, "no web address"),
        ({"/0": redirect("/accounts/login/?next=/0")}, "login page of 127.0.0.1"),
        ({"/0": redirect("/1"), "/1": page("Welcome", '<input name="p" type=password>')}, "its login page “Welcome”"),
        ({"/0": redirect("")}, "302 Found"),
    ],
    ids=["circle", "many", "ftp", "broken", "file", "login", "form", "nowhere"],
)
def test_redirects_that_lead_nowhere_are_told(tmp_path: Path, hops: dict[str, Answer], words: str) -> None:
    target = tmp_path / "a.zip"
    with serving(dict(hops)) as server:
        assert words in problem(fetch(target, [Location(f"{server.url}/0")], retry_policy=QUICK)).what
    assert leftovers(target) == []


def test_the_path_of_a_redirect_may_be_a_token_and_is_not_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target, ticket = tmp_path / "a.zip", "t0k3n-for-this-download-alone"
    for place in (f"/{ticket}/a.zip", f"/get/{ticket}"):
        no = page(f"{place} has run out", f"No {quote(ticket)}", 403)
        with caplog.at_level("DEBUG"), serving({"/0": redirect(place), place: no}) as server:
            told = problem(fetch(target, [Location(f"{server.url}/0")], retry_policy=QUICK))
        assert "403" in str(told)
        assert ticket not in f"{told} {told.items} {caplog.text}"
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and ticket.encode() in path.read_bytes()]


def test_from_https_to_plain_http_only_where_a_published_hash_decides(tmp_path: Path) -> None:
    with serving({"/a.zip": redirect("http://plain.test/b.zip"), "/b.zip": BODY}) as server:
        routes = Routes.parse([f"https://safe.test={server.url}", f"http://plain.test={server.url}"])
        place = Location("https://safe.test/a.zip")
        assert "plain http" in problem(fetch(tmp_path / "a.zip", [place], routes=routes, retry_policy=QUICK)).what
        assert server.sent("/b.zip") == []
        finish(fetch(tmp_path / "a.zip", [place], KNOWN, routes=routes, retry_policy=QUICK))


def test_routes_hold_after_redirects_and_a_cache_may_redirect_to_itself(tmp_path: Path) -> None:
    with serving({}) as server:
        server.answers |= {
            "/a.zip": redirect("https://two.test/b.zip"),
            "/b.zip": redirect(f"{server.url}/c.zip"),
            "/c.zip": BODY,
        }
        routes = Routes.parse([f"https://one.test={server.url}", f"https://two.test={server.url}"])
        fetched = finish(
            fetch(tmp_path / "a.zip", [Location("https://one.test/a.zip")], routes=routes, retry_policy=QUICK)
        )
    assert fetched.source == "https://one.test/a.zip"


def site(asked: Asked) -> Answer:
    """A site with a login form, a hidden token and a session that lives in a cookie."""
    cookies = dict(re.findall(r"(\w+)=([^;]+)", asked.headers.get("Cookie", "")))
    if asked.path == "/login" and asked.method == "GET":
        return page("Log in", "<input type='password'>", headers=(("Set-Cookie", "token=t0ken; Path=/; HttpOnly"),))
    if asked.path == "/login" and asked.form.get("password") == ["p&+@%"] and cookies.get("token") == "t0ken":
        cookies_set = ("session=5ess10n; Secure", "lang=en; Path=/", "token=; Max-Age=0")
        return redirect("/", headers=tuple(("Set-Cookie", cookie) for cookie in cookies_set))
    if cookies.get("session") != "5ess10n":
        return redirect(f"/login?next={asked.path}")
    if asked.path == "/away.zip":
        return redirect("http://storage.test/a.zip")
    return Answer(body=BODY, cut=200_000)


def log_in(web: HttpClient) -> None:
    url = httpx.URL("https://site.test/login")
    with web.open(url) as response:
        response.read()
    with web.open(url, method="POST", form={"password": "p&+@%"}) as response:
        if response.status_code != 302:
            raise Problem("The password is wrong.")
    assert web.cookies == {"https://site.test": {"session": "5ess10n", "lang": "en"}}


def test_a_login_is_renewed_when_the_session_is_lost_and_the_download_goes_on(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    forgotten = [""]

    def forgetful(asked: Asked) -> Answer:
        if asked.headers.get("Range", "") not in forgotten:
            forgotten.append(asked.headers["Range"])
            return page("Log in", "<input type='password'>")
        return site(asked)

    with serving(dict.fromkeys(("/login", "/", "/a.zip"), forgetful)) as server:
        routes = Routes.parse([f"https://site.test={server.url}"])
        finish(fetch(target, [Location("https://site.test/a.zip", login=log_in)], routes=routes, retry_policy=QUICK))
        assert [asked.path for asked in server.log] == [
            *["/login", "/login", "/a.zip", "/a.zip"] * 3,
            "/login",
            "/login",
            "/a.zip",
        ]
        assert server.log[1].form == {"password": ["p&+@%"]}
        assert sum(server.sent("/a.zip")[::2]) == len(BODY)
    assert target.read_bytes() == BODY


def test_a_login_that_does_not_help_is_not_repeated_for_ever(tmp_path: Path) -> None:
    with serving({"/login": site, "/a.zip": redirect("/login")}) as server:
        routes = Routes.parse([f"https://site.test={server.url}"])
        found = problem(
            fetch(
                tmp_path / "a.zip",
                [Location("https://site.test/a.zip", login=log_in)],
                routes=routes,
                retry_policy=QUICK,
            )
        )
        assert len(server.sent("/a.zip")) == 2
    assert "redirects to the login page of site.test" in found.what
    assert not isinstance(found, LinkRefused)


def test_a_wrong_password_is_told_at_once(tmp_path: Path) -> None:
    def refused(web: HttpClient) -> None:
        raise Problem("The password is wrong.", "Correct it.")

    places = [Location("https://site.test/a.zip", login=refused), Location("https://other.test/a.zip")]
    assert problem(fetch(tmp_path / "a.zip", places, retry_policy=QUICK)).what == "The password is wrong."


def test_cookies_and_passwords_stay_with_their_own_origin(tmp_path: Path) -> None:
    with serving(dict.fromkeys(("/login", "/", "/away.zip"), site)) as server, serving({"/a.zip": BODY}) as storage:
        routes = Routes.parse([f"https://site.test={server.url}", f"http://storage.test={storage.url}"])
        place = Location("https://user:pa55@site.test/away.zip", login=log_in)
        finish(fetch(tmp_path / "a.zip", [place], KNOWN, routes=routes, retry_policy=QUICK))
        assert all("Authorization" in asked.headers for asked in server.log)
        assert "Cookie" in server.log[-1].headers
        for name in ("Cookie", "Authorization", "Referer"):
            assert name not in storage.log[0].headers


def test_credentials_in_a_redirect_are_not_sent(tmp_path: Path) -> None:
    with serving({}) as server:
        server.answers |= {"/a.zip": redirect(server.url.replace("//", "//user:pass@") + "/b.zip"), "/b.zip": BODY}
        finish(fetch(tmp_path / "a.zip", [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert "Authorization" not in server.log[1].headers


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("certificate"))


def test_a_certificate_that_nobody_vouches_for_is_refused_and_a_ca_file_helps(
    tmp_path: Path, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving({"/a.zip": BODY}, tls=certificate) as server:
        places = [Location(f"{server.url}/a.zip")]
        found = problem(fetch(tmp_path / "a.zip", places, KNOWN, retry_policy=QUICK))
        assert "certificate can't be verified" in found.what
        assert server.log == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        finish(fetch(tmp_path / "1.zip", places, KNOWN, retry_policy=QUICK))
        for broken in (tmp_path / "none.pem", tmp_path / "1.zip"):
            monkeypatch.setenv("SSL_CERT_FILE", str(broken))
            assert (
                "certificate authorities" in problem(fetch(tmp_path / "3.zip", places, KNOWN, retry_policy=QUICK)).what
            )
