"""Planted secrets, and the search for them in every form in
which text gets into files, screens, streams and processes.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.counts import count


def token(name: str) -> str:
    """Letters and digits that occur nowhere else, so that quoting, JSON and repr leave them as they are."""
    return f"zq7{name}w4x9k"


def needles(name: str) -> list[bytes]:
    """A token as text, in base64 wherever it begins in a longer text, as hexadecimal digits and as UTF-16."""
    plain = token(name).encode()
    encoded = []
    for before in range(3):
        text = base64.b64encode(bytes(before) + plain).rstrip(b"=")
        # The characters at the ends hold bits of their neighbours.
        encoded.append(text[(0, 2, 3)[before] : len(text) - 1])
    return [plain, *encoded, plain.hex().encode(), plain.decode().encode("utf-16-le")]


@dataclass
class Search:
    """Looks for the planted secrets; `found` says where which one is, and nothing else."""

    names: tuple[str, ...]
    found: list[str] = field(default_factory=list)
    places: int = 0

    def text(self, where: str, content: str | bytes, besides: Iterable[str] = ()) -> None:
        """Look at one text; `besides`: names that may be there, because the user put them there."""
        self.places += 1
        data = (content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content).lower()
        for name in self.names:
            if name not in besides and any(needle.lower() in data for needle in needles(name)):
                self.found.append(f"{name} in {where}")

    def folder(self, folder: Path, without: Iterable[Path] = ()) -> None:
        """Look at the names, the targets of links and the content of all that is below a folder."""
        left_out = set(without)
        for path in sorted(folder.rglob("*")):
            if path in left_out:
                continue
            self.text(f"the name of {path.name}", str(path.relative_to(folder)))
            if path.is_symlink():
                self.text(str(path), str(path.readlink()))
            elif path.is_file():
                self.text(str(path), path.read_bytes())

    def count(self) -> None:
        """Into the numbers of this test run."""
        count("places searched for secrets", self.places)
        count("secrets found", len(self.found))


def unescaped(raw: str) -> str:
    """What a terminal would show, in the order in which it came: without colours and moves of the cursor."""
    return re.sub(r"\x1b(\[[0-9;?<>=]*[ -/]*[@-~]|[()][0-9A-B])", "", raw)


def toml(answers: dict[str, dict[str, object]]) -> str:
    """An answers file: JSON's strings, numbers and lists are TOML's too."""
    tables = [
        (step, "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items()))
        for step, table in answers.items()
    ]
    return "\n".join(f"[{step}]\n{rows}" for step, rows in tables)
