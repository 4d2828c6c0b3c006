"""The lock that lets one wizard work on a destination, and who holds it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from mseg_wizard.core import host
from mseg_wizard.core.files import LACKING
from mseg_wizard.progress import Problem, duration, printable
from mseg_wizard.state.journal import OWN

LOCK = "lock"
LOCK_BYTES = 4096
"""That are read of it."""


class Locked(Problem):
    """Another wizard works on this destination."""


def take_lock(own: Path, *, take_over: bool) -> int:
    """Take the kernel lock on `own`/lock and write who we are; returns the open descriptor.

    Kernel locks don't always cross network file systems, so a file that still names another host is respected until
    `take_over`.
    """
    path = own / LOCK
    try:
        # Without waiting: a FIFO in its place would keep us for ever.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise Problem(f"{path} can't be opened: {error.strerror or error}.", "Move it away or make it yours.") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Problem(f"{path} is no plain file.", "Move it away: the wizard makes it anew.")
        owner = _owner(os.pread(descriptor, LOCK_BYTES, 0))
        since = duration(max(0.0, time.time() - os.fstat(descriptor).st_mtime))
        who = printable(f"process {owner.get('pid', '?')} on {owner.get('host', 'an unknown host')}", 100)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in LACKING or _lives(owner):
                raise Locked(
                    f"Another wizard works on this destination: {who}.",
                    "Watch it with `mseg-wizard status`, or stop it first.",
                ) from None
        if owner and owner.get("host") != host.name() and not take_over:
            raise Locked(
                f"A wizard on another host works on this destination or ended without a farewell: {who}, last sign "
                f"{since} ago.",
                f"Look whether it still runs on {printable(str(owner.get('host')), 80)}. If it doesn't, start again "
                "with --take-over.",
            )
        me = {**asdict(host.this_process()), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(me).encode(), 0)
        os.fsync(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _owner(content: bytes) -> Mapping[str, Any]:
    try:
        owner = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _lives(owner: Mapping[str, Any]) -> bool:
    """Is the process that a lock names one of this host's that still runs? What counts where the disk can't lock."""
    if owner.get("host") != host.name() or owner.get("boot") != host.boot_id() or not isinstance(owner.get("pid"), int):
        return False
    try:
        os.kill(owner["pid"], 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return bool(owner["pid"] != os.getpid())


def can_lock(destination: Path) -> bool:
    """Does the disk of a destination in use keep two wizards apart?"""
    try:
        _try_lock(destination)
    except OSError as error:
        return error.errno not in LACKING
    return True


def working(destination: Path) -> bool:
    """Does a wizard of this host hold the destination's lock?"""
    try:
        _try_lock(destination)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno in LACKING:
            return _lives(_owner((destination / OWN / LOCK).read_bytes()))
        return error.errno == errno.EWOULDBLOCK
    return False


def _try_lock(destination: Path) -> None:
    """Take the lock beside others who only look, and give it back; raises OSError where that can't be."""
    descriptor = os.open(destination / OWN / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def holder(destination: Path) -> host.Process | None:
    """Who holds the destination's lock, None where nobody does.

    Another host's lock is not always seen here: then it is who wrote into it last, and did not take that back.
    """
    try:
        # Without waiting, as it is taken.
        descriptor = os.open(destination / OWN / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            table = _owner(os.read(descriptor, LOCK_BYTES))
        finally:
            os.close(descriptor)
        owner = msgspec.convert(table, host.Process) if table else None
    except (OSError, msgspec.ValidationError):
        return None
    return owner if owner and (owner.host != host.name() or working(destination)) else None
