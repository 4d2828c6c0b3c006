"""The exit codes of every command, and the signals that end one. What each means to a user is in the help."""

from __future__ import annotations

import signal
from enum import IntEnum


class Exit(IntEnum):
    """What the shell is told."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WAITING = 3
    LOCKED = 4
    ASIDE = 5
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


STOPS = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED, signal.SIGHUP: Exit.HANGUP}
"""The signals that stop a run cleanly."""
