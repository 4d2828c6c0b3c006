"""`mseg-wizard status`: where every step stands, also while it works. It opens no vault and takes no lock."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from mseg_wizard import __version__
from mseg_wizard.cli.destination import begun_destination
from mseg_wizard.cli.plain import progress_line
from mseg_wizard.core.exits import Exit
from mseg_wizard.progress import printable
from mseg_wizard.standing.remarks import equivalents_used, notes_of, verified
from mseg_wizard.standing.snapshot import (
    MARKS,
    WORKS,
    Standing,
    StepState,
    clock,
    published,
    standing,
    wanted_in,
)
from mseg_wizard.standing.step_states import filled, lacking, overview, unknown, with_filled
from mseg_wizard.state.journal import OWN, Journal
from mseg_wizard.state.lock import can_lock
from mseg_wizard.step import Step
from mseg_wizard.tasks.registry import universal_step
from mseg_wizard.verification.verdict import read_verdict


def _before(found: Standing, steps: Sequence[Step], states: Sequence[StepState], journal: Journal) -> str:
    """What may be wanted before that which is; empty where nothing is. Secrets are looked for nowhere here."""
    if not found.field:
        return ""
    for step, state in zip(steps, states, strict=True):
        if step.id == found.step:
            break
        if not state.past and (names := unknown(step, journal)):
            what = f"{step.field(names[0]).label}, unless the keyring or the environment has it."
            return wanted_in(step, what)
    return ""


def run(args: argparse.Namespace) -> int:
    steps: tuple[Step, ...] = args.steps
    destination, journal = begun_destination(args)
    now = published(destination)
    states = overview(steps, journal, now, lambda step: lacking(step, journal))
    stands, looked = standing(now), verified(steps, journal)
    verdict = read_verdict(destination / OWN)
    found = standing(now, steps, states, len(verdict.faults) if verdict else 0)
    text = _before(found, steps, states, journal) or found.text
    if getattr(args, "json", False):
        rows = [asdict(state) for state in states]
        used = [
            {"file": archive.file, "used": known.title, "proof": known.proof}
            for archive, known in equivalents_used(steps, journal)
        ]
        run = {
            "state": stands.state,
            "words": stands.words,
            "text": text,
            "at": now.at,
            "owner": now.owner and asdict(now.owner),
        }
        table = {"version": __version__, "destination": str(destination), "run": run, "steps": rows}
        aside = [{"file": file, **asdict(record)} for file, record in journal.aside.items()]
        table |= {"equivalents": used, "aside": aside, "verified": looked}
        print(json.dumps(table, indent=1))
        return Exit.DONE
    print(destination)
    print(printable(text))
    for step, state in zip(steps, with_filled(states, filled(steps, journal)), strict=True):
        waits = ", ".join(step.field(name).label for name in state.waits_for) if state.state == "waiting" else ""
        words = "set aside" if state.state == "aside" else state.state
        print(f"{MARKS[state.state]} {step.number:2} {step.title:26} {words}{': ' if waits else ''}{waits}")
    for key in (*now.calls, *now.ahead, *now.refused) if now.running else ():
        number, title = next(
            (
                (step.number, call.title)
                for step in (*steps, universal_step(steps))
                for call in step.calls
                if call.key == key
            ),
            (0, key),
        )
        print(f"working now: {progress_line(number, title, now.progress[key]).strip()}")
    if not now.running:
        print(f"last run{f', {clock(now.at)}' if now.at else ''}: {printable(stands.words, 2000)}")
    elif stands.words != WORKS:
        print(f"the wizard {printable(stands.words, 2000)}")
    if looked:
        print(looked)
    lockless = () if can_lock(destination) else ("this disk can't lock: see that no second wizard works here",)
    for note in (*notes_of(steps, journal), *lockless):
        print(f"note: {printable(note)}")
    return Exit.DONE
