"""What stands in for an archive on Hugging Face's hub, fetched: a folder of files that are read together.

When it is fetched is not decided here.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from mseg_wizard.archives.layout import check_layout
from mseg_wizard.archives.parquet_folder import needs_pyarrow
from mseg_wizard.context import Context
from mseg_wizard.core.background import background
from mseg_wizard.datasets.locations import own_path
from mseg_wizard.http.addresses import Routes
from mseg_wizard.http.download import fetch
from mseg_wizard.http.hub import HUB, HubAccess, list_files
from mseg_wizard.http.remote_file import PublishedFacts
from mseg_wizard.progress import Progress, Waiting
from mseg_wizard.state.journal import ArchiveRecord
from mseg_wizard.step import Archive, Equivalent
from mseg_wizard.vault import Secret

TOKEN = "hf_token"  # noqa: S105 - a field's name
"""Name of the field for it, of steps that have one."""


def folder_of(ctx: Context, archive: Archive) -> Path:
    """Where the files are kept until they were unpacked."""
    return own_path(ctx, archive).with_suffix(".parquet")


def fetch_from_hub(ctx: Context, archive: Archive, known: Equivalent) -> Generator[Progress, None, ArchiveRecord]:
    """Fetch what is missing of the folder, each file proven by the hub's own sha256.

    Raises Problem; Waiting where the hub wants a token.
    """
    needs_pyarrow()
    folder, routes = folder_of(ctx, archive), Routes.parse(ctx.options.routes)
    access = HubAccess(_token(ctx, archive), lambda given: _wanted(ctx, archive, known, given))
    repo, _, below = known.hub.partition(":")
    asking = Progress(f"asking {HUB} for the files of {repo}")
    files = yield from background(lambda job: list_files(job, repo, below, access, routes), asking)
    total, done = sum(file.size for file in files), 0
    for file in files:
        target = folder / file.name
        if not (target.is_file() and target.stat().st_size == file.size):  # it got its name when it was proven
            facts, state = PublishedFacts(file.size, file.sha256), ctx.own / f"{file.name}.part.json"
            with closing(
                fetch(target, [access.location(repo, file)], facts, routes=routes, state_path=state)
            ) as fetching:
                for progress in fetching:
                    yield replace(progress, done=done + progress.done, total=total)
        done += file.size
    for other in set(folder.glob("*.parquet")) - {folder / file.name for file in files}:
        other.unlink()  # of a version that the hub has no more
    problem = yield from background(
        lambda _: check_layout(folder, known.layout), Progress(f"looking into {folder.name}", total, total, "B")
    )
    if problem:
        raise problem
    found = folder.stat()
    return ArchiveRecord(
        str(folder), found.st_size, found.st_mtime_ns, "", "fetched", f"{HUB}/datasets/{repo}",
        equivalent=known.title,
    )  # fmt: skip


def _token(ctx: Context, archive: Archive) -> Secret | None:
    step = ctx.step_of(archive)
    return ctx.secret(step.id, TOKEN) if TOKEN in step.field_names else None


def _wanted(ctx: Context, archive: Archive, known: Equivalent, given: bool) -> Waiting:
    step = ctx.step_of(archive)
    if given:
        what = f"Hugging Face does not accept the token for {known.title}."
        ctx.refuse(step.id, what, {TOKEN: ctx.secret(step.id, TOKEN)})
    else:
        what = f"Hugging Face wants a token for {known.title}."
    do = f"Make one at {HUB}/settings/tokens (to read is enough), and enter it in {step.form}."
    return Waiting(what, f"{do} Or give the archive there.", step.id, (TOKEN,))
