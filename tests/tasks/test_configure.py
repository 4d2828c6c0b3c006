"""Step 1, MSEG_DST_DIR: one value is written into MSeg's settings, and not a byte besides."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mseg_wizard.datasets import mseg_config
from mseg_wizard.progress import Problem
from mseg_wizard.state.journal import TreeRecord
from mseg_wizard.tasks.configure import configure, configure_missing
from tests.tasks.preparing import CONFIG, make_tree, opened, run

SOURCES = {
    "bare": b'MSEG_DST_DIR = ""\n',
    "without a last line end": b'MSEG_DST_DIR = ""',
    "windows line ends": (
        b'#!/usr/bin/python3\r\n# "x"\r\nMSEG_DST_DIR = ""  # set this\r\nif MSEG_DST_DIR == "":\r\n    A = 1\r\n'
    ),
    "old mac line ends": b'A = 1\rMSEG_DST_DIR = ""\rB = 2\r',
    "byte order mark": b'\xef\xbb\xbf# \xc3\xa9\nMSEG_DST_DIR = ""\n',
    "latin-1": b'# -*- coding: latin-1 -*-\nA = "\xe9"; MSEG_DST_DIR = ""; B = "\xe9"\n',
    "two strings, form feed": b'A = 1\x0c\nMSEG_DST_DIR = ("old"\n  "er")\nB = 2\n',
    "annotated": b"MSEG_DST_DIR: str = '/old'\n",
    "computed": b'import os\nMSEG_DST_DIR = os.environ["X"]\n',
}
ODD = ["with \"quotes\" and 'others'", "back\\slash", "blank and tab\t", "größe", "数据", "😀", "#{x}%s$HOME"]
PLACES = ["plain", *ODD, os.fsdecode(b"no-utf-8-\xff")]


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_only_the_value_changes(source: bytes) -> None:
    after = mseg_config.with_value(source, "/data/mseg")
    before, _, rest = after.partition(b'"/data/mseg"')
    assert source.startswith(before)
    assert source.endswith(rest)
    assert len(before) + len(rest) < len(source)
    assert mseg_config.value(after) == "/data/mseg"
    assert mseg_config.with_value(after, "/data/mseg") == after


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("name", PLACES, ids=ascii)
def test_whatever_the_folder_is_called_python_reads_it_back(source: bytes, name: str) -> None:
    assert mseg_config.value(mseg_config.with_value(source, f"/data/{name}")) == f"/data/{name}"


@pytest.mark.parametrize("name", PLACES, ids=ascii)
def test_a_real_python_finds_the_destination_there(tmp_path: Path, name: str) -> None:
    with opened(tmp_path / name) as ctx:
        ctx.store.keep_tree(TreeRecord(folder=str(make_tree(tmp_path / "tree"))))
        assert configure_missing(ctx)
        run(configure(ctx))
        assert configure_missing(ctx) == []
        code = (
            "import os, sys, runpy; sys.stdout.buffer.write(os.fsencode(runpy.run_path(sys.argv[1])['MSEG_DST_DIR']))"
        )
        said = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "tree" / CONFIG)], capture_output=True, check=True
        ).stdout
        assert said == os.fsencode(tmp_path / name)


def test_the_file_keeps_its_mode_and_a_second_run_does_not_write_it(tmp_path: Path) -> None:
    with opened(tmp_path / "d") as ctx:
        file = make_tree(tmp_path / "tree") / CONFIG
        ctx.store.keep_tree(TreeRecord(folder=str(tmp_path / "tree")))
        file.chmod(0o464)
        (file.parent / ".dataset_config.py.77.tmp").write_text("left by a killed run")
        run(configure(ctx))
        written = file.stat()
        assert written.st_mode & 0o777 == 0o464
        assert sorted(path.name for path in file.parent.iterdir()) == ["dataset_config.py"]
        run(configure(ctx))
        assert (file.stat().st_ino, file.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


def test_a_tree_configured_for_another_destination_is_configured_again(tmp_path: Path) -> None:
    with opened(tmp_path / "d") as ctx:
        make_tree(tmp_path / "tree", files={CONFIG: 'MSEG_DST_DIR = "/elsewhere"\n'})
        ctx.store.keep_tree(TreeRecord(folder=str(tmp_path / "tree")))
        assert configure_missing(ctx)
        run(configure(ctx))
        assert (tmp_path / "tree" / CONFIG).read_text() == f'MSEG_DST_DIR = "{tmp_path / "d"}"\n'


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("A = 1\n", "it has no line"),
        ("# MSEG_DST_DIR = ''\n", "it has no line"),
        ('MSEG_DST_DIR = ""\nMSEG_DST_DIR = "x"\n', "2 times"),
        ("MSEG_DST_DIR = \n", "not valid Python"),
        ('MSEG_DST_DIR = "\0"\n', "not valid Python"),
    ],
)
def test_settings_without_their_one_line_are_left_alone_and_named(tmp_path: Path, source: str, why: str) -> None:
    with opened(tmp_path / "d") as ctx:
        make_tree(tmp_path / "tree", files={CONFIG: source})
        ctx.store.keep_tree(TreeRecord(folder=str(tmp_path / "tree")))
        with pytest.raises(Problem, match=why) as caught:
            run(configure(ctx))
        assert CONFIG in caught.value.what
        assert (tmp_path / "tree" / CONFIG).read_text() == source
        assert configure_missing(ctx)
