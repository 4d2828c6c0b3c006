"""`mseg-wizard doctor`: what this machine offers for the job, told as it is. It changes nothing."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from mseg_wizard import __version__
from mseg_wizard.archives.parquet_folder import can_be_read
from mseg_wizard.cli.destination import destination_of
from mseg_wizard.cli.text import hanging
from mseg_wizard.core import host
from mseg_wizard.core.exits import Exit
from mseg_wizard.core.limits import home, limit_of, meeting_place
from mseg_wizard.datasets.disk_space import FULL_AT_ONCE, FULL_BYTES, FULL_FETCHED, FULL_FILES, free_space
from mseg_wizard.http.proxies import Proxies, try_proxy
from mseg_wizard.progress import Problem, amount, printable, size
from mseg_wizard.state.journal import OWN
from mseg_wizard.state.lock import working
from mseg_wizard.tasks.tree import URL
from mseg_wizard.vault import Vault
from mseg_wizard.workers.pool import Pool, prepare_start

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


SITE = urlsplit(URL).hostname or ""
"""Where a proxy is tried: the first site that is asked."""
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
        "parquet",
        f"pyarrow {version('pyarrow')}"
        if can_be_read()
        else "no pyarrow: only ADE20K's masks from Hugging Face need it (pip install 'mseg-wizard[parquet]')",
        True if can_be_read() else None,
    )
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
    if not why:
        yield from _lacking(there)
    yield from _machine()
    if begun:
        yield "wizard", f"{'one' if working(place) else 'none'} works on {place} right now", None
    if scheduler:
        yield _cluster(scheduler, _existing(place))
    yield from _proxies()
    where = Vault("doctor").state()
    lasts = where == "the system keyring"
    yield "secrets", f"would be kept in {where}" + ("" if lasts else ": each start asks for them again"), lasts
    yield from _terminal()


def _lacking(folder: Path) -> Iterator[tuple[str, str, bool | None]]:
    """What the disk can't do, tried in a folder that is gone afterwards, and what that means for the job."""
    meaning: dict[str, tuple[Callable[[Path], None], str, bool | None]] = {
        "locks": (_lock, "see to it yourself that no second wizard works on the same folder", False),
        "links": (_link, "the journal's state before the last change is kept as a copy", None),
        "syncs": (_sync, "after a power cut, what was made last may be missing; it is looked for and made again", None),
        "rights": (_rights, "whoever can read this disk can read the journal; secrets are not in it", None),
    }
    lacks = False
    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as name:
        for what, (attempt, means, fine) in meaning.items():
            try:
                attempt(Path(name))
            except OSError as error:
                lacks = True
                yield what, f"this disk has none ({error.strerror}): {means}", fine
    if not lacks:
        yield "disk calls", "it locks, links, syncs and keeps rights", True


def _lock(folder: Path) -> None:
    with (folder / "locked").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _link(folder: Path) -> None:
    (folder / "one").touch()
    (folder / "two").hardlink_to(folder / "one")


def _rights(folder: Path) -> None:
    folder.chmod(0o700)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _machine() -> Iterator[tuple[str, str, bool | None]]:
    """What programs take for granted, where it is missing; and a worker process, started."""
    if home() is None:
        yield "home", "none: preferences are not kept, and the log of a run without a destination is temporary", None
    for name, kind, least, shown in (
        ("memory", resource.RLIMIT_AS, 4 << 30, size),
        ("processes", resource.RLIMIT_NPROC, 64 + 2 * host.cores(), lambda count: f"{count:,} processes and threads"),
    ):
        allowed = resource.getrlimit(kind)[0]
        if allowed != resource.RLIM_INFINITY and allowed < least:
            yield name, f"limited to {shown(allowed)}: use few --workers, or raise it (`ulimit -a`)", False
    place = meeting_place()
    if place is None:
        yield "temporary", "no folder for temporary files can be written to: set TMPDIR to one with a short name", False
    pool = Pool(1)
    try:
        prepare_start()
        pool.executor().submit(os.getpid).result()
        yield "workers", f"one was started{f', by way of {place}' if place else ''}", True
    except (Problem, OSError, EOFError, RuntimeError) as error:
        problem = error if isinstance(error, Problem) else limit_of(error) or Problem("None can be started.")
        yield "workers", str(problem), False
    finally:
        pool.close()


def _proxies() -> Iterator[tuple[str, str, bool | None]]:
    """Each proxy that the environment names, tried: does it open a way to where MSeg's own code is?"""
    try:
        proxies = Proxies.of_environment()
    except Problem as problem:
        yield "proxy", str(problem), False
        return
    for proxy in dict.fromkeys(proxies.by_scheme.values()):
        why = try_proxy(proxy, SITE)
        yield "proxy", why or f"{proxy.title} opens a way to {SITE}", not why
    if proxies.by_scheme and proxies.direct:
        yield "no proxy", f"for {printable(', '.join(proxies.direct), 300)}, and this machine", None


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
