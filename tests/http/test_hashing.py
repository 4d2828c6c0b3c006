"""Hashes made beside the download: of exactly what was told to be
final, over at once when stopped, and no error kept to the end.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from random import Random

import pytest

from mseg_wizard.http.hashing import Hasher
from mseg_wizard.progress import Problem
from tests.waiting import wait_until

DATA = Random(1).randbytes(5_000_000)


def test_it_follows_a_growing_file_and_never_reads_ahead(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(bytes(len(DATA)))  # what is behind the first hole is not final
    hasher = Hasher(file, {"sha256", "md5"})
    with file.open("rb+", buffering=0) as out:
        for end in (1, 2_000_000, 1_500_000, 4_000_000, len(DATA)):
            out.seek(0)
            out.write(DATA[:end])
            hasher.grow(end, last=end == len(DATA))
    while not hasher.finished(1):
        pass
    assert hasher.digests() == {
        kind: hashlib.new(kind, DATA, usedforsecurity=False).hexdigest() for kind in ("sha256", "md5")
    }


def test_a_file_that_is_shorter_than_it_should_be_is_told_while_the_download_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(DATA[:1_500_000])
    hasher = Hasher(file, {"sha256"})
    hasher.grow(3_000_000)
    while not hasher.finished(1):
        pass
    with pytest.raises(Problem, match="can't be read"):
        hasher.grow(3_500_000)
    with pytest.raises(Problem, match="shorter than what was written"):
        hasher.digests()
    hasher.close()


def test_closing_ends_it_at_once_however_much_is_left(tmp_path: Path) -> None:
    file = tmp_path / "a"
    with file.open("wb") as out:
        out.truncate(1 << 40)
    hasher = Hasher(file, {"sha256"})
    hasher.grow(1 << 40)
    wait_until(lambda: hasher.done)
    hasher.close()
    assert hasher.done < 1 << 40
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hash")]
