"""What lies in a dataset's folder though neither an archive brought it nor the wizard made it: named, never touched."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence

from mseg_wizard.context import Context
from mseg_wizard.core.background import Job, looking_through
from mseg_wizard.datasets.extracted import read_extracted
from mseg_wizard.labels.renamed import renamed
from mseg_wizard.progress import Progress, amount, printable
from mseg_wizard.step import Archive
from mseg_wizard.verification.plan import Plan

LOOKED_AT_ONCE = 1024
"""Files between two looks whether it should stop."""


def foreign_files(ctx: Context, plan: Plan, job: Job) -> list[str]:
    """Such files of one dataset, as paths below mseg_dataset/; none while it is not known what archives brought."""
    title = plan.dataset.title
    archives = [archive for step in ctx.steps for archive in step.archives if archive.dataset == title]
    known = _known(ctx, plan, archives, job)
    if known is None:
        return []
    found: list[str] = []
    names = {name for archive in archives for name in archive.names}
    for count, path in enumerate(_files_below(ctx, title)):
        if count % LOOKED_AT_ONCE == 0:
            job.say(Progress(f"looking for foreign files in {title}", count, unit="files"))
        if hash(path) not in known and path.rpartition("/")[2].removesuffix(".part") not in names:
            found.append(path)
    return sorted(found)


def unknown_folders(ctx: Context, titles: Collection[str]) -> list[str]:
    """What lies in mseg_dataset/ beside the datasets' folders."""
    if not ctx.dataset_folder.is_dir():
        return []
    with os.scandir(ctx.dataset_folder) as entries:
        return sorted(
            f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries if entry.name not in titles
        )


def note_on(found: Sequence[str]) -> list[str]:
    """A line where there is something."""
    if not found:
        return []
    lie = f"in mseg_dataset lie {amount(len(found), 'files')} that no archive brought and the wizard did not make"
    return [f"{lie}, such as {printable(found[0])}"]


def _known(ctx: Context, plan: Plan, archives: Sequence[Archive], job: Job) -> set[int] | None:
    """Of each path that should be there its hash: half a million paths take a third of the memory so."""
    known: set[int] = set()
    done = {call.archive.file for step in ctx.steps for call in step.calls
            if call.task == "extract" and call.archive and ctx.store.journal.done(call.key)}  # fmt: skip
    for archive in archives:
        brought = _brought(ctx, plan, archive) if archive.file in done else None
        if brought is None:
            return None
        job.check()
        known.update(brought)
    for position in range(len(plan.dataset.made)):
        paths = (plan.file(image, position) for image in plan.images)
        known.update(hash(path) for path in looking_through(paths) if path)
    return known


def _brought(ctx: Context, plan: Plan, archive: Archive) -> list[int] | None:
    """Hashes of the paths that one archive brought, and of what was dumped of them; None where that isn't known."""
    rows, how, root = read_extracted(ctx, archive), plan.dataset.how, plan.root
    if rows is None:
        return None
    hashes = [hash(row.path) for row in rows]
    if how and how.raw:  # MSeg dumps those too that no list names
        inside = [row.path.removeprefix(f"{root}/") for row in rows if row.path.startswith(f"{root}/")]
        hashes += [hash(f"{root}/{renamed(path, how.raw, how.dump)}") for path in inside]
    return hashes


def _files_below(ctx: Context, title: str) -> Iterator[str]:
    top = f"{ctx.dataset_folder}/"
    for folder, _, names in os.walk(f"{top}{title}"):
        yield from (f"{folder}/{name}".removeprefix(top) for name in names)
