"""How many bytes and files are still to come, step by step, and how much room there is.

What to do about it is not decided here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mseg_wizard.context import Context
from mseg_wizard.datasets.inventory import FolderListings, expected_files, missing_unlisted
from mseg_wizard.datasets.locations import local_source, own_path
from mseg_wizard.labels.remapping import Remapping
from mseg_wizard.labels.taxonomy import SPLITS
from mseg_wizard.progress import size
from mseg_wizard.step import Archive, Call, Step

FULL_BYTES = 200_000_000_000
FULL_FILES = 1_300_000
"""All that is written from an empty disk with the published tree, for
words before a tree is there; a test compares the sums with it.
"""
FULL_FETCHED = 94_000_000_000
"""How much of that comes over the network."""
FULL_AT_ONCE = 140_000_000_000
"""How much of it is there at once, at most, and at the end: archives go when they were unpacked."""
FULL_ARCHIVES_LEFT = 32_000_000_000
"""How much of what is there at the end are the archives that MSeg's recipe keeps and nobody needs any more."""


@dataclass(frozen=True)
class FreeSpace:
    """What this user may still write to one file system."""

    bytes: int
    files: int | None
    """Inodes; None where the file system does not count them (btrfs, exFAT, many network disks)."""
    device: int
    """Tells file systems apart."""
    block: int
    """Bytes by which files take up space."""


@dataclass(frozen=True, kw_only=True)
class DiskChange:
    """What one call will do to the disk."""

    step: Step
    call: Call
    place: Path
    """The dataset's folder: it may be on a disk of its own."""
    fetched: int = 0
    unpacked: int = 0
    made: int = 0
    """Bytes of archives, of files out of archives, of label maps."""
    whole: int = 0
    """Bytes of the archive that is fetched, with those that are here already."""
    files: int = 0
    beside: int = 0
    """Bytes that are there only while the call runs: nested archives."""
    gone: int = 0
    """Bytes of the archive that is removed at the end."""

    @property
    def bytes(self) -> int:
        return self.fetched + self.unpacked + self.made


@dataclass(frozen=True)
class SpaceNeed:
    """What one file system has to take at once, at the moment when most is there."""

    place: Path
    bytes: int
    files: int
    room: FreeSpace


def free_space(path: Path) -> FreeSpace:
    """The room for something at `path`, which need not exist yet; links are followed to the disk that they lead to."""
    path = path.resolve()
    while not os.path.exists(path):  # noqa: PTH110 - a folder that we may not look into counts as absent
        path = path.parent
    found = os.statvfs(path)
    files = found.f_favail if found.f_files else None
    return FreeSpace(found.f_bavail * found.f_frsize, files, path.stat().st_dev, found.f_frsize)


def still_to_come(ctx: Context, check: Callable[[], object] = lambda: None, *, begun: bool = False) -> list[DiskChange]:
    """What every call that has not begun will write; `check` is called between two and may raise.

    A call that has begun is left out: how far it came can't be told cheaply (half a tar.gz has no final names), and it
    asks for the room that it needs itself, before anything else runs. `begun`: it counts with all that is not in place.
    """
    changes: list[DiskChange] = []
    folders = FolderListings(ctx.dataset_folder)
    journal = ctx.store.journal
    known: dict[str, tuple[float, float]] = {}
    for step in ctx.steps:
        for call in step.calls:
            check()
            if not (journal.done(call.key) if begun else journal.begun(call.key)):
                changes += _changes(ctx, step, call, folders, known)
    return changes


def space_needs(changes: Sequence[DiskChange], first: Container[str] = ()) -> list[SpaceNeed]:
    """The largest need at any time, for each file system: archives
    and what came out of them are there together, for a while.

    A step's downloads may run ahead of everything else in it, as far as its last; the calls `first` before all.
    """

    def turn(change: DiskChange) -> tuple[int, bool]:
        return (0 if change.call.key in first else change.step.number), not change.fetched

    rooms: dict[int, tuple[str, FreeSpace]] = {}
    now: dict[int, tuple[int, int]] = {}
    most: dict[int, tuple[int, int]] = {}
    for change in sorted(changes, key=turn):
        room = free_space(change.place)
        before, _ = rooms.get(room.device, (str(change.place), room))
        rooms[room.device] = os.path.commonpath((before, change.place)), room
        taken, files = now.get(room.device, (0, 0))
        taken += change.bytes + change.files * room.block // 2  # the last block of a file is half empty on average
        files += change.files
        highest = most.get(room.device, (0, 0))
        most[room.device] = max(highest[0], taken + change.beside), max(highest[1], files)
        now[room.device] = taken - change.gone, files - bool(change.gone)
    return [SpaceNeed(Path(place), *most[device], room) for device, (place, room) in rooms.items()]


