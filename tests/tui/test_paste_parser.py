"""A paste is one event, whatever is in it and however it comes."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from textual.events import Key, Paste
from textual.message import Message

from mseg_wizard.answers.pasted import LONGEST
from mseg_wizard.tui.paste_parser import BEGIN, END, MOST, SILENCE, PasteParser
from tests.waiting import wait_until

COLOURED = "".join(f"\x1b[38;5;{number % 256}mcoloured word {number}\x1b[0m\n" for number in range(150))


@dataclass
class Terminal:
    """A parser, and a clock that goes when it is told to."""

    now: float = 0.0
    seen: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parser = PasteParser(clock=lambda: self.now)

    def sends(self, text: str, pieces: int = 4096) -> None:
        for at in range(0, len(text), pieces):
            self.seen += self.parser.feed(text[at : at + pieces])
            self.seen += self.parser.tick()

    def waits(self, seconds: float) -> None:
        for _ in range(max(1, round(seconds * 10))):
            self.now += 0.1
            self.seen += self.parser.tick()

    @property
    def told(self) -> list[str]:
        return [
            f"paste {event.text}" if isinstance(event, Paste) else f"key {event.key}"
            for event in self.seen
            if isinstance(event, Paste | Key)
        ]


@pytest.mark.parametrize("pieces", [1, 2, 3, 5, 7, 100, 4096])
def test_coloured_text_is_one_paste_without_its_colours_and_keys_are_keys(pieces: int) -> None:
    it = Terminal()
    it.sends(f"a{BEGIN}{COLOURED}{END}b{BEGIN}x{END}", pieces)
    it.waits(1)
    words = "".join(f"coloured word {number}\n" for number in range(150))
    assert it.told == ["key a", f"paste {words}", "key b", "paste x"]


def test_a_paste_that_never_ends_is_over_when_nothing_more_comes() -> None:
    it = Terminal()
    it.sends(f"{BEGIN}https://example.org/a.zip")
    it.waits(SILENCE - 0.5)
    assert it.told == []
    it.waits(1)
    assert it.told == ["paste https://example.org/a.zip"]
    it.sends("q\t")
    assert it.told[1:] == ["key q", "key tab"]
    it.sends(f"{END}r")
    assert it.told[3:] == ["key r"], "an end that comes late is none"


def test_a_paste_is_over_though_keys_are_pressed_in_vain() -> None:
    it = Terminal()
    it.sends(f"{BEGIN}x")
    for _ in range(round(MOST) + 2):
        it.waits(1)
        it.sends("k")
    assert it.told[0].startswith("paste xkkk")
    assert it.told[-1] == "key k"


@pytest.mark.parametrize("pieces", [777, 4096])
def test_a_paste_of_megabytes_is_cut_and_what_follows_is_keys(pieces: int) -> None:
    it = Terminal()
    it.sends(f"{BEGIN}{'x' * 2_000_000}{END}b", pieces)
    assert it.told == [f"paste {'x' * LONGEST}", "key b"]


def test_an_escape_key_and_half_a_mark_are_not_kept_back() -> None:
    it = Terminal()
    it.sends("\x1b[2")
    wait_until(lambda: it.waits(0.1) or it.told)  # type: ignore[func-returns-value]  # Textual's own clock goes by itself
    it.sends("q")
    assert it.told[-1] == "key q"
    it = Terminal()
    it.sends("\x1b")
    wait_until(lambda: it.waits(0.1) or it.told)  # type: ignore[func-returns-value]
    assert it.told == ["key escape"]
    it = Terminal()
    it.sends("\x1b[A\x1b[20~")
    it.waits(0.3)
    assert it.told == ["key up", "key f9"]
