"""Changes of the journal: each is one JSON beside the data, replaced atomically, under the destination's lock."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from mseg_wizard.core import host
from mseg_wizard.core.files import give_mode, second_name, write_json
from mseg_wizard.progress import Problem
from mseg_wizard.state.journal import JOURNAL, OWN, PREVIOUS, ArchiveRecord, AsideRecord, Journal, TreeRecord
from mseg_wizard.state.journal_file import at_home, read_journal
from mseg_wizard.state.lock import (
    take_lock,
)

T = TypeVar("T")
WORKERS_LOG = "workers.log"
"""What the worker processes print."""


class Unwritten(Problem):
    """The disk does not take the journal."""


class Store:
    """The journal of one destination, open for writing under its lock. Every change is on disk when the method returns.

    The screen keeps answers while the runner's thread notes its work: changes take turns. One that the disk does not
    take is not made: what is not on the disk is not so.
    """

    def __init__(self, destination: Path, *, take_over: bool = False) -> None:
        self.destination = destination
        self.own = own_folder(destination)
        self._turn = threading.RLock()
        self._lock = take_lock(self.own, take_over=take_over)
        try:
            for stale in self.own.glob(".*.json.*.tmp"):  # of killed runs: under the lock nobody else writes here
                stale.unlink()
            self._journal = read_journal(destination) or at_home(Journal(), destination)
            self._change()
        except BaseException:
            self.close()
            raise

    @property
    def journal(self) -> Journal:
        """As it is now."""
        return self._journal

    def _change(self, **fields: Any) -> None:
        """Have other values of fields. Raises Problem where the disk takes nothing: then all is as before."""
        journal = replace(self._journal, **fields)
        path = self.own / JOURNAL
        try:
            with self._turn:
                if path.exists():
                    previous = path.with_name(PREVIOUS)
                    spare = path.with_name(f".{PREVIOUS}.tmp")
                    spare.unlink(missing_ok=True)
                    second_name(path, spare)
                    spare.replace(previous)
                write_json(path, asdict(journal))
        except OSError as error:
            what = f"The journal, {path}, can't be written: {error.strerror or error}."
            raise Unwritten(what, "Make room or make that possible, then start again: what is done stays.") from None
        self._journal = journal

    def answer(self, step: str, name: str, value: Any) -> None:
        """Remember an answer (None forgets it)."""
        with self._turn:
            self._change(answers=self._journal.with_answer(step, name, value).answers)

    def start(self, key: str) -> bool:
        """Note that a call begins to work; True where files of an
        earlier, unfinished run of it may be empty (a power cut).
        """
        with self._turn:
            first = self._journal.started.get(key, host.boot_id())
            self._change(started={**self._journal.started, key: first}, finished=_without(self._journal.finished, key))
            return first != host.boot_id()

    def finish(self, key: str) -> None:
        """Note that a call's outputs were checked and are complete."""
        with self._turn:
            journal, now = self._journal, datetime.now(UTC).isoformat(timespec="seconds")
            self._change(
                made=journal.made if key in journal.made else (*journal.made, key),
                started=_without(journal.started, key),
                finished={**journal.finished, key: now},
            )

    def reopen(self, *keys: str) -> None:
        """Have finished calls due again."""
        with self._turn:
            self._change(finished=_without(self._journal.finished, *keys))

    def adopt(self, key: str) -> None:
        """Note that whatever stands where a call writes is ours from now on."""
        with self._turn:
            if key not in self._journal.made:
                self._change(made=(*self._journal.made, key))
                self._change()  # twice: whoever has to go back to the previous journal finds it there too

    def spent(self, key: str, seconds: float) -> None:
        with self._turn:
            self._change(seconds={**self._journal.seconds, key: round(self._journal.worked(key) + seconds, 1)})

    def note(self, key: str, notes: Sequence[str]) -> None:
        """Replace a call's remarks."""
        with self._turn:
            if tuple(notes) != self._journal.remarks(key):
                self._change(notes={**self._journal.notes, key: tuple(notes)})

    def odd_pixels(self, key: str, found: Mapping[str, tuple[int, int]]) -> None:
        """Note what a call found in the labels that it read just now; zeros replace what they had before."""
        with self._turn:
            before = self._journal.odd_labels(key)
            after = {label: counts for label, counts in {**before, **found}.items() if any(counts)}
            if after != before:
                self._change(odd={**self._journal.odd, key: after})

    def kept(self, name: str) -> None:
        """Note that the system keyring holds a secret of that name."""
        with self._turn:
            if name not in self._journal.kept:
                self._change(kept=(*self._journal.kept, name))

    def forget_kept(self) -> None:
        """Note that the system keyring holds no secret any more."""
        with self._turn:
            if self._journal.kept:
                self._change(kept=())

    def archive(self, file: str) -> ArchiveRecord | None:
        return self._journal.archives.get(file)

    def keep_archive(self, file: str, record: ArchiveRecord | None) -> None:
        """Remember what is known of an archive (None forgets it); one that is here is set aside no more."""
        with self._turn:
            archives, aside = _without(self._journal.archives, file), self._journal.aside
            self._change(
                archives={**archives, file: record} if record else archives,
                aside=_without(aside, file) if record else aside,
            )

    def set_aside(self, file: str, record: AsideRecord) -> None:
        with self._turn:
            self._change(aside={**self._journal.aside, file: record})

    def keep_tree(self, record: TreeRecord) -> None:
        """Remember what is known of the accepted mseg-api tree."""
        with self._turn:
            self._change(tree=record)

    def close(self) -> None:
        """Release the lock; the file stays, empty, so that two wizards never lock two different files."""
        if self._lock >= 0:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = -1


def _without(table: Mapping[str, T], *keys: str) -> dict[str, T]:
    return {key: value for key, value in table.items() if key not in keys}


def absent_folders(destination: Path) -> tuple[Path, ...]:
    """The folders that opening a destination will make, the innermost first."""
    return tuple(folder for folder in (destination, *destination.parents) if not folder.exists())


def remove_made(own: Path, made: Sequence[Path]) -> None:
    """Remove the wizard's own folder of a destination that is closed by now, and of the folders `made` those that are
    empty then.
    """
    shutil.rmtree(own, ignore_errors=True)
    for folder in made:
        with suppress(OSError):  # something else is in it
            folder.rmdir()


def own_folder(destination: Path) -> Path:
    """Make and return the folder for the wizard's own things, for its owner's eyes only."""
    own = destination / OWN
    try:
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        give_mode(own, 0o700)
    except OSError as error:
        raise Problem(
            f"{destination} can't be used: {error.strerror or error}.", "Choose a folder that you may write to."
        ) from None
    return own
