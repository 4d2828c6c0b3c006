"""What this machine is: its name, its boot, the cores this process may use."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
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


def cores() -> int:
    """Cores that this process may use: affinity and container limits count, not what the machine has."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        limit = allowed if quota == "max" else max(1, int(quota) // int(period))
    except (OSError, ValueError):
        limit = allowed
    return max(1, min(allowed, limit))
