"""What people paste, and what is meant by it: links, commands, paths, ScanNet's script, wherever it was copied."""

from __future__ import annotations

import base64
import os
import pty
import quopri
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from mseg_wizard.answers.base_url import wants_more
from mseg_wizard.answers.fields import check_answer, taken_as
from mseg_wizard.answers.file import read_answers
from mseg_wizard.answers.links import UnusableAnswer
from mseg_wizard.answers.pasted import clean_path, is_link, meant_by, rows_of
from mseg_wizard.cli.ask import by_questions
from mseg_wizard.context import Context, Options
from mseg_wizard.progress import Problem
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tui.widgets.source_list import pasted_rows
from mseg_wizard.vault import Vault
from tests.secrets.canaries import token

STEPS = {step.id: step for step in load_steps()}
LINK = (
    "https://s3.eu-central-1.amazonaws.com/avg-kitti/data_semantics.zip"
    "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20990101T000000Z&X-Amz-Signature=0123456789abcdef"
)
PAGE = LINK.replace("&", "&amp;")
COOKIE = token("cookie")
OTHER = "https://s3.eu-central-1.amazonaws.com/avg-kitti/data_scene_flow.zip?X-Amz-Signature=fedcba9876543210"
PROOFPOINT = quote(LINK, safe="").replace("-", "%2D").replace("_", "%5F").replace("%", "-").replace("-2F", "_")
EQUALS = base64.urlsafe_b64encode(b"=").decode().rstrip("=")
PASTES = {
    "itself": LINK,
    "blanks": f"  {LINK}\t\n",
    "hard blanks": f"\xa0{LINK}\xa0",
    "byte order mark": f"\ufeff{LINK}",
    "character without width": f"{LINK[:40]}\u200b{LINK[40:]}",
    "soft hyphen": f"{LINK[:40]}\xad{LINK[40:]}",
    "capitals": LINK.replace("https", "HTTPS"),
    "colours": f"\x1b[32m{LINK}\x1b[0m",
    "terminal's own link": f"\x1b]8;;\x07{LINK}\x1b]8;;\x07",
    "single quotes": f"'{LINK}'",
    "double quotes": f'"{LINK}"',
    "typographic quotes": f"“{LINK}”",
    "German quotes": f"„{LINK}“",
    "single typographic": f"‘{LINK}’",
    "French quotes": f"« {LINK} »",
    "small French quotes": f"‹{LINK}›",
    "backticks": f"`{LINK}`",
    "angle brackets": f"<{LINK}>",
    "quotes in brackets": f"<'{LINK}'>",
    "round brackets": f"({LINK})",
    "Markdown": f"[KITTI]({LINK})",
    "Markdown bold": f"**{LINK}**",
    "chat link": f"<{LINK}|download>",
    "entities": PAGE,
    "decimal entities": LINK.replace("&", "&#38;"),
    "hexadecimal entities": LINK.replace("&", "&#x26;"),
    "entities of entities": LINK.replace("&", "&amp;amp;"),
    "page source": f'<a href="{PAGE}">Download</a>',
    "quoted entities": f"&quot;{PAGE}&quot;",
    "point": f"{LINK}.",
    "comma": f"{LINK},",
    "bracket and semicolon": f"{LINK});",
    "square bracket": f"{LINK}]",
    "exclamation": f"{LINK}!",
    "shell's backslashes": LINK.replace("?", "\\?").replace("&", "\\&").replace("=", "\\="),
    "JSON": f'"url": "{LINK}",',
    "JSON's slashes": LINK.replace("/", "\\/"),
    "assignment": f"export URL={LINK}",
    "label": f"URL: {LINK}",
    "view-source": f"view-source:{LINK}",
    "quoted mail": f"> {LINK}",
    "list": f"1. {LINK}",
    "twice": f"{LINK}\n{LINK}",
    "wrapped": f"{LINK[:50]}\n{LINK[50:100]}\n{LINK[100:]}",
    "wrapped, indented": f"{LINK[:50]}\r\n    {LINK[50:]}",
    "wrapped, lines joined": f"{LINK[:50]} {LINK[50:100]} {LINK[100:]}",
    "wrapped in brackets": f"<{LINK[:50]}\n{LINK[50:]}>",
    "mail": f"Dear user,\n\nyour download link:\n{LINK}\n\nBest regards,\nThe team",
    "mail, wrapped": f"Dear user,\nhere it is:\n{LINK[:60]}\n{LINK[60:120]}\n{LINK[120:]}\nBest regards",
    "sentence": f"Your link is {LINK} and valid for 24 hours.",
    "signature behind": f"{LINK}\nRegards,\nAndreas",
    "soft breaks": quopri.encodestring(LINK.encode()).decode(),
    "soft breaks in a mail": quopri.encodestring(f"Dear user,\n\n{LINK}\n\nBye\n".encode()).decode(),
    "soft breaks, Windows": quopri.encodestring(LINK.encode()).decode().replace("\n", "\r\n"),
    "Safe Links": f"https://eur03.safelinks.protection.outlook.com/?url={quote(LINK, safe='')}&data=05%7C01&reserved=0",
    "Safe Links in entities": (
        f"https://nam11.safelinks.protection.outlook.com/?url={quote(LINK, safe='')}&amp;data=05%7C01&amp;reserved=0"
    ),
    "search engine": f"https://www.google.com/url?q={quote(LINK, safe='')}&sa=D&ust=1",
    "URL Defense 1": f"https://urldefense.proofpoint.com/v1/url?u={quote(LINK, safe='')}&k=x",
    "URL Defense 2": f"https://urldefense.proofpoint.com/v2/url?u={PROOFPOINT}&d=DwMF&c=x",
    "URL Defense 3": (f"https://urldefense.com/v3/__{LINK.replace('=', '*', 1)}__;{EQUALS}!!ab$"),
    "Link Protect": f"https://linkprotect.cudasvc.com/url?a={quote(LINK, safe='')}&c=E,1",
    "FireEye": f"https://protect2.fireeye.com/v1/url?k=a&q=1&e=b&u={quote(LINK, safe='')}",
    "Cisco": f"https://secure-web.cisco.com/1aB-c_d/{quote(LINK, safe='')}",
    "Sophos": f"https://eu.protection.sophos.com/?d=x&u={base64.urlsafe_b64encode(LINK.encode()).decode().rstrip('=')}&i=y",
    "Slack": f"https://slack-redir.net/link?url={quote(LINK, safe='')}",
    "wrapper in a wrapper": (
        "https://eur03.safelinks.protection.outlook.com/?url="
        + quote(f"https://www.google.com/url?q={quote(LINK, safe='')}", safe="")
        + "&data=x"
    ),
    "curl": f"curl '{LINK}' -H 'Cookie: sid={COOKIE}' -H 'Referer: https://x.example/{COOKIE}' --compressed",
    "curl in lines": f"curl '{LINK}' \\\n  -H 'Cookie: sid={COOKIE}' \\\n  -b 'a={COOKIE}' --output x.zip",
    "curl, its address last": f"curl -H 'Cookie: {COOKIE}' -e https://x.example/{COOKIE} -o a.zip --url {LINK!r}",
    "curl of Windows": f'curl.exe "{LINK}" ^\n  -H "Cookie: sid={COOKIE}" ^\n  -o a.zip',
    "curl with dollars": f"curl $'{LINK}' -H $'Cookie: {COOKIE}'",
    "curl, quote left open": f'curl "{LINK}" -H \'Cookie: {COOKIE}',
    "wget": f"$ sudo wget -c --header='Cookie: {COOKIE}' -O a.zip \"{LINK}\"",
    "wget with backslashes": "wget " + LINK.replace("&", "\\&").replace("?", "\\?"),
    "aria2c": f"aria2c -x 8 --header 'Cookie: {COOKIE}' '{LINK}'",
    "PowerShell": (
        f'$session = New-Object X\n$session.Cookies.Add((New-Object C("sid", "{COOKIE}", "/", "x")))\n'
        f'Invoke-WebRequest -UseBasicParsing -Uri "{LINK}" `\n-WebSession $session'
    ),
    "fetch": f'await fetch("{LINK}", {{\n "headers": {{"cookie": "sid={COOKIE}"}}\n}});',
    "Safe Links in curl": f"curl 'https://a.safelinks.protection.outlook.com/?url={quote(LINK, safe='')}' -b {COOKIE}",
    "another link beside it": f"Scene flow: {OTHER}\nSemantics: {LINK}\n",
}


