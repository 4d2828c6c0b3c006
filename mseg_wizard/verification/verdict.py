"""What verification found: faults, notes and counts, and the file that keeps them.

How anything is checked is not known here.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath

import msgspec

from mseg_wizard.context import Context
from mseg_wizard.core.files import write_json
from mseg_wizard.progress import Problem, amount

FILE = "verdict.json"
VERSION = 1
MAKERS = ("extract", "remap", "relabel")
"""Tasks that put files into mseg_dataset: a verdict is about what they had made."""


MISSING = "is missing"


@dataclass(frozen=True, slots=True)
class Fault:
    """One file that is not as it must be."""

    file: str
    """Below mseg_dataset/."""
    what: str
    """Goes on after the file's name."""
    call: str
    """Key of the call that makes or unpacks it; empty where none does."""

    @property
    def step(self) -> str:
        return self.call.partition("/")[0]

    def __str__(self) -> str:
        return f"{self.file} {self.what}" + (f" · step {self.step}" if self.call else "")


class Faulty(Problem):
    """Verification found faults."""


@dataclass(frozen=True)
class Verdict:
    """The result of one verification."""

    of: str
    """What it is about: `subject` at that time."""
    at: str
    """UTC, ISO 8601."""
    tree: str
    """Where the accepted mseg-api tree came from, and whether it is the published one."""
    unfinished: tuple[str, ...] = ()
    """Steps that were not complete: what they are still to make was not asked for."""
    aside: tuple[str, ...] = ()
    """What was set aside, and so is missing, in words."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was looked at, in words → how many."""
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    repairing: tuple[str, ...] = ()
    """Steps that make again what was set aside; the faults are those of before."""

    @property
    def clean(self) -> bool:
        return not self.faults and not self.unfinished and not self.aside


def subject(ctx: Context) -> str:
    """What a verdict given now is about: this destination, its
    tree, and the last time that each call put files there.
    """
    journal = ctx.store.journal
    made = [
        [call.key, journal.done_at(call.key), journal.worked(call.key)]
        for step in ctx.steps
        for call in step.calls
        if call.task in MAKERS
    ]
    aside = [sorted(journal.aside)] if journal.aside else []
    return hashlib.sha256(json.dumps([VERSION, journal.id, journal.tree_mark(), made, *aside]).encode()).hexdigest()


def read_verdict(own: Path) -> Verdict | None:
    """The verdict on record in the wizard's own folder, whatever it is about; None where there
    is none or it can't be understood: then verification runs anew.
    """
    try:
        table = json.loads((own / FILE).read_bytes())
        table.setdefault("repairing", table.get("mending", []))  # as it was called at first
        return msgspec.convert({key: value for key, value in table.items() if key != "version"}, Verdict)
    except (OSError, ValueError, AttributeError, RecursionError):
        return None


def write_verdict(ctx: Context, verdict: Verdict) -> Path:
    """Keep it; returns the file."""
    path = ctx.own / FILE
    table = {"version": VERSION, "clean": verdict.clean} | {
        item.name: getattr(verdict, item.name) for item in fields(verdict)
    }
    table["faults"] = [
        {"file": fault.file, "what": fault.what, "step": fault.step, "call": fault.call} for fault in verdict.faults
    ]
    try:
        write_json(path, table)
    except OSError as error:
        raise Problem(f"{path} can't be written: {error.strerror}.", "Make room, then start again.") from None
    return path


def forget_verdict(ctx: Context) -> None:
    """Have none on record."""
    (ctx.own / FILE).unlink(missing_ok=True)


def fault_lines(folder: Path, faults: Iterable[Fault]) -> list[str]:
    """A line for each fault, and a single one for all that went with a folder below `folder`; looks at the disk."""
    lines: list[str] = []
    gone: dict[str, list[Fault]] = {}
    there: dict[PurePosixPath, bool] = {}
    for fault in faults:
        absent = None
        if fault.what == MISSING:
            for parent in [*PurePosixPath(fault.file).parents][-2::-1]:  # the topmost first, after "."
                if parent not in there:
                    there[parent] = (folder / parent).is_dir()
                if not there[parent]:
                    absent = parent
                    break
        if absent is None:
            lines.append(str(fault))
        else:
            gone.setdefault(str(absent), []).append(fault)
    return [
        f"{name} is gone: {amount(len(those), 'files')} ({by_step(those)})" if len(those) > 1 else str(those[0])
        for name, those in gone.items()
    ] + lines


def by_step(faults: Iterable[Fault]) -> str:
    """In words: how many faults each step has to make good."""
    found = Counter(fault.step for fault in faults)
    return ", ".join(f"{count:,} for step {step or '?'}" for step, count in found.items())
