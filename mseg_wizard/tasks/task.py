"""What a kind of task is: the work, what is missing of it, and how it ends. The kinds are files beside this one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pkgutil import resolve_name
from typing import Any

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


@dataclass(frozen=True)
class LateFunction:
    """A function of a module that is loaded when it is first called, or looked at by `inspect`."""

    place: str
    """`module:name`."""

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        function: Callable[..., Any] = resolve_name(self.place)
        return function

    def __call__(self, *given: Any) -> Any:
        return self.__wrapped__(*given)


def task_in(
    module: str, name: str = "", arguments: type | None = None, *, network: bool = False, end: bool = False
) -> Task:
    """The task of a file beside this one: its functions `<name>`, `<name>_missing` and, with `end`, `<name>_end`; named
    as the file where `name` is empty.

    With the file come arrays, codecs and the network, which whoever only shows or checks steps need not wait for.
    """
    place = f"{__package__}.{module}:{name or module}"
    task = Task(LateFunction(place), LateFunction(f"{place}_missing"), arguments, network)
    return replace(task, end=LateFunction(f"{place}_end")) if end else task