@pytest.mark.parametrize("paste", PASTES.values(), ids=PASTES.keys())
def test_the_link_that_is_meant_is_taken_and_nothing_else_kept(paste: str) -> None:
    step, item = STEPS["kitti"], STEPS["kitti"].field("url")
    assert is_link(paste)
    assert check_answer(step, item, paste) == LINK
    said = taken_as(step, item, paste)
    assert COOKIE not in said
    assert "0123456789abcdef" not in said
    if "".join(paste.split()) != LINK:
        assert "taken as https://s3.eu-central-1.amazonaws.com/…/data_semantics.zip" in said
    # the same in a list of archives: typed as one answer, and as the rows that a paste becomes
    sources = STEPS["kitti"].field("archives")
    if paste is not PASTES["another link beside it"]:
        assert check_answer(step, sources, paste)[-1] == LINK
        assert check_answer(step, sources, pasted_rows(paste))[-1] == LINK


def test_there_are_as_many_pastes_as_the_screen_promises() -> None:
    assert len(PASTES) >= 60


@pytest.mark.parametrize("name", ["Safe Links", "URL Defense 2", "search engine", "curl", "mail"])
def test_what_a_link_was_taken_out_of_is_said(name: str) -> None:
    words = {"curl": "cookies and headers are not kept", "mail": "the link in that text", "search engine": "Google"}
    said = taken_as(STEPS["kitti"], STEPS["kitti"].field("url"), PASTES[name])
    assert words.get(name, name.removesuffix(" 2")) in said


