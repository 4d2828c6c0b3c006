"""A terminal's input, in which a paste is one event: bounded, without colours, and over when nothing more comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator

from textual.events import Paste
from textual.message import Message

from mseg_wizard.answers.pasted import LONGEST, without_escapes
from mseg_wizard.tui.textual_private import InputParser

BEGIN, END = "\x1b[200~", "\x1b[201~"
"""What terminals put around a paste."""
SILENCE = 3.0
"""Seconds without another byte after which a paste is over all the same: its end was lost on the way, and every key
would be taken for more of it.
"""
MOST = 60.0
"""Seconds after which it is over though bytes still come: those are keys, pressed in vain."""
SPLIT = 0.1
"""Seconds in which the rest of a mark comes that one reading has cut; a lone ESC is a key after that."""


class PasteParser(InputParser):
    """Textual's own takes an escape sequence inside a paste apart into keys, thousands of them in coloured text, and
    waits for ever for the end of one.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._pasted: str | None = None
        self._began = self._newest = 0.0
        self._held = ""
        """The beginning of BEGIN at the end of what was read."""

    def feed(self, data: str) -> Iterable[Message]:
        if not data:
            yield from self._over()
            yield from super().feed("")
            return
        data, self._held = self._held + data, ""
        self._newest = self._clock()
        while data:
            if self._pasted is None:
                data = yield from self._keys(data)
            else:
                data = yield from self._more(data)

    def tick(self) -> Iterable[Message]:
        """Every tenth of a second: is something over that has no end?"""
        now = self._clock()
        if self._pasted is not None and (now - self._newest > SILENCE or now - self._began > MOST):
            yield from self._over()
        if self._held and now - self._newest > SPLIT:
            held, self._held = self._held, ""
            yield from super().feed(held)
        yield from super().tick()

    def _keys(self, data: str) -> Generator[Message, None, str]:
        """What stands before a paste; returns what belongs to it."""
        keys, mark, rest = data.partition(BEGIN)
        if mark:
            self._pasted, self._began = "", self._newest
        else:
            cut = next((count for count in range(len(BEGIN) - 1, 0, -1) if keys.endswith(BEGIN[:count])), 0)
            if cut:
                keys, self._held = keys[:-cut], keys[-cut:]
        if keys:
            yield from super().feed(keys)
        return rest

    def _more(self, data: str) -> Generator[Message, None, str]:
        """More of a paste; returns what stands behind its end."""
        text, mark, rest = ((self._pasted or "") + data).partition(END)
        # Of what is too long the end is kept: the mark may be cut there.
        self._pasted = text if len(text) <= 4 * LONGEST else text[: 2 * LONGEST] + text[-len(END) :]
        if not mark:
            return ""
        yield from self._over()
        return rest

    def _over(self) -> Iterator[Message]:
        text, self._pasted = self._pasted, None
        if text:
            yield Paste(without_escapes(text)[:LONGEST].replace("\0", ""))
