"""Other people's programs, run by a task: watched line by line,
without our secrets, and ended with all that they started.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mseg_wizard.core.background import Job
from mseg_wizard.core.log import redact
from mseg_wizard.progress import printable

KEPT = 30
"""Last lines that are kept for the user."""
GRACE = 2.5
"""Seconds to clean up after an interrupt, as pip does; well within the 5 s that a stopped task has."""
LONGEST = 8192
"""Bytes of one line; what is longer is cut there."""

_SECRET = re.compile(
    r"TOKEN|PASSW|PASSPHRASE|PASSCODE|SECRET|CREDENTIAL|COOKIE|APIKEY|_(KEY|PASS|PAT|PWD)$|^(MSEG_WIZARD|AWS)_|^SSH_AUTH_SOCK$",
    re.IGNORECASE,
)
LEAST = 8
"""Characters from which a secret is also looked for inside of values: shorter ones are in everything."""


@dataclass(frozen=True)
class EndedProgram:
    """How a program ended."""

    code: int
    """Its exit code, negative for a signal."""
    lines: tuple[str, ...]
    """The last of what it printed, safe to show."""


def run_program(
    job: Job,
    command: Sequence[str | Path],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    limit: float | None = None,
    say: Callable[[str], object] = len,
) -> EndedProgram:
    """Run a program to its end, giving each line that it prints to `say`;
    raises OSError where it can't be started, Stopped, TimeoutError.

    Whatever it started ends with it, also when the task is closed or `limit` seconds are over.
    """
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    lines: deque[str] = deque(maxlen=KEPT)
    until = None if limit is None else time.monotonic() + limit
    try:
        with process.stdout as pipe, selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            rest = b""
            while True:
                _watch(job, until)
                if not selector.select(0.2):
                    if process.poll() is not None:
                        break  # something that it started still holds the pipe
                    continue
                piece = os.read(pipe.fileno(), 65536)
                *whole, rest = re.split(rb"[\r\n]+", rest + piece)
                if len(rest) > LONGEST or not piece:
                    whole, rest = [*whole, rest[:LONGEST]], b""
                for text in whole:
                    if not (line := redact(printable(text.decode("utf-8", "replace").strip(), LONGEST))):
                        continue
                    lines.append(line)
                    say(line)
                if not piece:
                    break
        while True:  # it closed its output and may work on
            _watch(job, until)
            with suppress(subprocess.TimeoutExpired):
                return EndedProgram(process.wait(0.2), tuple(lines))
    finally:
        _end(process)


def _watch(job: Job, until: float | None) -> None:
    job.check()
    if until is not None and time.monotonic() > until:
        raise TimeoutError(None, "it did not end")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program's whole group: kindly, then surely."""
    until = time.monotonic() + (GRACE if process.returncode is None else 0)
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that has ended
            os.killpg(process.pid, number)
        while process.poll() is None and (number == signal.SIGKILL or time.monotonic() < until):
            time.sleep(0.02)


def without_secrets(
    environment: Mapping[str, str], names: Iterable[str], secrets: Iterable[str] = ()
) -> dict[str, str]:
    """The variables that another program may see: none that sounds
    like a secret, is one of `names`, or holds one of `secrets`.
    """
    known, values = set(names), [secret for secret in secrets if secret]
    return {
        name: value
        for name, value in environment.items()
        if name not in known
        and not _SECRET.search(name)
        and not any(value == secret or (len(secret) >= LEAST and secret in value) for secret in values)
    }
