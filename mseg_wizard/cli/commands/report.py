"""`mseg-wizard report`: the report written again at any time, and its place as all that goes to stdout."""

from __future__ import annotations

import argparse
import sys

from mseg_wizard.cli.destination import begun_destination, opened, options_of
from mseg_wizard.cli.plain import complain, exit_code, work
from mseg_wizard.context import Context
from mseg_wizard.core.exits import STOPS, Exit
from mseg_wizard.core.log import LOG
from mseg_wizard.step import only


def run(args: argparse.Namespace) -> int:
    destination, _ = begun_destination(args)
    with opened(args.steps, destination, options_of(args), {}, take_over=args.take_over) as ctx:
        return write_report(ctx)


def write_report(ctx: Context) -> Exit:
    """Write it, whatever is complete by now."""
    step = only(ctx.steps, "report")
    ctx.store.reopen(*(call.key for call in step.calls))
    end, stopped_by = work(ctx, [step], talk=sys.stderr)
    if stopped_by:
        return STOPS[stopped_by]
    if failure := end.problem or end.crash:
        complain(failure, ctx.own / LOG)
        return exit_code(failure)
    print(ctx.report_page, flush=True)
    return Exit.DONE
