"""What is to be known of a destination beside its steps' states, from the journal: what is not as published, and oddities in the data."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from mseg_wizard.progress import amount
from mseg_wizard.step import Step
from mseg_wizard.store import Journal


def modified(journal: Journal) -> bool:
    """Is the accepted mseg-api tree another one than MSeg's?"""
    return journal.tree.get("pinned") == "no"


def unpublished(journal: Journal) -> list[str]:
    """Archives that are not the published ones."""
    return [file for file, record in journal.archives.items() if not record.get("as_published", True)]


def oddities(steps: Sequence[Step], journal: Journal) -> list[str]:
    """What verification remarked on the data; before it ran, what remapping did."""
    found = {
        task: [note for step in steps for call in step.calls if call.task == task for note in journal.notes.get(call.key, ())]
        for task in ("verify", "remap")
    }
    return found["verify"] or found["remap"]


def listed(steps: Sequence[Step], journal: Journal) -> list[str]:
    """A line for each."""
    tree = ["the mseg-api tree is a modified one: MSeg's class tables or lists were changed"] if modified(journal) else []
    return [*tree, *(f"{file} is not the published archive" for file in unpublished(journal)), *oddities(steps, journal)]


def in_sum(steps: Sequence[Step], journal: Journal, destination: Path) -> str:
    """All of it in one sentence with where to read on; empty where there is nothing to tell."""
    parts = ["a modified mseg-api tree"] if modified(journal) else []
    if files := unpublished(journal):
        parts.append(f"{amount(len(files), 'archives')} not as published")
    if notes := oddities(steps, journal):
        parts.append(f"{amount(len(notes), 'notes')} on the data")
    if not parts:
        return ""
    return f"Worth knowing: {', '.join(parts)}. To read them: mseg-wizard status --dest {shlex.quote(str(destination))}"
