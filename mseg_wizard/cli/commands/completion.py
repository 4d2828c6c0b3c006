"""`mseg-wizard completion SHELL`: the script by which a shell completes the command line."""

from __future__ import annotations

import argparse

from mseg_wizard.cli.completion import script
from mseg_wizard.cli.parser import parser
from mseg_wizard.core.exits import Exit


def run(args: argparse.Namespace) -> int:
    print(script(args.shell, parser(), [step.id for step in args.steps]), end="")
    return Exit.DONE
