"""The kinds of tasks, by the names that steps/*.toml uses."""

from __future__ import annotations

from importlib.resources.abc import Traversable

from mseg_wizard.answers.fields import check_field
from mseg_wizard.progress import Usage
from mseg_wizard.step import Step, load
from mseg_wizard.tasks.agreement import AGREEMENT
from mseg_wizard.tasks.configure import CONFIGURE
from mseg_wizard.tasks.download import DOWNLOAD
from mseg_wizard.tasks.expect import EXPECT
from mseg_wizard.tasks.extract import EXTRACT
from mseg_wizard.tasks.folders import FOLDERS
from mseg_wizard.tasks.install import INSTALL
from mseg_wizard.tasks.manifest import WRITE_MANIFEST
from mseg_wizard.tasks.relabel import RELABEL
from mseg_wizard.tasks.remap import REMAP
from mseg_wizard.tasks.report import REPORT
from mseg_wizard.tasks.space import SPACE
from mseg_wizard.tasks.task import Task
from mseg_wizard.tasks.tree import TREE
from mseg_wizard.tasks.universal import COMPARE, UNIVERSAL
from mseg_wizard.tasks.verify import VERIFY
from mseg_wizard.tasks.wipe import WIPE

TASKS: dict[str, Task] = {
    "tree": TREE,
    "configure": CONFIGURE,
    "install": INSTALL,
    "space": SPACE,
    "expect": EXPECT,
    "download": DOWNLOAD,
    "extract": EXTRACT,
    "remap": REMAP,
    "agreement": AGREEMENT,
    "relabel": RELABEL,
    "verify": VERIFY,
    "report": REPORT,
    "folders": FOLDERS,
    "wipe": WIPE,
    # of `mseg-wizard universal`, which is no step
    "universal": UNIVERSAL,
    "compare": COMPARE,
    "manifest": WRITE_MANIFEST,
}


def load_steps(folder: Traversable | None = None) -> tuple[Step, ...]:
    """The steps, checked whole before anything begins; raises Usage that names file, key and remedy."""
    steps = load(folder, {name: task.arguments for name, task in TASKS.items()}, check_field)
    known: set[str] = set()
    for step in steps:
        known |= {expected.taxonomy for archive in step.archives for expected in archive.holds}
        for call in step.calls:
            for taxonomy in call.needs:
                if taxonomy not in known:
                    file = f"{step.number:02}-{step.id}.toml"
                    raise Usage(
                        f"{file}: task {call.task}: taxonomy {taxonomy!r} is one that nothing before brings or makes.",
                        f"Use one of {', '.join(sorted(known)) or 'those that an archive holds'}.",
                    )
            known |= set(call.makes)
    return steps
