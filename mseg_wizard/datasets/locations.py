"""Where an archive can be had, in order: its own folder, the user's
files and links, the mirror, login or pasted link, public URLs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from mseg_wizard.answers.brought import found_in, instead, uploaded_in
from mseg_wizard.answers.pasted import is_link
from mseg_wizard.context import Context
from mseg_wizard.datasets.inventory import files_gone, missing_files, was_unpacked
from mseg_wizard.http.addresses import web_address
from mseg_wizard.state.journal import ArchiveRecord, stamp_of
from mseg_wizard.step import Archive, Step
from mseg_wizard.vault import Secret

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True)
class Source:
    """One place: a file on this machine (`path`), or a link (`url`)."""

    kind: str
    """own, brought, mirror, login, link, public."""
    path: Path | None = None
    url: str | Secret = ""

    @property
    def named(self) -> bool:
        """Did the user name this place?

        Only there may an archive of an accepted modified tree differ from the published one.
        """
        return self.kind in ("own", "brought", "mirror")


def own_path(ctx: Context, archive: Archive) -> Path:
    """Where an archive is downloaded or uploaded to."""
    return ctx.dataset_folder / archive.dataset / archive.file


def sources(ctx: Context, archive: Archive) -> Iterator[Source]:
    """All places to look at, in order; a file that failed when it was unpacked comes last.

    Local ones are only given where the file exists; links may turn out to be dead.
    """
    found = list(_places(ctx, archive))
    yield from (source for source in found if not _failed(ctx, archive, source))
    yield from (source for source in found if _failed(ctx, archive, source))


def _places(ctx: Context, archive: Archive) -> Iterator[Source]:
    step = ctx.step_of(archive)
    if (path := own_path(ctx, archive)).is_file():
        yield Source("own", path)
    yield from (Source("own", other) for other in uploaded_in(path.parent, archive, _other_names(ctx, archive)))
    yield from _brought(ctx, archive)
    yield from _mirror(ctx, archive)
    if archive.login and all(ctx.given(step.id, name) for name in ("username", "password")):
        yield Source("login", url=archive.login_path)
    if archive.link_field and (link := ctx.secret(step.id, archive.link_field)):
        text = link.reveal()
        # Joined as links are, with "/": the operating system's separator has no place in one.
        for address in (text, *_moved(text, archive)):
            whole = Secret(f"{address.rstrip('/')}/{archive.link_path}") if archive.link_path else Secret(address)
            yield Source("link", url=link if address == text and not archive.link_path else whole)
    for url in archive.urls:
        yield Source("public", url=url)


def local_source(ctx: Context, archive: Archive) -> Source | None:
    """The first place on this machine where the archive is, if any; one that failed only where there is no other."""
    found = list(sources(ctx, archive))
    good = (source for source in found if source.path and not _failed(ctx, archive, source))
    return next(good, found[0] if found and found[0].path else None)


def known_archive(ctx: Context, archive: Archive) -> ArchiveRecord | None:
    """What is known of the archive that was proven right and is there; None where it counts no more.

    A file that the user named counts until another answer names another place.
    """
    record = ctx.store.archive(archive.file)
    if record is None or not record.present:
        return None
    if record.origin == "brought":
        named = [source for source in sources(ctx, archive) if source.named]
        here = local_source(ctx, archive)
        if named and (here is None or here.path != Path(record.path)):
            return None
    return record


def address_of(ctx: Context, archive: Archive, source: Source) -> httpx.URL | None:
    """The address that is asked for a source that is no file; None where it can't be read."""
    if source.kind == "login":
        site = next(site for site in ctx.step_of(archive).logins if site.id == archive.login)
        return web_address(site.origin + archive.login_path)
    return web_address(source.url.reveal() if isinstance(source.url, Secret) else source.url)