@pytest.mark.parametrize(
    "text",
    [
        f"curl -H 'Cookie: {COOKIE}' $URL",
        f"curl -H 'Cookie: {COOKIE}' https://a.example/x.zip https://b.example/y.zip",
        f"wget --header 'Cookie: {COOKIE}'",
    ],
)
@pytest.mark.parametrize(("step", "name"), [("kitti", "url"), ("kitti", "archives"), ("scannet", "base_url")])
def test_a_command_without_one_address_is_refused_and_not_quoted(text: str, step: str, name: str) -> None:
    with pytest.raises(Problem) as caught:
        check_answer(STEPS[step], STEPS[step].field(name), text)
    assert COOKIE not in str(caught.value)


def test_several_links_none_of_which_is_the_one_are_counted() -> None:
    text = f"{OTHER}\nhttps://example.org/other.zip\n"
    with pytest.raises(Problem, match="there are 2 links in that text"):
        check_answer(STEPS["kitti"], STEPS["kitti"].field("url"), text)


def test_a_value_of_the_link_that_looks_encoded_stays() -> None:
    for link in (
        "https://x.example/a.zip?token=3D4f5a",
        "https://x.example/a.zip?a=%3D%26amp&copy=1",
        "https://x.example/f(1).zip",
    ):
        assert meant_by(link).text == link
        assert meant_by(f"({link})").text == link


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("/data/a.zip", "/data/a.zip"),
        (" '/data/a b.zip' \n", "/data/a b.zip"),
        ("“/data/a b.zip”", "/data/a b.zip"),
        ("`/data/a.zip`", "/data/a.zip"),
        ("</data/a.zip>", "/data/a.zip"),
        ("/data/a\\ b\\(1\\).zip", "/data/a b(1).zip"),
        ("file:///data/a%20b.zip", "/data/a b.zip"),
        ("file://localhost/data/a.zip", "/data/a.zip"),
        ("$HOME/a.zip", "~/a.zip"),
        ("${HOME}/a.zip", "~/a.zip"),
        ("$HOMES/a.zip", "$HOMES/a.zip"),
        ("~/a.zip", "~/a.zip"),
        ("any name.zip", "any name.zip"),
    ],
)
def test_a_path_is_taken_as_it_is_meant(typed: str, meant: str) -> None:
    assert clean_path(typed) == meant
    assert not is_link(typed)


def test_a_file_that_is_there_by_an_odd_name_is_that_file(tmp_path: Path) -> None:
    for name in ("'quoted'", "back\\slash", "a;b."):
        (tmp_path / name).touch()
        assert clean_path(str(tmp_path / name)) == str(tmp_path / name)


