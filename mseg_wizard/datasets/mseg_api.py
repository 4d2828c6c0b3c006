"""An mseg-api tree on disk: what it must hold, whether it is MSeg's own, how it is copied.

Where trees come from is not known here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from mseg_wizard.core.background import Job
from mseg_wizard.core.files import give_mode
from mseg_wizard.datasets import mseg_config
from mseg_wizard.labels.taxonomy import PINNED, PINNED_RECORDS, RECORDS_FILE, SPLITS, MsegApiTree, blob_id, identity
from mseg_wizard.progress import Problem, Progress
from mseg_wizard.step import Step

COMMIT = "2bd00ae8c224d94cbc7ff9b47fde6ae8420adc27"
DATA = tuple(folder for folder in PINNED if folder)
"""The folders that decide what the label maps become, with RECORDS_FILE."""
GENERATED = ("__pycache__", "*.egg-info")
"""Folders that Python and pip put into a tree: no part of it.

A foreign one could bring code past the check, so they are never copied.
"""
MOST_FILES = 20_000
MOST_BYTES = 2_000_000_000
"""Far above what mseg-api has (704 files, some 100 MB): a folder that holds more holds something else besides."""


@dataclass(frozen=True)
class TreeCheck:
    """What a tree is."""

    whole: bool
    """All of its files are MSeg's at the pinned commit, the folder that dataset_config.py names apart."""
    differs: tuple[str, ...]
    """Parts that decide about label maps and are not MSeg's; none in the published tree."""
    sha256: str
    """Over the identities of these parts: the same for all trees that give the same label maps."""

    @property
    def words(self) -> str:
        if self.whole:
            return f"MSeg's own at commit {COMMIT[:7]}, complete and unchanged"
        if not self.differs:
            return f"MSeg's own classes, lists and records of commit {COMMIT[:7]}; other files in it differ"
        return (
            f"not MSeg's as published: {', '.join(self.differs)} differ{'s' if len(self.differs) == 1 else ''} "
            f"(sha256 {self.sha256})"
        )


def missing_parts(tree: Path) -> list[str]:
    """Parts of an mseg-api tree that `tree` does not have."""
    files = (RECORDS_FILE, mseg_config.CONFIG)
    return [
        *(name for name in DATA if not (tree / name).is_dir()),
        *(name for name in files if not (tree / name).is_file()),
    ]


def identify_tree(tree: Path) -> TreeCheck:
    """Read all of it and say what it is; raises OSError where a file can't be read."""
    found = {folder: identity(tree, folder) for folder in DATA} | {
        RECORDS_FILE: blob_id((tree / RECORDS_FILE).read_bytes())
    }
    wanted = {folder: PINNED[folder][1] for folder in DATA} | {RECORDS_FILE: PINNED_RECORDS}
    differs = tuple(name for name, is_ in found.items() if is_ != wanted[name])
    whole = not differs and unconfigured_identity(tree) == PINNED[""][1]
    return TreeCheck(
        whole, differs, hashlib.sha256("".join(f"{name} {is_}\n" for name, is_ in found.items()).encode()).hexdigest()
    )


def unconfigured_identity(tree: Path) -> str:
    """The identity that the tree had before a folder was written
    into dataset_config.py; "" where too much else is in it.
    """
    try:
        for _ in _files(tree):
            pass
    except Problem:
        return ""
    file = tree / mseg_config.CONFIG
    try:
        instead = {mseg_config.CONFIG: mseg_config.with_value(file.read_bytes(), "")}
    except mseg_config.Unset:
        instead = {}
    return identity(tree, instead=instead, without=GENERATED)


def list_faults(job: Job, tree: Path, steps: Sequence[Step]) -> list[str]:
    """What is wrong with the lists that the steps work by, a line each. Says which it reads."""
    reader, wrong, lists = MsegApiTree(tree), [], sorted(_lists(steps))
    for number, (taxonomy, split) in enumerate(lists):
        job.say(Progress("reading MSeg's lists", number, len(lists), "lists"))
        try:
            if not reader.rows(taxonomy, split):
                wrong.append(f"{taxonomy}/list/{split}.txt is empty")
        except Problem as problem:
            wrong.append(problem.what.replace(f"{tree}/", ""))
    return wrong


def stamp(tree: Path) -> str:
    """Changes when a file that decides about label maps is written, and costs no reading."""
    lines = []
    for part in (*DATA, RECORDS_FILE):
        top = tree / part
        files = [top] if top.is_file() else [Path(folder, name) for folder, _, names in os.walk(top) for name in names]
        for file in files:
            found = file.stat()
            lines.append(f"{file.relative_to(tree)} {found.st_size} {found.st_mtime_ns}\n")
    return hashlib.sha256("".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()


def copy(job: Job, source: Path, into: Path, besides: Path) -> None:
    """Copy a tree, links as what they lead to, without `.git` and
    generated folders, and without `besides` if that lies in it.
    """
    files = list(_files(source, besides))
    for done, file in enumerate(files):
        job.say(Progress(f"copying {source}", done, len(files), "files"))
        target = into / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Modes are not copied: a mirror's files are often read-only, and this copy has to be configured.
        with file.open("rb") as read, target.open("xb") as write:
            shutil.copyfileobj(read, write)
            write.flush()
            os.fsync(write.fileno())
        if os.access(file, os.X_OK):
            give_mode(target, target.stat().st_mode | 0o100)


def clean(tree: Path) -> None:
    """Remove generated folders and `.git` from a tree that was unpacked from somewhere."""
    for folder, names, _ in os.walk(tree):
        for name in [name for name in names if _left_out(name)]:
            shutil.rmtree(Path(folder, name))
            names.remove(name)


def _files(source: Path, besides: Path | None = None) -> Iterator[Path]:
    """The plain files of a tree; raises Problem where there are too many to be mseg-api's."""
    seen, count, total = {os.path.realpath(besides)} if besides else set(), 0, 0
    for folder, names, files in os.walk(source, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back up, or the destination that lies inside
            names.clear()
            continue
        seen.add(real)
        names[:] = [name for name in names if not _left_out(name)]
        for name in files:
            file = Path(folder, name)
            try:
                found = file.stat()
            except FileNotFoundError:  # a link to nowhere; if it mattered, the check of the copy says so
                continue
            if name == ".git" or not stat.S_ISREG(found.st_mode):
                continue
            count, total = count + 1, total + found.st_size
            if count > MOST_FILES or total > MOST_BYTES:
                raise Problem(
                    f"{source} holds much more than mseg-api does.",
                    "Move what does not belong to it elsewhere, or make a fresh checkout and name that.",
                )
            yield file


def _left_out(name: str) -> bool:
    return name == ".git" or any(fnmatch(name, pattern) for pattern in GENERATED)


def _lists(steps: Sequence[Step]) -> set[tuple[str, str]]:
    """(taxonomy, split) of every train and val list that some work goes by."""
    taxonomies: set[str] = set()
    for step in steps:
        taxonomies |= {
            expected.taxonomy for archive in step.archives for expected in archive.holds if expected.column != "records"
        }
        for call in step.calls:
            taxonomies |= {*call.needs, *call.makes}
    return {(taxonomy, split) for taxonomy in taxonomies for split in SPLITS}
