"""`mseg-wizard` without a command: the guided journey, on the screen or by questions in plain lines."""

from __future__ import annotations

import argparse
import gc
from dataclasses import replace
from pathlib import Path

from mseg_wizard.answers.file import Answers
from mseg_wizard.cli.ask import by_questions
from mseg_wizard.cli.destination import (
    answers_of,
    destination_of,
    needed,
    open_destination,
    opened,
    options_of,
    step_named,
)
from mseg_wizard.cli.plain import printable_redacted, say, unattended
from mseg_wizard.cli.text import answered, interactive, too_simple
from mseg_wizard.context import Context, Options
from mseg_wizard.core.log import log_to
from mseg_wizard.progress import Usage
from mseg_wizard.state.store import absent_folders, remove_made
from mseg_wizard.step import Step


def run(args: argparse.Namespace) -> int:
    steps: tuple[Step, ...] = args.steps
    args.plain = args.plain or too_simple()
    answers = answers_of(args, steps)
    options = replace(options_of(args), attended=True, by_questions=args.plain)
    destination = destination_of(args, answers, offer_last=True)
    if args.form and not args.plain:
        raise Usage("--form asks in plain lines.", "Use it with --plain; on the screen, choose the step on the left.")
    form = step_named(steps, args.form).id if args.form else ""
    if args.plain and not answered():  # nobody would read a question
        with opened(steps, needed(destination), options_of(args), answers, take_over=args.take_over) as ctx:
            return unattended(ctx, steps)
    if args.plain:
        return _by_questions(args, needed(destination), options, answers, form)
    if not interactive():
        raise Usage(
            "There is no terminal here for the screen.",
            "Use `mseg-wizard run` (unattended) or `mseg-wizard --plain` (questions).",
        )
    log_to(None)
    gc.disable()  # until the first screen stands: nothing that is loaded for it goes again
    from mseg_wizard.tui.app import guide

    def opener(folder: Path) -> Context:
        return open_destination(steps, folder, options, take_over=args.take_over)

    return guide(steps, opener, destination, preset=answers, invocation=args.invocation)


def _by_questions(args: argparse.Namespace, destination: Path, options: Options, answers: Answers, form: str) -> int:
    """A folder that isn't there is told before it is made, and goes again where nothing was answered or done in it."""
    destination = destination.expanduser().absolute()
    if made := absent_folders(destination):
        say(f"{printable_redacted(str(destination))} is not there yet, and is made now.")
    with opened(args.steps, destination, options, answers, take_over=args.take_over) as ctx:
        code = by_questions(ctx, args.steps, form=form)
        journal, own = ctx.store.journal, ctx.own
    if made and journal.untouched and journal.unanswered:
        remove_made(own, made)
        say(f"Nothing was answered or done: {printable_redacted(str(destination))} was removed again.")
    return code
