"""What a machine's limits look like from inside, as what the user can act on; and places that every program needs."""

from __future__ import annotations

import errno
import os
import resource
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import platformdirs

from mseg_wizard.progress import Problem, size

SOCKET = 60
"""Characters of a folder in which a socket still gets a name: the system takes 104 to 108 in all."""

COMMON = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - what is made there gets a name of its own


def limit_of(error: BaseException) -> Problem | None:
    """The limit of this machine that an error is about; None where it is about something else."""
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, MemoryError) or number == errno.ENOMEM:
        return Problem(
            f"This machine gives the wizard no more memory.{_memory_bound()}",
            "Raise that limit, end what else needs memory, or use fewer workers (--workers); then start again.",
        )
    if number == errno.EAGAIN or (isinstance(error, RuntimeError) and "start new thread" in str(error)):
        allowed = resource.getrlimit(resource.RLIMIT_NPROC)[0]
        bound = "" if allowed == resource.RLIM_INFINITY else f" You may have {allowed:,} (`ulimit -u`)."
        # A thread whose stack finds no room fails in the same words.
        return Problem(
            f"This machine starts no more processes or threads for you.{bound}{_memory_bound()}",
            "Raise that limit, end what else runs, or use fewer workers (--workers); then start again.",
        )
    return None


def _memory_bound() -> str:
    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    return "" if allowed == resource.RLIM_INFINITY else f" A process may have {size(allowed)} (`ulimit -v`)."


def parser_limit(error: BaseException) -> Problem | None:
    """The limit that Python's parser ran into; None where it only says so of what is nested too deeply: the error is
    the same, and where memory has no bound it never means that.
    """
    bounded = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    return limit_of(error) if bounded and isinstance(error, MemoryError) else None


def log_place() -> Path:
    """The user's own folder for logs; without a home, one of this process's own."""
    return _at_home(platformdirs.user_log_path) or _homeless()


def preferences_place() -> Path | None:
    """The user's own folder for preferences; None without a home."""
    return _at_home(platformdirs.user_config_path)


def home() -> Path | None:
    """The user's home; None for a user of whom the system knows nothing, as in some containers."""
    with suppress(RuntimeError):
        return Path.home()
    return None


def meeting_place() -> Path | None:
    """A folder for temporary files where sockets can be named too; None where no such folder can be written to."""
    named = (os.environ.get("TMPDIR"), os.environ.get("XDG_RUNTIME_DIR"), *COMMON)
    for place in dict.fromkeys(named):
        if place and len(os.fsencode(place)) <= SOCKET:
            try:
                with tempfile.TemporaryDirectory(dir=place):
                    return Path(place)
            except OSError:
                continue
    return None


def _at_home(place: Callable[[str], Path]) -> Path | None:
    with suppress(RuntimeError):
        path = place("mseg-wizard")
        # Older versions of platformdirs leave it as it was written, and that would be a folder called "~".
        return None if path.parts[:1] == ("~",) else path
    return None


@cache
def _homeless() -> Path:
    return Path(tempfile.mkdtemp(prefix="mseg-wizard-"))
