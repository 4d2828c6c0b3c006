"""download: an archive found on this machine and proven right, or else fetched. Unpacking is not done here."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

from mseg_wizard.answers.equivalents import identify
from mseg_wizard.archives.layout import check_layout
from mseg_wizard.archives.member import naming_place
from mseg_wizard.archives.pread import parts_of
from mseg_wizard.context import Consent, Context
from mseg_wizard.core.background import background
from mseg_wizard.core.files import remove_leftover
from mseg_wizard.datasets.archive_login import ArchiveLogin
from mseg_wizard.datasets.hub_folder import fetch_from_hub
from mseg_wizard.datasets.inventory import files_gone, missing_files, unmounted, was_unpacked
from mseg_wizard.datasets.locations import (
    Source,
    key_of,
    known_archive,
    link_digest,
    local_source,
    looked_at,
    own_path,
    sources,
)
from mseg_wizard.datasets.withdrawn import PlaceAnswer, aside_if_withdrawn
from mseg_wizard.http.addresses import Routes
from mseg_wizard.http.download import fetch
from mseg_wizard.http.refusals import LinkRefused, Unavailable
from mseg_wizard.http.remote_file import Fetched, Location, PublishedFacts
from mseg_wizard.progress import Meter, Problem, Progress, Waiting, printable, size
from mseg_wizard.state.journal import ArchiveRecord
from mseg_wizard.step import Archive, Equivalent
from mseg_wizard.tasks.expect import upload_request
from mseg_wizard.vault import Secret

BLOCK = 1 << 20
UNPACKED = "a folder was taken in place of it: its files are checked by MSeg's lists, and no sum was there to compare"


def download(ctx: Context, archive: Archive) -> Generator[Progress, None, None]:
    """Have the archive whole and right on this machine; a file of the user's is read where it is.

    One that was withdrawn is set aside instead, where its step file and the user allow that.
    """
    yield Progress(f"looking for {archive.file}")
    if known_archive(ctx, archive):
        for remark in ctx.store.journal.remarks(ctx.call):  # of when it was fetched, perhaps ahead of its turn
            ctx.note(remark)
        return
    missing = missing_files(ctx, archive)
    if not missing:
        ctx.note(f"{archive.file}: what it brings is there already, so it was not fetched")
        return
    if local_source(ctx, archive):
        record = yield from _first_right(ctx, archive)
    else:
        _ask_before_again(ctx, archive, missing)
        found = yield from _fetch(ctx, archive)
        if found is None:
            yield Progress(f"{archive.file} is set aside")
            return
        record = found
    if not record.as_published:
        weak = ", of which others' reports are all that is known" if archive.warn_only else ""
        ctx.note(f"{archive.file} is not the published archive{weak}")
    for known in archive.equivalents:
        if known.title == record.equivalent:
            ctx.note(known.in_words(archive.file))
    if record.doubt:
        ctx.note(f"{archive.file}: {record.doubt}")
    if (before := ctx.store.archive(archive.file)) and before.path != record.path:
        failed = f"{before.origin} {before.stamp}" if before.failed and before.there else before.passed_over
        record = replace(record, passed_over=failed)
    ctx.store.keep_archive(archive.file, record)


def download_missing(ctx: Context, archive: Archive) -> list[str]:
    """Nothing, while the archive or everything that it brings is there."""
    if known_archive(ctx, archive) or not missing_files(ctx, archive):
        return []
    return [archive.file]


def _ask_before_again(ctx: Context, archive: Archive, missing: list[str]) -> None:
    """An archive that was unpacked and tidied away is fetched again only when the user says so: it may take a day."""
    key = f"again:{archive.file}"
    if was_unpacked(ctx, archive) and ctx.store.archive(archive.file) and key not in ctx.consents:
        removed = f"{files_gone(archive, missing)} The archive was removed after it was unpacked."
        raise Consent(
            f"{removed} {unmounted(ctx, archive)}".strip(),
            f"Getting it again means fetching {size(archive.size)}. Allow that (--allow {key}), give the archive as a "
            "file, or bring the files back.",
            key,
        )


def _first_right(ctx: Context, archive: Archive) -> Generator[Progress, None, ArchiveRecord]:
    """The first file on this machine that is the right archive; raises the Problem of the first where none is."""
    here = [source for source in sources(ctx, archive) if source.path]
    problems: list[Problem] = []
    for source in here:
        try:
            record = yield from _examine(ctx, archive, source)
        except Problem as problem:
            problems.append(problem)
            continue
        for passed in problems:
            ctx.note(f"{passed.what} Another file was taken.")
        return record
    raise problems[0]


def _examine(ctx: Context, archive: Archive, source: Source) -> Generator[Progress, None, ArchiveRecord]:
    """Prove that a file on this machine is the right archive; raises
    Problem that says what it is instead, and leaves it alone.
    """
    path = source.path
    assert path is not None  # noqa: S101 - `local_source` gives sources with a path only
    before = path.stat()
    known, problem = yield from background(
        lambda job: identify(path, archive), Progress(f"looking into {printable(path.name, 100)}")
    )
    if problem:
        raise naming_place(path, problem)
    held = archive.replaced_by(known.title) if known else archive
    kinds = {"sha256", "md5", *(["sha1"] if archive.sha1 else [])}
    sums = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
    meter, done = Meter(), 0
    # Of an unpacked folder there is nothing to hash as a whole.
    for block in _blocks(path) if path.is_file() else ():
        for digest in sums.values():
            digest.update(block)
        done += len(block)
        yield Progress(f"checking {path.name}", done, before.st_size, "B", meter.rate(done))
    found = {kind: digest.hexdigest() if path.is_file() else "" for kind, digest in sums.items()}
    if not known and (problem := check_layout(path, (), archive.wrong, md5=found["md5"], sha256=found["sha256"])):
        raise naming_place(path, problem)
    differs = _differs(held, before.st_size, found) if path.is_file() else ""
    if differs and not held.warn_only and not (ctx.modified_tree and source.named):
        raise Problem(
            f"{path} is not the published {archive.file}: {differs}.",
            "It was left alone. Give the right file, or remove this one so that it is fetched.",
        )
    after = path.stat()
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise Problem(f"{path} changed while it was read.", "Wait until its upload is complete, then start again.")
    origin = "uploaded" if source.kind == "own" else "brought"
    return ArchiveRecord(
        str(path), after.st_size, after.st_mtime_ns, found["sha256"], origin, str(path), not differs,
        UNPACKED if path.is_dir() else "", equivalent=known.title if known else "",
    )  # fmt: skip


def _blocks(path: Path) -> Iterator[bytes]:
    for part in parts_of(path):
        with part.open("rb") as file:
            while block := file.read(BLOCK):
                yield block


def _differs(archive: Archive, count: int, found: dict[str, str]) -> str:
    if archive.bytes is not None and archive.bytes != count:
        return f"it has {count:,} bytes instead of {archive.bytes:,}"
    for kind, value in found.items():
        published = getattr(archive, kind)
        if published and published != value:
            return f"its {kind} is {value} instead of {published}"
    return ""


def _fetch(ctx: Context, archive: Archive) -> Generator[Progress, None, ArchiveRecord | None]:
    """Fetch into the archive's own folder; a file of the wrong inner layout makes way for the next source.

    None: it was set aside.
    """
    target = own_path(ctx, archive)
    retried = False
    if (before := ctx.store.archive(archive.file)) and before.failed and before.origin == "fetched":
        retried = True
        ctx.note(f"{archive.file} had to be fetched once more: {before.failed}")
        if before.there:
            remove_leftover(Path(before.path))  # the disk may not take it twice
    login = ArchiveLogin(ctx, archive) if archive.login else None
    known_by_md5 = login is not None or any(wrong.md5 for wrong in archive.wrong)
    published = (archive.bytes, archive.sha256, archive.md5, archive.sha1, archive.warn_only)
    expected = PublishedFacts(*published, lenient=ctx.modified_tree, md5_too=known_by_md5)
    places = [(source, _location(archive, source, login)) for source in sources(ctx, archive) if source.path is None]
    if not places:
        seen = looked_at(ctx, ctx.step_of(archive))
        what = " ".join([f"There is no place to get {archive.file} from.", *seen])
        nowhere = Problem(what, _how_to_bring(archive, target))
        raise upload_request(ctx, archive) if archive.browser else nowhere
    wrong: list[tuple[Source, str]] = []
    while places:
        try:
            state_path = ctx.own / f"{archive.file}.part.json"
            routes = Routes.parse(ctx.options.routes)
            fetched: Fetched = yield from fetch(
                target, [place for _, place in places], expected, routes=routes, state_path=state_path
            )
        except Unavailable as unavailable:
            answers = [
                PlaceAnswer(key_of(ctx, source), source.kind, refused.words, refused.gone)
                for refused in unavailable.answers
                for source, place in places
                if place is refused.location
            ]
            if aside_if_withdrawn(ctx, archive, answers):
                return None
            known = next((known for known in archive.equivalents if known.hub), None)
            if known and not isinstance(unavailable, LinkRefused):
                return (yield from _instead(ctx, archive, known, unavailable))
            raise _without(ctx, archive, places, unavailable) from None
        number = next(count for count, (_, place) in enumerate(places) if place is fetched.location)
        known, problem = identify(target, archive, md5=fetched.md5, sha256=fetched.sha256)
        if problem:
            wrong.append((places[number][0], f"{fetched.source}: {problem.what}"))
            target.unlink()
            places = places[number + 1 :]
            continue
        if login and login.asked and login.md5 != fetched.md5:
            says = (
                f"says md5 {login.md5} now, the file has {fetched.md5}"
                if login.md5
                else "gave no md5 that could be read"
            )
            ctx.note(f"{archive.file}: {login.site.name}'s own page {says}")
        found = target.stat()
        held = archive.replaced_by(known.title) if known else archive
        differs = _differs(held, fetched.bytes, {"sha256": fetched.sha256, "md5": fetched.md5})
        return ArchiveRecord(
            str(target),
            found.st_size,
            found.st_mtime_ns,
            fetched.sha256,
            "fetched",
            fetched.source,
            not differs,
            fetched.doubt,
            link_digest(ctx, places[number][0]),
            retried=retried,
            equivalent=known.title if known else "",
        )
    raise _all_wrong(ctx, archive, wrong)


def _instead(
    ctx: Context, archive: Archive, known: Equivalent, unavailable: Unavailable
) -> Generator[Progress, None, ArchiveRecord]:
    """What stands in for the archive, fetched; where it can't be had either, that is told too."""
    try:
        return (yield from fetch_from_hub(ctx, archive, known))
    except Waiting:
        raise
    except Problem as problem:
        do = f"{problem.do} Or give another in {ctx.step_of(archive).form}."
        raise Problem(f"{unavailable.what} {known.title}: {problem.what}", do, problem.items) from None


