"""The practising user: a folder with e-mails and downloaded files,
and a player of that user who makes the usual mistakes first.
"""

from __future__ import annotations

import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mseg_wizard.context import Consent, Context
from mseg_wizard.datasets.locations import own_path
from mseg_wizard.practice.logins import LINKS, sign_link
from mseg_wizard.practice.steps import PASTE, AtHand
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem, Waiting
from mseg_wizard.step import Link, Step

BDD = "bdd100k_seg.zip"
DEAD = ("ADE20K_2016_07_26.zip", "701_StillsRaw_full.zip")
"""Archives whose first address has no file any more, as in real life."""
RELEASE_2021 = "ADE20K_2021_17_01.zip"
"""What the user has in place of the first of them."""
WITHDRAWN = "wd_both_01.zip"
"""What its own site hands out no more, logged in to or not; somebody has a copy."""
KITTI = f"{LINKS}/signed/data_semantics.zip"
CHUNKS = 20
"""Pieces in which the upload arrives."""


def gone(steps: Iterable[Step]) -> frozenset[str]:
    """Paths of the addresses that have no file any more: of the DEAD and of what was withdrawn."""
    archives = {archive.file: archive for step in steps for archive in step.archives}
    return frozenset({urlsplit(archives[file].urls[0]).path for file in DEAD} | {archives[WITHDRAWN].login_path})


def put_files_at_hand(folder: Path, world: World) -> None:
    """Lay out what a user has at hand: mail.txt, ScanNet's script, the right BDD archive and one of the same name with
    images only, ADE20K's release of 2021, and what a colleague kept of WildDash.
    """
    wrong = folder / "images-only"
    wrong.mkdir(parents=True)
    shutil.copy(world.mirror / BDD, folder / BDD)
    with zipfile.ZipFile(folder / BDD) as right, zipfile.ZipFile(wrong / BDD, "w") as images:
        for name in right.namelist():
            if "/images/" in name and not name.endswith("/"):
                images.writestr(name, right.read(name))
    with zipfile.ZipFile(world.mirror / DEAD[0]) as old, zipfile.ZipFile(folder / RELEASE_2021, "w") as new:
        for name in old.namelist():
            if name.endswith(("_seg.png", ".jpg")):
                new.writestr(name.replace("ADE20K_2016_07_26/images/", "ADE20K_2021_17_01/images/ADE/"), old.read(name))
    (colleague := folder / "colleague").mkdir()
    shutil.copy(world.mirror / WITHDRAWN, colleague)
    shutil.copy(world.scannet_script, folder / "download-scannet.py")
    (folder / "mail.txt").write_text(
        "KITTI sent this link yesterday:\n\n"
        f"{expired_link()}\n\n"
        "and, because you asked again, this one today:\n\n"
        f"{sign_link(KITTI)}\n\n"
        f"BDD100K: your browser has downloaded {folder / BDD}\n"
        f"         (and {wrong / BDD}, which has the same name and is not the one)\n\n"
        f"WildDash: a colleague still has a zip that the site took away: {colleague / WITHDRAWN}\n"
    )


def at_hand(folder: Path) -> dict[str, AtHand]:
    """Step id → what this user has to give there, or has given."""

    def link(label: str, url: str) -> Link:
        return Link(label=f"Practice: {label}", url=url)

    return {
        "download-open": AtHand(
            link("ADE20K's release of 2021, which you have", str(folder / RELEASE_2021)),
            "archives",
            "two addresses are dead here, as in real life. For CamVid the next one is taken; for ADE20K its release of "
            "2021 stands in, which you have, and which is given already.",
        ),
        "bdd": AtHand(link("the archive that your browser has downloaded", str(folder / BDD)), "archives"),
        "kitti": AtHand(link("the fresh link of today's mail", sign_link(KITTI)), "url"),
        "wilddash": AtHand(
            link("the copy that a colleague kept", str(folder / "colleague" / WITHDRAWN)),
            "archives",
            f"the site has {WITHDRAWN} no more. Set it aside when you are asked: the end is “complete but for "
            f"WildDash”. Then a colleague's copy turns up: {PASTE} With it, F5 completes the rest.",
        ),
    }


