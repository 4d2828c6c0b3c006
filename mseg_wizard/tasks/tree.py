"""tree: MSeg's class tables, lists and records where the work finds them, checked.

What makes a tree MSeg's own is in datasets.mseg_api.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from mseg_wizard.answers.pasted import is_link
from mseg_wizard.archives.reader import members
from mseg_wizard.archives.unpack import unpack
from mseg_wizard.context import Context
from mseg_wizard.core.background import Job, background
from mseg_wizard.core.files import sync
from mseg_wizard.datasets import mseg_api, mseg_config
from mseg_wizard.datasets.locations import in_mirror
from mseg_wizard.datasets.mseg_api import TreeCheck
from mseg_wizard.http.addresses import Routes, without_query
from mseg_wizard.http.download import fetch
from mseg_wizard.http.remote_file import Location
from mseg_wizard.progress import Problem, Progress, Waiting
from mseg_wizard.state.journal import TreeRecord

URL = f"https://github.com/mseg-dataset/mseg-api/archive/{mseg_api.COMMIT}.zip"
NAME = "mseg-api"
"""The folder below the destination, and what a mirror holds: `mseg-api/` or `mseg-api.zip`."""
ELSEWHERE = "Name a checkout's folder or a zip in `mseg_api`, or write “fetch” there to have the published one fetched."


@dataclass(frozen=True)
class TreeOrigin:
    """Where the answers say that the tree comes from."""

    kind: str
    """fetch, mirror, zip, or folder: one of the user's on this machine."""
    words: str
    """For the report."""
    path: Path | None = None
    """On this machine; None: it has to be fetched first."""
    in_place: bool = False
    """Used where it is, not copied."""


def tree(ctx: Context) -> Generator[Progress, None, None]:
    """Have the mseg-api tree of the answers, checked; raises Waiting for a modified one that was not accepted."""
    yield Progress("looking for the mseg-api tree")
    for stale in ctx.destination.glob(f".{NAME}.*.tmp"):
        shutil.rmtree(stale, ignore_errors=True)
    try:
        if (yield from _still_there(ctx)):
            return
        origin = _origin(ctx)
        if origin.in_place and origin.path:
            verdict = yield from _usable_tree(ctx, origin.path, origin)
            _record(ctx, origin.path, origin, verdict)
        else:
            yield from _copied(ctx, origin)
    except OSError as error:
        raise Problem(
            f"The mseg-api tree can't be read or written: {error}.", "Make that possible, then start again."
        ) from None


def tree_missing(ctx: Context) -> list[str]:
    """Nothing, while the recorded tree is there, untouched since it
    was checked, accepted, and the one that the answers ask for.
    """
    record = ctx.store.journal.tree
    if not record or not _asked(ctx, record) or (not record.pinned and not _accepted(ctx)):
        return [NAME]
    folder = Path(record.folder)
    if lacks := mseg_api.missing_parts(folder):
        return lacks
    return [] if mseg_api.stamp(folder) == record.stamp else [str(folder)]


def _answer(ctx: Context) -> str:
    return str(ctx.answer("prepare", "mseg_api") or "fetch").strip()


def _accepted(ctx: Context) -> bool:
    return ctx.answer("prepare", "accept_modified_tree") is True


def _asked(ctx: Context, record: TreeRecord) -> bool:
    """Is the recorded tree the one that the answers ask for?

    Whether its source is still there does not matter: it was copied.
    """
    answer = _answer(ctx)
    return record.asked == answer and (record.kind != "folder" or record.in_place == _in_place(ctx, answer))


def _in_place(ctx: Context, answer: str) -> bool:
    """Is a folder that the user named used where it is?

    Only if a Python will import it there, or if it is where a copy would go.
    """
    return (
        bool(ctx.answer("prepare", "python"))
        or Path(answer).expanduser().resolve() == (ctx.destination / NAME).resolve()
    )


