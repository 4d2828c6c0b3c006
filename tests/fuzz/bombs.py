"""Small inputs that ask for much: each is read in a child with little memory and little time.

`python -m tests.fuzz.bombs FOLDER`.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import struct
import sys
import tarfile
import time
import traceback
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import httpx

from mseg_wizard.answers.base_url import check_base_url
from mseg_wizard.answers.file import read_answers
from mseg_wizard.archives.reader import members
from mseg_wizard.archives.unpack import unpack
from mseg_wizard.http import html_pages, login
from mseg_wizard.labels.codec import image_shape, read_colors, read_ids
from mseg_wizard.labels.readers.mat import read_mat
from mseg_wizard.labels.readers.polygons import rasterize
from mseg_wizard.labels.records import read_records
from mseg_wizard.labels.taxonomy import RECORDS_FILE, MsegApiTree
from mseg_wizard.progress import Problem
from mseg_wizard.state.journal import OWN
from mseg_wizard.state.journal_file import read_journal
from mseg_wizard.tasks.registry import load_steps
from tests.archives.damage import damage
from tests.archives.hostile import FILE, Part, end_of, zipped
from tests.labels.annotated import all_annotations
from tests.labels.png_files import chunk
from tests.labels.relabelings import RELABELINGS

MEMORY = 500 << 20
"""Bytes beyond what Python and its libraries take; the largest label maps are 100 megapixels."""
CPU = 40
"""Seconds, where each takes one or two: what grows with the square of the input would take hours."""
MANY = 510_000
BIG = 600 << 20

Case = tuple[Callable[[Path], object], Callable[[Path], object]]
"""What makes the input in a folder, and what reads it there."""


def cases() -> dict[str, Case]:
    """Those that must end with a Problem, and those (their names
    say so) that are harmless where they are read rightly.
    """
    steps = load_steps()
    scannet = next(step for step in steps if step.id == "scannet")
    return {
        "png of 65535 x 65535": (lambda at: put(at, png(65535, 65535)), lambda at: read_ids(at / "x")),
        "png of 10000 x 9999 in no rows": (lambda at: put(at, png(10000, 9999)), lambda at: read_ids(at / "x")),
        "png of 10000 x 9999 coloured, interlaced": (
            lambda at: put(at, png(10000, 9999, 2, 1)),
            lambda at: read_colors(at / "x"),
        ),
        "png with a bomb in its text, fine": (
            lambda at: put(at, png(1, 1, 0, 0, texts(), b"\0\0")),
            lambda at: read_ids(at / "x"),
        ),
        "image with a bomb in its text": (
            lambda at: put(at, png(1, 1, 0, 0, texts(), b"\0\0") + b"!"),
            lambda at: image_shape(f"{at}/x"),
        ),
        "image of 65535 x 65535": (lambda at: put(at, png(65535, 65535) + b"!"), lambda at: image_shape(f"{at}/x")),
        "matrix of many variables": (
            lambda at: put(at, matlab([b"\x0e\0\0\0" + bytes(150_000_000)] * 3)),
            lambda at: read_mat(at / "x"),
        ),
        "matrix, big-endian": (
            lambda at: put(at, matlab([bytes(BIG)], b"\x01\0MI", ">")),
            lambda at: read_mat(at / "x"),
        ),
        "polygons in polygons": (
            lambda at: put(at, b'{"x":' + b"[" * 10_000_000),
            lambda at: rasterize(at / "x", {}, 0),
        ),
        "polygons of 1e9 pixels": (lambda at: put(at, scene(10**5, [])), lambda at: rasterize(at / "x", {"a": 1}, 0)),
        "polygons that reach 1e9": (
            lambda at: put(at, scene(9, [[-1e9, 0], [1e9, 1e9], [0, 9]])),
            lambda at: rasterize(at / "x", {"a": 1}, 0),
        ),
        "polygons that reach 1e6, fine": (
            lambda at: put(at, scene(999, [[-1e6, -1e6], [1e6, 1e6], [0, 1e6]] * 999)),
            lambda at: rasterize(at / "x", {"a": 1}, 0),
        ),
        "annotations in annotations": (
            lambda at: put(at, b'{"annotations":[{"x":' + b'{"a":' * 5_000_000),
            lambda at: all_annotations(at / "x"),
        ),
        "a list without end": (
            lambda at: listed(at).symlink_to("/dev/zero"),
            lambda at: MsegApiTree(at).rows("bdd", "train"),
        ),
        "a list of one long line": (
            lambda at: listed(at).write_bytes(b"a\0" * 30_000_000),
            lambda at: MsegApiTree(at).rows("bdd", "train"),
        ),
        "records in records": (
            lambda at: put(at, b"bdd_update_records = " + b"-" * MANY, RECORDS_FILE),
            lambda at: read_records(MsegApiTree(at), RELABELINGS["bdd"].records),
        ),
        "records in brackets": (
            lambda at: put(at, b"bdd_update_records = " + b"[" * MANY, RECORDS_FILE),
            lambda at: read_records(MsegApiTree(at), RELABELINGS["bdd"].records),
        ),
        "zip of very many members": (lambda at: put(at, many()), lambda at: list(members(at / "x"))),
        "zip that promises an exabyte": (
            lambda at: put(at, zipped(Part(name="a", data=b"a", size=1 << 60, wide=True))),
            lambda at: end_of(unpack(at / "x", at / "to")),
        ),
        "tar.gz of a long file, fine": (
            lambda at: zipped_tar(at, [(header("a", b"0", BIG), BIG)]),
            lambda at: read_through(at),
        ),
        "tar.gz that never ends": (
            lambda at: zipped_tar(at, [(header("a", b"0", 1 << 60), BLOCK)]),
            lambda at: read_through(at),
        ),
        "tar.gz of headers alone, fine": (
            lambda at: zipped_tar(at, [(pax(number), 0) for number in range(900)]),
            lambda at: read_through(at),
        ),
        "tar.gz of short headers, fine": (lambda at: zipped_tar(at, [(pax(-1), 0)]), lambda at: read_through(at)),
        "tar.gz with a name of dots, fine": (
            lambda at: zipped_tar(
                at, [(header("a", b"L", BLOCK) + b"./" * (BLOCK // 2) + header("a", b"0", 0) + bytes(1024), 0)]
            ),
            lambda at: read_through(at),
        ),
        "gzip of nothing, often": (
            lambda at: put(at, gzip.compress(b"") * 100_000),
            lambda at: list(members(at / "x")),
        ),
        "page of comments, fine": (nothing, lambda at: html_pages.detect_page(b"<!---->" * 150_000 + b"x")),
        "page of titles, fine": (nothing, lambda at: html_pages.detect_page(b"<html>" + b"<title>" * 150_000)),
        "page of inputs, fine": (nothing, lambda at: html_pages.detect_page(b"<html>" + b"<input type " * 90_000)),
        "page of scripts, fine": (
            nothing,
            lambda at: [html_pages.untagged(part * 150_000) for part in ("<script", "<!--", "<", "<style>")],
        ),
        "page of forms, fine": (
            nothing,
            lambda at: [login._Forms.with_password(part * 150_000) for part in ("<form ", "<input", "<!", "&")],
        ),
        "page in a slow charset, fine": (
            nothing,
            lambda at: html_pages.text_of(b"a-" + b"b" * (1 << 20), "text/html; charset=punycode"),
        ),
        "page that inflates, fine": (
            lambda at: zipped_tar(at, [(b"", BIG)]),
            lambda at: html_pages.body([(at / "x").read_bytes()], {"content-encoding": "gzip"}),
        ),
        "script of quotes": (
            nothing,
            lambda at: check_base_url(scannet, scannet.field("base_url"), "BASE_URL='" * 100_000 + "\n"),
        ),
        "script of blanks": (
            nothing,
            lambda at: check_base_url(scannet, scannet.field("base_url"), "\nBASE_URL='" + " " * (1 << 20)),
        ),
        "date without end, fine": (
            nothing,
            lambda at: html_pages.wait_asked(httpx.Headers({"retry-after": "1 Jan " + "9" * 60_000})),
        ),
        "journal in a journal": (
            lambda at: put(at, b'{"a":' * 2_000_000, f"{OWN}/journal.json"),
            lambda at: read_journal(at),
        ),
        "answers in answers": (
            lambda at: put(at, b"a = " + b"[" * 2_000_000),
            lambda at: read_answers(at / "x", steps),
        ),
    }


BLOCK = 1 << 20


def nothing(at: Path) -> None:
    """It is made where it is read."""


def put(at: Path, data: bytes, name: str = "x") -> None:
    path = at / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def listed(at: Path) -> Path:
    path = at / "mseg/dataset_lists/bdd/list/train.txt"
    path.parent.mkdir(parents=True)
    return path


def png(width: int, height: int, color: int = 0, interlace: int = 0, extra: bytes = b"", rows: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, interlace)
    pixels = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + pixels


@cache
def texts() -> bytes:
    bomb = zlib.compress(bytes(BIG), 1)
    return chunk(b"zTXt", b"a\0\0" + bomb) + chunk(b"iCCP", b"a\0\0" + bomb) + chunk(b"iTXt", b"a\0\1\0\0\0" + bomb)


def matlab(variables: Iterable[bytes], mark: bytes = b"\0\x01IM", order: str = "<") -> bytes:
    packed = [zlib.compress(variable, 1) for variable in variables]
    return b"MATLAB 5.0".ljust(124) + mark + b"".join(struct.pack(f"{order}II", 15, len(one)) + one for one in packed)


def scene(size: int, polygon: list[list[float]]) -> bytes:
    return json.dumps({"imgHeight": size, "imgWidth": size, "objects": [{"label": "a", "polygon": polygon}]}).encode()


def many() -> bytes:
    start = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
    one = struct.pack("<4s6H3L5H2L", b"PK\1\2", 0x314, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, FILE, 0) + b"a"
    return (
        start
        + one * MANY
        + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, MANY & 0xFFFF, MANY & 0xFFFF, len(one) * MANY, len(start), 0)
    )


def header(name: str, kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def pax(number: int) -> bytes:
    """A header of 1 MiB that says something that no other says; -1: of a quarter of a million words."""
    text = b"4 =\n" * (BLOCK // 4) if number < 0 else b"1048576 %06d" % number + b"a" * (BLOCK - 16) + b"=\n"
    return header("a", b"x", len(text)) + text + bytes(-len(text) % 512)


def zipped_tar(at: Path, parts: Iterable[tuple[bytes, int]]) -> None:
    """Each part with so many zeros behind it."""
    with gzip.open(at / "x", "wb", 1) as file:
        for data, zeros in parts:
            file.write(data)
            for _ in range(zeros // BLOCK):
                file.write(bytes(BLOCK))
        file.write(bytes(1024))


def read_through(at: Path) -> None:
    if problem := damage(at / "x"):
        raise problem


def outcome(case: Case, at: Path) -> str:
    make, read = case
    make(at)
    texts.cache_clear()
    with open("/proc/self/statm") as file:  # noqa: PTH123
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    used = int(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (used + CPU, used + CPU))
    try:
        read(at)
    except Problem as problem:
        return f"Problem: {str(problem)[:300]}"
    except BaseException:
        return traceback.format_exc()[-2000:]
    return "read"


def main(folder: Path) -> None:
    """One child for each case, one line of JSON for each child: its name and what came of it."""
    for name, case in cases().items():
        at = folder / name.replace(" ", "-")
        at.mkdir()
        child = os.fork()
        if not child:
            (at / "outcome").write_text(outcome(case, at))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        said = (at / "outcome").read_text() if not status else f"ended by signal {status}"
        for file in at.rglob("*"):
            if file.is_file():
                file.unlink()
        print(json.dumps([name, said]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
