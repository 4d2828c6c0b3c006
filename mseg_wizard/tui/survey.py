"""What a session finds out in the time that it takes: what is lacking, what is kept and where, what was found wrong.

The keyring and the disk are asked, so call it in a thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from mseg_wizard.answers.fields import HOME, answered_by, kind_of
from mseg_wizard.calls import waiting
from mseg_wizard.datasets import locations
from mseg_wizard.progress import Problem
from mseg_wizard.standing.step_states import asks, calls_left, filled, lacking
from mseg_wizard.state.journal import OWN
from mseg_wizard.step import Field, Step
from mseg_wizard.tui.text import ends, expired, shown
from mseg_wizard.vault import Secret
from mseg_wizard.verification.verdict import read_verdict

if TYPE_CHECKING:
    from mseg_wizard.tui.session import Session

NOTED = "kept in the journal"
DRAFTED = "kept in memory until the folder is in use"


@dataclass(frozen=True)
class Survey:
    """What takes time to find out, because the keyring and the disk are asked."""

    lacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Step id → names of the fields that it still needs."""
    kept: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(step, secret field) → what may be said of the secret: masked, and where it is kept."""
    sources: Mapping[str, tuple[str | Secret, ...]] = field(default_factory=dict)
    """Step id → the rows of its sources field."""
    refused: Mapping[tuple[str, str], Problem] = field(default_factory=dict)
    """(step, field) → why a draft could not be kept when the destination was opened."""
    links: Mapping[str, datetime | None] = field(default_factory=dict)
    """Step id → when the link that is kept for it ends; None where it does not say."""
    named: Mapping[str, str] = field(default_factory=dict)
    """Step id → the kind of place that the user named and that has all its archives, of `datasets.locations`."""
    faults: Mapping[str, int] = field(default_factory=dict)
    """Folder of a dataset → files of it in which the last verification found something wrong."""
    filled: frozenset[str] = frozenset()
    """Ids of the steps whose form is complete."""


def survey_of(session: Session) -> Survey:
    """Ask everything that takes time."""
    lacks, kept, sources = {}, {}, {}
    for step in session.steps:
        lacks[step.id] = _lacks(session, step)
        for item in step.fields:
            if kind_of(item).rows:
                sources[step.id] = _sources(session, step, item.name)
                if words := _kept_rows(session, step, item, sources[step.id]):
                    kept[step.id, item.name] = words
            elif item.secret and (words := _kept(session, step, item)):
                kept[step.id, item.name] = words
    if session.viewer:
        complete = filled(session.steps, session.journal)
    else:
        complete = frozenset(
            step.id for step in session.steps if asks(step) and not lacks[step.id] and not _outdated(session, step)
        )
    return Survey(
        lacks, kept, sources, dict(session.refused), _links(session), _named(session), _faults(session), complete
    )


def _lacks(session: Session, step: Step) -> tuple[str, ...]:
    """The fields that a step still needs before it can start."""
    if not calls_left(step, session.journal):
        return ()
    if session.ctx:
        try:
            return (*waiting(step, session.ctx), *_expired(session, step))
        except (Problem, OSError):  # the runner will meet it too, and say it at its place
            return ()
    if session.viewer:  # another wizard's secrets are not ours to ask for
        return tuple(lacking(step, session.journal))
    return tuple(item.name for item in step.fields if item.required and not _drafted(session, step, item))


def _links(session: Session) -> dict[str, datetime | None]:
    found = {}
    for step in session.steps:
        for name in {archive.link_field for archive in step.archives if archive.link_field}:
            draft = session.drafts.get(step.id, {}).get(name)
            secret = session.ctx.secret(step.id, name) if session.ctx else draft
            if isinstance(secret, Secret):
                found[step.id] = ends(secret.reveal())
    return found


def _named(session: Session) -> dict[str, str]:
    found: dict[str, str] = {}
    if session.ctx is None:
        return found
    for step in session.steps:
        everywhere = [list(locations.sources(session.ctx, archive)) for archive in step.archives]
        kinds = [next((place.kind for place in places if place.named), "") for places in everywhere]
        if kinds and all(kinds):
            found[step.id] = kinds[0]
    return found


def _faults(session: Session) -> dict[str, int]:
    """Of the last verification, also where the wizard was started anew since."""
    verdict = read_verdict(session.destination / OWN) if session.destination else None
    return dict(Counter(fault.file.partition("/")[0] for fault in verdict.faults)) if verdict else {}


def _drafted(session: Session, step: Step, item: Field) -> bool:
    if (step.id, item.name) == HOME:
        return bool(session.typed)
    value = session.drafts.get(step.id, {}).get(item.name, item.default)
    if isinstance(value, Secret) and expired(value.reveal()):
        return False
    return answered_by(item, value.reveal() if isinstance(value, Secret) else value)


def _sources(session: Session, step: Step, name: str) -> tuple[str | Secret, ...]:
    if session.ctx:
        return session.ctx.sources(step.id)
    return tuple(session.drafts.get(step.id, {}).get(name) or session.journal.answer(step.id, name) or ())


def _kept_rows(session: Session, step: Step, item: Field, rows: Sequence[str | Secret]) -> str:
    if not rows or session.ctx is None:
        return DRAFTED if rows and not session.viewer else ""
    links = (
        f"links: {session.ctx.vault.where(step.id, item.name)}" if any(isinstance(row, Secret) for row in rows) else ""
    )
    return "; ".join(part for part in (NOTED if any(isinstance(row, str) for row in rows) else "", links) if part)


def _expired(session: Session, step: Step) -> list[str]:
    """Fields whose link is of no use any more, though the archive has to come by it."""
    found = []
    for archive in step.archives:
        secret = session.ctx.secret(step.id, archive.link_field) if session.ctx and archive.link_field else None
        if session.ctx and secret and expired(secret.reveal()) and not locations.needs_no_link(session.ctx, archive):
            found.append(archive.link_field)
    return found


def _outdated(session: Session, step: Step) -> bool:
    """Has a link of its form expired since it was given? What else may bring the archive is not looked at."""
    drafts = session.drafts.get(step.id, {})
    names = [item.name for item in step.fields if item.secret and item.required]
    secrets = [session.ctx.secret(step.id, name) if session.ctx else drafts.get(name) for name in names]
    return any(secret and expired(secret.reveal()) for secret in secrets)


def _kept(session: Session, step: Step, item: Field) -> str:
    if session.ctx is None:
        draft = session.drafts.get(step.id, {}).get(item.name)
        return f"{shown(item, draft.reveal())}, {DRAFTED}" if isinstance(draft, Secret) else ""
    secret = session.ctx.secret(step.id, item.name)
    return f"{shown(item, secret.reveal())}, {session.ctx.vault.where(step.id, item.name)}" if secret else ""
