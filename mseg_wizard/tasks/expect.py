"""expect: an archive that only a browser can fetch, found where it was put, or awaited as an upload.

Nothing is downloaded here.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mseg_wizard.answers.equivalents import identify
from mseg_wizard.archives.member import naming_place
from mseg_wizard.context import Context
from mseg_wizard.core import host
from mseg_wizard.core.background import Job, background
from mseg_wizard.datasets.inventory import missing_files
from mseg_wizard.datasets.locations import known_archive, looked_at, own_path, sources
from mseg_wizard.progress import Meter, Problem, Progress, Waiting, printable
from mseg_wizard.step import Archive

STABLE = 3.0
"""Seconds for which a file must not have changed to count as uploaded."""
OLD = 60.0
"""Seconds since its last change after which a file needs no watching."""
POLL = 0.25

_UNDER_WAY = re.compile(r"\.(part|partial|filepart|crdownload|download|tmp|[A-Za-z0-9]{6})$")
"""Endings that uploading programs give to a file until it is
whole; rsync adds a dot before it and six characters behind.
"""


@dataclass(frozen=True)
class Upload:
    """A file in the dataset's folder that may be the archive, or become it."""

    path: Path
    size: int
    mtime_ns: int
    whole: bool
    """Its name is not that of an upload under way."""


def expect(ctx: Context, archive: Archive) -> Generator[Progress, None, None]:
    """Return once the archive can be had; with a person at the
    screen, watch for its upload until then; else raise Waiting.

    A file that is something else is named and left alone.
    """
    yield Progress(f"looking for {archive.file}")
    if _known(ctx, archive):
        return
    watches = ctx.options.attended and not ctx.options.by_questions
    target = own_path(ctx, archive)
    target.parent.mkdir(parents=True, exist_ok=True)  # so that the command works
    since: dict[Path, tuple[Upload, float]] = {}
    problems: dict[Path, tuple[Upload, Problem | None]] = {}
    meters: dict[Path, Meter] = {}
    while True:
        growing: Upload | None = None
        found = uploads(target.parent, archive.file, ctx.own)
        for upload in found:
            now = time.monotonic()
            if since.get(upload.path, (None,))[0] != upload:
                old = upload.path not in since and time.time() - upload.mtime_ns / 1e9 > OLD
                since[upload.path] = upload, now - STABLE if old else now
            if watches and now - since[upload.path][1] < STABLE:
                growing = growing or upload
                continue
            if not upload.whole:
                continue
            if problems.get(upload.path, (None,))[0] != upload:
                problems[upload.path] = upload, (yield from _layout_problem(upload.path, archive))
            if problems[upload.path][1] is None and _moved_to_its_place(ctx, upload.path, target):
                return
        wrong = [problem.what for upload in found if (problem := problems.get(upload.path, (None, None))[1])]
        if not target.is_file() and (_elsewhere(ctx, archive) or (not ctx.options.attended and archive.urls)):
            return
        if not watches:
            raise upload_request(ctx, archive, *(f"{what} It was left alone." for what in wrong))
        if growing:
            rate = meters.setdefault(growing.path, Meter()).rate(growing.size)
            # An estimate would promise too much.
            total = archive.bytes if archive.bytes and growing.size <= archive.bytes else None
            yield Progress(f"receiving {printable(growing.path.name, 100)}", growing.size, total, "B", rate)
        else:
            command = upload_command(target.parent, archive.file)
            said = [*wrong, *looked_at(ctx, ctx.step_of(archive)), f"Waiting for {archive.file}. Upload it: {command}"]
            yield Progress(" ".join(said), waiting=True)
        time.sleep(POLL)


def expect_missing(ctx: Context, archive: Archive) -> list[str]:
    """The archive's name, while it can be had from nowhere."""
    if own_path(ctx, archive).is_file() or _elsewhere(ctx, archive) or _known(ctx, archive):
        return []
    return [] if archive.urls and not ctx.options.attended else [archive.file]


