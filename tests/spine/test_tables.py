"""CSV files as they are opened in spreadsheets: no cell is a formula, none breaks a line."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mseg_wizard.core.tables import write_csv


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1+1", " =1+1", "\r\n=1"])
def test_what_a_spreadsheet_would_compute_is_text(tmp_path: Path, text: str) -> None:
    write_csv(tmp_path / "t.csv", ("id", "name"), [(-1, text), (2, "road\x1b[31m\nline two")])
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1][0] == "-1", "a number stays one"
    assert rows[1][1].startswith("'")
    assert rows[2][1] == "road [31m line two"
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 3


def test_paths_stay_what_they_are(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ("path",), [("=a, b.png",)], exact=True)
    with (tmp_path / "t.csv").open(newline="") as file:
        assert list(csv.reader(file))[1] == ["=a, b.png"]
