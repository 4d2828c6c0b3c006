"""What a [[tasks]] row may say, by its kind: what isn't said of an archive (`step.Archive`) or of label maps
(`labels.remapping`, `labels.relabeling`).
"""

from __future__ import annotations

from dataclasses import dataclass

from mseg_wizard.archives.member import why_unsafe
from mseg_wizard.progress import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementArguments:
    """What a step file says of a comparison."""

    taxonomy: str
    """Named as before relabelling."""

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.taxonomy,)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldersArguments:
    """What a step file says of the folders."""

    folders: tuple[str, ...]
    """Below mseg_dataset/."""

    def __post_init__(self) -> None:
        for name in self.folders:
            if why := why_unsafe(name):
                raise Problem(f"folders: {name!r} {why}.", "Name a folder below mseg_dataset/.")


@dataclass(frozen=True, slots=True, kw_only=True)
class UniversalArguments:
    """Which relabelled taxonomy."""

    taxonomy: str
