"""A real Dask scheduler and real worker processes on this machine,
for tests, and a wire that notes what goes to the scheduler.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.conftest import ROOT
from tests.waiting import wait_until


class DaskCluster:
    """Started with Dask's own commands, each in a process group of its own; `close` ends them all."""

    def __init__(self, folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> None:
        """`options`: of the scheduler; `environment`: of it and of all workers."""
        self._folder, self._environment = folder, dict(environment or {})
        self._processes: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        self._start(
            "scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
            "--no-show",
            "--scheduler-file",
            str(file),
            *options,
        )
        wait_until(lambda: self._found(file))

    def worker(
        self, *options: str, nanny: bool = False, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start one worker process, with its nanny or without."""
        place = self._folder / f"worker-{len(self._processes)}"
        place.mkdir()
        words = [
            "--no-dashboard",
            "--local-directory",
            str(place),
            *(options or ("--nthreads", "1")),
            "--nanny" if nanny else "--no-nanny",
        ]
        return self._start("worker", self.address, *words, environment=environment, cwd=place)

    def _found(self, file: Path) -> bool:
        """Has the scheduler said where it is?"""
        with suppress(OSError, ValueError):
            self.address = str(json.loads(file.read_text())["address"])
            return True
        return False

    def close(self) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(
        self, command: str, *options: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        log = (self._folder / f"{len(self._processes)}-{command}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", command, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | self._environment | dict(environment or {}),
            cwd=cwd or self._folder,
        )
        log.close()
        self._processes.append(process)
        return process


class Wire:
    """Forwards connections to the scheduler; `sent` is all that went there."""

    def __init__(self, address: str) -> None:
        scheme, _, place = address.partition("://")
        host, _, port = place.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.sent = bytearray()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(self._target)
                threading.Thread(target=self._forward, args=(here, there, True), daemon=True).start()
                threading.Thread(target=self._forward, args=(there, here, False), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, noted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if noted:
                    self.sent += data
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
