"""The wizard's own files, edited or damaged since: understood, passed over or told with a way out; never a crash."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mseg_wizard import step as step_module
from mseg_wizard.answers.fields import check_answer
from mseg_wizard.answers.file import read_answers
from mseg_wizard.progress import Problem, Progress, Waiting
from mseg_wizard.standing.snapshot import FILE, Snapshot, publish, published
from mseg_wizard.standing.step_states import overview
from mseg_wizard.state.journal import OWN, ArchiveRecord, Journal, TreeRecord
from mseg_wizard.state.journal_file import read_journal
from mseg_wizard.state.store import Store
from mseg_wizard.step_files import load
from mseg_wizard.tasks.registry import load_steps
from tests.fuzz.mutations import MEMORY, free, hostile, mutated, tried

STEPS = load_steps()
JOURNAL = Journal(
    id="a",
    answers={"prepare": {"workers": 3, "read": True}},
    started={"a/b": "boot"},
    finished={"a/c": "2024"},
    made=("a/b",),
    archives={"a.zip": ArchiveRecord("/a.zip", 5, 7, "ab", "fetched", "here")},
    tree=TreeRecord("/x", pinned=True),
    notes={"a/b": ("é",)},
    seconds={"a/b": 1.5},
)
ANSWERS = b"""[prepare]
read = true
workers = 3
destination = "/a"

[idd]
url = "https://example.org/idd-segmentation.tar.gz"
archives = ["/a", 'b']
"""


@pytest.fixture
def destination() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        Path(folder, OWN).mkdir()
        yield Path(folder)


@pytest.mark.slow
def test_a_journal_is_read_or_told_with_a_way_out(destination: Path) -> None:
    file = destination / OWN / "journal.json"

    @given(st.one_of(mutated(json.dumps(asdict(JOURNAL), indent=1).encode()), free()))
    @tried(500)
    def read(data: bytes) -> None:
        file.write_bytes(data)
        with hostile():
            journal = read_journal(destination)
            Store(destination).close()
            file.with_name("lock").unlink()
            data = file.read_bytes()
            assert read_journal(destination) == journal is not None
        assert file.read_bytes() == data  # what could not be read is left alone

    read()


def test_a_lock_is_read_whatever_it_holds(destination: Path) -> None:
    @given(st.one_of(mutated(b'{"host": "a", "pid": 5, "boot": "b", "since": "2024"}'), free()))
    @tried(100)
    def read(data: bytes) -> None:
        (destination / OWN / "lock").write_bytes(data)
        with hostile():
            Store(destination).close()

    read()


def test_a_sign_of_life_is_read_or_passed_over(destination: Path) -> None:
    progress = Progress("a", 1, 2, "B", 0.5, call="prepare/tree")
    snapshot = Snapshot(True, (progress.call,), {progress.call: progress}, Waiting("a", "b", "prepare", ["read"]))
    publish(snapshot, destination / OWN)
    file = destination / OWN / FILE

    @given(st.one_of(mutated(file.read_bytes()), free()))
    @tried(300)
    def read(data: bytes) -> None:
        file.write_bytes(data)
        with hostile():
            overview(STEPS, JOURNAL, published(destination), lambda step: ())

    read()


def test_an_answers_file_is_read_or_told(destination: Path) -> None:
    file = destination / "answers.toml"
    file.touch(0o600)

    @given(st.one_of(mutated(ANSWERS), free()))
    @tried(500)
    def read(data: bytes) -> None:
        file.write_bytes(data)
        with hostile():
            for name, table in read_answers(file, STEPS).items():
                step = next(step for step in STEPS if step.id == name)
                for key, value in table.items():
                    with hostile():
                        check_answer(step, step.field(key), value)

    read()


def test_a_step_file_is_read_or_told(destination: Path) -> None:
    folder = Path(step_module.__file__).parent.parent / "steps"
    valid = (folder / "08-kitti.toml").read_bytes()

    @given(st.one_of(mutated(valid), free()))
    @tried(300)
    def read(data: bytes) -> None:
        (destination / "01-kitti.toml").write_bytes(data)
        with hostile():
            assert load(destination)[0].id == "kitti"

    read()


def test_the_valid_ones_are_read(destination: Path) -> None:
    (destination / OWN / "journal.json").write_text(json.dumps(asdict(JOURNAL)))
    inode = (destination / OWN).stat().st_ino
    assert read_journal(destination) == replace(JOURNAL, place=str(destination), inode=inode)
    (destination / "answers.toml").write_bytes(ANSWERS)
    (destination / "answers.toml").chmod(0o600)
    assert read_answers(destination / "answers.toml", STEPS)["prepare"]["workers"] == 3
    with pytest.raises(Problem):
        read_answers(destination / "none.toml", STEPS)