def upload_request(ctx: Context, archive: Archive, *why: str) -> Waiting:
    """What to tell a user who has to bring the archive."""
    step = ctx.step_of(archive)
    what = why or (f"{archive.file} is not here yet, and only a browser can fetch it.",)
    command = upload_command(own_path(ctx, archive).parent, archive.file)
    again = "then press Enter" if ctx.options.by_questions else "start again"
    return Waiting(
        " ".join([*what, *ctx.reasons(step.id), *looked_at(ctx, step)]),
        f"Give the file, its folder or a link in {step.form}, or upload it and {again}. "
        f"The command for that, on the computer that has it: {command}",
        step.id,
        ("archives",),
    )


def upload_command(folder: Path, file: str) -> str:
    """The command that brings a file here from another computer, to be run there."""
    place = f"{folder}/"
    # Older programs have the server's shell read the path once more; -s keeps it away, and only odd paths need that.
    odd = "-s " if shlex.quote(place) != place else ""
    port, name = _address()
    return f"scp {port}{odd}{shlex.quote(file)} {shlex.quote(f'{_user()}@{name}:{place}')}"


def uploads(folder: Path, file: str, own: Path) -> list[Upload]:
    """Files in the dataset's folder that are archives by their
    names, whole or on the way; the one with the right name first.

    `own`: the wizard's own folder, which tells its unfinished downloads from uploads.
    """
    ending = "".join(Path(file).suffixes[-2:]) if file.endswith(".tar.gz") else Path(file).suffix
    found = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            name = _UNDER_WAY.sub("", entry.name)
            # A download of the wizard's own.
            ours = entry.name.endswith(".part") and (own / f"{entry.name}.json").exists()
            with suppress(FileNotFoundError):  # it was renamed just now
                if name.lower().endswith(ending) and not ours and entry.is_file(follow_symlinks=False):
                    stat = entry.stat(follow_symlinks=False)
                    whole = name == entry.name and not name.startswith(".")
                    found.append(Upload(Path(entry.path), stat.st_size, stat.st_mtime_ns, whole))
    return sorted(found, key=lambda upload: (upload.path.name != file, not upload.whole, upload.path.name))


def _known(ctx: Context, archive: Archive) -> bool:
    """Is it proven right already, or unpacked?"""
    return known_archive(ctx, archive) is not None or (bool(ctx.store.journal.tree) and not missing_files(ctx, archive))


def _elsewhere(ctx: Context, archive: Archive) -> bool:
    """Did the user name another place that has it, or may have it?"""
    return any(source.kind in ("brought", "mirror") for source in sources(ctx, archive))


def _layout_problem(path: Path, archive: Archive) -> Generator[Progress, None, Problem | None]:
    """Why the file is not the archive; None if nothing speaks against it."""
    look = partial(_look, path=path, archive=archive)
    return (yield from background(look, Progress(f"looking into {printable(path.name, 100)}")))


def _look(job: Job, path: Path, archive: Archive) -> Problem | None:
    _, problem = identify(path, archive)
    return problem and naming_place(path, problem)


def _moved_to_its_place(ctx: Context, path: Path, target: Path) -> bool:
    """Have the right file at its place; False where a wrong one is there."""
    if path == target:
        return True
    if target.exists():
        return False
    path.rename(target)
    ctx.note(f"{target.name} was uploaded as {printable(path.name, 100)} and got its own name")
    return True


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name: some containers have one
        return "you"


def _address() -> tuple[str, str]:
    """(scp's option for the port, name or address of this machine): a
    short name seldom leads here from elsewhere, ssh's address does.
    """
    name = host.name()
    parts = os.environ.get("SSH_CONNECTION", "").split()
    if len(parts) != 4:
        return "", name
    port = "" if parts[3] == "22" else f"-P {parts[3]} "
    if "." in name:
        return port, name
    return port, f"[{parts[2]}]" if ":" in parts[2] else parts[2]
