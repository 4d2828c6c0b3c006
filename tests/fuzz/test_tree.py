"""Class tables, lists and records that nobody at MSeg wrote:
every line is taken for what it says or named in a Problem.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mseg_wizard.datasets import mseg_config
from mseg_wizard.labels.records import image_keys, read_records, updates
from mseg_wizard.labels.taxonomy import RECORDS_FILE, MsegApiTree
from tests.fuzz.mutations import MEMORY, free, hostile, mutated, tried
from tests.labels.relabelings import RELABELINGS

DATA = "mseg/dataset_lists/bdd"
FILES = {
    f"{DATA}/bdd_names.txt": b"road\nunlabeled\nsky #1\n",
    f"{DATA}/bdd_colors.txt": b"1 2 3\r\n0 0 0\r\n255 255 255",
    f"{DATA}/list/train.txt": b"i/a b.jpg l/a b.png\ni/b.jpg\tl/b.png\ni/c.jpg\n",
    f"{DATA}-relabeled/bdd-relabeled_names.txt": b"road\nsky #1\n",
    f"{DATA}-relabeled/list/train.txt": b"i/s.jpg l/train/s.png\n",
    f"{DATA}-relabeled/list/val.txt": b"s.jpg s.png\n",
    "mseg/class_remapping_files/bdd_to_bdd-relabeled.tsv": (
        b"bdd\tbdd-relabeled\tmore\nroad\troad\nsky #1\tunlabeled\n\n"
    ),
    RECORDS_FILE: (
        b'# -*- coding: utf-8 -*-\nbdd_update_records = [\n    R("bdd", "train", "road", "sky #1", "x/f.txt"),\n]\n'
    ),
    "mseg/relabeled_data/x/f.txt": b"s_12.jpg\ns_3_7.png\n",
    mseg_config.CONFIG: b'import os\n\nMSEG_DST_DIR = "/a"  # \xc3\xa9\n',
}


def splits(tree: MsegApiTree) -> None:
    for split in ("train", "val"):
        for row in tree.unique_rows("bdd-relabeled", split):
            assert row.image and not row.image.startswith("/") and ".." not in row.image.split("/")
        image_keys(tree, "bdd-relabeled", split)


def table(tree: MsegApiTree) -> None:
    found = tree.table("bdd", "bdd-relabeled")
    assert found.values.dtype == np.uint8 and found.values.shape == found.unnamed.shape
    assert set(found.values.tolist()) <= {*range(len(tree.names("bdd-relabeled"))), 255}


def relabelled(tree: MsegApiTree) -> None:
    read_records(tree, RELABELINGS["bdd"].records)
    for place, segments in updates(tree, RELABELINGS["bdd"], "bdd").items():
        assert place.split in ("train", "val") and all(0 <= update.segment < 10**10 for update in segments)


def configured(tree: MsegApiTree) -> None:
    source = (tree.path / mseg_config.CONFIG).read_bytes()
    try:
        before = mseg_config.value(source)
        after = mseg_config.with_value(source, "/new é")
        assert mseg_config.value(after) == "/new é"
        assert len(after) - len(source) < 50 or before is None
    except mseg_config.Unset as unset:
        assert str(unset)


READS: tuple[Callable[[MsegApiTree], object], ...] = (
    lambda tree: tree.names("bdd"),
    lambda tree: tree.colors("bdd"),
    lambda tree: tree.rows("bdd", "train"),
    splits,
    table,
    relabelled,
    configured,
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        for file, content in FILES.items():
            Path(name, file).parent.mkdir(parents=True, exist_ok=True)
            Path(name, file).write_bytes(content)
        yield Path(name)


@pytest.mark.parametrize("file", sorted(FILES))
def test_a_tree_is_read_or_its_file_is_named(folder: Path, file: str) -> None:
    @given(st.one_of(mutated(FILES[file]), free()))
    @tried(80)
    def spoiled(data: bytes) -> None:
        (folder / file).write_bytes(data)
        for read in READS:
            with hostile():
                read(MsegApiTree(folder))

    try:
        spoiled()
    finally:
        (folder / file).write_bytes(FILES[file])
