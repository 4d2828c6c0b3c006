"""The log file, and the one filter through which every line goes: no query string and no known secret gets into it."""

from __future__ import annotations

import ctypes
import html
import logging
import re
import resource
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from mseg_wizard.core.limits import log_place
from mseg_wizard.progress import Problem

LOG = "log.txt"
QUERY = re.compile(r"([a-z][a-z0-9+.-]{1,20}://[^\s?#'\"]+)[?#][^\s'\"]*", re.IGNORECASE)
USERINFO = re.compile(r"([a-z][a-z0-9+.-]{1,20}://)[^\s/?#'\"]*@", re.IGNORECASE)
LEAST = 6
"""Characters of a secret that is looked for: shorter ones are in everything."""

_hidden: frozenset[str] = frozenset()


def hide(value: str) -> None:
    """Have this left out of every line from now on, as it is and as it
    would stand in a form, a query, a page, JSON or a Python string.

    A message that quotes it is a bug of ours or of a library's: this is the net below. Values that would mangle plain
    text are not looked for: short ones, and those of a few letters alone.
    """
    global _hidden
    if len(value) >= 2 * LEAST or (len(value) >= LEAST and not value.isalpha()):
        _hidden |= {value}


def redact(text: str) -> str:
    """`text` without query strings, fragments and user names in its
    links, where links carry their secrets, and without known secrets.
    """
    text = USERINFO.sub(r"\1", QUERY.sub(r"\1?…", text))
    return known.sub("…", text) if (known := _known(_hidden)) else text


@lru_cache(maxsize=1)
def _known(values: frozenset[str]) -> re.Pattern[str] | None:
    longest_first = sorted(values, key=len, reverse=True)
    return (
        re.compile("|".join("".join(map(_spelt, value)) for value in longest_first), re.IGNORECASE) if values else None
    )


def _spelt(letter: str) -> str:
    """Every way in which one character is written: plain, in a form
    or query, in a page, in JSON or Python's repr, also of a repr.
    """
    if letter.isascii() and letter.isalnum():
        return letter
    ways = {re.escape(letter), re.escape(html.escape(letter)), quote(letter.encode("utf-8", "surrogatepass"), "")}
    ways |= {r"\+"} if letter == " " else set()
    code = f"{ord(letter):04x}"
    escaped = rf"\\+(?:u{code}|U0000{code}|x{code[2:]})"
    return rf"(?:\\*(?:{'|'.join(sorted(ways))})|{escaped})"


class Redacted(logging.Formatter):
    """Formats a record, exceptions included, and redacts the result as a whole."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def log_to(folder: Path | None) -> Path:
    """Log into `folder`/LOG, or into the user's own log folder while no destination is known; returns the file.

    Raises Problem where it can't be written.
    """
    path = folder / LOG if folder else user_log()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        # Opening a FIFO would wait for a reader.
        if not path.is_file():
            raise Problem(f"{path} is no plain file, and the log belongs there.", "Move it away, then start again.")
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        what = f"The log, {path}, can't be written: {error.strerror or error}."
        raise Problem(what, "Make that possible, then start again.") from None
    handler.setFormatter(Redacted("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.raiseExceptions = (
        False  # a line that a full disk doesn't take is lost: its traceback must not get onto the screen
    )
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old.formatter, Redacted)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "httpcore", "asyncio", "PIL"):  # httpx logs whole URLs at INFO
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return path


def user_log() -> Path:
    """The log of a run that has no destination yet."""
    return log_place() / LOG


def log_crash() -> Path | None:
    """Log the exception that is being handled; returns the file, None where none can be written."""
    files = [handler for handler in logging.getLogger().handlers if isinstance(handler.formatter, Redacted)]
    if files and isinstance(files[0], logging.FileHandler):
        path = Path(files[0].baseFilename)
    else:
        try:
            path = log_to(None)
        except Problem:
            return None
    logging.getLogger("mseg_wizard").exception("unexpected")
    return path


def no_core_dumps() -> None:
    """A core file would hold every secret of this process; nor may other programs of the same user look into it.

    Where cores are handed to a program (apport, systemd-coredump) the limit of their size does not count, but being
    undumpable does.
    """
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)


_SET_DUMPABLE = 4
"""Of sys/prctl.h."""
