"""What an address answers right now, by asking for one byte of it. Nothing is fetched here."""

from __future__ import annotations

import re
from dataclasses import dataclass

import httpx

from mseg_wizard.core.background import Job
from mseg_wizard.http.addresses import Routes
from mseg_wizard.http.client import HttpClient, RedirectRefused

PATIENCE = 15.0
"""Seconds without a byte after which an address counts as one that does not answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came."""

    serves: bool
    """It would hand out a file."""
    words: str
    bytes: int | None = None
    """Of the whole file, where it says so."""


def probe(job: Job, url: str, routes: Routes) -> Answer:
    """Ask `url` for its first byte, through redirects. Credentials are neither needed nor sent."""
    client = HttpClient(job, routes, stall=PATIENCE)
    try:
        with client.follow(httpx.URL(url), headers={"Range": "bytes=0-0"}) as (response, _):
            return _answer(response)
    except RedirectRefused as refused:
        return Answer(False, str(refused))
    except httpx.TimeoutException:
        return Answer(False, "does not answer in time")
    except httpx.TransportError as error:
        return Answer(False, f"can't be reached: {client.clean(str(error)) or type(error).__name__}")
    finally:
        client.close()


def _answer(response: httpx.Response) -> Answer:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code not in (200, 206):
        return Answer(False, f"answers {response.status_code}")
    if kind == "text/html":
        return Answer(False, "answers with a web page in place of a file")
    whole = re.fullmatch(r"bytes 0-0/(\d+)", response.headers.get("content-range", ""))
    length = whole[1] if whole else response.headers.get("content-length", "")
    count = int(length) if (whole or response.status_code == 200) and length.isdigit() else None
    resumes = "can be resumed" if response.status_code == 206 else "can't be resumed"
    return Answer(
        True, f"hands out {'a file of unknown size' if count is None else f'{count:,} bytes'}, {resumes}", count
    )
