"""Answers and finished work: one JSON beside the data, replaced
atomically, and the lock that lets one wizard write it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from mseg_wizard.core import host
from mseg_wizard.core.files import LACKING, give_mode, second_name, write_json
from mseg_wizard.progress import Problem, amount, duration, printable

T = TypeVar("T")

VERSION = 2
"""Of the journal. Every older one is read, and written anew at the first change: what was added since has a default.

Made newer where an older wizard could not read it any more; a destination of each version is kept among the tests.
"""
OWN = ".mseg-wizard"
"""Folder below the destination for everything of ours: journal, lock, log, report."""
JOURNAL = "journal.json"
PREVIOUS = "journal.previous.json"
"""The journal before the newest change: what to go on from where the newest is damaged."""
LOCK = "lock"
LOCK_BYTES = 4096
"""That are read of it."""
WORKERS_LOG = "workers.log"
"""What the worker processes print."""
ANSWERED = ("pinned", "whole", "in_place")
"""What a tree's record answers with yes or no."""


class Unwritten(Problem):
    """The disk does not take the journal."""


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
    equivalent: str = ""
    """Title of what stands in for the published archive; empty where it is that archive itself. Since version 2."""

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


class Store:
    """The journal of one destination, open for writing under its lock. Every change is on disk when the method returns.

    The screen keeps answers while the runner's thread notes its work: changes take turns. One that the disk does not
    take is not made: what is not on the disk is not so.
    """

    def __init__(self, destination: Path, *, take_over: bool = False) -> None:
        self.destination = destination
        self.own = own_folder(destination)
        self._turn = threading.RLock()
        self._lock = _lock(self.own, take_over=take_over)
        try:
            for stale in self.own.glob(".*.json.*.tmp"):  # of killed runs: under the lock nobody else writes here
                stale.unlink()
            self._journal = read_journal(destination) or _at_home(Journal(), destination)
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
            answers = {key: given for key, given in self._journal.answers.get(step, {}).items() if key != name}
            if value is not None:
                answers[name] = value
            self._change(answers={**self._journal.answers, step: answers})

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


