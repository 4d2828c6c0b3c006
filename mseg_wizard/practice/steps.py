"""The steps as practice has them: sizes of its own archives; on the pages what happens here, and what to paste."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mseg_wizard.labels.relabeling import Relabeling
from mseg_wizard.practice.world import World
from mseg_wizard.step import Archive, Call, Field, Link, Step

PASTE = (
    "Shift+Tab up to the links, then Up leads to what you would have got; Enter there copies it. Ctrl+V here pastes "
    "it, and Enter gives it."
)
COUNTED = re.compile(r": [\d,]+ segments$")
"""How titles end that tell of MSeg's own numbers."""

FEW = 1
"""Seconds that label work takes on a few images, where the step file tells those of the full data."""


@dataclass(frozen=True)
class AtHand:
    """What the user would have got, as a link to copy; the form's field for it; what practice says there."""

    link: Link
    field: str
    words: str = PASTE


def practice_steps(steps: Iterable[Step], world: World, at_hand: Mapping[str, AtHand]) -> tuple[Step, ...]:
    """`at_hand`: step id → what its user has."""
    return tuple(_practised(step, world, at_hand.get(step.id)) for step in steps)


def _practised(step: Step, world: World, given: AtHand | None) -> Step:
    archives = {archive.file: _sized(archive, world.mirror / archive.file) for archive in step.archives}
    calls = tuple(
        replace(
            call,
            title=_counted(call, dict(world.segments)),
            args=archives[call.archive.file] if call.archive else call.args,
            seconds=min(call.seconds, FEW),
        )
        for call in step.calls
    )
    practised = replace(step, archives=tuple(archives.values()), calls=calls)
    if given is None:
        return practised
    fields = tuple(_told(item, given.words) if item.name == given.field else item for item in step.fields)
    return replace(practised, links=(*step.links, given.link), fields=fields)


def _counted(call: Call, segments: Mapping[str, int]) -> str:
    count = segments[call.args.records] if isinstance(call.args, Relabeling) else 0
    return COUNTED.sub(f": {count:,} segments", call.title)


def _sized(archive: Archive, file: Path) -> Archive:
    """Bars, times and the space that is needed follow from the size."""
    return replace(archive, bytes=file.stat().st_size) if file.is_file() else archive


def _told(item: Field, words: str) -> Field:
    return replace(item, help=f"Practice: {words}\n\n{item.help}")
