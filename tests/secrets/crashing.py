"""The wizard with a bug whose message quotes every secret, as a
program: where the bug is, then the wizard's own arguments.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import NoReturn

from mseg_wizard import engine
from mseg_wizard.cli.commands import run as run_command
from mseg_wizard.cli.main import main as wizard
from mseg_wizard.context import Context
from mseg_wizard.progress import Progress
from mseg_wizard.tasks.registry import TASKS
from mseg_wizard.tasks.task import Task
from mseg_wizard.workers.pool import each

FIELDS = (
    ("cityscapes", "username"),
    ("cityscapes", "password"),
    ("kitti", "url"),
    ("scannet", "base_url"),
    ("wilddash", "archives"),
)


def secrets_of(ctx: Context) -> str:
    """As a bug of ours or of a library's would quote them."""
    known = [secret.reveal() for step, name in FIELDS if (secret := ctx.vault.get(step, name))]
    return f"{known!r} " + " ".join(known)


def bug(ctx: Context, *_: object) -> NoReturn:
    raise KeyError(secrets_of(ctx))


def task(ctx: Context) -> Generator[Progress, None, None]:
    yield Progress("about to fail")
    bug(ctx)


def worker(ctx: Context) -> Generator[Progress, None, None]:
    """An exception in a worker, whose message is not in its hands either."""
    for outcomes in each(ctx.pool(), fails, ["one image"]):
        for outcome in outcomes:
            raise ValueError(f"{outcome.fault}: {secrets_of(ctx)}")
        yield Progress("waiting for workers")


def fails(item: str) -> None:
    raise ValueError(f"{item} is damaged")


def quoted(ctx: Context) -> Generator[Progress, None, None]:
    """Not a bug by type: a file's name that the disk does not take."""
    yield Progress("about to fail")
    raise OSError(36, "File name too long", secrets_of(ctx))


def main(where: str) -> int:
    missing = TASKS["tree"].missing
    if where in ("task", "worker", "quoted"):
        TASKS["tree"] = Task({"task": task, "worker": worker, "quoted": quoted}[where], missing)
    elif where == "main":
        setattr(run_command, "unattended", bug)  # noqa: B010 - it is no name of that module's own
    elif where == "engine":
        vars(engine)["waiting"] = lambda step, ctx: bug(ctx)
    return wizard(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
