"""`mseg-wizard run`: the journey unattended, as far as `--until`."""

from __future__ import annotations

import argparse
import sys

from mseg_wizard.cli.destination import answers_of, destination_of, needed, opened, options_of, step_named
from mseg_wizard.cli.plain import printable_redacted, say, unattended
from mseg_wizard.step import Step


def run(args: argparse.Namespace) -> int:
    steps: tuple[Step, ...] = args.steps
    answers = answers_of(args, steps)
    until = getattr(args, "until", None)
    last = step_named(steps, until).number if until else len(steps)
    destination = needed(destination_of(args, answers, offer_last=True))
    if not args.dest and "destination" not in answers.get("prepare", {}):
        say(f"Going on in {printable_redacted(str(destination))}, the last destination.", sys.stderr)
    with opened(steps, destination, options_of(args), answers, take_over=args.take_over) as ctx:
        return unattended(ctx, steps[:last], fetch_only=getattr(args, "fetch_only", False))
