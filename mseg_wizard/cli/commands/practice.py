"""`mseg-wizard practice`: a miniature MSeg, a server that plays the web sites, and the wizard opened on them."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from mseg_wizard.answers.file import Answers
from mseg_wizard.cli.plain import complain, exit_code, say, work
from mseg_wizard.cli.text import interactive, too_simple
from mseg_wizard.context import Context, Options, open_context
from mseg_wizard.core.exits import STOPS, Exit
from mseg_wizard.core.invocation import Invocation
from mseg_wizard.core.log import LOG
from mseg_wizard.practice.server import PracticeServer, origins
from mseg_wizard.practice.steps import practice_steps
from mseg_wizard.practice.user import (
    RELEASE_2021,
    WITHDRAWN,
    PractisingUser,
    at_hand,
    first_answers,
    gone,
    put_files_at_hand,
)
from mseg_wizard.practice.world import make_world
from mseg_wizard.progress import Usage, printable
from mseg_wizard.standing.remarks import equivalents_used
from mseg_wizard.standing.snapshot import standing
from mseg_wizard.step import Step
from mseg_wizard.vault import PRACTICE_SERVICE, Vault
from mseg_wizard.workers import pool


def run(args: argparse.Namespace) -> int:
    return practice(
        args.steps,
        plain=getattr(args, "plain", False),
        keep=getattr(args, "keep", False),
        use_keyring=getattr(args, "keyring", False),
        invocation=args.invocation,
    )


IMAGES = 60
"""Training images of each dataset: enough for a look at the pictures while they are made."""
PADDING = 8_000_000
"""Bytes by which the largest archive is made longer than its few images; others get a share."""
SPEED = 3_000_000
"""Bytes per second of the played web sites: slow enough to see bars move, quick enough for two minutes in all."""


def practice(steps: tuple[Step, ...], *, plain: bool, keep: bool, use_keyring: bool, invocation: Invocation) -> int:
    """Play the journey in a folder of its own; real destinations, preferences and secrets are never touched."""
    plain = plain or too_simple()
    if not plain and not interactive():
        raise Usage("There is no terminal here for the screen.", "Use `mseg-wizard practice --plain`.")
    pool.prepare_start()
    folder = Path(tempfile.mkdtemp(prefix="mseg-practice-"))
    destination = folder / "mseg"
    try:
        print(f"Making a miniature MSeg in {folder} …", flush=True)
        world = make_world(folder / "world", images=IMAGES, padding=PADDING, told=_tell)
        put_files_at_hand(user_folder := folder / "desk", world)
        steps = practice_steps(steps, world, at_hand(user_folder))
        answers: Answers = {
            **world.answers,
            "prepare": {**world.answers["prepare"], "destination": str(destination)},
            "download-open": {"archives": str(user_folder / RELEASE_2021)},
        }
        with PracticeServer(world.mirror, tree=world.tree, limit=SPEED, gone=gone(steps)) as server:
            options = Options(
                routes=tuple(f"{origin}={server.url}" for origin in origins(steps)),
                attended=True,
                invocation=invocation,
            )

            def opener(place: Path) -> Context:
                vault = (
                    Vault("practice", service=PRACTICE_SERVICE)
                    if use_keyring
                    else Vault("practice", backend=None, environment={})
                )
                return open_context(steps, place, options, vault=vault, remember=False)

            if plain:
                return _plain(steps, opener(destination), user_folder, answers)
            return _screen(steps, opener, destination, answers, invocation)
    finally:
        if keep:
            print(f"The practice folder was kept: {folder}")
        else:
            _remove(folder)


def _tell(part: float) -> None:
    """How much of the miniature is made, where somebody looks: on a slow machine it takes a while."""
    if sys.stdout.isatty():
        print(f"\r  {part:4.0%}", end="\n" if part >= 1 else "", flush=True)


def _remove(folder: Path) -> None:
    """All of it, even where the terminal closes or someone is impatient meanwhile."""
    stops = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in stops}
    try:
        say(f"Removing the practice folder {folder} …")
        shutil.rmtree(folder, ignore_errors=True)
        say("It was removed (--keep keeps it).")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _plain(steps: tuple[Step, ...], ctx: Context, user_folder: Path, answers: Answers) -> int:
    """A played user and the wizard take turns, until all is complete or the user knows no answer."""

    say(
        "Practice: this machine plays every web site, and a user who makes the usual mistakes first. As in real life, "
        "addresses of CamVid and ADE20K are dead, ADE20K's release of 2021 stands in, and WildDash's site has a zip no "
        "more."
    )
    user = PractisingUser(ctx, user_folder, answers, say)
    try:
        user.begin()
        known: frozenset[str] = frozenset()
        while True:
            end, stopped_by = work(ctx, steps, every=1.0, known=known)
            known = ctx.store.journal.done_calls()
            if stopped_by:
                return STOPS[stopped_by]
            if end.complete:
                say("Complete: all steps are done.")
                for archive, equivalent in equivalents_used(steps, ctx.store.journal):
                    say(f"note: {printable(equivalent.in_words(archive.file))}")
                if user.found:
                    say(
                        f"note: {WITHDRAWN}, which WildDash's site has no more, was set aside; a colleague's copy came."
                    )
                return Exit.DONE
            if end.aside:
                say(f"[wizard] {standing(end).sentence}.")
                if user.finds_a_copy():
                    continue
                return Exit.ASIDE
            if not user.mends(end.problem):
                failure = end.problem or end.crash or RuntimeError("the run ended without a word")
                complain(failure, ctx.own / LOG)
                return exit_code(failure)
    finally:
        user.leave()
        ctx.close()


def _screen(
    steps: tuple[Step, ...],
    opener: Callable[[Path], Context],
    destination: Path,
    answers: Answers,
    invocation: Invocation,
) -> int:
    from mseg_wizard.tui.app import guide

    code = guide(steps, opener, destination, preset=first_answers(answers), invocation=invocation)
    if code == Exit.ASIDE:
        say(
            f"You set WildDash aside, because its site has {WITHDRAWN} no more. Practice had a colleague's copy of it: "
            "the link on WildDash's page, which completes the rest."
        )
    return code
