"""What an archive must have brought, by the accepted tree's lists; whether it is there, by listing folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mseg_wizard.context import Context
from mseg_wizard.datasets.dataset import relabeling_of
from mseg_wizard.labels.records import recorded_stems
from mseg_wizard.step import Archive, ExpectedFiles


def missing_files(ctx: Context, archive: Archive) -> list[str]:
    """Files that the archive should have brought and that aren't there,
    as paths below mseg_dataset/: listed ones in the lists' order.
    """
    folders = FolderListings(ctx.dataset_folder)
    listed = [row for expected in archive.holds for row in _missing(ctx, archive, expected, folders)]
    return listed + [path for path in (f"{archive.dataset}/{name}" for name in archive.also) if not folders.has(path)]


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

    def has(self, path: str) -> bool:
        """Is there an entry at `path` (POSIX, below the top)?"""
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


def _missing(ctx: Context, archive: Archive, expected: ExpectedFiles, folders: FolderListings) -> Iterator[str]:
    if expected.column == "records":
        yield from _missing_records(ctx, archive, expected)
        return
    root = ctx.tree.root(expected.taxonomy)
    for listed in _listed(ctx, expected):
        path = listed
        for old, new in expected.replace.items():
            path = path.replace(old, new)
        if not folders.has(f"{root}/{path}") and not (expected.or_made and folders.has(f"{root}/{listed}")):
            yield f"{root}/{path}"


def _listed(ctx: Context, expected: ExpectedFiles) -> Iterator[str]:
    """The expected files' column of the lists, each path once."""
    seen = set()
    for split in expected.splits:
        if split not in ctx.tree.splits(expected.taxonomy):
            continue
        for row in ctx.tree.rows(expected.taxonomy, split):
            path = row.image if expected.column == "image" else row.label
            if path is not None and path not in seen and expected.match in path:
                seen.add(path)
                yield path


def _missing_records(ctx: Context, archive: Archive, expected: ExpectedFiles) -> Iterator[str]:
    """For every image that a relabelling record names: `<stem><suffix>` at any depth below the folder."""
    top = ctx.dataset_folder / archive.dataset / expected.folder
    found = {name for _, _, names in os.walk(top) for name in names}
    for stem in sorted(_stems(ctx, expected)):
        name = stem + expected.suffix
        if name not in found:
            yield str(PurePosixPath(archive.dataset, expected.folder, "…", name))


def _stems(ctx: Context, expected: ExpectedFiles) -> frozenset[str]:
    how = relabeling_of(ctx.steps, expected.taxonomy)
    return recorded_stems(ctx.tree, how) if how else frozenset()


def expected_rows(ctx: Context, archive: Archive) -> int:
    """Rows of the accepted lists that the archive stands for: estimates are scaled by this over `Archive.rows`."""
    return sum(
        len(_stems(ctx, expected)) if expected.column == "records" else sum(1 for _ in _listed(ctx, expected))
        for expected in archive.holds
    )
