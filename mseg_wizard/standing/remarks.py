"""What is worth knowing of a destination: archives, trees and labels that are not as published."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from mseg_wizard.progress import amount
from mseg_wizard.standing.snapshot import (
    clock,
)
from mseg_wizard.state.journal import Journal
from mseg_wizard.step import Archive, Equivalent, Step


def verified(steps: Sequence[Step], journal: Journal) -> str:
    """When verification looked, and that nobody has since; empty where it has not found all right."""
    times = [journal.done_at(call.key) for step in steps for call in step.calls if call.task == "verify"]
    return f"verified at {clock(times[0])}; not looked at since" if times and times[0] else ""


def modified(journal: Journal) -> bool:
    """Is the accepted mseg-api tree another one than MSeg's?"""
    return journal.tree is not None and not journal.tree.pinned


def unpublished(journal: Journal) -> list[str]:
    """Archives that are not the published ones."""
    return [file for file, record in journal.archives.items() if not record.as_published]


def equivalents_used(steps: Sequence[Step], journal: Journal) -> list[tuple[Archive, Equivalent]]:
    """The archives that something stood in for, and what."""
    return [
        (archive, known)
        for step in steps
        for archive in step.archives
        for known in archive.equivalents
        if (record := journal.archives.get(archive.file)) and record.equivalent == known.title
    ]


def doubtful(journal: Journal) -> list[str]:
    """Archives whose servers did not say how long they are, with what is known instead."""
    return [f"{file}: {record.doubt}" for file, record in journal.archives.items() if record.doubt]


def oddities(steps: Sequence[Step], journal: Journal) -> list[str]:
    """What verification remarked on the data, before it ran what remapping did; how masks agree with records."""
    found = {
        task: [note for step in steps for call in step.calls if call.task == task for note in journal.remarks(call.key)]
        for task in ("verify", "remap", "agreement")
    }
    return found["agreement"] + (found["verify"] or found["remap"])


def notes_of(steps: Sequence[Step], journal: Journal) -> list[str]:
    """A line for each."""
    tree = (
        ["the mseg-api tree is a modified one: MSeg's class tables or lists were changed"] if modified(journal) else []
    )
    archives = [f"{file} is not the published archive" for file in unpublished(journal)]
    archives += [known.in_words(archive.file) for archive, known in equivalents_used(steps, journal)]
    archives += [record.in_words(file) for file, record in journal.aside.items()]
    copy = [f"this began as a copy of {there}: it has an identity of its own, and asks for its own secrets"
            for there in [journal.copied_from] if there]  # fmt: skip
    return [*copy, *tree, *archives, *doubtful(journal), *oddities(steps, journal)]


def notes_summary(steps: Sequence[Step], journal: Journal, destination: Path) -> str:
    """All of it in one sentence with where to read on; empty where there is nothing to tell."""
    parts = ["a modified mseg-api tree"] if modified(journal) else []
    if files := unpublished(journal):
        parts.append(f"{amount(len(files), 'archives')} not as published")
    if journal.aside:
        parts.append(f"{amount(len(journal.aside), 'archives')} set aside")
    if used := equivalents_used(steps, journal):
        parts.append(f"{amount(len(used), 'archives')} that another stands in for")
    if doubts := doubtful(journal):
        parts.append(f"{amount(len(doubts), 'archives')} that no length proves whole")
    if notes := oddities(steps, journal):
        parts.append(f"{amount(len(notes), 'notes')} on the data")
    if not parts:
        return ""
    return f"Worth knowing: {', '.join(parts)}. To read them: mseg-wizard status --dest {shlex.quote(str(destination))}"
