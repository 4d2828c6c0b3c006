"""Label maps that the disk is to hold: what it doesn't take is told with its path."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from mseg_wizard.context import Context, Options
from mseg_wizard.datasets.label_maps import sync_outputs
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import Vault


def test_a_label_map_that_the_disk_does_not_take_is_told_by_its_path(tmp_path: Path) -> None:
    ctx = Context(load_steps(), Store(tmp_path), Vault("x", backend=None, environment={}), Options(workers=1))
    try:
        there = [f"f{number}/{name}.png" for number in range(3) for name in range(300)]
        for output in there:
            (ctx.dataset_folder / output).parent.mkdir(parents=True, exist_ok=True)
            (ctx.dataset_folder / output).touch()
        said = list(sync_outputs(ctx, lambda: [*there, "f0/vanished.png"]))
        assert (said[-1].done, said[-1].total) == (901, 901)
        assert {progress.unit for progress in said} >= {"files", "folders"}
        with pytest.raises(NotADirectoryError) as caught:
            list(sync_outputs(ctx, lambda: [*there, f"{there[0]}/inside.png"]))
        assert caught.value.errno == errno.ENOTDIR
        assert caught.value.filename == f"{ctx.dataset_folder}/{there[0]}/inside.png"
    finally:
        ctx.close()
