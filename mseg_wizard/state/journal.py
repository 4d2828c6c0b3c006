"""Answers, finished work and what was found, as typed records: what the journal says. The store alone changes it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mseg_wizard.progress import amount

VERSION = 2
"""Of the journal. Every older one is read, and written anew at the first change: what was added since has a default.

Made newer where an older wizard could not read it any more; a destination of each version is kept among the tests.
"""
OWN = ".mseg-wizard"
"""Folder below the destination for everything of ours: journal, lock, log, report."""
JOURNAL = "journal.json"
PREVIOUS = "journal.previous.json"
"""The journal before the newest change: what to go on from where the newest is damaged."""


@dataclass(frozen=True, slots=True)
class ArchiveRecord:
    """What is known of an archive that was found whole and right."""

    path: str
    size: int
    mtime_ns: int
    sha256: str
    origin: str
    """How it came: `fetched` by us, `uploaded` into its folder, or
    `brought` by the user: read in place, never changed or deleted.
    """
    source: str
    """Where it came from, in words for the report; never a query string."""
    as_published: bool = True
    """False where its size or hash differs from the published one and the user's modified tree allows that."""
    doubt: str = ""
    """What the server that it came from left unsaid, in words; since version 2."""
    link: str = ""
    """Salted digest of the link that it came by; empty where it came by none."""
    failed: str = ""
    """What was wrong with it when it was unpacked: from then on every other place is looked at first."""
    passed_over: str = ""
    """Origin and stamp of the file that failed before and made way for this one; since version 2."""
    retried: bool = False
    """Was it fetched once more, after one that was damaged? Since version 2."""
    equivalent: str = ""
    """Title of what stands in for the published archive; empty where it is that archive itself. Since version 2."""

    @property
    def stamp(self) -> str:
        """Tells the file from any other."""
        return f"{self.size} {self.mtime_ns} {self.path}"

    @property
    def present(self) -> bool:
        """Is the file still there, as it was when it was checked, and was nothing wrong with it since?"""
        return self.there and not self.failed

    @property
    def there(self) -> bool:
        """Is the file still there, as it was when it was looked at last?"""
        return stamp_of(self.path) == self.stamp


def stamp_of(path: str | Path) -> str:
    """As `ArchiveRecord.stamp` has it, of what is at `path` now; empty where there is nothing."""
    try:
        found = Path(path).stat()
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns} {path}"


@dataclass(frozen=True, slots=True)
class AsideRecord:
    """That an archive was set aside, as the user allowed: its own site said that it has it no more."""

    at: str
    """When that was said last (UTC, ISO 8601)."""
    answers: tuple[str, ...]
    """What each place that might have had it answered, in words; never a query string."""
    missing: int
    """How many files MSeg lists that it would have brought."""

    def in_words(self, file: str) -> str:
        """What every channel says of the archive `file`: what is missing because of it, and why it is set aside."""
        return f"{file} is set aside, so {amount(self.missing, 'files')} are missing: {'; '.join(self.answers)}"


@dataclass(frozen=True, slots=True)
class TreeRecord:
    """What is known of the accepted mseg-api tree."""

    folder: str
    pinned: bool = False
    """Are its data those of MSeg at the pinned commit?"""
    whole: bool = False
    """Is all of it, code included?"""
    sha256: str = ""
    stamp: str = ""
    """Changes when a file that decides about label maps is written."""
    source: str = ""
    """Where it came from, in words for the report."""
    kind: str = ""
    """How it came: `fetch`, `mirror`, `folder` or `zip`."""
    asked: str = ""
    """The answer that it was accepted for."""
    in_place: bool = False
    """The user's own folder, used where it is."""
    installed: str = ""
    """The Python that imports it, as the answer names it; empty where none was asked to."""


@dataclass(frozen=True)
class Journal:
    """The content of journal.json, as it is at one moment: a change makes another one.

    What stands in its tables is asked by the methods, and changed by the Store alone.
    """

    version: int = VERSION
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Names this destination in the keyring."""
    place: str = ""
    """Where the destination was when this was written; another place means that it was moved or copied."""
    inode: int = 0
    """Of the wizard's own folder then: a copy has another one. 0 where it is not known."""
    copied_from: str = ""
    """The destination that this one began as a copy of."""
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Step id → field name → value; nothing secret."""
    started: Mapping[str, str] = field(default_factory=dict)
    """Call key → boot id under which it first ran, until it is finished."""
    finished: Mapping[str, str] = field(default_factory=dict)
    """Call key → time (UTC, ISO 8601)."""
    made: tuple[str, ...] = ()
    """Calls whose outputs are known to be ours: nothing was there before, or what was there was checked."""
    archives: Mapping[str, ArchiveRecord] = field(default_factory=dict)
    """By file name."""
    aside: Mapping[str, AsideRecord] = field(default_factory=dict)
    """Archives that were set aside, by file name; since version 2."""
    tree: TreeRecord | None = None
    """The accepted mseg-api tree, once there is one."""
    kept: tuple[str, ...] = ()
    """Names of the secrets (`step.field`) that were put into the system
    keyring: what is to be wiped even where it can't be asked.
    """
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Call key → remarks for the report; they never keep a step from being complete."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Call key → working time so far."""
    odd: Mapping[str, Mapping[str, tuple[int, int]]] = field(default_factory=dict)
    """Call key → label that it read, below mseg_dataset/ → pixels whose id, and whose colour, no class has; only labels
    that have any. So a count is of all sittings, and what is made again counts once.
    """

    def answer(self, step: str, name: str) -> Any:
        """What was answered; None where nothing was."""
        return self.answers.get(step, {}).get(name)

    def done(self, key: str) -> bool:
        """Was the call's work checked and found complete, and nothing taken from it since?"""
        return key in self.finished

    def done_calls(self) -> frozenset[str]:
        return frozenset(self.finished)

    def done_at(self, key: str) -> str:
        """When it was found complete (UTC, ISO 8601); empty where it isn't."""
        return self.finished.get(key, "")

    def begun(self, key: str) -> bool:
        """Has the call begun, finished or not?"""
        return key in self.finished or key in self.started

    @property
    def untouched(self) -> bool:
        """Was nothing done here but answering?"""
        return not (self.started or self.finished or self.made or self.archives or self.tree)

    @property
    def unanswered(self) -> bool:
        """Was no question answered but where the data go?"""
        return not self.kept and all(name == "destination" for table in self.answers.values() for name in table)

    def with_answer(self, step: str, name: str, value: Any) -> Journal:
        """The same with an answer; None forgets it."""
        answers = {key: given for key, given in self.answers.get(step, {}).items() if key != name}
        if value is not None:
            answers[name] = value
        return replace(self, answers={**self.answers, step: answers})

    def ours(self, key: str) -> bool:
        """Is what stands where the call writes known to be the wizard's?"""
        return key in self.made

    def holds(self, file: str) -> bool:
        """Was an archive found whole and right, and nothing wrong with it since?"""
        return file in self.archives and not self.archives[file].failed

    def remarks(self, key: str) -> tuple[str, ...]:
        return self.notes.get(key, ())

    def tree_mark(self) -> list[object]:
        """What tells the accepted tree from another one."""
        return [self.tree.folder, self.tree.stamp, self.tree.pinned] if self.tree else []

    def odd_labels(self, key: str) -> Mapping[str, tuple[int, int]]:
        """Labels that the call read → pixels whose id, and whose colour, no class has."""
        return self.odd.get(key, {})

    def worked(self, key: str) -> float:
        """Seconds that the call has worked so far."""
        return self.seconds.get(key, 0.0)
