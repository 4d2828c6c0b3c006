"""`mseg-wizard sources`: where each archive can be had, what is known of it, and what its addresses answer now.

No destination is opened and no secret is used.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from mseg_wizard.cli.destination import step_named
from mseg_wizard.cli.text import hanging, wrapped
from mseg_wizard.core.background import background
from mseg_wizard.core.exits import Exit
from mseg_wizard.http.addresses import Routes
from mseg_wizard.http.hub import listing_url
from mseg_wizard.http.probe import Answer, probe
from mseg_wizard.progress import Progress, printable, size
from mseg_wizard.step import Archive, Step

FIRST = (
    "Looked at before all that is named here: the archive in its own folder below mseg_dataset/, the files and links "
    "in the form's field `archives`, then --mirror."
)


@dataclass(frozen=True)
class Place:
    """One place where an archive, or what may stand in for it, can be had."""

    kind: str
    """login, link, public, hub, page: the last one is for people."""
    address: str
    of: str = ""
    """What stands in for the archive; empty for itself."""
    last_known: str = ""
    """In words, with the month."""
    answer: Answer | None = None


def run(args: argparse.Namespace) -> int:
    steps: tuple[Step, ...] = args.steps
    name = getattr(args, "step", None)
    routes = Routes.parse(tuple(getattr(args, "route", ())))
    chosen = [step for step in ((step_named(steps, name),) if name else steps) if step.archives]
    check, as_json = getattr(args, "check", False), getattr(args, "json", False)
    rows, dead = [], 0
    if not as_json:
        print(wrapped(FIRST))
    for step in chosen:
        for archive in step.archives:
            if not as_json:
                _tell_archive(step, archive)
            found = []
            for place in places(step, archive):
                if check and place.kind in ("public", "hub"):
                    place = _checked(place, routes)
                    dead += not (place.answer and place.answer.serves)
                found.append(place)
                if not as_json:
                    _tell_place(place)
            facts = {key: getattr(archive, key) for key in ("bytes", "about", "sha256", "md5", "sha1")}
            rows.append({"step": step.id, "file": archive.file, **facts, "places": [asdict(place) for place in found]})
    if as_json:
        print(json.dumps(rows, indent=1))
    return Exit.FAILED if dead else Exit.DONE


def places(step: Step, archive: Archive) -> Iterator[Place]:
    """In the order in which they are tried, after what the user has."""
    known = archive.last_known
    if archive.login:
        site = next(site for site in step.logins if site.id == archive.login)
        yield Place("login", site.origin + archive.login_path, last_known=known.get(archive.login_path, ""))
    if archive.link_field:
        yield Place("link", step.field(archive.link_field).label, last_known=known.get(archive.link_field, ""))
    for url in archive.urls:
        yield Place("public", url, last_known=known.get(url, ""))
    for other in archive.equivalents:
        if other.hub:
            yield Place("hub", listing_url(*other.hub.split(":", 1)), other.title, other.last_known)
            continue
        yield Place("page", other.where, other.title, other.last_known)


def _checked(place: Place, routes: Routes) -> Place:
    """The place with what it answers now."""
    asking = background(lambda job: probe(job, place.address, routes), Progress(f"asking {place.address}"))
    while True:
        try:
            next(asking)
        except StopIteration as end:
            return Place(place.kind, place.address, place.of, place.last_known, end.value)


def _tell_archive(step: Step, archive: Archive) -> None:
    sums = [f"{kind} {getattr(archive, kind)}" for kind in ("sha256", "md5", "sha1") if getattr(archive, kind)]
    known = f"{archive.bytes:,} bytes" if archive.bytes else f"about {size(archive.about)}" if archive.about else ""
    trust = " (a difference is only noted)" if archive.warn_only else ""
    print(f"\n{archive.file}  [{step.id}]")
    print(
        hanging("  known by: ", ", ".join([*filter(None, [known]), *sums]) + trust if sums else f"{known}, its content")
    )


def _tell_place(place: Place) -> None:
    before = {
        "login": "after your login: ",
        "link": "by what you paste: ",
        "public": "",
        "page": f"{place.of}: ",
        "hub": f"{place.of}: ",
    }
    print(f"  {before[place.kind]}{printable(place.address, 400)}")
    if place.last_known:
        print(f"      last known: {place.last_known}")
    if place.answer:
        print(f"      now: {'[x]' if place.answer.serves else '[!]'} {place.answer.words}")
    sys.stdout.flush()
