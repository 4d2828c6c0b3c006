"""`mseg-wizard steps`: the steps in a line each, or one in its own words. The words are the step files'."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from mseg_wizard.answers.fields import kind_of
from mseg_wizard.cli.destination import step_named
from mseg_wizard.cli.text import hanging, wrapped
from mseg_wizard.core.exits import Exit
from mseg_wizard.step import Field, Step


def run(args: argparse.Namespace) -> int:
    steps: tuple[Step, ...] = args.steps
    name = getattr(args, "step", None)
    chosen = (step_named(steps, name),) if name else steps
    if getattr(args, "json", False):
        print(json.dumps([asdict(step) for step in chosen], indent=1, ensure_ascii=False))
    elif name:
        tell_one(*chosen)
    else:
        tell_all(steps)
    return Exit.DONE


def tell_all(steps: Sequence[Step]) -> None:
    """A line for each step; only a terminal has them folded, a program reads them whole."""
    folded = sys.stdout is not None and sys.stdout.isatty()
    for step in steps:
        head = f"{step.number:2} {step.id:14} "
        print(hanging(head, step.summary) if folded else f"{head}{step.title:26} {step.summary}")


def tell_one(step: Step) -> None:
    print(f"{step.number}. {step.title}\n")
    print(wrapped(step.why))
    print()
    print(hanging("Time:    ", step.time))
    if step.licence:
        print(hanging("Licence: ", " ".join(step.licence.split())))
    if step.links:
        print("\nLinks")
        for link in step.links:
            print(f"  {link.label}\n      {link.url}")
    if step.fields:
        print(f"\nForm: table [{step.id}] of an answers file")
        for item in step.fields:
            _tell_field(item)
    if step.calls:
        print("\nTasks")
        for call in step.calls:
            print(f"  {call.title}")


def _tell_field(item: Field) -> None:
    if item.only_for:
        need = "only where the archive comes from nowhere else"
    elif item.required and item.default is None:
        need = "needed"
    else:
        need = "may be left out" if item.default in (None, "") else f"may be left out: {_toml(item.default)}"
    print()
    print(hanging(f"  {item.name}: ", item.label))
    print(wrapped(f"({kind_of(item).written}; {need}{'; secret' if item.secret else ''})", "      "))
    if item.help:
        print(wrapped(item.help, "      "))


def _toml(value: str | int | bool | None) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)
