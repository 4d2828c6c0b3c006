"""Hugging Face's hub: which files a folder of one of its datasets has, and how each is fetched.

What they are for is not known here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import httpx

from mseg_wizard.core.background import Job
from mseg_wizard.http import html_pages
from mseg_wizard.http.addresses import Routes
from mseg_wizard.http.client import HttpClient, RedirectRefused
from mseg_wizard.http.refusals import Unavailable
from mseg_wizard.http.remote_file import Location
from mseg_wizard.vault import Secret

HUB = "https://huggingface.co"
LISTING_BYTES = 4 << 20
"""Of a listing that are read: a thousand files, which is as many as are told at once, take some 300 kB."""
PAUSES = (1.0, 5.0)
"""Seconds before each further try."""


@dataclass(frozen=True)
class HubFile:
    """A file of the hub."""

    path: str
    """From the dataset's top."""
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class HubAccess:
    """What lets one in: nothing, until the hub asks; then the token, where there is one."""

    def __init__(self, token: Secret | None, wanted: Callable[[bool], Exception]) -> None:
        self._token, self._wanted = token, wanted

    def location(self, repo: str, file: HubFile) -> Location:
        """Where a file is; its own redirect leads to an address that is signed, and signed anew when it expires."""
        asked = False

        def enter(client: HttpClient) -> None:
            nonlocal asked
            if asked:
                raise self._wanted(self._token is not None)
            asked = True
            self.enter(client)

        return Location(f"{HUB}/datasets/{repo}/resolve/main/{file.path}", login=enter)

    def enter(self, client: HttpClient) -> None:
        """Send the token, to the hub alone, where there is one."""
        if self._token:
            client.hide(self._token.reveal())
            client.headers.setdefault(HUB, {})["Authorization"] = f"Bearer {self._token.reveal()}"

    def refused(self) -> Exception:
        """The hub wants a token, or another one."""
        return self._wanted(self._token is not None)


def listing_url(repo: str, folder: str) -> str:
    return f"{HUB}/api/datasets/{repo}/tree/main/{folder}"


def list_files(job: Job, repo: str, folder: str, access: HubAccess, routes: Routes) -> list[HubFile]:
    """The parquet files of a folder, by name; raises Unavailable, and what `access` raises where a token is wanted."""
    for pause in (*PAUSES, None):
        try:
            return _listed(job, repo, folder, access, routes)
        except Unavailable:
            if pause is None:
                raise
            job.sleep(pause)
    raise AssertionError


def _listed(job: Job, repo: str, folder: str, access: HubAccess, routes: Routes) -> list[HubFile]:
    url = listing_url(repo, folder)
    with closing(HttpClient(job, routes)) as client:
        access.enter(client)
        try:
            with client.follow(httpx.URL(url)) as (response, _):
                status, kind = response.status_code, response.headers.get("content-type", "")
                text = html_pages.text_of(html_pages.body(response.iter_raw(), response.headers, LISTING_BYTES), kind)
        except (RedirectRefused, httpx.TransportError) as error:
            raise _unavailable(url, client.clean(str(error)) or type(error).__name__) from None
    if status in (401, 403):
        raise access.refused()
    if status != 200:
        raise _unavailable(url, f"it answered {status}")
    try:
        rows = [row for row in json.loads(text) if row["type"] == "file" and row["path"].endswith(".parquet")]
        files = [HubFile(str(row["path"]), int(row["lfs"]["size"]), str(row["lfs"]["oid"])) for row in rows]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _unavailable(url, "it answered with something else than a list of files") from None
    if not files or not all(_plain(file.name) for file in files):
        raise _unavailable(url, "it lists no parquet files")
    return sorted(files, key=lambda file: file.path)


def _plain(name: str) -> bool:
    """Can it be a file's name here, whatever the hub says?"""
    return name.isascii() and name.replace("-", "").replace("_", "").replace(".", "").isalnum() and name[0] != "."


def _unavailable(url: str, why: str) -> Unavailable:
    return Unavailable(f"{url}: {why}.", "Start again later.", [f"{url}: {why}"])
