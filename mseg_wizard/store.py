"""Answers and finished work: one JSON beside the data, replaced
atomically, and the lock that lets one wizard write it.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from mseg_wizard.core import host
from mseg_wizard.core.files import write_json
from mseg_wizard.progress import Problem, duration, printable

VERSION = 2
"""Of the journal. Every older one is read, and written anew at the first change: what was added since has a default.

Made newer where an older wizard could not read it any more; a destination of each version is kept among the tests.
"""
OWN = ".mseg-wizard"
"""Folder below the destination for everything of ours: journal, lock, log, report."""


class Locked(Problem):
    """Another wizard works on this destination."""


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

    @property
    def present(self) -> bool:
        """Is the file still there, as it was when it was checked, and was nothing wrong with it since?"""
        return self.there and not self.failed

    @property
    def there(self) -> bool:
        """Is the file still there, as it was when it was looked at last?"""
        try:
            found = Path(self.path).stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (self.size, self.mtime_ns)


@dataclass
class Journal:
    """The content of journal.json."""

    version: int = VERSION
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Names this destination in the keyring."""
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Step id → field name → value; nothing secret."""
    started: dict[str, str] = field(default_factory=dict)
    """Call key → boot id under which it first ran, until it is finished."""
    finished: dict[str, str] = field(default_factory=dict)
    """Call key → time (UTC, ISO 8601)."""
    made: list[str] = field(default_factory=list)
    """Calls whose outputs are known to be ours: nothing was there before, or what was there was checked."""
    archives: dict[str, dict[str, Any]] = field(default_factory=dict)
    """File name → ArchiveRecord."""
    tree: dict[str, str] = field(default_factory=dict)
    """The accepted mseg-api tree: folder, pinned ("yes" or "no"), source."""
    kept: list[str] = field(default_factory=list)
    """Names of the secrets (`step.field`) that were put into the system
    keyring: what is to be wiped even where it can't be asked.
    """
    notes: dict[str, list[str]] = field(default_factory=dict)
    """Call key → remarks for the report; they never keep a step from being complete."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Call key → working time so far."""
    odd: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """Call key → label that it read, below mseg_dataset/ → pixels whose id, and whose colour, no class has; only labels
    that have any. So a count is of all sittings, and what is made again counts once.
    """


class Store:
    """The journal of one destination, open for writing under its lock. Every change is on disk when the method returns.

    The screen keeps answers while the runner's thread notes its work: changes take turns.
    """

    def __init__(self, destination: Path, *, take_over: bool = False) -> None:
        self.destination = destination
        self.own = own_folder(destination)
        self._turn = threading.RLock()
        self._lock = _lock(self.own, take_over=take_over)
        try:
            for stale in self.own.glob(".*.json.*.tmp"):  # of killed runs: under the lock nobody else writes here
                stale.unlink()
            self.journal = read_journal(destination) or Journal()
            self.save()
        except BaseException:
            self.close()
            raise

    def save(self) -> None:
        """Raises Problem where the disk takes nothing: the journal on it is then the one before, which is as true."""
        path = self.own / "journal.json"
        try:
            with self._turn:
                if path.exists():
                    previous = path.with_name("journal.previous.json")
                    spare = path.with_name(".journal.previous.tmp")
                    spare.unlink(missing_ok=True)
                    os.link(path, spare)
                    spare.replace(previous)
                write_json(path, asdict(self.journal))
        except OSError as error:
            what = f"The journal, {path}, can't be written: {error.strerror or error}."
            raise Problem(what, "Make room or make that possible, then start again: what is done stays.") from None

    def answer(self, step: str, name: str, value: Any) -> None:
        """Remember an answer (None forgets it)."""
        with self._turn:
            answers = self.journal.answers.setdefault(step, {})
            if value is None:
                answers.pop(name, None)
            else:
                answers[name] = value
            self.save()

    def start(self, key: str) -> bool:
        """Note that a call begins to work; True where files of an
        earlier, unfinished run of it may be empty (a power cut).
        """
        with self._turn:
            journal = self.journal
            journal.finished.pop(key, None)
            first = journal.started.setdefault(key, host.boot_id())
            self.save()
            return first != host.boot_id()

    def finish(self, key: str) -> None:
        """Note that a call's outputs were checked and are complete."""
        with self._turn:
            if key not in self.journal.made:
                self.journal.made.append(key)
            self.journal.started.pop(key, None)
            self.journal.finished[key] = datetime.now(UTC).isoformat(timespec="seconds")
            try:
                self.save()
            # What is not on the disk is not finished: else this sitting would go on without ever writing it.
            except Problem:
                del self.journal.finished[key]
                raise

    def adopt(self, key: str) -> None:
        """Note that whatever stands where a call writes is ours from now on."""
        with self._turn:
            if key not in self.journal.made:
                self.journal.made.append(key)
                self.save()
                self.save()  # twice: whoever has to go back to the previous journal finds it there too

    def spent(self, key: str, seconds: float) -> None:
        with self._turn:
            self.journal.seconds[key] = round(self.journal.seconds.get(key, 0.0) + seconds, 1)
            self.save()

    def note(self, key: str, notes: list[str]) -> None:
        """Replace a call's remarks."""
        with self._turn:
            if notes or key in self.journal.notes:
                self.journal.notes[key] = notes
                self.save()

    def odd_pixels(self, key: str, found: Mapping[str, tuple[int, int]]) -> None:
        """Note what a call found in the labels that it read just now; zeros replace what they had before."""
        with self._turn:
            before = self.journal.odd.get(key, {})
            after = {label: counts for label, counts in {**before, **found}.items() if any(counts)}
            if after != before:
                self.journal.odd[key] = after
                self.save()

    def kept(self, name: str) -> None:
        """Note that the system keyring holds a secret of that name."""
        with self._turn:
            if name not in self.journal.kept:
                self.journal.kept.append(name)
                self.save()

    def forget_kept(self) -> None:
        """Note that the system keyring holds no secret any more."""
        with self._turn:
            if self.journal.kept:
                self.journal.kept.clear()
                self.save()

    def archive(self, file: str) -> ArchiveRecord | None:
        record = self.journal.archives.get(file)
        return ArchiveRecord(**record) if record else None

    def keep_archive(self, file: str, record: ArchiveRecord | None) -> None:
        """Remember what is known of an archive (None forgets it)."""
        with self._turn:
            if record is None:
                self.journal.archives.pop(file, None)
            else:
                self.journal.archives[file] = asdict(record)
            self.save()

    def close(self) -> None:
        """Release the lock; the file stays, empty, so that two wizards never lock two different files."""
        if self._lock >= 0:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = -1


