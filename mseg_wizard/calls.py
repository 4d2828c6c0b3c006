"""One call by itself: what its step still needs from the user, and its work. Whose turn it is, is the engine's."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace

from mseg_wizard.context import Context
from mseg_wizard.core.host import give_back_memory
from mseg_wizard.core.limits import limit_of
from mseg_wizard.datasets.locations import needs_no_link
from mseg_wizard.progress import Problem, Progress, printable
from mseg_wizard.step import Call, Step
from mseg_wizard.tasks.registry import TASKS

log = logging.getLogger("mseg_wizard")


def waiting(step: Step, ctx: Context) -> list[str]:
    """Names of the fields that `step` still needs before it can start; empty when it can."""
    return [
        item.name
        for item in step.fields
        if item.required
        and not ctx.given(step.id, item.name)
        and not (
            item.only_for
            and all(needs_no_link(ctx, archive) for archive in step.archives if archive.file in item.only_for)
        )
    ]


@contextmanager
def as_problem(call: Call) -> Iterator[None]:
    """What the system refuses becomes a Problem: disks fill up, turn read-only and vanish at any moment, also while
    they are only looked at. That is no bug, and the log has its place all the same.
    """
    try:
        yield
    except OSError as error:
        log.exception("%s: the disk or a folder", call.key)
        if limit := limit_of(error):
            raise limit from None
        what = f"{call.title}: {error.strerror or error}" + (
            f": {printable(str(error.filename))}." if error.filename else "."
        )
        raise Problem(what, "Look after that disk or folder, then start again: what is done stays.") from None


def worked(ctx: Context, call: Call) -> Generator[Progress, None, Progress]:
    """What the call does, to its end; returns the last progress. Its remarks and its time go into the journal.

    `ctx` is the call's own, see `Context.during`.
    """
    last, spent = time.monotonic(), 0.0
    progress = Progress(call.title, call=call.key)
    try:
        with as_problem(call):
            for said in TASKS[call.task].run(ctx, *call.given):
                progress = replace(said, call=call.key)
                now = time.monotonic()
                spent += 0.0 if progress.waiting else now - last  # a person's time is not the work's
                last = now
                yield progress
    finally:
        try:
            ctx.store.note(call.key, ctx.notes)
            ctx.store.spent(call.key, spent + (0.0 if progress.waiting else time.monotonic() - last))
        except Problem as problem:  # remarks and times are not worth hiding why it ended
            log.warning("%s", problem)
        give_back_memory()  # the largest calls leave 20 to 100 MB
    return progress
