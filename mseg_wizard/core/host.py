"""What this machine is, its name, its boot, the cores this process may use; and which process this is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path


def name() -> str:
    """The host's name, as other hosts that share the disk would say it."""
    return socket.gethostname()


@cache
def boot_id() -> str:
    """Changes with every boot of this machine: tells a process that ended from one that a power cut took."""
    kernel = Path("/proc/sys/kernel/random/boot_id")
    if kernel.exists():
        return kernel.read_text().strip()
    if sys.platform == "darwin":
        return subprocess.run(
            ["sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, text=True, check=False
        ).stdout.strip()
    return "unknown"


@dataclass(frozen=True, slots=True)
class Process:
    """One process of one boot of one host: what owns a lock and signs what it says of itself."""

    host: str = ""
    pid: int = 0
    boot: str = ""
    start: str = ""
    """When it began, by the kernel's count: numbers of processes are used again."""


def this_process() -> Process:
    return Process(name(), os.getpid(), boot_id(), _start())


def _start() -> str:
    try:
        return Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def cores() -> int:
    """Cores that this process may use: affinity and container limits count, not what the machine has."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        limit = allowed if quota == "max" else max(1, int(quota) // int(period))
    except (OSError, ValueError):
        limit = allowed
    return max(1, min(allowed, limit))


def give_back_memory() -> None:
    """Have glibc give back to the system what was freed: it keeps most of it, a heap for each thread, until it ends."""
    if sys.platform.startswith("linux"):
        import ctypes  # few starts need it

        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
