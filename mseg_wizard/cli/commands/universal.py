"""`mseg-wizard universal`: the training labels in MSeg's universal classes, and the lists that training code reads."""

from __future__ import annotations

import argparse

from mseg_wizard.cli.destination import begun_destination, opened, options_of
from mseg_wizard.cli.plain import say, unattended
from mseg_wizard.context import Context
from mseg_wizard.core.exits import Exit
from mseg_wizard.tasks.registry import universal_step
from mseg_wizard.tasks.universal import estimate, unrelabelled
from mseg_wizard.verification.verdict import read_verdict, subject


def run(args: argparse.Namespace) -> int:
    destination, _ = begun_destination(args)
    with opened(args.steps, destination, options_of(args), {}, take_over=args.take_over) as ctx:
        return make_universal(ctx)


def make_universal(ctx: Context) -> Exit:
    """Say what it takes, and make what is missing."""
    if waits := unrelabelled(ctx):
        raise waits
    say(estimate(ctx).words)
    code = unattended(ctx, [universal_step(ctx.steps)], closing=False)
    if code == Exit.DONE:
        say(f"Complete: {ctx.universal_folder}")
        say(f"Each label map is as its relabelled one and MSeg_master.tsv give it. {_verified(ctx)}")
        say("To train with it: train.csv and val.csv there name each pair; README.md says how to read them.")
    return code


def _verified(ctx: Context) -> str:
    """What is known of the relabelled ones."""
    verdict = read_verdict(ctx.own)
    if verdict is None or verdict.of != subject(ctx):
        return "The relabelled ones were not verified yet: `mseg-wizard verify` does that."
    if verdict.faults:
        return f"Verification found {len(verdict.faults):,} faults in mseg_dataset: `mseg-wizard verify --repair`."
    return f"The relabelled ones were verified on {verdict.at[:10]}."
