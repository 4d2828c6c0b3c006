"""How a cluster is reached, and what a worker must be like before
it gets work: the same programs, one thread, the same disk.
"""

from __future__ import annotations

import importlib
import logging
import secrets
import socket
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mseg_wizard.progress import Problem
from mseg_wizard.workers import dask_worker
from mseg_wizard.workers.dask_worker import UNSEEN

PACKAGES = {"mseg-wizard": "mseg-wizard", "numpy": "NumPy", "imagecodecs": "imagecodecs", "pillow": "Pillow"}
"""Label maps are made by these: other versions could make other ones."""
ARRIVES = 5.0
"""Seconds that a file which a worker wrote may take until it is seen here."""


def connect(address: str, patience: float) -> Any:
    """A Dask client for the scheduler at `address`; raises Problem where there is no Dask, or no scheduler."""
    distributed = _distributed()
    try:
        # A client that gets no further than this would be closed for 10 s, and tell of it on the terminal.
        tls = distributed.Security().get_connection_args("client").get("ssl_context")
        if address.startswith("tls://") and not tls:
            raise Problem(
                f"The cluster's scheduler at {address} can't be reached: no certificate is named.",
                "Name authority, certificate and key in Dask's settings (distributed.comm.tls), as the scheduler does.",
            )
        return distributed.Client(address, timeout=patience, set_as_default=False, name="mseg-wizard")
    except (OSError, ValueError) as error:
        what = f"The cluster's scheduler at {address} can't be reached: {str(error) or type(error).__name__}"
        do = "Start it (`dask scheduler`), or correct --scheduler; this machine must be able to open that port."
        raise Problem(f"{what.rstrip('.')}.", do) from None


def hosts_of(client: Any, addresses: Sequence[str], patience: float) -> dict[str, str]:
    """The name of each worker's host, its address where it does not say."""
    names = _ask(client, patience, socket.gethostname, workers=list(addresses), on_error="return")
    return {address: name if isinstance(name := names.get(address), str) else address for address in addresses}


def unfit(
    client: Any, threads: Mapping[str, int], names: Mapping[str, str], folders: Sequence[Path], patience: float
) -> dict[str, Problem]:
    """Why workers can't be used, by their address; `threads`: the
    number that each of those asked about has, `names`: their hosts'.
    """
    addresses = list(threads)
    hosts = {address: f"The worker on {names[address]}" for address in addresses}
    versions = client.sync(client.get_versions, packages=list(PACKAGES), callback_timeout=patience)
    bad: dict[str, Problem] = {}
    for address, count in threads.items():
        theirs = versions["workers"].get(address)
        if not isinstance(theirs, dict) or "packages" not in theirs:
            bad[address] = Problem(f"{hosts[address]} doesn't answer.", "Look at its log, or stop it.")
        elif problem := _programs(hosts[address], versions["client"], theirs) or _threads(hosts[address], count):
            bad[address] = problem
    good = [address for address in addresses if address not in bad]
    return bad | (_disk(client, good, hosts, folders, patience) if good else {})


def _programs(worker: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Problem | None:
    """Is what is installed there the same as here?"""
    pythons = [".".join(str(side["host"]["python"]).split(".")[:2]) for side in (ours, theirs)]
    if pythons[0] != pythons[1]:
        return Problem(
            f"{worker} has Python {pythons[1]}, here it is {pythons[0]}.", "Use the same environment on all nodes."
        )
    for package, title in PACKAGES.items():
        here, there = ours["packages"].get(package), theirs["packages"].get(package)
        if here != there:
            what = f"{worker} has {title} {there or 'not installed'}, here it is {here or 'not installed'}."
            return Problem(what, "Use the same environment on all nodes.")
    return None


def _threads(worker: str, count: int) -> Problem | None:
    if count == 1:
        return None
    return Problem(
        f"{worker} has {count} threads.",
        "Start workers with --nthreads 1, and as many (--nworkers) as there are cores.",
    )


def _disk(
    client: Any, addresses: list[str], hosts: Mapping[str, str], folders: Sequence[Path], patience: float
) -> dict[str, Problem]:
    """Is the disk the same?

    Each worker reads a token that is written here, and what it answers is read here; both are removed.
    """
    bad: dict[str, Problem] = {}
    token = secrets.token_hex(16)
    with _tokens(token, folders) as files:
        names = [str(file) for file in files]
        answers = _ask(client, patience, dask_worker.exchange, token, names, workers=addresses, on_error="return")
        for address in addresses:
            worker, answer = hosts[address], answers.get(address)
            if isinstance(answer, ImportError):
                bad[address] = Problem(
                    f"{worker} can't load mseg-wizard: {answer}.", "Install it in the workers' environment too."
                )
            elif not isinstance(answer, list):
                bad[address] = Problem(f"{worker} could not answer: {answer!r}.", "Look at its log, or stop it.")
            else:
                for file, (complaint, name) in zip(files, answer, strict=True):
                    if problem := _shared(worker, file, complaint, name, token):
                        bad.setdefault(address, problem)
    return bad


def _shared(worker: str, file: Path, complaint: str, name: str, token: str) -> Problem | None:
    """What is wrong with one folder, as one worker sees it."""
    same = f"Mount the same disk under the same path on all nodes, and run the workers as the same user: {file.parent}"
    if complaint == UNSEEN:
        return Problem(f"{worker} doesn't see what is written here in {file.parent}.", same)
    if complaint:
        return Problem(f"{worker} can't write in {file.parent}: {complaint}.", same)
    answer = file.with_name(name)
    until = time.monotonic() + ARRIVES
    while True:
        with suppress(OSError):
            if answer.read_text() == token[::-1]:
                return None
        if time.monotonic() > until:
            return Problem(f"What {worker[0].lower()}{worker[1:]} writes in {file.parent} doesn't arrive here.", same)
        time.sleep(0.1)


@contextmanager
def _tokens(token: str, folders: Sequence[Path]) -> Iterator[list[Path]]:
    """A file with the token in each folder; removed at the end, with every answer."""
    files = [folder / f".cluster.{secrets.token_hex(8)}.tmp" for folder in folders]
    try:
        for file in files:
            file.write_text(token)
        yield files
    finally:
        for file in files:
            with suppress(OSError):
                for answer in file.parent.glob(f"{file.name.removesuffix('.tmp')}.*.tmp"):
                    answer.unlink(missing_ok=True)
                file.unlink(missing_ok=True)


def _ask(client: Any, patience: float, *args: Any, **options: Any) -> dict[str, Any]:
    """What each worker answers: its result, or the exception that it raised."""
    found: dict[str, Any] = client.sync(client.run, *args, callback_timeout=patience, **options)
    return found


def _distributed() -> Any:
    """Dask's client, silent: what it says goes to our log."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            distributed = importlib.import_module("distributed")
    except ImportError:
        what = "--scheduler needs Dask, which is not installed here."
        raise Problem(what, "Install it, here and on the nodes: pip install 'mseg-wizard[cluster]'") from None
    warnings.filterwarnings("ignore", module="distributed")
    for name in ("distributed", "bokeh", "tornado"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.ERROR)
    return distributed