def test_rows_are_told_apart() -> None:
    assert rows_of(f"/data/a.zip\n{LINK}\n\n~/b.zip\n") == ["/data/a.zip", LINK, "~/b.zip"]
    assert rows_of(f"curl '{LINK}' \\\n -b {COOKIE}\n/data/a.zip") == [f"curl '{LINK}'   -b {COOKIE}", "/data/a.zip"]


def test_an_answers_file_may_begin_with_a_byte_order_mark_and_hold_a_command(tmp_path: Path) -> None:
    answers = tmp_path / "a.toml"
    answers.touch(0o600)
    answers.write_text(f"\ufeff[kitti]\narchives = \"curl '{LINK}' -H 'Cookie: {COOKIE}'\"\n", "utf-8")
    table = read_answers(answers, tuple(STEPS.values()))
    ctx = _context(tmp_path)
    ctx.remember(ctx.step("kitti"), table["kitti"])
    assert [row if isinstance(row, str) else row.reveal() for row in ctx.sources("kitti")] == [LINK]
    ctx.close()
    assert all(COOKIE.encode() not in path.read_bytes() for path in (tmp_path / "d").rglob("*") if path.is_file())


# Mapillary


def test_any_link_may_bring_mapillary_but_not_another_version_by_name() -> None:
    step, item = STEPS["mapillary"], STEPS["mapillary"].field("url")
    soon = int((datetime.now(UTC) + timedelta(hours=2)).timestamp())
    link = f"https://scontent-fra5-1.xx.fbcdn.net/m1/v/t6/An_x.zip?_nc_gid=abc&oh=00_AfE&oe={soon:X}"
    assert check_answer(step, item, link) == link
    with pytest.raises(UnusableAnswer, match="expired on 2020-09-13"):
        check_answer(step, item, link.replace(f"{soon:X}", "5F5E1000"))
    named = "https://a.example/mapillary-vistas-dataset_public_v{}.zip"
    assert check_answer(step, item, named.format("2.0")), "it has the labels of version 1.2 as well"
    with pytest.raises(Problem, match="does not lead to"):
        check_answer(step, item, named.format("3.0"))


@pytest.mark.parametrize(
    "query",
    ["oe={ends:X}", "Expires={ends}&Signature=x", "X-Amz-Date={amz}&X-Amz-Expires=3600&X-Amz-Signature=x"],
)
def test_a_clock_that_is_an_hour_off_does_not_keep_the_server_from_being_asked(query: str) -> None:
    step, item = STEPS["mapillary"], STEPS["mapillary"].field("url")
    for hours, taken in ((1, True), (14, True), (50, False)):
        ends = datetime.now(UTC) - timedelta(hours=hours)
        begun = ends - timedelta(hours=1)
        link = "https://a.example/An_x.zip?" + query.format(ends=int(ends.timestamp()), amz=f"{begun:%Y%m%dT%H%M%SZ}")
        if taken:
            assert check_answer(step, item, link) == link
        else:
            with pytest.raises(UnusableAnswer, match="here it is") as caught:
                check_answer(step, item, link)
            assert "clock" in caught.value.do


# ScanNet

BASE = "http://kaldir.example/scannet/"
SCRIPT = f"""#!/usr/bin/env python
# Downloads the data; BASE_URL = 'http://an.old.example/'
import argparse
import os

BASE_URL = '{BASE}'
TOS_URL = BASE_URL + 'TOS.pdf'

def main():
    print 'not Python 3'
"""
SCRIPTS = {
    "itself": BASE,
    "script": SCRIPT,
    "link to the script": f"{BASE}download-scannet.py",
    "mail with that link": f"Dear user,\n\nplease use this script: {BASE}download-scannet.py\n\nBest,\nThe team",
    "link to the terms": f"{BASE}ScanNet_TOS.pdf",
    "link to the archive": f"{BASE}v2/tasks/scannet_frames_25k.zip",
    "release": f"{BASE}v2/scans",
    "terminal line": f"wget {BASE}v2/tasks/scannet_frames_25k.zip \\\n  -O scannet_frames_25k.zip",
    "terminal words": f"\t{BASE}v2/tasks/scannet_frames_25k.zip > out/scannet_frames_25k.zip",
    "in quotes": f"'{BASE}'",
    "f-string": "HOST = 'http://kaldir.example'\nBASE_URL = f'{HOST}/scannet/'\n",
    "f-string of constants": f"BASE_URL = f'{BASE}'\n",
    "brackets": "import os\nBASE_URL = (\n    'http://kaldir.example/'\n    'scannet/'\n)\n",
    "sum": "HOST = \"http://kaldir.example\"\nBASE_URL = HOST + '/scannet/'\n",
    "environment": f"BASE_URL = os.environ.get('SCANNET', '{BASE}')\n",
    "environment, other": f'BASE_URL = os.getenv("SCANNET", "{BASE}")\n',
    "environment, or": f"BASE_URL = os.environ.get('SCANNET') or '{BASE}'\n",
    "with a type": f"BASE_URL: str = '{BASE}'\n",
    "raw text": f"BASE_URL = r'{BASE}'\n",
    "unquoted": f"export BASE_URL={BASE}\n",
    "comment behind": f"BASE_URL = '{BASE}'  # the place\n",
}


