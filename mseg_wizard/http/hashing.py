"""The hashes of a file that is still growing, made in a thread of their own.

The file is the queue between the two: nothing piles up.
"""

from __future__ import annotations

import errno
import hashlib
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from mseg_wizard.http.partial_file import BLOCK, disk_problems


class Hasher:
    """Follows a file from its start up to where it was told: rebuilding after a resume is nothing special."""

    def __init__(self, path: Path, kinds: Iterable[str]) -> None:
        self.done = 0
        """Bytes that are hashed."""
        self._path = path
        # md5 and sha1 are what was published for some archives; they guard against damage, not against malice.
        self._sums = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
        self._grown = threading.Condition()
        self._size = 0
        self._last = False
        self._stopped = False
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._follow, name=f"hash: {path.name}", daemon=True)
        self._thread.start()

    def grow(self, length: int, last: bool = False) -> None:
        """The file's first `length` bytes are final; `last`: there will be no more.

        Raises Problem if it could not be read.
        """
        self._check()
        with self._grown:
            self._size, self._last = max(self._size, length), last
            if last or self._size - self.done >= BLOCK:
                self._grown.notify()

    def finished(self, wait: float) -> bool:
        """Wait at most so long for the thread to reach the end."""
        self._thread.join(wait)
        return not self._thread.is_alive()

    def digests(self) -> Mapping[str, str]:
        """The sums by kind, once finished; raises Problem if the file could not be read."""
        self._check()
        return {kind: total.hexdigest() for kind, total in self._sums.items()}

    def close(self) -> None:
        """End the thread: it looks up after each block."""
        with self._grown:
            self._stopped = True
            self._grown.notify()
        self._thread.join()

    def _check(self) -> None:
        if self._error:
            with disk_problems(self._path):
                raise self._error

    def _follow(self) -> None:
        block = memoryview(bytearray(BLOCK))
        try:
            with self._path.open("rb", buffering=0) as file:
                while length := self._wait():
                    read = file.readinto(block[:length])
                    if not read:
                        raise OSError(errno.EIO, "it is shorter than what was written")
                    for total in self._sums.values():
                        total.update(block[:read])
                    self.done += read
        except OSError as error:
            self._error = error

    def _wait(self) -> int:
        """Bytes to read next; 0: no more."""
        with self._grown:
            self._grown.wait_for(lambda: self._stopped or self._last or self._size - self.done >= BLOCK)
            return 0 if self._stopped else min(BLOCK, self._size - self.done)
