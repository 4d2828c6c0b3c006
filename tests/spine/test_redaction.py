"""The one filter: a secret is known in every spelling, and foreign text that repeats what was sent is not shown."""

from __future__ import annotations

import base64
import html
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from mseg_wizard.core import log
from mseg_wizard.core.background import Job
from mseg_wizard.core.log import hide, log_to, quotes, redact, without_known_secrets
from mseg_wizard.core.tables import write_csv
from mseg_wizard.http.client import HttpClient
from mseg_wizard.progress import Problem, Progress
from mseg_wizard.standing.snapshot import FILE, Snapshot, publish
from tests.secrets.canaries import needles, token

PASSWORD = f"p&{token('pass')} + %\"'\\é=/?#"
SHORT = "a1!x"


@pytest.fixture(autouse=True)
def _hidden(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(log, "_hidden", frozenset())
    for value in (PASSWORD, SHORT, token("link")):
        hide(value)
    yield


def _letters(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "capitals": str.upper,
    "query": lambda text: quote(text, ""),
    "form": quote_plus,
    "percent twice": lambda text: quote(quote(text, ""), ""),
    "every letter": _letters,
    "page": html.escape,
    "page's numbers": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "repr": lambda text: repr(text)[1:-1],
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of a login": lambda text: base64.b64encode(f"walker:{text}".encode()).decode(),
    "base64 of a form": lambda text: base64.urlsafe_b64encode(f"u=wal&password={quote(text)}&x=1".encode()).decode(),
    "base64 in a query": lambda text: quote(base64.b64encode(f"a{text}".encode()).decode(), ""),
    "hexadecimal": lambda text: text.encode().hex(),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_every_spelling_of_a_secret_is_left_out_of_a_line(spelling: Callable[[str], str]) -> None:
    for secret in (PASSWORD, token("link")):
        text = f"The server says {spelling(secret)} to that, and more."
        shown = redact(text)
        data = shown.lower().encode()
        assert not [needle for name in ("pass", "link") for needle in needles(name) if needle.lower() in data]
        assert shown.startswith("The server says")
        assert shown.endswith("to that, and more.")
        assert quotes(text, (secret,))


def test_a_short_secret_is_left_out_where_it_stands_by_itself() -> None:
    assert redact(f"No {SHORT}, sorry") == "No …, sorry"
    assert redact("a1!xyz and 11a1!x") == "a1!xyz and 11a1!x"
    assert quotes("is pw really yours?", ("pw",))


def test_text_without_secrets_stays_as_it_is() -> None:
    for text in (
        "downloading leftImg8bit_trainvaltest.zip: 3.0 of 11.8 GB, 43 MB/s",
        "/data/mseg/mseg_dataset/COCOPanoptic/semantic_annotations201/train2017/000000000009.png",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ):
        assert without_known_secrets(text) == text


def test_what_a_server_repeats_of_what_it_was_sent_is_not_shown() -> None:
    client = HttpClient(Job())
    client.hide("pw3", least=3)
    client.hide(PASSWORD)
    for text in ("Not pw3", quote(PASSWORD, ""), f"Sorry {base64.b64encode(PASSWORD.encode()).decode()}"):
        assert "not shown" in client.clean(text)
    assert client.clean("Log\x1b[31m in \u202e") == "Log·[31m in ·"
    client.close()


def test_snapshot_and_log_pass_the_filter_and_hold_no_control_characters(tmp_path: Path) -> None:
    said = f"says {SPELLINGS['base64'](PASSWORD)} \x1b]0;x\x07 \u202e"
    progress = Progress(f"fetching: {said}", call="a/b")
    publish(Snapshot(True, ("a/b",), {"a/b": progress}, Problem(said, said)), tmp_path)
    logging.getLogger("mseg_wizard").setLevel(logging.INFO)
    log_to(tmp_path)
    logging.getLogger("mseg_wizard").warning("it %s\nin two lines", said)
    for name in (FILE, log.LOG):
        data = (tmp_path / name).read_bytes()
        assert all(needle not in data for needle in needles("pass")), name
        assert b"\x1b" not in data
    lines = (tmp_path / log.LOG).read_text().splitlines()
    assert lines[-1] == "in two lines"
    assert "\u202e" not in lines[-2]


def test_a_spreadsheet_computes_no_cell_and_shows_its_letters_in_order(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ("name",), [("=cmd|' /C calc'!A0",), ("a\u202egpj.exe",), ("\x1b[J",), (" @SUM(1)",)])
    rows = (tmp_path / "a.csv").read_text().splitlines()
    assert all(row.lstrip('"').startswith("'") for row in (rows[1], rows[4]))
    assert not any(letter in "".join(rows) for letter in "\x1b\u202e")
