"""`mseg-wizard doctor`: what this machine offers for the job, told as it is. It changes nothing."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from mseg_wizard import __version__
from mseg_wizard.cli.destination import destination_of
from mseg_wizard.cli.text import hanging
from mseg_wizard.core import host
from mseg_wizard.core.exits import Exit
from mseg_wizard.datasets.disk_space import FULL_AT_ONCE, FULL_BYTES, FULL_FETCHED, FULL_FILES, free_space
from mseg_wizard.progress import Problem, amount, size
from mseg_wizard.store import OWN, working
from mseg_wizard.vault import Vault

FINE = {True: "[x]", False: "[!]", None: "[-]"}
"""The marks of what doctor looks at."""


def run(args: argparse.Namespace) -> int:
    rows = list(examine(destination_of(args, {}, offer_last=True), getattr(args, "scheduler", "")))
    if getattr(args, "json", False):
        print(
            json.dumps(
                [{"what": what, "how": how, "fine": fine} for what, how, fine in rows], indent=1, ensure_ascii=False
            )
        )
        return Exit.DONE
    for what, how, fine in rows:
        print(hanging(f"{FINE[fine]} {what:12} ", how))
    print(
        "\n[!] marks what may need your attention."
        if any(fine is False for *_, fine in rows)
        else "\nEverything is fine."
    )
    return Exit.DONE


LIBRARIES = ("textual", "httpx", "numpy", "pillow", "imagecodecs", "keyring")


def examine(destination: Path | None, scheduler: str = "") -> Iterator[tuple[str, str, bool | None]]:
    """Rows of (what, how it is, is that good); None where it is neither good nor bad, but worth knowing."""
    yield (
        "mseg-wizard",
        f"{__version__}, Python {platform.python_version()} ({sys.executable})",
        sys.version_info >= (3, 11),
    )
    yield "libraries", ", ".join(f"{name} {version(name)}" for name in LIBRARIES), True
    yield (
        "system",
        f"{platform.system()} {platform.release()}, host {host.name()}",
        platform.system() in ("Linux", "Darwin"),
    )
    cores = host.cores()
    yield "cores", f"{cores} for this process, {os.cpu_count()} in the machine", True
    place = (destination or Path.cwd()).expanduser().absolute()
    space = free_space(place)
    begun = destination is not None and (destination / OWN).is_dir()
    partly = "; what is there already counts towards that" if begun else ""
    enough = space.bytes >= FULL_AT_ONCE or (None if begun else False)
    takes = f"all of MSeg needs about {_round(FULL_AT_ONCE)} there{partly}"
    goes = (
        f"to download: {_round(FULL_FETCHED)}, to write in all: {_round(FULL_BYTES)}, as archives make way for "
        "what comes out of them"
    )
    yield "disk", f"{size(space.bytes)} free for {place}; {takes} ({goes})", enough
    if space.files is None:
        yield "inodes", "this file system does not count them", None
    else:
        enough = space.files >= FULL_FILES or (None if begun else False)
        yield "inodes", f"{space.files:,} free, one for each file; all of MSeg has about {FULL_FILES:,}{partly}", enough
    there = _existing(place)
    why = _unwritable(there)
    yield "writable", f"you can't write to {there}: {why}" if why else f"you may write to {there}", not why
    if begun:
        yield "wizard", f"{'one' if working(place) else 'none'} works on {place} right now", None
    if scheduler:
        yield _cluster(scheduler, _existing(place))
    where = Vault("doctor").state()
    lasts = where == "the system keyring"
    yield "secrets", f"would be kept in {where}" + ("" if lasts else ": each start asks for them again"), lasts
    yield from _terminal()


def _cluster(scheduler: str, folder: Path) -> tuple[str, str, bool]:
    from mseg_wizard.workers.dask import Cluster

    cluster = Cluster(scheduler, lambda: [folder])
    try:
        cluster.ready()
        workers, hosts = cluster.hosts()
        return (
            "cluster",
            f"{amount(workers, 'workers')} on {amount(hosts, 'hosts')}, who can read and write {folder}",
            True,
        )
    except Problem as problem:
        return "cluster", str(problem), False
    finally:
        cluster.close()


def _round(count: int) -> str:
    """A round number of GB, without the decimal of a measured one."""
    return size(count).replace(".0 ", " ")


def _terminal() -> Iterator[tuple[str, str, bool | None]]:
    terminal = sys.stdout.isatty() and sys.stdin.isatty()
    columns, lines = shutil.get_terminal_size()
    if terminal:
        fits = columns >= 60 and lines >= 20
        yield (
            "terminal",
            f"{os.environ.get('TERM', 'unknown')}, {columns}×{lines}" + ("" if fits else ": make it 60×20 or larger"),
            fits,
        )
    else:
        yield "terminal", "none here, so no screen: use `mseg-wizard run`", None
    inside = bool(os.environ.get("TMUX") or os.environ.get("STY"))
    remote = bool(os.environ.get("SSH_CONNECTION"))
    if inside:
        yield "session", "inside tmux or screen: it survives a dropped connection", True
    else:
        advice = (
            "a dropped connection ends the wizard: start tmux first"
            if remote
            else "with tmux, the wizard outlives its terminal"
        )
        yield "session", f"not inside tmux or screen; {advice}", False if remote else None
    encoding = (sys.stdout.encoding or "").lower()
    yield "encoding", encoding or "unknown", encoding.replace("-", "") == "utf8"


def _unwritable(folder: Path) -> str:
    """Why nothing can be put there, empty where it can: tried with a
    file that never gets a name, because rights tell root nothing.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)
