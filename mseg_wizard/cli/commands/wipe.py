"""`mseg-wizard wipe`: stored passwords and links removed, in plain lines.

What is removed and searched is in tasks.wipe.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mseg_wizard.cli.destination import destination_of, needed
from mseg_wizard.cli.plain import printable_redacted
from mseg_wizard.cli.text import agrees, interactive
from mseg_wizard.core.exits import Exit
from mseg_wizard.core.preferences import known_ids
from mseg_wizard.progress import Problem
from mseg_wizard.state.journal_file import read_journal, unopened
from mseg_wizard.state.lock import working
from mseg_wizard.step import Step
from mseg_wizard.tasks.wipe import delete, wipe_secrets
from mseg_wizard.vault import PRACTICE_ID, PRACTICE_SERVICE, Vault


def run(args: argparse.Namespace) -> int:
    everything = getattr(args, "all", False)
    destination = destination_of(args, {}, offer_last=True)
    return wipe_destinations(args.steps, destination if everything else needed(destination), everything=everything)


def wipe_destinations(steps: Sequence[Step], destination: Path | None, *, everything: bool) -> Exit:
    """Remove the secrets of one destination, or of all that this user ever opened.

    It takes no lock: a running wizard does not stop it.
    """
    journal = read_journal(destination) if destination else None
    if destination and journal is None and not everything:
        what, do = unopened(destination)
        raise Problem(what, f"{do.rstrip('.')}. Or wipe every destination, with --all.")
    vaults = [(Vault(journal.id), destination, journal.kept)] if journal else []
    if everything:
        vaults += [(Vault(name), None, ()) for name in known_ids() if journal is None or name != journal.id]
        vaults.append((Vault(PRACTICE_ID, service=PRACTICE_SERVICE, environment={}), None, ()))
    done = [wipe_secrets(vault, steps, place, kept) for vault, place, kept in vaults]
    removed = [name for each in done for name in each.removed]
    leftovers = [leftover for each in done for leftover in each.leftovers]
    print(f"Removed: {', '.join(removed)}" if removed else "Nothing was stored.")
    if destination and working(destination):
        print(f"A wizard works on {destination} right now: what it holds in its memory goes when it ends.")
    for text in dict.fromkeys(text for each in done for text in each.beyond):
        print(f"Not the wizard's to remove: {printable_redacted(text)}")
    for leftover in leftovers:
        print(f"Left by MSeg's scripts or a shell: {printable_redacted(str(leftover.path))} ({leftover.why})")
    offered = [leftover for leftover in leftovers if leftover.ours_to_offer]
    if offered and interactive() and agrees(f"Delete these {len(offered)} files?"):
        for text in delete(offered):
            print(printable_redacted(text))
    for text in (remains := [text for each in done for text in each.remains]):
        print(f"Still there: {printable_redacted(text)}", file=sys.stderr)
    return Exit.FAILED if remains else Exit.DONE
