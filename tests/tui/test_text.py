"""What the screen says in one line: bars, rates, masked links, what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from mseg_wizard.progress import Progress, Waiting
from mseg_wizard.standing.snapshot import Snapshot
from mseg_wizard.tui.ascii import in_ascii, unicode_locale
from mseg_wizard.tui.path_check import found_words
from mseg_wizard.tui.rates import Rates
from mseg_wizard.tui.terminal import has_bar
from mseg_wizard.tui.text import bar, fit, masked, progress_words, terminal_title, whole_parts


@pytest.mark.parametrize("width", [30, 44, 56, 76])
@pytest.mark.parametrize(
    "progress",
    [
        Progress("x", 3_000_000_000, 10_000_000_000, "B", 20_000_000),
        Progress("x", 5, None, "images", 2.0),
        Progress("x"),
        Progress("x", 12, 10, "files"),
        Progress("x", retry_in=75),
    ],
)
def test_a_line_of_progress_fits_its_width(progress: Progress, width: int) -> None:
    assert 0 < len(progress_words(progress, width)) <= width


def test_a_line_of_progress_says_share_time_rate_and_amounts_as_far_as_they_fit() -> None:
    progress = Progress("x", 3_000_000_000, 10_000_000_000, "B", 20_000_000)
    assert progress_words(progress, 80) == "███████░░░░░░░░░░░░░░░░░  30%  6 min left  20.0 MB/s  3.0 GB of 10.0 GB"
    assert progress_words(progress, 30) == "███░░░░░░░░░░  30%  6 min left"
    assert progress_words(Progress("x", retry_in=75), 80) == "tries again in 75 s"
    assert progress_words(Progress("x"), 80).startswith("––––")
    assert "100%" in progress_words(Progress("x", 12, 10, "files"), 80)


def test_a_bar_is_never_full_before_the_end() -> None:
    assert bar(0.999, 10) == "█████████░"
    assert bar(1.0, 10) == "██████████"
    assert bar(-1, 4) == "░░░░"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("geheim", "●●●● 6 characters"),
        ("https://user:geheim@host.org/a/set.zip?token=geheim#geheim", "●●●● set.zip at host.org, 58 characters"),
        ("https://host.org/", "●●●● link at host.org, 17 characters"),
        ("https://", "●●●● 8 characters; this is no link that can be used"),
        ("https://host.org/a%1b[31m.zip", "●●●● a·[31m.zip at host.org, 29 characters"),
        ("https://host.org/a\x1b.zip", "●●●● 23 characters; this is no link that can be used"),
    ],
)
def test_a_secret_shows_its_length_and_of_a_link_only_host_and_file(text: str, says: str) -> None:
    assert masked(text) == says


def test_text_that_is_cut_shows_that_it_is() -> None:
    assert fit("abcdef", 4) == "abc…"
    assert fit("abcd", 4) == "abcd"


def test_what_does_not_fit_goes_as_a_whole() -> None:
    assert whole_parts("80% · 2 of 14 steps · 2 workers", 25) == "80% · 2 of 14 steps"
    assert whole_parts("80% · 2 of 14 steps", 19) == "80% · 2 of 14 steps"
    assert whole_parts("80% · 2 of 14 steps", 0) == "80% · 2 of 14 steps"
    assert whole_parts("a long word", 3) == "a long word"


def test_a_path_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1500)
    assert found_words(str(tmp_path / "file"), made=True) == "a file, 1.5 kB"
    assert found_words(str(tmp_path), made=True).startswith("a folder, ")
    assert found_words(str(tmp_path / "new" / "one"), made=True).startswith("not there yet; ")
    assert found_words(str(tmp_path / "new" / "one"), made=False) == "no such file or folder"
    assert found_words(str(tmp_path / "file" / "below"), made=True).startswith("not there: ")
    assert found_words("x" * 5000, made=True) == "can't be looked at: File name too long"
    assert found_words("", made=True) == ""
    assert found_words("https://host.org/a.zip?geheim=1", made=True) == "●●●● a.zip at host.org, 31 characters"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("[x] ✓ ▸ · … █░", "[x] x > . ~ #."),
        ("┏━━┓", "+--+"),
        ("\x1b[1mé\x1b[0m 標", "\x1b[1m?\x1b[0m ??"),
        ("e\u0301", "e"),
    ],
)
def test_where_there_is_only_ascii_each_character_has_one_as_wide(text: str, plain: str) -> None:
    assert in_ascii(text) == plain


@pytest.mark.parametrize(
    ("environment", "has"),
    [
        ({}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "C", "LC_ALL": "C.UTF-8"}, True),
        ({"LANG": "de_DE.utf8", "LC_CTYPE": "POSIX"}, False),
        ({"LANG": "de_DE.ISO-8859-1", "LC_ALL": ""}, False),
    ],
)
def test_a_locale_has_unicode_or_not(environment: dict[str, str], has: bool) -> None:
    assert unicode_locale(environment) is has


def test_the_last_minutes_stand_beside_the_moment_and_the_average() -> None:
    at = 0.0
    rates = Rates(lambda: at)
    done = 0
    for second in range(75):
        at = float(second)
        rate = 10e6 if second < 30 else 40e6
        done += int(rate)
        rates.note(running("B", done, rate))
        assert bool(rates.words("x", done)) is (second >= 45)
    assert rates.bars() == "▃▃██"
    assert rates.words("x", done) == "▃▃██  28.2 MB/s on average"
    at = 300.0
    rates.note(Snapshot())
    assert rates.bars() == ""


def running(unit: str, done: int, rate: float) -> Snapshot:
    return Snapshot(running=True, calls=("x",), progress={"x": Progress("x", done, 10**12, unit, rate)})


def test_the_title_says_how_far_it_is_and_who_waits() -> None:
    waits = Snapshot(calls=("x",), problem=Waiting("KITTI's link", "Ask", "kitti", ["url"]))
    assert terminal_title(Snapshot()) == "mseg-wizard"
    assert terminal_title(running("B", 1, 1.0), 0.62) == "[>] 62% · mseg-wizard"
    assert terminal_title(waits, 0.62, "KITTI") == "[?] 62% · KITTI: waits for you · mseg-wizard"
    assert terminal_title(Snapshot(complete=True), 1.0, "Finish") == "[x] complete · mseg-wizard"


@pytest.mark.parametrize(
    ("environment", "known"),
    [
        ({}, False),
        ({"WT_SESSION": "x"}, True),
        ({"WT_SESSION": "x", "TMUX": "x"}, False),
        ({"VTE_VERSION": "7600"}, False),
        ({"VTE_VERSION": "8003"}, True),
        ({"TERM_PROGRAM": "iTerm.app"}, False),
        ({"TERM_PROGRAM": "ghostty"}, True),
    ],
)
def test_only_terminals_that_know_it_are_told_how_far_it_is(environment: dict[str, str], known: bool) -> None:
    assert has_bar(environment) is known
