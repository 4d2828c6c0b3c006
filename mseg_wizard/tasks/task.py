"""What a kind of task is: the work, what is missing of it, and how it ends. The kinds are files beside this one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from mseg_wizard.progress import Progress
from mseg_wizard.step import Archive


@dataclass(frozen=True, slots=True, kw_only=True)
class NoArguments:
    """Of a task that is the same wherever it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveArguments:
    """Of a task that is about one archive of its step."""

    archive: Archive


@dataclass(frozen=True)
class Task:
    """One kind of work: `run(ctx, **args)` does it, `missing(ctx, **args)` lists what is not there yet, cheaply."""

    run: Callable[..., Generator[Progress, None, None]]
    missing: Callable[..., list[str]]
    arguments: type = NoArguments
    """What a [[tasks]] row of this kind may say: a frozen dataclass, which raises Problem where a value is wrong."""
    network: bool = False
    """It waits for the network or for people, and hardly computes: it may run beside one that does."""
    end: Callable[..., str] = lambda ctx, **args: "complete"
    """`end(ctx, **args)` says how it ended: what was not wanted was skipped, and is not called complete."""