def expired_link() -> str:
    return sign_link(KITTI, datetime.now(UTC) - timedelta(days=1), hours=12)


def first_answers(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The user's first answers: BDD is still to be uploaded, and KITTI's link is yesterday's."""
    changed = {step: table for step, table in answers.items() if step != "bdd"}
    return changed | {"kitti": {"url": expired_link()}}


class PractisingUser:
    """Plays the user of plain practice: uploads the wrong file first,
    mistypes a password, and mends what the wizard complains about.
    """

    def __init__(
        self, ctx: Context, folder: Path, answers: Mapping[str, Mapping[str, Any]], say: Callable[[str], None]
    ) -> None:
        self._ctx = ctx
        self._folder = folder
        self._answers = answers
        self._say = say
        self.found = False
        """A copy of what was withdrawn."""
        self._leaving = threading.Event()
        self._hand = threading.Thread(target=self._upload, name="practice upload", daemon=True)

    def begin(self) -> None:
        """Give the first answers, mistakes included, and stand by with the upload."""
        for step, table in first_answers(self._answers).items():
            try:
                self._ctx.remember(
                    self._ctx.step(step), {key: value for key, value in table.items() if key != "destination"}
                )
            except Problem as problem:
                self._say(f"[you]    give {step}'s answers; the wizard says: {problem.what}")
        self._ctx.remember(self._ctx.step("cityscapes"), {"password": "not-my-password"})
        self._hand.start()

    def mends(self, problem: Problem | None) -> bool:
        """Do what the wizard waits for; False where this user knows no answer."""
        if isinstance(problem, Consent) and problem.key.startswith("aside:"):
            self._say(f"[wizard] {problem.what}")
            self._say(f"[you]    set it aside for now (--allow {problem.key})")
            self._ctx.consents.add(problem.key)
            return True
        if not isinstance(problem, Waiting) or problem.step not in self._answers:
            return False
        self._say(f"[wizard] {problem.what}")
        given = self._answers[problem.step]
        names = [name for name in problem.lacks if name in given] or list(given)
        self._say(f"[you]    fill in the form of {problem.step} again: {', '.join(names)}")
        self._ctx.remember(self._ctx.step(problem.step), {name: given[name] for name in names})
        return True

    def finds_a_copy(self) -> bool:
        """Put what was withdrawn where the wizard looks for it, once; False where it is there already."""
        step = self._ctx.step("wilddash")
        place = own_path(self._ctx, next(archive for archive in step.archives if archive.file == WITHDRAWN))
        if WITHDRAWN not in self._ctx.store.journal.aside or place.exists():
            return False
        self._say(f"[you]    a colleague has a copy: put {WITHDRAWN} into {place.parent.name}/, and start again")
        shutil.copy(self._folder / "colleague" / WITHDRAWN, place)
        self.found = True
        return True

    def leave(self) -> None:
        self._leaving.set()
        self._hand.join()

    def _upload(self) -> None:
        """As soon as the wizard awaits BDD: first the wrong file, then the right one, piece by piece as scp does."""
        step = self._ctx.step("bdd")
        target = own_path(self._ctx, step.archives[0])
        while not target.parent.is_dir():
            if self._leaving.wait(0.2):
                return
        self._say("[you]    upload a file of the right name that holds images only")
        shutil.copy(self._folder / "images-only" / BDD, target)
        if self._leaving.wait(6):
            return
        target.unlink()
        self._say("[you]    upload the right one")
        content = (self._folder / BDD).read_bytes()
        with target.open("wb") as file:
            for start in range(0, len(content), len(content) // CHUNKS + 1):
                file.write(content[start : start + len(content) // CHUNKS + 1])
                file.flush()
                time.sleep(0.1)
