"""The journal: what is written is whole, what can't be read is never replaced, and one wizard writes at a time."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mseg_wizard.core import host
from mseg_wizard.core.preferences import prefer, preferences
from mseg_wizard.progress import Problem
from mseg_wizard.state.journal import OWN
from mseg_wizard.state.journal_file import read_journal
from mseg_wizard.state.lock import Locked, working
from mseg_wizard.state.store import Store
from tests.wizard import hold


def test_answers_and_finished_work_survive_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.answer("prepare", "workers", 3)
    store.start("a/b")
    store.finish("a/b")
    ident = store.journal.id
    store.close()
    again = Store(tmp_path)
    assert again.journal.answers == {"prepare": {"workers": 3}}
    assert list(again.journal.finished) == ["a/b"]
    assert again.journal.id == ident
    again.close()


def test_the_journal_is_for_its_owner_only(tmp_path: Path) -> None:
    Store(tmp_path).close()
    assert (tmp_path / OWN).stat().st_mode & 0o777 == 0o700
    assert (tmp_path / OWN / "journal.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "\x00" * 200,
        '{"version": "1"}',
        '{"version": 99}',
        '{"version": 1, "odd": 2}',
        '{"version": 1, "answers": []}',
        '{"version": 1, "archives": {"a.zip": {"path": 1}}}',
    ],
)
def test_a_journal_that_cannot_be_read_is_an_error_with_a_way_out_and_stays_as_it_is(
    tmp_path: Path, content: str
) -> None:
    Store(tmp_path).close()
    path = tmp_path / OWN / "journal.json"
    path.write_text(content)
    with pytest.raises(Problem) as caught:
        Store(tmp_path)
    assert str(path) in caught.value.what
    assert caught.value.do
    assert path.read_text() == content
    # and the lock is free again
    path.unlink()
    (tmp_path / OWN / "journal.previous.json").unlink(missing_ok=True)
    Store(tmp_path).close()


def test_the_previous_journal_is_kept_and_can_take_its_place(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.answer("prepare", "workers", 3)
    store.answer("prepare", "workers", 4)
    store.close()
    path = tmp_path / OWN / "journal.json"
    path.unlink()
    with pytest.raises(Problem, match="is gone"):
        Store(tmp_path)
    path.with_name("journal.previous.json").rename(path)
    store = Store(tmp_path)
    assert store.journal.answers["prepare"]["workers"] in (3, 4)
    store.close()


def test_a_second_wizard_is_refused_while_the_first_lives_and_told_who_it_is(tmp_path: Path) -> None:
    other = hold(tmp_path)
    try:
        assert working(tmp_path)
        with pytest.raises(Locked, match=f"process {other.pid} on {host.name()}"):
            Store(tmp_path)
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate()
    assert not working(tmp_path)
    Store(tmp_path).close()  # killed: the kernel let the lock go, and nobody has to clean up


def test_a_lock_left_by_another_host_is_explained_and_only_taken_over_when_told(tmp_path: Path) -> None:
    Store(tmp_path).close()
    lock = tmp_path / OWN / "lock"
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 7, "boot": "x"}))
    with pytest.raises(Locked, match="process 7 on elsewhere") as caught:
        Store(tmp_path)
    assert "--take-over" in caught.value.do
    Store(tmp_path, take_over=True).close()
    Store(tmp_path).close()


def test_a_power_cut_during_a_call_is_noticed_at_its_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    assert store.start("a/b") is False
    assert store.start("a/b") is False
    monkeypatch.setattr(host, "boot_id", lambda: "another boot")
    assert store.start("a/b") is True
    store.finish("a/b")
    assert store.start("a/b") is False
    store.close()


def test_a_destination_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match="can't be used"):
        Store(tmp_path / "file")


def test_preferences_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert preferences() == {}
    prefer("destination", "/data/mseg")
    assert preferences() == {"destination": "/data/mseg"}


def test_read_journal_does_not_create_anything(tmp_path: Path) -> None:
    assert read_journal(tmp_path) is None
    assert os.listdir(tmp_path) == []


def test_answers_and_work_noted_by_two_threads_at_once_are_all_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def work(name: str) -> None:
        for number in range(100):
            store.answer("prepare", f"{name}{number}", number)
            store.start(f"{name}{number}")
            store.finish(f"{name}{number}")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, "ab"))
    store.close()
    journal = read_journal(tmp_path)
    assert journal
    assert len(journal.answers["prepare"]) == len(journal.finished) == 200