@pytest.mark.parametrize("paste", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_scannets_base_is_found(paste: str) -> None:
    assert check_answer(STEPS["scannet"], STEPS["scannet"].field("base_url"), paste) == BASE


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_scannets_script_is_read_in_every_encoding_that_editors_save(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "download-scannet.py"
    path.write_bytes(SCRIPT.encode(encoding))
    for typed in (str(path), f"file://{path}", f"'{path}'"):
        assert check_answer(STEPS["scannet"], STEPS["scannet"].field("base_url"), typed) == BASE


@pytest.mark.parametrize("line", ["BASE_URL = os.environ['SCANNET']\n", "BASE_URL = decode(b'x')\n"])
def test_a_base_that_cannot_be_read_says_what_to_copy(line: str, tmp_path: Path) -> None:
    path = tmp_path / "download-scannet.py"
    path.write_text(line)
    for typed in (line, str(path)):
        with pytest.raises(Problem, match="can't be read") as caught:
            check_answer(STEPS["scannet"], STEPS["scannet"].field("base_url"), typed)
        assert "give that alone" in caught.value.do


def test_a_script_that_is_pasted_to_a_question_is_read_until_its_line_is_there_and_an_empty_one(tmp_path: Path) -> None:
    lines = SCRIPT.splitlines()
    seen: list[str] = []
    for line in lines:
        seen.append(line)
        if not wants_more(seen):
            break
    assert seen[-2:] == ["TOS_URL = BASE_URL + 'TOS.pdf'", ""]
    assert not wants_more([f"BASE_URL = '{BASE}'"])
    assert not wants_more([BASE])
    assert not wants_more(["# nothing", "", ""])
    ctx = _context(tmp_path)
    step = ctx.step("scannet")
    said = iter([*seen, ""])
    by_questions(ctx, (step.keeping(lambda _: False),), lambda _: next(said, ""), form="scannet")
    kept = ctx.secret("scannet", "base_url")
    assert kept is not None
    assert kept.reveal() == BASE
    ctx.close()


def test_on_a_terminal_the_rest_of_a_pasted_script_answers_no_other_question() -> None:
    program = (
        "from mseg_wizard.answers.base_url import wants_more, base_url_in\n"
        "from mseg_wizard.cli.ask import _hidden\n"
        "print('ready', flush=True)\n"
        "print('found', base_url_in(_hidden('? ', wants_more)), flush=True)\n"
        "print('ready', flush=True)\n"
        "print('next', input(), flush=True)\n"
    )
    ours, theirs = pty.openpty()
    done = subprocess.Popen([sys.executable, "-c", program], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = _read_until(ours, b"? ")
    os.write(ours, SCRIPT.encode())
    seen += _read_until(ours, b"ready\r\n", after=seen)
    os.write(ours, b"an answer\n")
    seen += _read_until(ours, b"next an answer")
    assert done.wait(60) == 0
    assert f"found {BASE}".encode() in seen
    assert b"TOS.pdf" not in seen
    os.close(ours)


def _read_until(terminal: int, wanted: bytes, *, after: bytes = b"") -> bytes:
    seen = b""
    while wanted not in seen:
        try:
            more = os.read(terminal, 4096)
        except OSError:
            more = b""
        assert more, after + seen
        seen += more
    return seen


def _context(folder: Path) -> Context:
    vault = Vault("test", backend=None, environment={})
    return Context(tuple(STEPS.values()), Store(folder / "d"), vault, Options())
