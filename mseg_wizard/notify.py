"""Telling a person who is not looking: what in a run is news for them, and the command of theirs that carries it."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mseg_wizard.core import host
from mseg_wizard.core.log import redact
from mseg_wizard.core.subprocesses import without_secrets
from mseg_wizard.progress import Problem, printable
from mseg_wizard.standing.snapshot import Snapshot, standing

log = logging.getLogger("mseg_wizard.notify")

VARIABLE = "MSEG_WIZARD_SAYS"
LIMIT = 60.0
"""Seconds that the command gets: a mail server that does not answer must not leave one process per message behind."""


def command_of(text: str) -> tuple[str, ...]:
    """The words of a command, as a shell would split them; no shell ever sees it.

    Raises Problem where quotes don't close.
    """
    try:
        return tuple(shlex.split(text))
    except ValueError:
        raise Problem(
            "The command for messages can't be read: its quotes don't close.", "Write it as in a shell."
        ) from None


def news(snapshot: Snapshot, told: Container[object] = ()) -> tuple[object, str]:
    """What a person who is away would want to know of this moment,
    and what tells it from other news; None for nothing.

    `told`: what is no news any more, where there may be several at once.
    """
    stands = standing(snapshot)
    for key in snapshot.refused:  # the work goes on, and a fresh link takes its time
        if (said := snapshot.progress[key].doing) not in told and not snapshot.awaits:
            return said, f"goes on, and waits for you besides: {said}"
    if stands.state not in ("waiting", "failed", "done", "aside"):
        return None, ""
    return snapshot.awaits or snapshot.problem or snapshot.crash or stands.state, stands.words


class Notifier:
    """Follows one run's snapshots and tells each piece of news once."""

    def __init__(self, command: Sequence[str], destination: Path) -> None:
        self._command = tuple(command)
        self._destination = destination
        self._sent: frozenset[object] = frozenset()
        self._threads: list[threading.Thread] = []
        self._failed: list[str] = []

    def follow(self, snapshot: Snapshot) -> bool:
        """Look at the newest snapshot: is there news?

        Then the command is on its way; whatever becomes of it, this returns at once.
        """
        key, text = news(snapshot, self._sent)
        # What waited while archives came may end so: the same words are no news then.
        if key is None or not self._sent.isdisjoint((key, text)):
            return False
        self._sent = self._sent | {key, text} if snapshot.running else frozenset({key})
        if self._command:
            self._send(text)
        return True

    def greet(self) -> None:
        """Try the command with a message that says so: a mistake in it must not show days later."""
        if self._command:
            self._send("begins to work; this message is to see that messages arrive")

    def _send(self, text: str) -> None:
        said = redact(printable(f"mseg-wizard on {host.name()} {text} ({self._destination})", 2000))
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=self._tell, args=(said,), name="notify", daemon=True))
        self._threads[-1].start()

    def _tell(self, said: str) -> None:
        if failure := tell(self._command, said):
            log.warning("%s", failure)
            self._failed.append(failure)

    def failures(self) -> list[str]:
        """What became of messages that did not get away, told once each."""
        told, self._failed = self._failed, []
        return list(dict.fromkeys(told))

    def close(self, timeout: float = 10.0) -> None:
        """At the end of the program: give what is on its way the time to get there."""
        for thread in self._threads:
            thread.join(timeout)


def tell(command: Sequence[str], said: str) -> str:
    """Run the command with the message on its standard input and in
    MSEG_WIZARD_SAYS; returns how that failed, in words, empty where it didn't.
    """
    environment = without_secrets(_unredacted(os.environ), ()) | {VARIABLE: said}
    try:
        process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
            start_new_session=True, text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except (OSError, ValueError) as error:
        return f"the command for messages can't be started: {getattr(error, 'strerror', None) or error}"
    try:
        printed, _ = process.communicate(said + "\n", timeout=LIMIT)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"the command for messages did not end within {LIMIT:.0f} s"
    if process.returncode:
        words = redact(printable(printed.strip(), 300))
        return f"the command for messages ended with code {process.returncode}: {words}"
    return ""


def _unredacted(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that hold no known secret."""
    return {name: value for name, value in environment.items() if redact(value) == value}