def read_journal(destination: Path) -> Journal | None:
    """The journal of a destination, None where there is none yet; raises Problem where it can't be understood."""
    path = destination / OWN / JOURNAL
    try:
        if path.is_fifo():
            raise Problem(f"{path} is no plain file.", _way_out(path))
        text = path.read_text("utf-8")
    except FileNotFoundError:
        if (previous := path.with_name(PREVIOUS)).exists():
            raise Problem(
                f"{path} is gone.", f"Nothing is lost: rename {previous} to {JOURNAL} and start again."
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
        journal = _at_home(_typed(table), destination)
        json.dumps(table, ensure_ascii=False).encode()  # halves of characters can be read and not written again
    except (ValueError, TypeError, RecursionError) as error:
        raise Problem(f"{path} is damaged: {printable(str(error), 200)}.", _way_out(path)) from None
    return journal


def _typed(table: dict[str, Any]) -> Journal:
    """A journal of any version so far; raises TypeError and ValueError where it is none."""
    table = {**table, "archives": {name: ArchiveRecord(**record) for name, record in table.get("archives", {}).items()}}
    if tree := table.get("tree"):
        said = {"yes": True, "no": False}  # as it stood in version 1
        table["tree"] = TreeRecord(
            **{key: said.get(value, value) if key in ANSWERED else value for key, value in tree.items()}
        )
    else:
        table["tree"] = None
    return msgspec.convert(asdict(Journal(**{**table, "version": VERSION})), Journal)


def _at_home(journal: Journal, destination: Path) -> Journal:
    """The journal as that of the destination that it is found in.

    One that was moved takes its paths along. A copy gets an identity of its own, too: the secrets of the original are
    not its to use or to wipe, nor are the original's tree and archives. Raises ValueError where its place is no path.
    """
    there, here = journal.place or str(journal.answer("prepare", "destination") or ""), str(destination)
    if not here.isprintable():  # bytes that are no UTF-8: no journal can hold it, and no step accepts it
        return journal
    inode = (destination / OWN).stat().st_ino
    settled = replace(journal, place=here, inode=inode)
    if not there or there == here:
        return settled
    try:
        if Path(there).samefile(destination):
            return settled
        original = (Path(there) / OWN / JOURNAL).exists()
    except FileNotFoundError:
        original = False
    except OSError:  # not ours to see, so it may be there
        original = True
    moved = partial(_moved, there=there, here=here)
    tree = journal.tree and replace(journal.tree, folder=moved(journal.tree.folder))
    settled = replace(
        settled,
        answers={
            step: {name: moved(value) for name, value in table.items()} for step, table in journal.answers.items()
        },
        archives={name: replace(record, path=moved(record.path)) for name, record in journal.archives.items()},
        tree=tree,
    )
    if not original and journal.inode in (0, inode):
        return settled
    own_tree = tree and replace(tree, installed="")
    return replace(settled, id=uuid.uuid4().hex, kept=(), copied_from=there, tree=own_tree)


def _moved(value: Any, *, there: str, here: str) -> Any:
    """A path below `there` as the same one below `here`; lists of them too, and anything else as it is."""
    if isinstance(value, list):
        return [_moved(row, there=there, here=here) for row in value]
    if isinstance(value, str) and (value == there or value.startswith(f"{there.rstrip('/')}/")):
        return here + value[len(there.rstrip("/")) :]
    return value


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
    previous = path.with_name(PREVIOUS)
    return (
        f"Your data are safe. Rename {previous} to {path.name} to go on from the last good state. "
        f"Or move {path.name} away: then what is on disk is checked again and nothing is trusted unseen."
    )


def _lock(own: Path, *, take_over: bool) -> int:
    """Take the kernel lock on `own`/lock and write who we are; returns the open descriptor.

    Kernel locks don't always cross network file systems, so a file that still names another host is respected until
    `take_over`.
    """
    path = own / LOCK
    try:
        # Without waiting: a FIFO in its place would keep us for ever.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise Problem(f"{path} can't be opened: {error.strerror or error}.", "Move it away or make it yours.") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Problem(f"{path} is no plain file.", "Move it away: the wizard makes it anew.")
        owner = _owner(os.pread(descriptor, LOCK_BYTES, 0))
        since = duration(max(0.0, time.time() - os.fstat(descriptor).st_mtime))
        who = printable(f"process {owner.get('pid', '?')} on {owner.get('host', 'an unknown host')}", 100)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in LACKING or _lives(owner):
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
        me = {**asdict(host.this_process()), "since": datetime.now(UTC).isoformat(timespec="seconds")}
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


def _lives(owner: Mapping[str, Any]) -> bool:
    """Is the process that a lock names one of this host's that still runs? What counts where the disk can't lock."""
    if owner.get("host") != host.name() or owner.get("boot") != host.boot_id() or not isinstance(owner.get("pid"), int):
        return False
    try:
        os.kill(owner["pid"], 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return bool(owner["pid"] != os.getpid())


def can_lock(destination: Path) -> bool:
    """Does the disk of a destination in use keep two wizards apart?"""
    try:
        _try_lock(destination)
    except OSError as error:
        return error.errno not in LACKING
    return True


def working(destination: Path) -> bool:
    """Does a wizard of this host hold the destination's lock?"""
    try:
        _try_lock(destination)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno in LACKING:
            return _lives(_owner((destination / OWN / LOCK).read_bytes()))
        return error.errno == errno.EWOULDBLOCK
    return False


def _try_lock(destination: Path) -> None:
    """Take the lock beside others who only look, and give it back; raises OSError where that can't be."""
    descriptor = os.open(destination / OWN / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def holder(destination: Path) -> host.Process | None:
    """Who holds the destination's lock, None where nobody does.

    Another host's lock is not always seen here: then it is who wrote into it last, and did not take that back.
    """
    try:
        # Without waiting, as it is taken.
        descriptor = os.open(destination / OWN / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            table = _owner(os.read(descriptor, LOCK_BYTES))
        finally:
            os.close(descriptor)
        owner = msgspec.convert(table, host.Process) if table else None
    except (OSError, msgspec.ValidationError):
        return None
    return owner if owner and (owner.host != host.name() or working(destination)) else None