def link_digest(ctx: Context, source: Source) -> str:
    """What tells the source's link from others, and tells nobody the link; empty where it is a file."""
    text = source.url.reveal() if isinstance(source.url, Secret) else source.url
    return hashlib.sha256(f"{ctx.store.journal.id} {text}".encode()).hexdigest()[:16] if text else ""


def key_of(ctx: Context, source: Source) -> str:
    """What tells the place from others, and tells nobody a link."""
    return str(source.path) if source.path else link_digest(ctx, source)


def _failed(ctx: Context, archive: Archive, source: Source) -> bool:
    record = ctx.store.archive(archive.file)
    if record is None or not (record.failed or record.passed_over):
        return False
    if source.path:
        failed = record.stamp if record.failed else record.passed_over.partition(" ")[2]
        return failed == stamp_of(source.path)
    return bool(record.failed) and record.link == link_digest(ctx, source)


def needs_no_link(ctx: Context, archive: Archive) -> bool:
    """Does the archive need neither login nor pasted link: found
    before, here, brought, mirrored, or unpacked already?
    """
    if known_archive(ctx, archive):
        return True
    if any(source.named and not _failed(ctx, archive, source) for source in sources(ctx, archive)):
        return True
    return bool(ctx.store.journal.tree) and not missing_files(ctx, archive)


def in_mirror(address: str, name: str) -> str:
    """The address of one file in a mirror on the web; what stands
    behind its `?`, such as a token, goes along with each.
    """
    parts = urlsplit(address)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{name}", fragment="").geturl()


def looked_at(ctx: Context, step: Step) -> list[str]:
    """What the folders that the user named have in place of archives of the step that are still to come, and what of
    archives that came before is gone.
    """
    lacking = [archive for archive in step.archives if not needs_no_link(ctx, archive)]
    folders = [Path(row).expanduser() for row in ctx.sources(step.id) if not isinstance(row, Secret)]
    if ctx.options.mirror and not is_link(ctx.options.mirror):
        folders.append(Path(ctx.options.mirror).expanduser().absolute())
    names = {name for other in ctx.steps for archive in other.archives for name in archive.names}
    lost = [files_gone(archive, missing_files(ctx, archive)) for archive in lacking if was_unpacked(ctx, archive)]
    return lost + [instead(folder, lacking, names) for folder in folders if lacking and not folder.is_file()]


def _other_names(ctx: Context, archive: Archive) -> set[str]:
    names = chain.from_iterable(other.names for step in ctx.steps for other in step.archives)
    return set(names) - set(archive.names)


def _brought(ctx: Context, archive: Archive) -> Iterator[Source]:
    """What the step's `archives` answer says: folders, files and links; archives under any name, and unpacked ones."""
    step = ctx.step_of(archive)
    rows = ctx.sources(step.id)
    alone = len(step.archives) == 1 and len(rows) == 1
    for row in rows:
        if isinstance(row, Secret):
            if alone or unquote(urlsplit(row.reveal()).path).rpartition("/")[2] in archive.names:
                yield Source("brought", url=row)
            continue
        found = found_in(Path(row).expanduser(), archive, _other_names(ctx, archive), alone=alone)
        # What was unpacked into the destination is no archive, though it looks like one.
        yield from (
            Source("brought", path) for path in found if path.is_file() or not path.is_relative_to(ctx.dataset_folder)
        )


def _mirror(ctx: Context, archive: Archive) -> Iterator[Source]:
    mirror = ctx.options.mirror
    if mirror and is_link(mirror):
        yield from (Source("mirror", url=in_mirror(mirror, name)) for name in archive.names)
    elif mirror:
        folder = Path(mirror).expanduser().absolute()
        found = found_in(folder, archive, _other_names(ctx, archive)) if folder.is_dir() else ()
        yield from (Source("mirror", path) for path in found if path.is_file())


def _moved(link: str, archive: Archive) -> Iterator[str]:
    """The same link at the host that the publisher moved to."""
    parts = urlsplit(link)
    if host := archive.moved.get(parts.hostname or ""):
        yield parts._replace(netloc=host).geturl()
