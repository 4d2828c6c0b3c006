"""`mseg-wizard practice`: a miniature MSeg, a server that plays the web sites, and the wizard opened on them."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from mseg_wizard import pool
from mseg_wizard.context import Context, Options
from mseg_wizard.opening import Answers, Usage, give_answers, open_context
from mseg_wizard.plain import unattended
from mseg_wizard.practice.logins import LINKS
from mseg_wizard.practice.server import PracticeServer
from mseg_wizard.practice.world import make_world
from mseg_wizard.step import Step, load
from mseg_wizard.vault import PRACTICE_SERVICE, Vault

TREE_ORIGIN = "https://github.com"
LOGIN_ORIGINS = ("https://www.cityscapes-dataset.com", "https://wilddash.cc")
PADDING = 8_000_000
"""Bytes by which the largest archive is made longer than its few images; others get a share."""
SPEED = 3_000_000
"""Bytes per second of the played web sites: slow enough to see bars move, quick enough for two minutes in all."""


def practice(*, plain: bool, keep: bool, use_keyring: bool) -> int:
    """Play the journey in a folder of its own; real destinations, preferences and secrets are never touched."""
    if not plain and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Usage("There is no terminal here for the screen.", "Use `mseg-wizard practice --plain`.")
    steps = load()
    pool.prepare_start()
    folder = Path(tempfile.mkdtemp(prefix="mseg-practice-"))
    destination = folder / "mseg"
    try:
        print(f"Making a miniature MSeg in {folder} …", flush=True)
        world = make_world(folder / "world", padding=PADDING)
        answers = {**world.answers, "prepare": {**world.answers["prepare"], "destination": str(destination)}}
        with PracticeServer(world.mirror, tree=world.tree, limit=SPEED) as server:
            options = Options(routes=tuple(f"{origin}={server.url}" for origin in origins(steps)), attended=not plain)

            def opener(place: Path) -> Context:
                vault = Vault("practice", service=PRACTICE_SERVICE) if use_keyring else Vault("practice", backend=None, environment={})
                return open_context(steps, place, options, vault=vault, remember=False)

            code = _plain(steps, opener(destination), answers) if plain else _screen(steps, opener, destination, answers)
    finally:
        if keep:
            print(f"The practice folder was kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
            print(f"The practice folder {folder} was removed (--keep keeps it).")
    return code


def origins(steps: Iterable[Step]) -> list[str]:
    """Every origin that the steps may ask."""
    public = {"{0.scheme}://{0.netloc}".format(urlsplit(url)) for step in steps for archive in step.archives for url in archive.urls}
    return sorted({*public, TREE_ORIGIN, *LOGIN_ORIGINS, LINKS})


def _plain(steps: tuple[Step, ...], ctx: Context, answers: Answers) -> int:
    print("Practice: every web site is played by this machine.", flush=True)
    try:
        give_answers(ctx, answers)
        return unattended(ctx, steps, every=1.0)
    finally:
        ctx.close()


def _screen(steps: tuple[Step, ...], opener: Callable[[Path], Context], destination: Path, answers: Answers) -> int:
    from mseg_wizard.tui.app import guide

    return guide(steps, opener, destination, preset=answers)
