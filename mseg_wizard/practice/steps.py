"""The steps as practice has them: with the sizes of its own archives, and what is to be pasted on their pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from mseg_wizard.answers.fields import may_hold_secrets
from mseg_wizard.step import Archive, Field, Link, Step

PASTE = (
    "Practice: Shift+Tab, then Up leads to what you would have got; Enter there copies it, and Ctrl+V here pastes it."
)
COUNTED = re.compile(r": [\d,]+ segments$")
"""How titles end that tell of MSeg's own numbers."""


def practice_steps(steps: Iterable[Step], mirror: Path, at_hand: Mapping[str, Link]) -> tuple[Step, ...]:
    """`mirror`: the folder of the archives; `at_hand`: step id → what its user would have got, and has to give."""
    return tuple(_practised(step, mirror, at_hand.get(step.id)) for step in steps)


def _practised(step: Step, mirror: Path, given: Link | None) -> Step:
    archives = {archive.file: _sized(archive, mirror / archive.file) for archive in step.archives}
    calls = tuple(
        replace(
            call,
            title=COUNTED.sub(": segments", call.title),
            args=archives[call.archive.file] if call.archive else call.args,
        )
        for call in step.calls
    )
    practised = replace(step, archives=tuple(archives.values()), calls=calls)
    if given is None:
        return practised
    wanted = next(item for item in step.fields if may_hold_secrets(item))
    fields = tuple(_told(item) if item is wanted else item for item in step.fields)
    return replace(practised, links=(*step.links, given), fields=fields)


def _sized(archive: Archive, file: Path) -> Archive:
    """Bars, times and the space that is needed follow from the size."""
    return replace(archive, bytes=file.stat().st_size) if file.is_file() else archive


def _told(item: Field) -> Field:
    return replace(item, help=f"{PASTE}\n\n{item.help}")
