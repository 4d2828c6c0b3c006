"""Keys one by one: the next is looked at when the one before has had its whole effect.

What keys do is not known here.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from textual.events import Event, Key, Paste
from textual.message_pump import MessagePump

from mseg_wizard.tui.textual_private import SafeApp, has_screen, was_taken

ROUNDS = 3
"""A key climbs from the focused widget to the app, where it may
become an action, whose messages climb again, and set the focus.
"""
PATIENCE = 5.0
"""Seconds after which the next key is looked at all the same: a widget may have gone."""


class KeyQueue(SafeApp):
    """An app that types ahead like a terminal does.

    Textual sends every key at once to what has the focus then, though one still under way may move it: of a burst, as
    slow lines bring them, "Tab" and a password would go into the field before, in clear.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # App's own
        self._ahead: deque[Key | Paste] = deque()
        self._under_way: Key | Paste | None = None
        self._pressed = -PATIENCE

    @property
    def rested(self) -> float:
        """Seconds since the last key or paste had its effect; 0 while one is on its way."""
        return 0.0 if self._under_way or self._ahead else time.monotonic() - self._pressed

    async def on_event(self, event: Event) -> None:
        if not isinstance(event, Key | Paste) or event.is_forwarded:
            await super().on_event(event)
        elif not has_screen(self):
            return  # typed before the first screen, or after the last
        elif self._under_way or self._ahead:
            self._ahead.append(event)
        else:
            await self._take(event)

    async def _take(self, event: Key | Paste) -> None:
        self._under_way = event
        way: list[MessagePump] = list(self.focused.ancestors_with_self) if self.focused else [self.screen, self]
        asyncio.get_running_loop().call_later(PATIENCE, self._had_effect, event)
        await super().on_event(event)
        if not way[0].call_later(self._reached, event, way * ROUNDS):
            self._had_effect(event)

    def _reached(self, event: Key | Paste, way: list[MessagePump]) -> None:
        """The focused widget had the key; one that took it as text stopped it there."""
        if was_taken(event):
            self._had_effect(event)
        else:
            self._climb(event, way)

    def _climb(self, event: Key | Paste, way: list[MessagePump]) -> None:
        """Go behind the key, and behind what follows from it, through the queues that they go through."""
        while event is self._under_way:
            if not way:
                self._had_effect(event)
            elif way.pop(0).call_later(self._climb, event, way):
                return

    def _had_effect(self, event: Key | Paste) -> None:
        if event is self._under_way:
            self._under_way, self._pressed = None, time.monotonic()
            if self._ahead:
                self.call_later(self._next)

    async def _next(self) -> None:
        if not has_screen(self):
            self._ahead.clear()
        elif self._ahead and not self._under_way:
            await self._take(self._ahead.popleft())
