"""The kinds of tasks, by the names that steps/*.toml uses."""

from __future__ import annotations

from mseg_wizard.tasks.configure import CONFIGURE
from mseg_wizard.tasks.download import DOWNLOAD
from mseg_wizard.tasks.expect import EXPECT
from mseg_wizard.tasks.extract import EXTRACT
from mseg_wizard.tasks.folders import FOLDERS
from mseg_wizard.tasks.install import INSTALL
from mseg_wizard.tasks.relabel import RELABEL
from mseg_wizard.tasks.remap import REMAP
from mseg_wizard.tasks.report import REPORT
from mseg_wizard.tasks.space import SPACE
from mseg_wizard.tasks.task import Task
from mseg_wizard.tasks.tree import TREE
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
    "relabel": RELABEL,
    "verify": VERIFY,
    "report": REPORT,
    "folders": FOLDERS,
    "wipe": WIPE,
}
