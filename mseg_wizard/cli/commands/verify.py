"""`mseg-wizard verify`: one verification at any time, its verdict on
stdout and all else on stderr, and the repair of what it found.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from mseg_wizard.cli.ask import by_questions
from mseg_wizard.cli.destination import answers_of, begun_destination, opened, options_of
from mseg_wizard.cli.plain import complain, printable_redacted, unattended
from mseg_wizard.cli.text import interactive
from mseg_wizard.context import Context
from mseg_wizard.core.exits import Exit
from mseg_wizard.datasets.extracted import distrust_extracted
from mseg_wizard.datasets.universal import read_record
from mseg_wizard.progress import Problem, Usage
from mseg_wizard.step import Step, only
from mseg_wizard.tasks.registry import universal_step
from mseg_wizard.verification.repair import FAULTY, repairs, set_aside
from mseg_wizard.verification.verdict import FILE, Faulty, Verdict, by_step, fault_lines, read_verdict
from mseg_wizard.verification.verified import forget_verified


def run(args: argparse.Namespace) -> int:
    steps: tuple[Step, ...] = args.steps
    if not any(step.has("verify") for step in steps):
        raise Usage(
            "None of the step files has a task that verifies.",
            'Add a step with [[tasks]] task = "verify".',
        )
    answers = answers_of(args, steps)
    destination, _ = begun_destination(args, answers)
    as_json = getattr(args, "json", False)
    person = interactive() and not as_json
    options = replace(options_of(args), attended=person, by_questions=person)
    with opened(steps, destination, options, answers, take_over=args.take_over) as ctx:
        if getattr(args, "full", False):
            forget_verified(ctx)
            distrust_extracted(ctx)
        return verify_now(ctx, repair=getattr(args, "repair", False), as_json=as_json, ask=input if person else None)


SHOWN = 1000
"""Faults that are printed; the file has all."""


def verify_now(
    ctx: Context, *, repair: bool = False, as_json: bool = False, ask: Callable[[str], str] | None = None
) -> Exit:
    """Verify, and with `repair` have what is faulty made again and verify once more.

    `ask`: a person can allow what has to be allowed.
    """
    say = _show_json if as_json else _show
    before = read_verdict(ctx.own)
    if not (repair and before and before.repairing):
        ctx.store.reopen(_call(ctx.steps))
        code = unattended(ctx, [only(ctx.steps, "verify")], explain=_explain, talk=sys.stderr, closing=False)
        before = read_verdict(ctx.own)
        if before and not (repair and before.faults and as_json):  # a program wants one verdict, the last
            say(ctx, before)
        if not repair or before is None or not before.faults:
            return compare_universal(ctx, repair=repair) if code == Exit.DONE else code
        for need in repairs(ctx, before.faults):
            print(need, file=sys.stderr)
        before = set_aside(ctx, before)
    print("\nWhat was faulty is set aside; now it is made again, in the usual order.", file=sys.stderr, flush=True)
    due = [*_complete(ctx.steps, before), only(ctx.steps, "verify")]
    code = (
        by_questions(ctx, due, ask, closing=False)
        if ask
        else unattended(ctx, due, explain=_explain, talk=sys.stderr, closing=False)
    )
    after = read_verdict(ctx.own)
    if after and after.repairing:
        waits = f"Not all is mended yet; what was faulty waits in {ctx.own / FAULTY}."
        print(f"{waits} To go on, give the same command again.", file=sys.stderr, flush=True)
    elif after:
        say(ctx, after)
    return compare_universal(ctx, repair=repair) if code == Exit.DONE else code


def compare_universal(ctx: Context, *, repair: bool) -> Exit:
    """Compare the universal labels with what they are made of, where there are some.

    With `repair`, those that are not right are made again.
    """
    if not read_record(ctx):
        return Exit.DONE
    print("\nThe universal labels, beside it:", file=sys.stderr, flush=True)
    step = universal_step(ctx.steps)
    looks = step.keeping(lambda task: task == "compare")
    ctx.store.reopen(*(call.key for call in looks.calls))
    code = unattended(ctx, [looks], talk=sys.stderr, closing=False)
    return unattended(ctx, [step], talk=sys.stderr, closing=False) if repair and code != Exit.DONE else code


def _show_json(ctx: Context, verdict: Verdict) -> None:
    # In ASCII: whatever a list or archive calls its files, nothing of it commands a terminal.
    print(json.dumps(json.loads((ctx.own / FILE).read_text("utf-8")), indent=1))


def _show(ctx: Context, verdict: Verdict) -> None:
    print(f"\nVerdict on {ctx.dataset_folder}, {verdict.at}")
    print(f"mseg-api tree: {printable_redacted(verdict.tree)}")
    for what, count in verdict.counts.items():
        print(f"{count:>11,} {what}")
    for note in verdict.notes:
        print(f"note: {printable_redacted(note)}")
    if verdict.unfinished:
        print(f"not complete yet: {', '.join(verdict.unfinished)}")
    for words in verdict.aside:
        print(printable_redacted(words))
    lines = fault_lines(ctx.dataset_folder, verdict.faults)
    for line in lines[:SHOWN]:
        print(f"fault: {printable_redacted(line)}")
    if len(lines) > SHOWN:
        print(f"… and {len(lines) - SHOWN:,} more")
    faults = verdict.faults
    print(f"Faults: {len(faults):,} ({by_step(faults)})" if faults else "No fault was found.", flush=True)


def _explain(failure: BaseException, log: Path | None) -> None:
    """Say why it ended; the faults themselves are printed with the verdict."""
    complain(Problem(failure.what, failure.do) if isinstance(failure, Faulty) else failure, log)


def _call(steps: Sequence[Step]) -> str:
    return next(call.key for step in steps for call in step.calls if call.task == "verify")


def _complete(steps: Sequence[Step], verdict: Verdict) -> list[Step]:
    """The steps before verification that were complete then: what is still to come is not begun by a repair.

    So there need not be room for it either: each call asks for what it needs itself.
    """
    last = only(steps, "verify").number
    complete = takewhile(lambda step: step.number < last and step.id not in verdict.unfinished, steps)
    return [step.keeping(lambda task: task != "space") for step in complete]
