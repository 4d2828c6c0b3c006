"""What a kind of task is: the work, what is missing of it, and how it ends. The kinds are files beside this one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from mseg_wizard.progress import Progress


@dataclass(frozen=True)
class Task:
    """One kind of work: `run(ctx, args)` does it, `missing(ctx, args)` lists what is not there yet, cheaply.

    `args` is what the [[tasks]] row says; where that is nothing, they are called with the context alone.
    """

    run: Callable[..., Generator[Progress, None, None]]
    missing: Callable[..., list[str]]
    arguments: type | None = None
    """What a row of this kind may say: `Archive` for one of its step, or a frozen dataclass, which raises Problem
    where a value is wrong."""
    network: bool = False
    """It waits for the network or for people, and hardly computes: it may run beside one that does."""
    end: Callable[..., str] = lambda ctx, *args: "complete"
    """`end(ctx, args)` says how it ended: what was not wanted was skipped, and is not called complete."""
