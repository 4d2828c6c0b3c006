"""What a response means for a half-fetched file: one row for each kind of response, note and expectation."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

import httpx
import pytest

from mseg_wizard.http.html_pages import HtmlPage
from mseg_wizard.http.partial_file import PartialState
from mseg_wizard.http.responses import (
    AllHere,
    AskAgain,
    Decision,
    OnDisk,
    Refuse,
    ResponseHead,
    Take,
    Wanted,
    decide,
)

OLD, NOW = "Mon, 01 Jan 2018 00:00:00 GMT", "Tue, 02 Jan 2018 00:00:00 GMT"
ZIP = b"PK\x03\x04" + bytes(600)
STRONG = PartialState("here", "http://a/a.zip", '"one"', OLD, '"one"', 1000)
WEAK = replace(STRONG, etag='W/"one"', modified="", validator="")
NONE = OnDisk()
ASKED = Wanted("a.zip", "here", "http://a/a.zip")
REST = replace(ASKED, start=400)
PASTED = replace(ASKED, pasted=True)


def held(state: PartialState | None, prefix: int = 400, same: bool = True) -> OnDisk:
    return OnDisk(prefix, state, same)


def whole(length: int | None = 1000, first: bytes = ZIP, **headers: str) -> ResponseHead:
    return head(200, first, **(headers if length is None else {"content_length": str(length)} | headers))


def rest(span: str = "bytes 400-999/1000", **headers: str) -> ResponseHead:
    return head(206, content_range=span, **headers)


def head(status: int, first: bytes = b"", /, **headers: str) -> ResponseHead:
    return ResponseHead(
        status, httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()}), first
    )


def page(status: int, title: str = "", login: bool = False, **headers: str) -> ResponseHead:
    return replace(head(status, b"<html>", **headers), page=HtmlPage(title, login))


BEGIN = Take(0, 1000, PartialState("here", "http://a/a.zip", total=1000))
GO_ON = Take(400, 1000, STRONG, splits=True)
COMPARE = replace(BEGIN, compare=True)
TAGGED = replace(BEGIN, state=replace(BEGIN.state, etag='"one"', validator='"one"'))
UNSAID = replace(BEGIN, total=None, state=replace(BEGIN.state, total=None))

ROWS: dict[str, tuple[ResponseHead, OnDisk, Wanted, Decision]] = {
    # nothing is here
    "a file": (whole(), NONE, ASKED, BEGIN),
    "a file with a tag": (whole(etag='"one"'), NONE, ASKED, TAGGED),
    "a weak tag proves nothing": (
        whole(etag='W/"one"'), NONE, ASKED, replace(BEGIN, state=replace(BEGIN.state, etag='W/"one"')),
    ),
    "a date a minute old proves sameness": (
        whole(last_modified=OLD, date=NOW), NONE, ASKED,
        replace(BEGIN, state=replace(BEGIN.state, modified=OLD, validator=OLD)),
    ),
    "parts promised and proven": (
        whole(etag='"one"', accept_ranges="Bytes"), NONE, ASKED, replace(TAGGED, splits=True),
    ),
    "parts promised without proof": (whole(accept_ranges="bytes"), NONE, ASKED, BEGIN),
    "no parts": (whole(etag='"one"', accept_ranges="none"), NONE, ASKED, TAGGED),
    "no length": (whole(None), NONE, ASKED, replace(UNSAID, open_end=True)),
    "no length but chunks": (whole(None, transfer_encoding="chunked"), NONE, ASKED, UNSAID),
    "a length of nonsense": (
        whole(None, content_length="-5"), NONE, ASKED, replace(UNSAID, open_end=True),
    ),
    "as published": (whole(), NONE, replace(ASKED, bytes=1000), BEGIN),
    "longer than published": (
        whole(), NONE, replace(ASKED, bytes=900), Refuse("its file has 1,000 bytes, the published one has 900"),
    ),
    "a part that nobody asked for": (
        rest("bytes 0-999/1000"), NONE, ASKED, Refuse("it answered 206 Partial Content"),
    ),
    "nothing to send though all was asked for": (
        head(416), NONE, ASKED, Refuse(f"it answered 416 {HTTPStatus(416).phrase}"),
    ),
    # what the body is
    "a page": (page(200, "Quota"), NONE, ASKED, Refuse("it answers with a page “Quota” instead of the file")),
    "a page behind a pasted link": (
        page(200), NONE, PASTED, Refuse("it answers with a page instead of the file", link=True),
    ),
    "a page from a source that was good": (
        page(200), held(STRONG), REST, AskAgain("it answers with a page instead of the file"),
    ),
    "a login page": (page(200, "Hi", True), NONE, ASKED, AskAgain("it answers with its login page “Hi”", login=True)),
    "a login page with the length of another file": (
        page(200, "", True, content_length="300"), NONE, replace(ASKED, bytes=1000),
        AskAgain("it answers with its login page", login=True),
    ),
    "something else": (whole(first=b"{}"), NONE, ASKED, Refuse("what it sends is not a zip archive")),
    "nothing": (whole(0, b""), NONE, PASTED, Refuse("what it sends is not a zip archive", link=True)),
    **{
        f"coded as {coding or 'nothing'} and a sound zip": (whole(content_encoding=coding), NONE, ASKED, BEGIN)
        for coding in ("", "identity", "aws-chunked", "UTF-8", "none", "binary", "7bit", "aws-chunked,", "gzip", "br")
    },
    "really coded": (
        whole(first=b"\x8b\x02\x80", content_encoding="aws-chunked, BR"), NONE, ASKED,
        Refuse("it sends the file in another encoding (br) though asked not to"),
    ),
    "coded, and nothing tells how it should begin": (
        whole(first=b"any", content_encoding="zstd"), NONE, replace(ASKED, name="a.bin"),
        Refuse("it sends the file in another encoding (zstd) though asked not to"),
    ),
    "no coding, and nothing tells how it should begin": (
        whole(first=b"any", content_encoding="binary"), NONE, replace(ASKED, name="a.bin"), BEGIN,
    ),
    # the rest was asked for
    "the rest": (rest(), held(STRONG), REST, GO_ON),
    "the rest, its tags again": (rest(etag='"one"', last_modified=OLD), held(STRONG), REST, GO_ON),
    "the rest of another tag": (
        rest(etag='"two"'), held(STRONG), REST,
        AskAgain("the file there has changed since the download began", whole=True),
    ),
    "the rest of another date": (
        rest(last_modified=NOW), held(STRONG), REST,
        AskAgain("the file there has changed since the download began", whole=True),
    ),
    "the rest of another total": (
        rest("bytes 400-1000/1001"), held(STRONG), REST,
        AskAgain("the file there has changed: it had 1,000 bytes and has 1,001 now", whole=True),
    ),
    "the rest without a total, proven by the tag": (
        rest("bytes 400-999/*"), held(STRONG), REST, replace(GO_ON, total=None),
    ),
    "the rest without a total or a proof": (
        rest("bytes 400-999/*"), held(WEAK), REST,
        AskAgain("it can't be told whether its file is the same", whole=True),
    ),
    "the rest from another source with the same total": (
        rest(etag='"b"'), held(STRONG, same=False), replace(REST, source="there", title="b", bytes=1000),
        Take(400, 1000, PartialState("there", "b", '"b"', "", '"b"', 1000), splits=True),
    ),
    "the rest without a note, of the published total": (
        rest(), held(None, same=False), replace(REST, bytes=1000), Take(400, 1000, BEGIN.state),
    ),
    "the rest without a note or anything published": (
        rest(), held(None, same=False), REST, AskAgain("it can't be told whether its file is the same", whole=True),
    ),
    "an earlier part": (
        rest("bytes 300-999/1000"), held(STRONG), REST,
        AskAgain("it answers with another part than was asked for", whole=True),
    ),
    "a part that does not say which": (
        head(206), held(STRONG), REST, AskAgain("it answers with another part than was asked for", whole=True),
    ),
    "a part outside the file": (
        rest("bytes 400-1000/1000"), held(STRONG), REST,
        AskAgain("it answers with a part that lies outside the file", whole=True),
    ),
    "several parts": (
        rest(content_type="multipart/byteranges; boundary=b"), held(STRONG), REST,
        AskAgain("it answers with several parts where one was asked for", whole=True),
    ),
    "a part of five thousand digits": (
        rest(f"bytes 400-{'9' * 5000}/*"), held(STRONG), REST,
        AskAgain("it answers with another part than was asked for", whole=True),
    ),
    "nothing behind, all is here": (head(416, content_range="bytes */400"), held(STRONG), REST, AllHere()),
    "nothing behind, the file shrank": (
        head(416, content_range="bytes */300"), held(STRONG), REST,
        AskAgain("the file there has 300 B and is not the one that the first 400 B are from", whole=True),
    ),
    "nothing behind, nothing said": (
        head(416), held(STRONG), REST,
        AskAgain("the file there is not the one that the first 400 B are from", whole=True),
    ),
    # the whole came where bytes are here
    "the whole instead of the rest": (
        whole(etag='"one"', accept_ranges="bytes"), held(STRONG), REST, replace(TAGGED, compare=True),
    ),
    "the whole, its tags left out": (whole(), held(STRONG), REST, COMPARE),
    "the whole of a weak tag again": (whole(etag='W/"one"'), held(WEAK), ASKED, replace(
        COMPARE, state=replace(BEGIN.state, etag='W/"one"'))),
    "the whole without a length": (whole(None), held(WEAK), ASKED, replace(UNSAID, open_end=True, compare=True)),
    "the whole of another tag": (
        whole(etag='"two"'), held(STRONG), REST,
        replace(BEGIN, state=replace(BEGIN.state, etag='"two"', validator='"two"')),
    ),
    "the whole of another length": (whole(1001), held(STRONG), REST, Take(0, 1001, replace(BEGIN.state, total=1001))),
    "the whole, longer than what is here of an unknown length": (
        whole(), held(replace(WEAK, total=None)), ASKED, COMPARE,
    ),
    "the whole, shorter than what is here of an unknown length": (
        whole(300), held(replace(WEAK, total=None)), ASKED, Take(0, 300, replace(BEGIN.state, total=300)),
    ),
    "the whole from another source": (whole(), held(STRONG, same=False), ASKED, BEGIN),
    "the whole where the note is lost": (whole(), held(None, same=False), ASKED, BEGIN),
    # other answers
    "busy": (
        page(503, "Busy", retry_after="7"), NONE, ASKED, AskAgain("it answered 503 Service Unavailable (Busy)", 7),
    ),
    "too many": (head(429), NONE, ASKED, AskAgain("it answered 429 Too Many Requests")),
    "an error of no name": (head(599), NONE, ASKED, AskAgain("it answered 599")),
    "not there": (page(404, "Gone"), NONE, ASKED, Refuse("it answered 404 Not Found (Gone)", gone=True)),
    "not there, pasted": (head(404), NONE, PASTED, Refuse("it answered 404 Not Found", link=True, gone=True)),
    "gone for good": (head(410), NONE, ASKED, Refuse("it answered 410 Gone", gone=True)),
    "not there, a login page": (page(404, "", True), NONE, ASKED, AskAgain("it answered 404 Not Found", login=True)),
    "forbidden": (head(403), NONE, ASKED, AskAgain("it answered 403 Forbidden", login=True)),
    "forbidden, to be signed anew": (
        replace(head(403), resigned=True), held(STRONG), REST, AskAgain("it answered 403 Forbidden"),
    ),
    "for legal reasons": (head(451), NONE, PASTED, Refuse("it answered 451 Unavailable For Legal Reasons")),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_what_a_response_means(name: str) -> None:
    response, here, wanted, decision = ROWS[name]
    assert decide(response, here, wanted) == decision