def _origin(ctx: Context) -> TreeOrigin:
    """Where to take the tree from; raises Problem where the answer names nothing."""
    answer, mirror = _answer(ctx), ctx.options.mirror
    if answer == "fetch":
        for name in (NAME, f"{NAME}.zip"):
            if mirror and not is_link(mirror) and (path := Path(mirror).expanduser().absolute() / name).exists():
                return TreeOrigin("mirror", f"the mirror ({path})", path)
        return TreeOrigin("fetch", without_query(httpx.URL(URL)))
    path = Path(answer).expanduser().absolute()
    if path.is_dir():
        return TreeOrigin("folder", f"the folder {path}", path, _in_place(ctx, answer))
    if path.is_file():
        return TreeOrigin("zip", f"the file {path}", path)
    raise Problem(f"mseg-api is to come from {path}, and nothing is there.", ELSEWHERE)


def _still_there(ctx: Context) -> Generator[Progress, None, bool]:
    """Is the tree of an earlier run there and as it was, if perhaps moved with the destination or touched?"""
    record = ctx.store.journal.tree
    if not record or not _asked(ctx, record):
        return False
    origin = TreeOrigin(record.kind, record.source, in_place=record.in_place)
    for folder in dict.fromkeys([Path(record.folder), *([] if origin.in_place else [ctx.destination / NAME])]):
        if not mseg_api.missing_parts(folder):
            verdict = yield from _examined(folder)
            if verdict.sha256 == record.sha256:
                _accept(ctx, origin, verdict)
                _record(ctx, folder, origin, verdict)
                return True
    return False


def _copied(ctx: Context, origin: TreeOrigin) -> Generator[Progress, None, None]:
    """A copy at <destination>/mseg-api: made beside it, checked, accepted, and only then given its name."""
    place = ctx.destination / NAME
    beside = ctx.destination / f".{NAME}.{os.getpid()}.tmp"
    fetched = None
    try:
        if origin.path is None:
            if not mseg_api.missing_parts(place) and (verdict := (yield from _examined(place))).whole:
                origin = replace(origin, words=f"{place}, which was there already")
                _accept(ctx, origin, verdict)
                _record(ctx, place, origin, verdict)
                return
            fetched = ctx.own / f"{NAME}.zip"
            origin = yield from _fetched(ctx, fetched, origin)
        source = origin.path
        assert source is not None  # noqa: S101 - fetched by now
        beside.mkdir()
        if source.is_dir():
            _complete(source, origin)
            yield from background(
                lambda job: mseg_api.copy(job, source, beside, ctx.destination), Progress(f"copying {source}")
            )
        else:
            top = yield from background(lambda job: _top(job, source, origin), Progress(f"looking into {source.name}"))
            yield from unpack(source, beside, take={top: ""}, at_most=mseg_api.MOST_BYTES)
            mseg_api.clean(beside)
        verdict = yield from _usable_tree(ctx, beside, origin)
        _put_in_place(ctx, beside, place)
        _record(ctx, place, origin, verdict)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if fetched:
            fetched.unlink(missing_ok=True)


def _fetched(ctx: Context, target: Path, origin: TreeOrigin) -> Generator[Progress, None, TreeOrigin]:
    mirror = ctx.options.mirror
    locations = [Location(URL)]
    if mirror and is_link(mirror):
        locations.insert(0, Location(in_mirror(mirror, target.name), named=True))
    target.unlink(missing_ok=True)
    fetched = yield from fetch(target, locations, routes=Routes.parse(ctx.options.routes))
    kind = "fetch" if fetched.source == origin.words else "mirror"
    return TreeOrigin(kind, fetched.source, target)


def _top(job: Job, archive: Path, origin: TreeOrigin) -> str:
    """The folder inside an archive that is the tree: `mseg-api-<commit>/`, or none."""
    found = []
    for member in members(archive):
        job.check()
        before, inside, _ = f"/{member.name}".partition(f"/{mseg_api.DATA[0]}/")
        if inside:
            found.append(f"{before}/".lstrip("/"))
    if not found:
        raise _incomplete(origin, [f"{mseg_api.DATA[0]}/"])
    return min(found, key=len)


