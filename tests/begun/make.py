"""Makes the fixture beside this file: a destination that was killed
in the middle of a download, with its keyring and its preferences.

What people have must go on with every later wizard, so each version of the journal gets a fixture of its own, made by
the code of its time and never changed afterwards. `dbus-run-session -- python -m tests.secret_service unlocked python
-m tests.begun.make` writes journal-<version>.tar.xz.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import keyring

from mseg_wizard.practice.logins import LINKS, sign_link
from mseg_wizard.practice.server import PracticeServer, origins
from mseg_wizard.practice.world import make_world, toml
from mseg_wizard.state.journal import OWN, VERSION
from mseg_wizard.tasks.registry import load_steps
from tests.waiting import wait_until

PLACE = Path("/tmp/mseg-begun")
"""Stands in the fixture's files wherever a path does; whoever unpacks it puts their own there."""
LATER = ("mapillary-vistas-dataset_public_v1.1.zip", "scannet_frames_25k.zip", "wd_both_01.zip", "wd_val_01.zip")
"""Archives that are still to come: the others are gone, so that fetching one of them again would fail."""
PADDING = 150_000
SPEED = 150_000
YEARS = 40 * 365 * 24.0
"""Hours for which the links are good."""


def main() -> None:
    shutil.rmtree(PLACE, ignore_errors=True)
    world = make_world(PLACE / "world", images=2, padding=PADDING)
    answers = world.answers
    now = datetime.now(UTC)
    for step, name in (("idd", "idd-segmentation.tar.gz"), ("kitti", "data_semantics.zip"), ("mapillary", LATER[0])):
        answers[step] = {"url": sign_link(f"{LINKS}/signed/{name}", now, YEARS)}
    (PLACE / "home").mkdir()
    file = PLACE / "answers.toml"
    file.touch(mode=0o600)
    file.write_text(toml(answers))
    partial = PLACE / "d" / "mseg_dataset" / "MapillaryVistasPublic" / f"{LATER[0]}.part"
    with PracticeServer(world.mirror, tree=world.tree, limit=SPEED) as server:
        routes = [text for origin in origins(load_steps()) for text in ("--route", f"{origin}={server.url}")]
        command = [
            sys.executable,
            "-m",
            "mseg_wizard",
            "run",
            "--dest",
            PLACE / "d",
            "--answers",
            file,
            "--workers",
            "2",
            "--in-order",
            *routes,
        ]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")} | {
            "HOME": str(PLACE / "home")
        }
        wizard = subprocess.Popen([str(part) for part in command], env=environment)
        wait_until(lambda: partial.exists() and partial.stat().st_size > PADDING // 3, wizard)
        wizard.send_signal(signal.SIGKILL)
        wizard.wait()
    journal = json.loads((PLACE / "d" / OWN / "journal.json").read_text())
    kept = {name: keyring.get_password("mseg-wizard", f"{journal['id']}/{name}") for name in journal["kept"]}
    (PLACE / "keyring.json").write_text(json.dumps(kept, indent=1))
    for archive in world.mirror.iterdir():
        if archive.is_file() and archive.name not in LATER:
            archive.unlink()
    shutil.rmtree(world.tree)
    with tarfile.open(Path(__file__).with_name(f"journal-{VERSION}.tar.xz"), "w:xz", format=tarfile.PAX_FORMAT) as tar:
        for name in ("d", "home", "world", "keyring.json"):
            tar.add(PLACE / name, name)
    print(json.dumps({key: journal[key] for key in ("finished", "started", "kept")}, indent=1))


if __name__ == "__main__":
    main()
