"""PASCAL Context's .mat files → label maps: the one form that
its authors used is read directly, every other by scipy.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mseg_wizard.labels.codec import MAX_PIXELS, REPAIR, unreadable_label
from mseg_wizard.labels.png import Ids
from mseg_wizard.labels.readers.label_reader import LabelReader, LabelToRemap, RemapRecipe
from mseg_wizard.progress import Problem, printable

VARIABLE = "LabelMap"

_UINT8, _INT32, _UINT16, _UINT32, _INT8, _MATRIX, _COMPRESSED = 2, 5, 4, 6, 1, 14, 15
"""Types of the elements that a MATLAB 5 file is made of (MathWorks, "MAT-File Format")."""
_STORED = (1, 2, 3, 4, 5, 6, 7, 9, 12, 13)
_UINT16_CLASS = 11
_NUMBERS = range(6, 16)
_CLASSES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
"""scipy reads others too, and cells in cells until its stack is full."""


def read_mat(path: Path | str) -> NDArray[np.uint16]:
    """The variable `LabelMap`, (H, W) uint16."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise unreadable_label(path, error) from None
    variables = _inflated(path, data)
    found = _plain(variables[0]) if variables else None
    return _with_scipy(path) if found is None else found


def _inflated(path: Path | str, data: bytes) -> list[bytes]:
    """The variables of a version 5 file, uncompressed.

    Inflated here even where scipy reads them in the end: scipy doesn't look at the sum after the compressed bytes.
    """
    order = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}.get(data[124:128])
    # What is wrong with a file of version 4 keeps scipy busy for ever; 7.3 it can't read.
    if order is None or 0 in data[:4]:
        raise Problem(f"{path} is damaged or no .mat file of version 5.", REPAIR)
    variables = []
    at, left = 128, 2 * MAX_PIXELS + 1024
    while at < len(data):
        if at + 8 > len(data):
            raise Problem(f"{path} is cut short.", REPAIR)
        kind, size = struct.unpack_from(f"{order}II", data, at)
        content = data[at : at + 8 + size]
        if len(content) < 8 + size:
            raise Problem(f"{path} is cut short.", REPAIR)
        if kind == _COMPRESSED:
            inflate = zlib.decompressobj()
            try:
                # Bounded, all variables together, so that a small file can't fill the memory.
                content = inflate.decompress(content[8:], left)
            except zlib.error as error:
                raise Problem(f"{path} is damaged: {error}.", REPAIR) from None
            left -= len(content)
            if not inflate.eof or left <= 0:
                raise Problem(f"{path} is cut short or absurdly large.", REPAIR)
        if not _sound(content, order):
            raise Problem(f"{path} is damaged: a part of it is of a kind that there is not.", REPAIR)
        variables.append(content)
        at += 8 + size
    return variables


def _sound(content: bytes, order: str) -> bool:
    """Whether all parts of a matrix of numbers are of kinds that numbers
    have: scipy takes a kind for a place in its tables, unchecked.
    """
    if len(content) < 24 or struct.unpack_from(f"{order}I", content, 16)[0] & 0xFF not in _NUMBERS:
        return True
    at = 8
    while at + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, at)
        short, kind = kind >> 16, kind & 0xFFFF if kind >> 16 else kind
        if kind not in _STORED:
            return False
        at += 8 if short else 8 + size + -size % 8
    return True


def _plain(content: bytes) -> NDArray[np.uint16] | None:
    """A variable that is a plain uint16 matrix called `LabelMap`; None for anything else."""
    if len(content) < 64:
        return None
    head = struct.unpack_from("<II IIII IIii II", content)
    shape = head[8], head[9]
    expected = (_MATRIX, len(content) - 8, _UINT32, 8, _UINT16_CLASS, head[5], _INT32, 8, *shape, _INT8, len(VARIABLE))
    kind, size = struct.unpack_from("<II", content, 56)
    width = {_UINT8: 1, _UINT16: 2}.get(kind, 0)
    pixels = shape[0] * shape[1]
    if head != expected or content[48:56] != VARIABLE.encode() or min(shape) < 1 or pixels > MAX_PIXELS:
        return None
    if not width or size != pixels * width or 64 + size > len(content):
        return None
    # Columns first, as MATLAB has it.
    return np.ascontiguousarray(np.frombuffer(content, f"<u{width}", pixels, 64).reshape(shape[::-1]).T, np.uint16)


def _with_scipy(path: Path | str) -> NDArray[np.uint16]:
    # Here, because it takes 0.3 s of every worker's start and the published files never need it.
    from scipy.io import loadmat, whosmat

    try:
        found = [(shape, kind) for name, shape, kind in whosmat(str(path)) if name == VARIABLE]
        if not found:
            raise Problem(f"{path} has no variable {VARIABLE}.", REPAIR)
        for shape, kind in found:
            if len(shape) != 2 or min(shape) < 1 or shape[0] * shape[1] > MAX_PIXELS:
                raise Problem(f"{path}: {VARIABLE} has the shape {shape}.", REPAIR)
            if kind not in _CLASSES:
                raise Problem(f"{path}: {VARIABLE} holds {kind}, not the ids of classes.", REPAIR)
        pixels = np.asarray(loadmat(str(path), variable_names=[VARIABLE])[VARIABLE])
    except Problem:
        raise
    except Exception as error:  # scipy raises whatever it stumbles over: a damaged file is the one reason
        raise Problem(f"{path} is damaged or no .mat file: {printable(str(error), 200)}.", REPAIR) from None
    if pixels.dtype.kind not in "ui" or int(pixels.min()) < 0 or int(pixels.max()) > 65535:
        raise Problem(f"{path}: {VARIABLE} holds {pixels.dtype}, not the ids of classes.", REPAIR)
    return np.ascontiguousarray(pixels, np.uint16)


def _read(recipe: RemapRecipe, item: LabelToRemap) -> tuple[Ids, int]:
    return read_mat(item.source), 0


MAT = LabelReader("mat", _read, dump=True)
