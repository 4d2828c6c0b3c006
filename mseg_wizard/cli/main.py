"""The way in: what is asked is parsed, done by the command of that name, and every end becomes an exit code."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module

from mseg_wizard.answers.fields import secret_fields
from mseg_wizard.cli.parser import parser
from mseg_wizard.cli.plain import complain, exit_code
from mseg_wizard.core.exits import Exit
from mseg_wizard.core.invocation import Invocation
from mseg_wizard.core.limits import limit_of
from mseg_wizard.core.log import log_crash, no_core_dumps
from mseg_wizard.progress import Problem, Usage
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import take_environment


def main(argv: Sequence[str] | None = None) -> int:
    """The `mseg-wizard` command; returns its exit code."""
    # They would record every key, passwords included, or send it to a development console.
    for name in ("TEXTUAL_LOG", "TEXTUAL"):
        os.environ.pop(name, None)
    no_core_dumps()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # closed, or something that tests put there
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal without UTF-8 shows ? for what it lacks
    try:
        return _obey(argv)
    except BrokenPipeError:  # `mseg-wizard steps | head -1`: whoever reads no further has what they wanted
        sys.stdout = None
        return Exit.DONE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as bug:  # Python would print its message, which may quote what was typed
        if isinstance(bug, OSError) and bug.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            sys.stdout = None  # Python would complain once more at its end
            complain(
                Problem(
                    f"Something can't be written: {bug.strerror}.", "Look where stdout leads, and for room on the disk."
                )
            )
        else:
            complain(limit_of(bug) or bug, log_crash())
        return Exit.FAILED


def command_named(name: str) -> Callable[[argparse.Namespace], int]:
    """What a command does; "" is the guided journey.

    Loaded when it is wanted: one needs the screen, others need little.
    """
    run: Callable[[argparse.Namespace], int] = import_module(f"mseg_wizard.cli.commands.{name or 'guided'}").run
    return run


def _obey(argv: Sequence[str] | None) -> int:
    """Do what is asked; what stdout still holds is written out before it returns."""
    code: int = Exit.DONE
    try:
        args = parser().parse_args(argv)
        args.invocation = Invocation(tuple(sys.argv[1:] if argv is None else argv))
        args.steps = load_steps()
        take_environment(secret_fields(args.steps))
        code = command_named(args.command)(args)
    except SystemExit as end:  # argparse has told all
        code = int(end.code or 0)
    except Usage as problem:
        complain(problem)
        code = Exit.USAGE
    except Problem as problem:
        complain(problem)
        code = exit_code(problem)
    if sys.stdout is not None:
        sys.stdout.flush()
    return int(code)
