"""The command line that a run was started with, and what to type to go on where it stops."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mseg_wizard.core.log import redact
from mseg_wizard.progress import printable

PRACTICE = "practice"
"""The command that plays the journey: nothing of it is gone on with."""


@dataclass(frozen=True)
class Invocation:
    """One start of the program."""

    words: tuple[str, ...] = ()
    """What stood after the program's name."""

    @property
    def practises(self) -> bool:
        return self.words[:1] == (PRACTICE,)

    @property
    def temporary(self) -> bool:
        """Is this practice, whose folder goes when the wizard ends?"""
        return self.practises and "--keep" not in self.words

    def resume_command(self, destination: Path | None) -> str:
        """What to type to go on where this run stops: the same options
        again, because a mirror or a route is part of them.
        """
        if self.practises:
            return f"mseg-wizard {PRACTICE}   (it begins anew)"
        # The destination as a whole path: it is typed later, and perhaps somewhere else.
        words = _without(self.words, "--form", "--dest") if destination else _without(self.words, "--form")
        there = ["--dest", str(destination)] if destination else []
        # What a mirror's address holds besides its place is shown nowhere:
        # who gave it knows what stands where the … is.
        return shlex.join(["mseg-wizard", *(printable(redact(word), 1000) for word in (*words, *there))])

    def unattended_command(self, destination: Path, answers: Path) -> str:
        """What does the same without the screen, with these answers: `run`, with the options of this start."""
        words = [] if self.practises else _without(self.words, "--form", "--answers", "--dest")
        words = [printable(redact(word), 1000) for word in words if word != "--plain"]
        return shlex.join(["mseg-wizard", "run", *words, "--dest", str(destination), "--answers", str(answers)])

    def resume_hint(self, destination: Path | None, before: str = " ") -> str:
        """What becomes of the work that stops here, and the command that
        goes on with it; `before`: what stands before the command.
        """
        if self.practises:
            return f"Practice begins anew each time:{before}mseg-wizard {PRACTICE}"
        return f"What is done stays; start again to go on:{before}{self.resume_command(destination)}"


BARE = Invocation()
"""The program's name alone."""


def _without(words: Sequence[str], *options: str) -> list[str]:
    """Without these options and their values. What --form asked first, say, is answered by now."""
    return [
        word
        for before, word in zip(["", *words], words, strict=False)
        if before not in options and word.partition("=")[0] not in options
    ]
