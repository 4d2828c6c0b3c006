"""What an archive must have brought, by the accepted tree's lists; whether it is there, by listing folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mseg_wizard.context import Context
from mseg_wizard.core.background import AT_ONCE, looked
from mseg_wizard.datasets.dataset import relabeling_of
from mseg_wizard.labels.records import recorded_stems
from mseg_wizard.step import Archive, ExpectedFiles


def missing_files(ctx: Context, archive: Archive) -> list[str]:
    """Files that the archive should have brought and that aren't there,
    as paths below mseg_dataset/: listed ones in the lists' order.
    """
    folders = FolderListings(ctx.dataset_folder)
    listed = [path for path, there in expected_files(ctx, archive, folders) if not there]
    return listed + missing_unlisted(archive, folders)


def missing_unlisted(archive: Archive, folders: FolderListings) -> list[str]:
    """Those of them that no list names."""
    return [path for path in (f"{archive.dataset}/{name}" for name in archive.also) if not folders.has(path)]


def expected_files(ctx: Context, archive: Archive, folders: FolderListings) -> Iterator[tuple[str, bool]]:
    """What the accepted lists have the archive bring: each path below mseg_dataset/, and is it there?"""
    for expected in archive.holds:
        yield from (_recorded if expected.column == "records" else _listed)(ctx, archive, expected, folders)


def unmounted(ctx: Context, archive: Archive) -> str:
    """What to say where the archive was unpacked before and its dataset's
    folder is empty, as of a disk that isn't mounted; else "".
    """
    folder = ctx.dataset_folder / archive.dataset
    if not was_unpacked(ctx, archive) or (folder.is_dir() and any(folder.iterdir())):
        return ""
    return f"{folder} is empty or not there: if it is on another disk, see first that this is mounted."


def files_gone(archive: Archive, missing: list[str]) -> str:
    """What is said of an archive that was unpacked and whose files are not there."""
    return f"Files of {archive.file} are gone ({len(missing):,}), such as {missing[0]}."


def was_unpacked(ctx: Context, archive: Archive) -> bool:
    return ctx.store.journal.ours(f"{ctx.step_of(archive).id}/extract/{archive.file}")


class FolderListings:
    """Names in folders, each folder listed once: a stat per file costs minutes on a network disk, a listing seconds."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._names: dict[str, frozenset[str]] = {}
        self._asked = 0

    def has(self, path: str) -> bool:
        """Is there an entry at `path` (POSIX, below the top)?"""
        self._asked += 1
        if self._asked % AT_ONCE == 0:
            looked(AT_ONCE)
        return self.had(path)

    def had(self, path: str) -> bool:
        """The same, of what was asked for before: it is no more work."""
        folder, _, name = path.rpartition("/")
        return name in self.names(folder)

    def names(self, folder: str) -> frozenset[str]:
        """Names in a folder; none where it doesn't exist."""
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(self._top / folder))
            except (FileNotFoundError, NotADirectoryError):
                self._names[folder] = frozenset()
        return self._names[folder]

    @property
    def folders(self) -> tuple[str, ...]:
        """Those that were listed so far."""
        return tuple(self._names)

    def below(self, folder: str) -> set[str]:
        """Names of all files below a folder, at any depth."""
        found = set()
        for _, _, names in os.walk(self._top / folder):
            looked(len(names))
            found.update(names)
        return found


def _listed(
    ctx: Context, archive: Archive, expected: ExpectedFiles, folders: FolderListings
) -> Iterator[tuple[str, bool]]:
    """The expected files' column of the lists, each path once."""
    root, seen = ctx.tree.root(expected.taxonomy), set()
    for split in expected.splits:
        if split not in ctx.tree.splits(expected.taxonomy):
            continue
        for row in ctx.tree.rows(expected.taxonomy, split):
            listed = row.image if expected.column == "image" else row.label
            if listed is None or listed in seen or expected.match not in listed:
                continue
            seen.add(listed)
            path = listed
            for old, new in expected.replace.items():
                path = path.replace(old, new)
            there = folders.has(f"{root}/{path}") or (expected.or_made and folders.has(f"{root}/{listed}"))
            yield f"{root}/{path}", there


def _recorded(
    ctx: Context, archive: Archive, expected: ExpectedFiles, folders: FolderListings
) -> Iterator[tuple[str, bool]]:
    """For every image that a relabelling record names: `<stem><suffix>` at any depth below the folder."""
    how = relabeling_of(ctx.steps, expected.taxonomy)
    names = folders.below(f"{archive.dataset}/{expected.folder}")
    for stem in sorted(recorded_stems(ctx.tree, how)) if how else ():
        name = stem + expected.suffix
        yield str(PurePosixPath(archive.dataset, expected.folder, "…", name)), name in names