def own_folder(destination: Path) -> Path:
    """Make and return the folder for the wizard's own things, for its owner's eyes only."""
    own = destination / OWN
    try:
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        own.chmod(0o700)
    except OSError as error:
        raise Problem(
            f"{destination} can't be used: {error.strerror or error}.", "Choose a folder that you may write to."
        ) from None
    return own


def read_journal(destination: Path) -> Journal | None:
    """The journal of a destination, None where there is none yet; raises Problem where it can't be understood."""
    path = destination / OWN / "journal.json"
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        if (previous := path.with_name("journal.previous.json")).exists():
            raise Problem(
                f"{path} is gone.", f"Nothing is lost: rename {previous} to journal.json and start again."
            ) from None
        return None
    except NotADirectoryError:
        raise Problem(f"{destination} is a file, not a folder.", "Name the folder that the wizard works in.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path} can't be read: {error}.", _way_out(path)) from None
    try:
        table = json.loads(text)
        if not isinstance(table, dict) or not isinstance(table.get("version"), int):
            raise TypeError("not a journal")
        if table["version"] > VERSION:
            raise Problem(
                f"{path} was written by a newer mseg-wizard (journal version {table['version']}).",
                "Update mseg-wizard.",
            )
        journal = msgspec.convert(asdict(Journal(**table)), Journal)
        for record in journal.archives.values():
            msgspec.convert(asdict(ArchiveRecord(**record)), ArchiveRecord)
        journal.version = VERSION
        json.dumps(table, ensure_ascii=False).encode()  # halves of characters can be read and not written again
    except (ValueError, TypeError, RecursionError) as error:
        raise Problem(f"{path} is damaged: {printable(str(error), 200)}.", _way_out(path)) from None
    return journal


def unopened(destination: Path) -> tuple[str, str]:
    """Why there is no journal, and what to do: the words of a Problem."""
    if destination.name == "mseg_dataset" and (destination.parent / OWN).is_dir():
        return f"{destination} is the dataset itself.", f"Name the folder above it: --dest {destination.parent}"
    if not destination.exists():
        return (
            f"No wizard has worked in {destination} yet: there is no such folder.",
            "Name the one that the wizard works in, with --dest.",
        )
    return (
        f"No wizard has worked in {destination} yet.",
        "Name the folder that it works in, with --dest, or start one there.",
    )


def _way_out(path: Path) -> str:
    previous = path.with_name("journal.previous.json")
    return (
        f"Your data are safe. Rename {previous} to {path.name} to go on from the last good state. "
        f"Or move {path.name} away: then what is on disk is checked again and nothing is trusted unseen."
    )


def _lock(own: Path, *, take_over: bool) -> int:
    """Take the kernel lock on `own`/lock and write who we are; returns the open descriptor.

    Kernel locks don't always cross network file systems, so a file that still names another host is respected until
    `take_over`.
    """
    path = own / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        owner = _owner(os.pread(descriptor, 4096, 0))
        since = duration(max(0.0, time.time() - os.fstat(descriptor).st_mtime))
        who = printable(f"process {owner.get('pid', '?')} on {owner.get('host', 'an unknown host')}", 100)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Locked(
                f"Another wizard works on this destination: {who}.",
                "Watch it with `mseg-wizard status`, or stop it first.",
            ) from None
        if owner and owner.get("host") != host.name() and not take_over:
            raise Locked(
                f"A wizard on another host works on this destination or ended without a farewell: {who}, last sign "
                f"{since} ago.",
                f"Look whether it still runs on {printable(str(owner.get('host')), 80)}. If it doesn't, start again "
                "with --take-over.",
            )
        me = {
            "host": host.name(),
            "pid": os.getpid(),
            "boot": host.boot_id(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(me).encode(), 0)
        os.fsync(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _owner(content: bytes) -> Mapping[str, Any]:
    try:
        owner = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return owner if isinstance(owner, dict) else {}


def working(destination: Path) -> bool:
    """Does a wizard of this host hold the destination's lock?"""
    try:
        descriptor = os.open(destination / OWN / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
