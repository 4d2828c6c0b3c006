"""extract: an archive's files put where MSeg wants them, proven
complete by the lists, and only then the archive removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from mseg_wizard.archives.member import CHUNK, Damaged, UnsafeArchive, damaged_archive, naming_place
from mseg_wizard.archives.reader import has_sums
from mseg_wizard.archives.unpack import unpack
from mseg_wizard.context import Consent, Context
from mseg_wizard.core.background import LOOK_JOIN, Job, background
from mseg_wizard.core.files import remove_leftover
from mseg_wizard.datasets.extracted import note_extracted
from mseg_wizard.datasets.inventory import missing_files, unmounted
from mseg_wizard.datasets.locations import own_path
from mseg_wizard.progress import FetchAgain, Problem, Progress
from mseg_wizard.state.journal import ArchiveRecord, stamp_of
from mseg_wizard.step import Archive

ANEW = "Start again: it is fetched anew, or name another file or link."
SOUND = (
    "Its sum is the published one. Start again; if it happens twice, look after this machine's memory and disk, then "
    "report it with the log."
)
UNPACKED = "Remove it, then start again: it is brought back."


def extract(ctx: Context, archive: Archive) -> Generator[Progress, None, None]:
    """Unpack, check against MSeg's lists, tidy away."""
    record = ctx.store.archive(archive.file)
    missing = yield from _missing(ctx, archive, f"looking at {archive.file}")
    if record is None or not record.present:
        _without(ctx, archive, record, missing)
        return
    key = f"again:{archive.file}"
    if (why := unmounted(ctx, archive)) and key not in ctx.consents:
        what = f"Files that {archive.file} brought are gone ({len(missing):,}). {why}"
        raise Consent(
            what,
            f"Unpacking it again would write them all anew. Allow that (--allow {key}), or bring the files back.",
            key,
        )
    path, folder = Path(record.path), ctx.dataset_folder / archive.dataset
    yield from _as_checked(ctx, archive, record)
    held = archive.replaced_by(record.equivalent)
    # What is there already is compared, never trusted: so neither
    # a power cut nor another program's files need a word here.
    pool = ctx.processes()
    try:
        brought = yield from unpack(
            path,
            folder,
            take=held.take,
            skip=held.skip,
            only=held.only,
            shared=archive.shared,
            expands=archive.expands,
            pool=pool,
        )
    except (Damaged, UnsafeArchive) as problem:
        raise (yield from _failed(ctx, archive, record, problem)) from None
    if path.is_file() and not record.there:
        raise Problem(
            f"{path} changed while it was unpacked.",
            "Start again: it is looked at anew, and what is not as in it is written again.",
        )
    sums = {f"{archive.dataset}/{name}": found for name, found in brought.sums.items()}
    for nested in archive.nested:
        if (opened := folder / nested.file).is_file():
            try:
                brought = yield from unpack(opened, folder / nested.into, skip=archive.skip, pool=pool)
            except (Damaged, UnsafeArchive) as problem:
                raise naming_place(opened, problem, UNPACKED if isinstance(problem, Damaged) else "") from None
            inside = PurePosixPath(archive.dataset, nested.into)
            sums |= {str(inside / name): found for name, found in brought.sums.items()}
            sums.pop(f"{archive.dataset}/{nested.file}", None)  # it is removed below
    if missing := (yield from _missing(ctx, archive, f"checking what {archive.file} brought")):
        incomplete = Problem(
            f"{archive.file} did not bring {len(missing):,} files that MSeg lists, such as {missing[0]}.",
            "The archive was kept. It may be another version than MSeg's: give the right one, then start again.",
            missing,
        )
        _fail(ctx, archive, record, incomplete)
        raise incomplete
    for nested in archive.nested:
        (folder / nested.file).unlink(missing_ok=True)
    noting = Progress(f"noting what {archive.file} brought", 0, len(sums), "files")
    yield from background(
        lambda job: note_extracted(ctx, archive, sums, lambda done: job.say(replace(noting, done=done))), noting
    )
    if record.origin != "brought" and not archive.keep and not ctx.options.keep_archives:
        remove_leftover(path)
    ours = own_path(ctx, archive)
    if record.passed_over == f"fetched {stamp_of(ours)}":
        remove_leftover(ours)


def _without(ctx: Context, archive: Archive, record: ArchiveRecord | None, missing: list[str]) -> None:
    """There is no archive to unpack; raises Problem where one is needed."""
    if missing:
        raise Problem(
            f"{archive.file} is gone before it was unpacked.",
            "Start again: it is fetched again, or bring it back.",
            missing,
        )
    ctx.note(f"{archive.file}: what it brings was there already")
    if record and record.failed and record.origin == "fetched" and record.there:
        remove_leftover(Path(record.path))


def _missing(ctx: Context, archive: Archive, doing: str) -> Generator[Progress, None, list[str]]:
    return background(lambda _: missing_files(ctx, archive), Progress(doing), join=LOOK_JOIN)


def _as_checked(ctx: Context, archive: Archive, record: ArchiveRecord) -> Generator[Progress, None, None]:
    """A plain tar has no checksums inside: before it is unpacked its own is taken once more."""
    path = Path(record.path)
    if not record.sha256 or has_sums(path):
        return
    doing = f"checking {archive.file} once more"

    def work(job: Job) -> str:
        done, digest = 0, hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            while block := file.read(CHUNK):
                digest.update(block)
                done += len(block)
                job.say(Progress(doing, done, record.size, "B"))
        return digest.hexdigest()

    found = yield from background(work, Progress(doing, 0, record.size, "B"))
    if found != record.sha256:
        what = f"it was changed since it was checked: its sha256 is {found} instead of {record.sha256}"
        raise (yield from _failed(ctx, archive, record, damaged_archive(archive.file, what)))


def _failed(
    ctx: Context, archive: Archive, record: ArchiveRecord, problem: Problem
) -> Generator[Progress, None, Problem]:
    """What to raise where the archive itself is at fault; what we fetched and could be had better makes way for that.

    It couldn't where its sum is the published one: memory or disk may be at fault then. Nothing is fetched again for
    what MSeg doesn't list.
    """
    _fail(ctx, archive, record, problem)
    path = Path(record.path)
    if record.origin != "fetched" or not isinstance(problem, Damaged):
        return naming_place(path, problem)
    published = record.as_published and not archive.warn_only and (archive.sha256 or archive.md5 or archive.sha1)
    if published or path.is_dir():
        return naming_place(path, problem, SOUND)
    if not (yield from _missing(ctx, archive, f"looking at what came out of {archive.file}")):
        return naming_place(path, problem, "Start again: all that MSeg lists is there.")
    if record.there:
        remove_leftover(path)
    what = f"{problem.what} It was removed."
    return Problem(what, ANEW, problem.items) if record.retried else FetchAgain(what, ANEW, problem.items)


def _fail(ctx: Context, archive: Archive, record: ArchiveRecord, problem: Problem) -> None:
    """Have every other place looked at before this one."""
    ctx.store.keep_archive(archive.file, replace(record, failed=problem.what))


def extract_missing(ctx: Context, archive: Archive) -> list[str]:
    return missing_files(ctx, archive)
