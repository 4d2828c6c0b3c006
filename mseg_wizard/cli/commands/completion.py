"""`mseg-wizard completion SHELL`: the script by which a shell completes the command line."""

from __future__ import annotations

import argparse

from mseg_wizard.cli.completion import script
from mseg_wizard.cli.parser import parser
from mseg_wizard.core.exits import Exit
from mseg_wizard.tasks.registry import load_steps


def run(args: argparse.Namespace) -> int:
    print(script(args.shell, parser(), [step.id for step in load_steps()]), end="")
    return Exit.DONE
