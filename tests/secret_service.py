"""A real Secret Service for tests: gnome-keyring as desktops run it, with a bus and a home of its own.

No person's keyring is touched.

Used as a program: `python -m tests.secret_service STATE COMMAND…` inside `dbus-run-session`; STATE is `unlocked`,
`locked` or `silent`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import ROOT
from tests.installed import needs

NEEDED = ("dbus-run-session", "gnome-keyring-daemon", "secret-tool", "dbus-send")
SILENT = '/bin/sh -c "exec sleep 20 >/dev/null 2>&1"'
COLLECTION = "/org/freedesktop/secrets/collection/login"


def in_session(
    state: str, home: Path, *command: str | Path, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command where a Secret Service is, in the given state."""
    needs(*NEEDED)
    if state == "silent":
        # a prompt that nobody sees: started when it is asked for, and never answering
        services = home / "data" / "dbus-1" / "services"
        services.mkdir(parents=True)
        for name in ("org.gnome.keyring.SystemPrompter", "org.gnome.keyring.PrivatePrompter"):
            (services / f"{name}.service").write_text(f"[D-BUS Service]\nName={name}\nExec={SILENT}\n")
    inner = [sys.executable, "-m", "tests.secret_service", state, *map(str, command)]
    return alone(home, "dbus-run-session", "--", *inner, more=more)


def alone(home: Path, *command: str | Path, more: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command with a home of its own and neither bus nor display."""
    run = home / "run"
    run.mkdir(parents=True, exist_ok=True)
    run.chmod(0o700)
    places = {
        "XDG_RUNTIME_DIR": run,
        "XDG_DATA_HOME": home / "data",
        "XDG_CONFIG_HOME": home / "config",
        "XDG_CACHE_HOME": home / "cache",
    }
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(home), "PYTHONPATH": str(ROOT)}
    environment |= {key: str(path) for key, path in places.items()} | dict(more or {})
    return subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, check=False, cwd=ROOT)


def main() -> int:
    """Inside the bus: start the service, bring it into its state, run the command."""
    state, command = sys.argv[1], sys.argv[2:]
    subprocess.run(
        ["gnome-keyring-daemon", "--unlock", "--components=secrets"],
        input="a password",
        text=True,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    while subprocess.run(
        [
            "dbus-send",
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
            COLLECTION,
            "org.freedesktop.DBus.Properties.Get",
            "string:org.freedesktop.Secret.Collection",
            "string:Locked",
        ],
        capture_output=True,
        check=False,
    ).returncode:
        time.sleep(0.05)
    if state != "unlocked":
        subprocess.run(
            [
                "dbus-send",
                "--session",
                "--print-reply",
                "--dest=org.freedesktop.secrets",
                "/org/freedesktop/secrets",
                "org.freedesktop.Secret.Service.Lock",
                f"array:objpath:{COLLECTION}",
            ],
            capture_output=True,
            check=True,
        )
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
