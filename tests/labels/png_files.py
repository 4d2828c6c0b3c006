"""PNG files of every kind, written byte by byte or by Pillow: what label code must read is not made with label code."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    samples: NDArray[np.generic],
    color: int,
    depth: int,
    *,
    palette: NDArray[np.uint8] | None = None,
    extra: bytes = b"",
    parts: int = 1,
) -> bytes:
    """A PNG of (H, W) or (H, W, channels) samples; `extra` are
    chunks before the pixels, which come in `parts` chunks.
    """
    rows = samples.reshape(samples.shape[0], -1)
    if depth < 8:
        bits = np.unpackbits(rows.astype(np.uint8)[:, :, None], axis=2)[:, :, 8 - depth :]
        rows = np.packbits(bits.reshape(len(rows), -1), axis=1)
    raw = b"".join(b"\0" + row.astype(">u2" if depth == 16 else "u1").tobytes() for row in rows)
    data = zlib.compress(raw)
    head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], depth, color, 0, 0, 0)
    pixels = b"".join(
        chunk(b"IDAT", data[len(data) * part // parts : len(data) * (part + 1) // parts]) for part in range(parts)
    )
    colors = b"" if palette is None else chunk(b"PLTE", palette.tobytes())
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + colors + extra + pixels + chunk(b"IEND", b"")


def write_png(
    path: Path,
    samples: NDArray[np.generic],
    color: int = GREY,
    depth: int = 8,
    *,
    palette: NDArray[np.uint8] | None = None,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(samples, color, depth, palette=palette))
    return path
