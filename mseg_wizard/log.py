"""The log file, and the one filter through which every line goes: no query string and no known secret gets into it."""

from __future__ import annotations

import logging
import re
import resource
from contextlib import suppress
from pathlib import Path

import platformdirs

LOG = "log.txt"
QUERY = re.compile(r"(https?://[^\s?#'\"]+)[?#][^\s'\"]*")
USERINFO = re.compile(r"(https?://)[^\s/@]+@")


def redact(text: str) -> str:
    """`text` without query strings, fragments and user names in its links: where links carry their secrets."""
    return USERINFO.sub(r"\1", QUERY.sub(r"\1?…", text))


class Redacted(logging.Formatter):
    """Formats a record, exceptions included, and redacts the result as a whole."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def log_to(folder: Path | None) -> Path:
    """Log into `folder`/LOG, or into the user's own log folder while no destination is known; returns the file."""
    folder = folder or platformdirs.user_log_path("mseg-wizard")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / LOG
    path.touch(mode=0o600)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(Redacted("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.raiseExceptions = False  # a line that a full disk doesn't take is lost: its traceback must not get onto the screen
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old.formatter, Redacted)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "httpcore", "asyncio", "PIL"):  # httpx logs whole URLs at INFO
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return path


def no_core_dumps() -> None:
    """A core file would hold every secret of this process."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
