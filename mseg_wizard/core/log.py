"""The log file, and the one filter through which every line goes: no query string and no known secret gets into it."""

from __future__ import annotations

import base64
import ctypes
import html
import logging
import re
import resource
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_plus

from mseg_wizard.core.limits import log_place
from mseg_wizard.progress import Problem, printable

LOG = "log.txt"
LINE = 20_000
"""Characters of a line that are logged."""
QUERY = re.compile(r"([a-z][a-z0-9+.-]{1,20}://[^\s?#'\"]+)[?#][^\s'\"]*", re.IGNORECASE)
USERINFO = re.compile(r"([a-z][a-z0-9+.-]{1,20}://)[^\s/?#'\"]*@", re.IGNORECASE)
LAYERS = 4
"""Encodings around encodings that are taken off."""
LEAST = 6
"""Characters of a secret from which on it is looked for whatever stands around it, encoded too."""
SHORT = 4
"""Characters from which on it is looked for as a word by itself; shorter ones are in everything."""
_TOKEN = re.compile(r"[^\s\"'<>“”]{8,}")
_RUN = re.compile(r"[A-Za-z0-9+/_-]{8,}")

_hidden: frozenset[str] = frozenset()


def hide(value: str) -> None:
    """Have this left out of every line from now on, as it is and as it would stand in a form, a query, a page, JSON, a
    Python string or base64.

    A message that quotes it is a bug of ours or of a library's: this is the net below. In our own text a short value of
    letters or of digits alone is not looked for: it may be a word or a number, whose absence would tell it. What a
    server says is another matter, see `quotes`.
    """
    global _hidden
    if len(value) >= 2 * LEAST or (len(value) >= SHORT and not value.isalpha() and not value.isdecimal()):
        _hidden |= {value}


def redact(text: str) -> str:
    """`text` without query strings, fragments and user names in its
    links, where links carry their secrets, and without known secrets.
    """
    return without_known_secrets(USERINFO.sub(r"\1", QUERY.sub(r"\1?…", text)))


def without_known_secrets(text: str) -> str:
    """`text` as it is but for the secrets in it, in all their spellings."""
    if not (known := _known(_hidden)):
        return text
    text = known.sub("…", text)
    return _TOKEN.sub(lambda found: "…" if _encodes(found[0], _hidden) else found[0], text)


def redacted(value: Any) -> Any:
    """The same for all texts in lists and tables that become a file."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redacted(key): redacted(item) for key, item in value.items()}
    return [redacted(item) for item in value] if isinstance(value, list | tuple) else value


def quotes(text: str, values: Iterable[str]) -> bool:
    """Does a text from elsewhere say one of these that were sent there, however short, plain or encoded?"""
    looked_for = frozenset(value for value in values if value)
    plain = text.lower()
    return (
        any(value.lower() in plain for value in looked_for)
        or bool((known := _known(looked_for)) and known.search(text))
        or _encodes(text, looked_for)
    )


@lru_cache(maxsize=4096)
def _encodes(token: str, values: frozenset[str]) -> bool:
    """Is one of the values in it once percent signs, entities, base64 or hexadecimal digits are decoded?"""
    looked_for = [value.lower() for value in values if len(value) >= LEAST]
    layers = [token]
    while len(layers) < LAYERS and (inner := html.unescape(unquote_plus(layers[-1]))) != layers[-1]:
        layers.append(inner)
        if any(value in inner.lower() for value in looked_for):
            return True
    said = [text for layer in layers for run in _RUN.findall(layer) for text in _decoded(run)]
    said += [unquote_plus(text) for text in said if "%" in text]
    return any(value in text for text in said for value in looked_for)


def _decoded(run: str) -> Iterator[str]:
    """What a run of letters and digits may say: its base64 may begin at any of four characters."""
    for begin in range(4):
        part = run[begin:].replace("-", "+").replace("_", "/")
        left_over = len(part) % 4
        whole = part[:-1] if left_over == 1 else part + "=" * (-len(part) % 4)
        yield base64.b64decode(whole).decode("utf-8", "replace").lower()
    with suppress(ValueError):
        yield bytes.fromhex(run[: len(run) // 2 * 2]).decode("utf-8", "replace").lower()


@lru_cache(maxsize=8)
def _known(values: frozenset[str]) -> re.Pattern[str] | None:
    longest_first = sorted(values, key=len, reverse=True)
    return re.compile("|".join(_pattern(value) for value in longest_first), re.IGNORECASE) if values else None


def _pattern(value: str) -> str:
    spelt = "".join(map(_spelt, value))
    return spelt if len(value) >= LEAST else rf"(?<!\w){spelt}(?!\w)"


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
        lines = redact(super().format(record)).split("\n")
        return "\n".join(printable(line.replace("\t", "    "), LINE) for line in lines)


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
