"""The kinds of work, by the names that steps/*.toml uses."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from mseg_wizard.progress import Progress
from mseg_wizard.tasks import download, expect, extract, folders, install, relabel, remap, report, space, tree, verify, wipe_task


@dataclass(frozen=True)
class Task:
    """One kind of work: `run(ctx, **args)` does it, `missing(ctx, **args)` lists what is not there yet, cheaply."""

    run: Callable[..., Generator[Progress, None, None]]
    missing: Callable[..., list[str]]
    network: bool = False
    """It waits for the network or for people, and hardly computes: it may run beside one that does."""
    end: Callable[..., str] = lambda ctx, **args: "complete"
    """`end(ctx, **args)` says how it ended: what was not wanted was skipped, and is not called complete."""


TASKS = {
    "tree": Task(tree.tree, tree.tree_missing),
    "configure": Task(tree.configure, tree.configure_missing),
    "install": Task(install.install, install.install_missing, end=install.install_end),
    "space": Task(space.space, space.space_missing),
    "expect": Task(expect.expect, expect.expect_missing, network=True),
    "download": Task(download.download, download.download_missing, network=True),
    "extract": Task(extract.extract, extract.extract_missing),
    "remap": Task(remap.remap, remap.remap_missing),
    "relabel": Task(relabel.relabel, relabel.relabel_missing),
    "verify": Task(verify.verify, verify.verify_missing),
    "report": Task(report.report, report.report_missing),
    "folders": Task(folders.folders, folders.folders_missing),
    "wipe": Task(wipe_task.wipe, wipe_task.wipe_missing),
}