def _without(ctx: Context, archive: Archive, places: list[tuple[Source, Location]], problem: Unavailable) -> Problem:
    """What to tell where no place gave the archive: a refused link
    is asked for anew, a browser's archive has to be brought.
    """
    step = ctx.step_of(archive)
    refused = next(
        (source for source, place in places if isinstance(problem, LinkRefused) and place is problem.location), None
    )
    if refused and isinstance(refused.url, Secret):
        field = archive.link_field if refused.kind == "link" else "archives"
        # Of a base URL the field holds the beginning only.
        value = ctx.secret(step.id, field) if refused.kind == "link" else refused.url
        ctx.refuse(step.id, problem.what, {field: value})
        given = ctx.vault.variables(step.id, (field,))
        place = f"It came from the environment: {given[0]}." if given else f"It belongs into {step.form}."
        return Waiting(problem.what, f"{problem.do} {place}", step.id, (field,))
    if archive.browser:
        return upload_request(ctx, archive, problem.what)
    what = " ".join([problem.what, *looked_at(ctx, step)])
    return Unavailable(what, f"{problem.do} The place for that is {step.form}.", problem.items)


def _all_wrong(ctx: Context, archive: Archive, wrong: list[tuple[Source, str]]) -> Problem:
    """Every place gave something else.

    A pasted link is forgotten then: following it again would only bring the same.
    """
    step = ctx.step_of(archive)
    what, reasons = f"What was fetched as {archive.file} is something else.", [reason for _, reason in wrong]
    if any(source.kind == "link" for source, _ in wrong):
        ctx.refuse(step.id, what, {archive.link_field: ctx.secret(step.id, archive.link_field)})
        ctx.vault.wipe([(step.id, archive.link_field)])
        do = f"Paste another link into {step.form}. The old one was forgotten."
        return Waiting(" ".join([what, *reasons]), do, step.id, (archive.link_field,))
    if archive.browser:
        return upload_request(ctx, archive, what, *reasons)
    return Problem(what, _how_to_bring(archive, own_path(ctx, archive)), reasons)


def _how_to_bring(archive: Archive, target: Path) -> str:
    return (
        f"If you have the file, name it in the form of its step, use --mirror, or put it at {target}; then start again."
    )


def _location(archive: Archive, source: Source, login: ArchiveLogin | None) -> Location:
    if source.kind == "login" and login:
        return login.location
    return Location(source.url, named=source.named, doubtful=archive.browser and source.kind == "public")
