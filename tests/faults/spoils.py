"""Ways in which a raw file can be bad: each takes its right
bytes and gives wrong ones; None stands for no file at all.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

Spoil = Callable[[bytes], bytes | None]


def _flipped(at: float) -> Spoil:
    def spoil(data: bytes) -> bytes:
        place = int(len(data) * at)
        return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]

    return spoil


def _as(mode: str) -> Spoil:
    """The picture in a mode that no label of its kind has."""

    def spoil(data: bytes) -> bytes:
        with Image.open(io.BytesIO(data)) as image:
            image.convert("RGB").convert(mode).save(out := io.BytesIO(), "PNG")
        return out.getvalue()

    return spoil


def _wider(data: bytes) -> bytes:
    """A picture of another size."""
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image)
    Image.fromarray(np.concatenate([pixels, pixels[:, :3]], axis=1)).save(out := io.BytesIO(), "PNG")
    return out.getvalue()


def _vast(data: bytes) -> bytes:
    """A header, with the right checksum, that claims 100,000 × 100,000 pixels: 10 GB for whoever believes it."""
    header = b"IHDR" + struct.pack(">II", 100_000, 100_000) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def _polygons(change: Callable[[dict[str, object]], object]) -> Spoil:
    def spoil(data: bytes) -> bytes:
        table = json.loads(data)
        change(table)
        return json.dumps(table).encode()

    return spoil


def _corner(x: float) -> Callable[[dict[str, object]], object]:
    """One vertex of every object far away."""

    def change(table: dict[str, object]) -> None:
        for item in table["objects"]:  # type: ignore[attr-defined]
            item["polygon"][0] = [x, 5]

    return change


ANY: Mapping[str, Spoil] = {
    "empty": lambda _: b"",
    "gone": lambda _: None,
    "cut short": lambda data: data[: len(data) // 2],
    "a page instead": lambda _: b"<!DOCTYPE html><html><body>Please log in</body></html>",
    "zeros instead": lambda data: bytes(len(data)),
}
PICTURE = {
    **ANY,
    "a bit flipped early": _flipped(0.3),
    "a bit flipped late": _flipped(0.7),
    "a vast size": _vast,
    "colours with alpha": _as("RGBA"),
    "one bit deep": _as("1"),
}
ANNOTATION = {
    **ANY,
    "a vertex at 1e300": _polygons(_corner(1e300)),
    "a vertex at -3e9": _polygons(_corner(-3e9)),
    "no number": _polygons(_corner(float("nan"))),
    "infinity": _polygons(_corner(float("inf"))),
    "a vast size": _polygons(lambda table: table.update(imgHeight=10**9, imgWidth=10**9)),
    "no height": _polygons(lambda table: table.pop("imgHeight")),
    "a negative width": _polygons(lambda table: table.update(imgWidth=-1)),
    "no objects": _polygons(lambda table: table.pop("objects")),
    "nested without end": lambda _: b'{"objects":' + b"[" * 200_000,
}
MATRIX = {**ANY, "a bit flipped early": _flipped(0.3), "a bit flipped late": _flipped(0.7)}
MASK = {**PICTURE, "another size": _wider}