def keeps_room(ctx: Context, changes: Sequence[DiskChange], first: Container[str]) -> bool:
    """Does each disk keep what the rest needs at its peak, where these archives are fetched first?

    `changes` may be of an earlier moment: what is done since is left out, and of archives what came since.
    """
    rest = []
    for change in changes:
        if ctx.store.journal.done(change.call.key):
            continue
        if change.whole and change.call.archive:
            place = change.place / change.call.archive.file
            here = max(_bytes_on_disk(place), _bytes_on_disk(place.with_name(f"{place.name}.part")))
            rest.append(replace(change, fetched=max(0, change.whole - here)))
        else:
            rest.append(change)
    return all(
        need.bytes <= need.room.bytes and (need.room.files is None or need.files <= need.room.files)
        for need in space_needs(rest, first)
    )


def space_table(changes: Sequence[DiskChange]) -> list[str]:
    """A line for each step that writes something, and their sum."""
    rows = []
    for step in dict.fromkeys(change.step.id for change in changes):
        here = [change for change in changes if change.step.id == step]
        if any(change.bytes for change in here):
            rows.append(_row(f"{here[0].step.number}. {here[0].step.title}", here))
    return [*rows, _row("All together", changes)]


def _row(title: str, changes: Sequence[DiskChange]) -> str:
    kinds = (("to fetch", "fetched"), ("out of archives", "unpacked"), ("label maps", "made"))
    parts = [
        f"{size(total)} {words}" for words, name in kinds if (total := sum(getattr(change, name) for change in changes))
    ]
    return f"{title}: {', '.join(parts) or 'nothing'}; {sum(change.files for change in changes):,} files"


def _changes(
    ctx: Context, step: Step, call: Call, folders: FolderListings, known: dict[str, tuple[float, float]]
) -> Iterator[DiskChange]:
    archive = call.archive
    if archive and call.task in ("download", "extract"):
        if archive.file not in known:
            known[archive.file] = _shares(ctx, step, archive, folders)
        share, scale = known[archive.file]
        place = ctx.dataset_folder / archive.dataset
        if share and call.task == "download":
            yield DiskChange(step=step, call=call, place=place, **_fetch(ctx, archive, scale))
        elif share:
            yield DiskChange(step=step, call=call, place=place, **_unpack(ctx, archive, share, scale))
    elif call.each_bytes:
        splits = call.args.splits if isinstance(call.args, Remapping) else SPLITS
        for taxonomy in call.makes:
            root = ctx.tree.root(taxonomy)
            labels = {
                row.label
                for split in splits
                if split in ctx.tree.splits(taxonomy)
                for row in ctx.tree.rows(taxonomy, split)
            }
            count = sum(label is not None and not folders.has(f"{root}/{label}") for label in labels)
            yield DiskChange(
                step=step, call=call, place=ctx.dataset_folder / root, made=count * call.each_bytes, files=count
            )


def _shares(ctx: Context, step: Step, archive: Archive, folders: FolderListings) -> tuple[float, float]:
    """How much of what the archive brings is still missing, and
    how much there is of it, compared with the published one.
    """
    held, missing = 0, len(missing_unlisted(archive, folders))
    for _, there in expected_files(ctx, archive, folders):
        held += 1
        missing += not there
    # Places that the user named may hold an archive as small as a
    # modified tree's lists; public ones have the published archive only.
    smaller = ctx.modified_tree and bool(ctx.options.mirror or ctx.options.routes or ctx.sources(step.id))
    return (missing / held if held else 1.0), (held / archive.rows if smaller and archive.rows else 1.0)


def _fetch(ctx: Context, archive: Archive, scale: float) -> dict[str, int]:
    if local_source(ctx, archive):
        return {}
    place = own_path(ctx, archive)
    whole = round(archive.size * scale)
    here = _bytes_on_disk(place.with_name(f"{place.name}.part"))
    return {"fetched": max(0, whole - here), "whole": whole, "files": 1}


def _unpack(ctx: Context, archive: Archive, share: float, scale: float) -> dict[str, int]:
    source, record = local_source(ctx, archive), ctx.store.archive(archive.file)
    path = Path(record.path) if record and record.present else source.path if source else None
    packed = _bytes_of(path) if path and not path.is_dir() else round(archive.size * scale)  # a folder's may take long
    ours = record.origin != "brought" if record and record.present else source is None or source.kind == "own"
    stays = archive.keep or ctx.options.keep_archives or not ours
    return {
        "unpacked": round(packed * archive.expands * share),
        "files": round(archive.files * scale * share),
        "beside": packed if archive.nested else 0,
        "gone": 0 if stays else packed,
    }


def _bytes_on_disk(path: Path) -> int:
    """A download over several connections has holes."""
    try:
        found = path.stat()
    except OSError:
        return 0
    return min(found.st_size, found.st_blocks * 512)


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
