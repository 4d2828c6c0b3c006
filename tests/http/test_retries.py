"""Whether and how a source is asked again: one row for each way that an attempt ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mseg_wizard.http.refusals import ConnectionBroken, SourceRefused, TryAgain
from mseg_wizard.http.remote_file import RetryPolicy
from mseg_wizard.http.retries import ANEW, Attempts, Patience, following

POLICY = RetryPolicy(tries=4, tries_before_next=2, first=10, most=60, asked=100, jitter=lambda: 1.0)
LAST, OTHERS = Patience(POLICY), Patience(POLICY, last=False)
BROKE, BUSY = ConnectionBroken("it broke"), TryAgain("it is busy")
ODD, CLOSED = TryAgain("it sends another part", whole=True), TryAgain("it asks for a login", login=True)
THRICE = Attempts(500, ("it is busy", "it is busy", "it broke"))

GOES_ON: dict[str, tuple[Attempts, TryAgain, int, bool, Patience, Attempts]] = {
    "broke, with a gain": (THRICE, BROKE, 600, False, LAST, Attempts(600, wait=10)),
    "broke, without": (Attempts(500), BROKE, 500, False, LAST, Attempts(500, ("it broke",), wait=10)),
    "broke again": (
        Attempts(500, ("it broke",)), BROKE, 500, False, LAST, Attempts(500, ("it broke",) * 2, wait=20),
    ),
    "one that refuses gets one connection": (
        Attempts(), BUSY, 0, False, LAST, Attempts(0, ("it is busy",), alone=True, wait=10),
    ),
    "as long as it asks": (
        Attempts(), TryAgain("it is busy", 50), 0, False, OTHERS, Attempts(0, ("it is busy",), alone=True, wait=50),
    ),
    "no longer than that": (
        Attempts(), TryAgain("it is busy", 5000), 0, False, LAST, Attempts(0, ("it is busy",), alone=True, wait=100),
    ),
    "the whole is asked for at once": (
        Attempts(500), ODD, 500, False, LAST, Attempts(500, (str(ODD),), whole=True, alone=True, wait=10),
    ),
    "once only": (
        Attempts(500, (str(ODD),), whole=True), ODD, 500, False, LAST,
        Attempts(500, (str(ODD),) * 2, whole=True, alone=True, wait=20),
    ),
    "began anew": (Attempts(500), BROKE, 500, True, LAST, Attempts(500, ("it broke",), anew=1, wait=10)),
    "began anew and came further": (THRICE, BROKE, 501, True, LAST, Attempts(501, wait=10)),
    "began anew before": (
        Attempts(500, ("it broke",), anew=1), BUSY, 500, False, LAST,
        Attempts(500, ("it broke", "it is busy"), anew=1, alone=True, wait=20),
    ),
    "a login": (
        Attempts(logged_in=True), CLOSED, 0, False, replace(LAST, login=True),
        Attempts(0, (str(CLOSED),), relogged=True),
    ),
    "another after a gain": (
        Attempts(100, logged_in=True, relogged=True, whole=True), CLOSED, 200, False, replace(LAST, login=True),
        Attempts(200, relogged=True, whole=True),
    ),
}  # fmt: skip

ENDS: dict[str, tuple[Attempts, TryAgain, int, bool, Patience, str]] = {
    "too often": (
        THRICE, BUSY, 500, False, LAST,
        "4 attempts in a row brought nothing: it is busy (2 times), then it broke, then it is busy",
    ),
    "for one reason": (Attempts(9, ("it broke",) * 3), BROKE, 9, False, LAST, "it broke, 4 times in a row"),
    "sooner while another source is left": (
        Attempts(0, ("it broke",)), BROKE, 0, False, OTHERS, "it broke, 2 times in a row",
    ),
    "sooner where it is doubtful": (
        Attempts(0, ("it broke",)), BROKE, 0, False, replace(LAST, doubtful=True), "it broke, 2 times in a row",
    ),
    "rather another source than days": (
        Attempts(), TryAgain("it is busy", 86400), 0, False, OTHERS, "it is busy, and asks to wait 24 h 00 min",
    ),
    "began anew too often": (
        Attempts(500, ("it broke",) * (ANEW - 1), anew=ANEW - 1), BROKE, 500, True, LAST,
        "it begins at the first byte each time and comes no further than the 500 B that were here "
        f"(it broke, {ANEW} times in a row): it can't resume a download",
    ),
    "a login that can't be": (Attempts(), CLOSED, 0, False, LAST, "it asks for a login"),
    "a second login without a gain": (
        Attempts(relogged=True), CLOSED, 0, False, replace(LAST, login=True), "it asks for a login",
    ),
    "many reasons": (
        Attempts(9, tuple("abcdefgh")), TryAgain("i"), 9, False, LAST,
        "9 attempts in a row brought nothing: …, then d, then e, then f, then g, then h, then i",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOES_ON)
def test_a_source_is_asked_again(name: str) -> None:
    before, failure, here, anew, patience, expected = GOES_ON[name]
    assert following(before, failure, here, anew, patience) == expected


@pytest.mark.parametrize("name", ENDS)
def test_a_source_is_asked_no_more_and_says_why(name: str) -> None:
    before, failure, here, anew, patience, why = ENDS[name]
    end = following(before, failure, here, anew, patience)
    assert isinstance(end, SourceRefused)
    assert str(end) == why
    assert end.resumes == (not anew)


def test_a_pasted_link_that_asks_for_a_login_asks_for_a_fresh_one() -> None:
    end = following(Attempts(), CLOSED, 0, False, replace(LAST, pasted=True))
    assert isinstance(end, SourceRefused) and end.link
