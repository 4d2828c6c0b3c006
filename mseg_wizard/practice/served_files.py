"""What the practice server can hand out: the files of a folder, and the mseg-api tree as a zip.

No protocol beyond ranges is here.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path

from mseg_wizard.practice.packing import make_archive

_TYPES = {".zip": "application/zip", ".tar": "application/x-tar", ".gz": "application/gzip", ".tgz": "application/gzip"}


@dataclass(frozen=True, slots=True)
class ServedFile:
    """An open file and what its headers say. The ETag is a strong one: it changes with the content."""

    file: BufferedReader | BytesIO
    size: int
    etag: str
    changed: float
    content_type: str


class ServedFiles:
    """A folder of archives, and an mseg-api tree."""

    def __init__(self, folder: Path, tree: Path) -> None:
        self._folder = folder
        self._tree = tree
        self._lock = threading.Lock()
        self._trees: dict[str, bytes] = {}

    def take(self, name: str) -> ServedFile | None:
        """The file of that name; `mseg-api….zip` is packed from the tree where there is no such file."""
        path, kind = self._folder / name, _TYPES.get(Path(name).suffix, "application/octet-stream")
        if name and "/" not in name and path.is_file():
            stat = path.stat()
            return ServedFile(
                path.open("rb"), stat.st_size, f'"{stat.st_size:x}-{stat.st_mtime_ns:x}"', stat.st_mtime, kind
            )
        if name.startswith("mseg-api") and name.endswith(".zip") and self._tree.is_dir():
            with self._lock:
                body = self._trees[name] = self._trees.get(name) or _zipped(self._tree, name.removesuffix(".zip"))
            return ServedFile(BytesIO(body), len(body), f'"{hashlib.sha256(body).hexdigest()[:32]}"', 0, kind)
        return None


def requested_range(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte that a Range header asks for, clipped to the file; first ≥ size where there is no such part.

    None where the whole is to be sent: no range, several, or nonsense.
    """
    unit, _, spec = header.partition("=")
    first, dash, last = spec.strip().partition("-")
    if unit.strip() != "bytes" or not dash or not _number(first) or not _number(last) or not (first or last):
        return None
    if not first:
        return (max(0, size - int(last)) if int(last) else size), size - 1
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last), size - 1) if last else size - 1


def _number(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit())


def _zipped(tree: Path, top: str) -> bytes:
    """A tree as GitHub packs it: everything below one folder that is named after the commit."""
    paths = sorted(path for path in tree.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return make_archive(".zip", {f"{top}/{path.relative_to(tree).as_posix()}": path.read_bytes() for path in paths})
