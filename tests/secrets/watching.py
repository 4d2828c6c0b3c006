"""What the system shows of running processes to whoever asks: their
command lines, environments and limits, read while they live.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Seen:
    """Of one process tree: what was seen of each process."""

    wizard: int
    command_lines: dict[int, set[bytes]] = field(default_factory=dict)
    environments: dict[int, set[bytes]] = field(default_factory=dict)
    cores: dict[int, set[str]] = field(default_factory=dict)
    """Largest core files."""

    def look(self, mark: bytes) -> None:
        processes = {int(place.name): place for place in Path("/proc").glob("[0-9]*")}
        for pid, place in processes.items():
            try:
                environment = (place / "environ").read_bytes()
                if mark not in environment:
                    continue
                if pid != self.wizard:
                    self.environments.setdefault(pid, set()).add(environment)
                elif len(self.environments) > 0:  # it has begun to work: at its very start it has what it was given
                    self.environments.setdefault(pid, set()).add((place / "environ").read_bytes())
                    limits = (place / "limits").read_text().splitlines()
                    self.cores.setdefault(pid, set()).update(
                        line for line in limits if line.startswith("Max core file size")
                    )
                self.command_lines.setdefault(pid, set()).add((place / "cmdline").read_bytes())
            except OSError:  # it has ended
                continue


@contextmanager
def watched(wizard: int, mark: str) -> Iterator[Seen]:
    """Look again and again while the body runs."""
    seen, over = Seen(wizard), threading.Event()

    def watch() -> None:
        while not over.wait(0.03):
            seen.look(mark.encode())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
