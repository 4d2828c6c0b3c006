"""Verification goes on where it was stopped, and looks again only at what changed."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mseg_wizard.progress import Problem
from mseg_wizard.state.journal import OWN
from mseg_wizard.tasks.verify import verify as run_verify
from mseg_wizard.verification.results import UNCHANGED
from tests.verification.finished import Finished

MAP = "SUNRGBD/semseg-label37/train/00000253.png"


def verify(finished: Finished, *options: str) -> tuple[int, int]:
    """Its exit code, and how many images it did not look at again."""
    done = finished.wizard.run("verify", "--dest", finished.destination, *options)
    assert "bug" not in done.stderr
    return done.returncode, finished.verdict["counts"].pop(UNCHANGED, 0)


def spoil(path: Path) -> None:
    """Change one pixel."""
    with Image.open(path) as image:
        pixels = np.array(image)
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(path)


@pytest.mark.slow
def test_what_is_unchanged_is_not_looked_at_again_and_the_verdict_is_the_same(finished: Finished) -> None:
    assert verify(finished) == (0, 0)
    first = finished.verdict
    images = first["counts"]["images"]
    code, unchanged = verify(finished)
    assert code == 0
    assert unchanged >= images
    second = finished.verdict
    del second["counts"][UNCHANGED]
    assert (second["counts"], second["notes"], second["faults"]) == (first["counts"], first["notes"], first["faults"])
    assert verify(finished, "--full") == (0, 0)


@pytest.mark.slow
def test_whatever_changed_is_found_and_repair_looks_at_it_alone(finished: Finished) -> None:
    verify(finished)
    _, all_of_them = verify(finished)
    spoil(finished.dataset / MAP)
    code, unchanged = verify(finished)
    assert (code, unchanged) == (1, all_of_them - 1)
    assert list(finished.faults()) == [MAP]
    assert verify(finished) == (1, all_of_them - 1), "what is faulty is looked at every time"
    code, unchanged = verify(finished, "--repair")
    assert (code, unchanged) == (0, all_of_them - 1)
    assert verify(finished) == (0, all_of_them)


@pytest.mark.slow
def test_a_change_that_keeps_size_and_time_is_found_by_a_full_look(finished: Finished) -> None:
    verify(finished)
    path = finished.dataset / MAP
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert verify(finished)[0] == 0
    assert verify(finished, "--full")[0] == 1
    assert list(finished.faults()) == [MAP]


@pytest.mark.slow
def test_a_damaged_record_costs_a_second_look_and_nothing_else(finished: Finished) -> None:
    verify(finished)
    _, all_of_them = verify(finished)
    record = finished.destination / OWN / "verified.bin"
    whole = record.read_bytes()
    for damaged in (b"", whole[:-3], whole[: len(whole) // 2], b"\0" * 40 + whole, os.urandom(500)):
        record.write_bytes(damaged)
        code, unchanged = verify(finished)
        assert code == 0
        assert unchanged < all_of_them
        assert verify(finished) == (0, all_of_them)


@pytest.mark.slow
def test_what_was_looked_at_before_a_kill_is_not_looked_at_again(finished: Finished) -> None:
    verify(finished)
    _, all_of_them = verify(finished)
    record = finished.destination / OWN / "verified.bin"
    record.unlink()
    process = finished.wizard.start("verify", "--dest", finished.destination)
    while not record.exists() or not record.stat().st_size:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    code, unchanged = verify(finished)
    assert code == 0
    assert 0 < unchanged <= all_of_them
    assert record.stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_what_is_left_is_measured_afresh_for_each_dataset(finished: Finished) -> None:
    """One meter over all would promise a day where a dataset of large images follows a listing that took minutes."""
    ctx, first = finished.opened(), dict[str, float | None]()
    ctx.store.reopen(*(call.key for step in ctx.steps for call in step.calls if call.task == "verify"))
    try:
        with suppress(Problem):
            for progress in run_verify(ctx):
                if progress.doing.startswith("checking ") and ":" not in progress.doing and progress.total:
                    first.setdefault(progress.doing, progress.rate)
    finally:
        ctx.close()
    assert len(first) == 13
    assert set(first.values()) == {None}
