"""An archive that its publisher took away and nobody else has: when it may be set aside, and for how long it stays so.

What is fetched, and what the other steps do meanwhile, is not decided here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mseg_wizard.context import Consent, Context
from mseg_wizard.datasets.inventory import missing_files
from mseg_wizard.datasets.locations import key_of, sources
from mseg_wizard.state.journal import AsideRecord
from mseg_wizard.step import Archive, Call


@dataclass(frozen=True)
class PlaceAnswer:
    """What a place that may have an archive answered in this session."""

    key: str
    """Tells the place from others, see `locations.key_of`."""
    kind: str
    """Of the place, see `locations.Source`."""
    words: str
    """For the user: the place, and its answer."""
    gone: bool
    """Its own server, logged in to where it has a login, said that there is no such file: 404 or 410."""


def is_withdrawn(archive: Archive, places: Collection[str], answers: Sequence[PlaceAnswer]) -> bool:
    """May the archive be set aside, given the keys of all places that may have it now, and what places answered?

    Only where its step file allows that, its own site was logged in to and has it no more, and no other place is left:
    one that did not answer, or answered anything else, may have it.
    """
    gone = [answer for answer in answers if answer.gone]
    told = any(answer.kind == "login" for answer in gone)
    return bool(archive.withdrawn) and told and set(places) <= {answer.key for answer in gone}


def aside_if_withdrawn(ctx: Context, archive: Archive, answers: Sequence[PlaceAnswer]) -> bool:
    """Set the archive aside where it may be; False where it may not. Raises Consent until the user allowed it."""
    if not is_withdrawn(archive, [key_of(ctx, source) for source in sources(ctx, archive)], answers):
        return False
    step, words = ctx.step_of(archive), tuple(answer.words for answer in answers)
    key = f"aside:{step.id}"
    if archive.file not in ctx.store.journal.aside and key not in ctx.consents:
        raise Consent(
            f"The site of {step.title}, logged in to, has {archive.file} no more, and no other place is known: "
            f"{'; '.join(words)}.",
            f"If anybody has a copy, give it in {step.form}. If not, you may set it aside (--allow {key}): the later "
            f"steps go on, and the end is “complete but for {step.title}”. MSeg can do without it: "
            f"{archive.withdrawn}. Once a copy turns up, it is next.",
            key,
            instead=(step.id, "archives"),
        )
    now, missing = datetime.now(UTC).isoformat(timespec="seconds"), len(missing_files(ctx, archive))
    ctx.store.set_aside(archive.file, AsideRecord(now, words, missing))
    ctx.gone[archive.file] = frozenset(answer.key for answer in answers)
    ctx.note(f"{archive.file} was set aside, as you allowed: {'; '.join(words)}")
    return True


def stays_aside(ctx: Context, archive: Archive) -> bool:
    """Was the archive set aside, and has no place turned up since that this session did not ask?

    After the last step no login is left, so that there is nothing to ask: then it stays so, too.
    """
    if archive.file not in ctx.store.journal.aside:
        return False
    asked = ctx.gone.get(archive.file, frozenset())
    found = (source for source in sources(ctx, archive) if key_of(ctx, source) not in asked)
    return next(found, None) is None and bool(missing_files(ctx, archive))


def waits_for_archive(ctx: Context, call: Call) -> bool:
    """Is the call one that an archive which stays aside would bring, or be needed for?"""
    if not ctx.store.journal.aside:
        return False
    step = next((step for step in ctx.steps if call in step.calls), None)
    files = [archive.file for archive in step.archives if stays_aside(ctx, archive)] if step else []
    return bool(step and call.key in step.without(files))