def _usable_tree(ctx: Context, folder: Path, origin: TreeOrigin) -> Generator[Progress, None, TreeCheck]:
    """What the tree is; raises Problem, Waiting where it can't be used."""
    _complete(folder, origin)
    verdict = yield from _examined(folder)
    if origin.kind == "fetch" and not verdict.whole and not Routes.parse(ctx.options.routes).covers(httpx.URL(URL)):
        raise Problem(
            f"What came from {origin.words} is {verdict.words}.", f"It was thrown away. Start again. Or: {ELSEWHERE}"
        )
    _accept(ctx, origin, verdict)
    if verdict.differs:
        wrong = yield from background(
            lambda job: mseg_api.list_faults(job, folder, ctx.steps), Progress("reading MSeg's lists")
        )
        if wrong:
            raise Problem(
                f"The mseg-api tree from {origin.words} has lists that can't be used, such as: {wrong[0]}",
                ELSEWHERE,
                wrong,
            )
    return verdict


def _examined(folder: Path) -> Generator[Progress, None, TreeCheck]:
    return background(lambda job: mseg_api.identify_tree(folder), Progress("checking every file of mseg-api"))


def _complete(folder: Path, origin: TreeOrigin) -> None:
    """Raise Problem that names the source: what is wrong has to be mended there, as a copy is made of it again."""
    if lacks := mseg_api.missing_parts(folder):
        raise _incomplete(origin, lacks)
    try:
        mseg_config.value((folder / mseg_config.CONFIG).read_bytes())
    except mseg_config.Unset as unset:
        what = f"The mseg-api tree from {origin.words} can't be configured, by its {mseg_config.CONFIG}: {unset}."
        do = f'Give that file one line {mseg_config.NAME} = "", as MSeg has it, then start again. Or: {ELSEWHERE}'
        raise Problem(what, do) from None


def _incomplete(origin: TreeOrigin, lacks: list[str]) -> Problem:
    return Problem(
        f"{origin.words[0].upper()}{origin.words[1:]} is no mseg-api tree: {', '.join(lacks)} missing.",
        ELSEWHERE,
        lacks,
    )


def _accept(ctx: Context, origin: TreeOrigin, verdict: TreeCheck) -> None:
    """Note what the tree is; raises Waiting where the user has to accept it first."""
    if verdict.differs and not _accepted(ctx):
        raise Waiting(
            f"The mseg-api tree from {origin.words} is {verdict.words}.",
            f"If these are your own changes, accept them in {ctx.step('prepare').form} (accept_modified_tree = true); "
            "every report will name them. "
            f"If not: {ELSEWHERE[0].lower()}{ELSEWHERE[1:]}",
            "prepare",
            ["accept_modified_tree"],
        )
    ctx.note(f"The mseg-api tree from {origin.words} is {verdict.words}")


def _put_in_place(ctx: Context, beside: Path, place: Path) -> None:
    """Give a checked copy its name. What stands there already is kept if it is the same, and never deleted."""
    record = ctx.store.journal.tree
    if place.is_dir() and any(place.iterdir()):
        if (
            not mseg_api.missing_parts(place)
            and mseg_api.unconfigured_identity(place) == mseg_api.unconfigured_identity(beside) != ""
        ):
            return
        if record is None or record.folder != str(place) or record.in_place:
            raise Problem(
                f"{place} is there already and is another tree.",
                "Move it away, or name it in `mseg_api` to have it used as it is.",
            )
        aside = next(
            path for count in range(1, 1000) if not (path := place.with_name(f"{NAME}.replaced-{count}")).exists()
        )
        place.rename(aside)
        ctx.note(f"The mseg-api tree that was here before is now {aside.name}: delete it when nothing in it is yours")
    beside.rename(place)
    sync(ctx.destination)


def _record(ctx: Context, folder: Path, origin: TreeOrigin, verdict: TreeCheck) -> None:
    """Keep what is known of the accepted tree; what was known of
    its installation is forgotten where it is another one.
    """
    before = ctx.store.journal.tree
    record = TreeRecord(
        folder=str(folder),
        pinned=not verdict.differs,
        whole=verdict.whole,
        sha256=verdict.sha256,
        stamp=mseg_api.stamp(folder),
        source=origin.words,
        kind=origin.kind,
        asked=_answer(ctx),
        in_place=origin.in_place,
    )
    if before and all(getattr(before, name) == getattr(record, name) for name in ("folder", "sha256", "whole", "kind")):
        record = replace(record, installed=before.installed)
    ctx.store.keep_tree(record)
