"""Lines and pictures for a pipe or terminal, written by a thread: a reader who takes nothing holds nothing up."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections import deque
from typing import Any, TextIO

LAST = 1.0
"""Seconds that the end waits for a reader."""
PIECE = 4096
POLL = 0.2


class Output:
    """What goes to one descriptor: by a thread of its own, as nothing else ends a write that nobody reads.

    Not through a stream's buffer: its lock would be held, and Python could not end.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._lost = False
        self._thread: threading.Thread | None = None

    @property
    def unwritten(self) -> bool:
        """Is there something that nobody took yet?"""
        return bool(self._rest)

    def put(self, data: bytes) -> None:
        """Have it written behind what was given before; where the reader is gone, it is dropped."""
        if self._lost or not data:
            return
        with self._changed:
            self._rest.extend(data[at : at + PIECE] for at in range(0, len(data), PIECE))
            self._changed.notify_all()
        if self._thread is None:
            thread = threading.Thread(target=self._write, name="output", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # this user may have no more: then whoever writes waits for the reader
                while self._rest:
                    self._write_piece()
            else:
                self._thread = thread

    def wait(self, seconds: float) -> bool:
        """Wait until all of it was taken; True where it was, or never will be because the reader is gone."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._rest, seconds)

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._rest))
            self._write_piece()

    def _write_piece(self) -> None:
        piece = self._rest[0]
        written = self._taken(piece)
        with self._changed:
            if self._lost:
                self._rest.clear()
            elif written == len(piece):
                self._rest.popleft()
            else:
                self._rest[0] = piece[written:]
            self._changed.notify_all()

    def _taken(self, piece: bytes) -> int:
        try:
            return os.write(self._descriptor, piece)
        except BlockingIOError:  # another program of this terminal has set it so
            select.select([], [self._descriptor], [], POLL)
        except (OSError, ValueError):
            self._lost = True
        return 0


_outputs: dict[int, Output] = {}


def write_line(text: str, stream: TextIO | None = None, *, wait: float | None = None) -> None:
    """One line, on stdout unless it is to go elsewhere.

    A reader is waited for, `wait` seconds at most where that is given; one who is gone is no error: the work goes on
    until its signal arrives.
    """
    to = stream or sys.stdout
    try:
        output = _of(to)
        if output is None:
            print(text, file=to, flush=True)
            return
        to.flush()
    except (OSError, ValueError):
        return
    output.put(f"{text}\n".encode(getattr(to, "encoding", None) or "utf-8", "replace"))
    if wait is not None:
        output.wait(wait)
    else:
        while not output.wait(POLL):
            pass


def held_up(stream: TextIO | None = None) -> bool:
    """Does a line wait for its reader, also after a moment?"""
    output = _of(stream or sys.stdout)
    return output is not None and not output.wait(POLL)


def _of(stream: Any) -> Output | None:
    """The stream's output; None where it has no descriptor, as in tests, or is closed."""
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    if descriptor not in _outputs:
        _outputs[descriptor] = Output(descriptor)
    return _outputs[descriptor]
