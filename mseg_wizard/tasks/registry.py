"""The kinds of tasks, by the names that steps/*.toml uses."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources.abc import Traversable

from mseg_wizard.answers.fields import check_field
from mseg_wizard.datasets.label_paths import recorded_masks
from mseg_wizard.labels.masks import LABEL_ITSELF
from mseg_wizard.labels.relabeling import Relabeling
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

RELABELS = 'Add a [[tasks]] row with task = "relabel" that does.'

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
    _check_relabelling(steps)
    known: set[str] = set()
    withdrawn: dict[str, Step] = {}
    for step in steps:
        withdrawn |= {held.taxonomy: step for archive in step.archives if archive.withdrawn for held in archive.holds}
        known |= {expected.taxonomy for archive in step.archives for expected in archive.holds}
        for call in step.calls:
            for taxonomy in call.needs:
                if taxonomy not in known:
                    what = f"taxonomy {taxonomy!r} is one that nothing before brings or makes"
                    raise Usage(
                        f"{_file(step)}: task {call.task}: {what}.",
                        f"Use one of {', '.join(sorted(known)) or 'those that an archive holds'}.",
                    )
                if (owner := withdrawn.get(taxonomy, step)) is not step:
                    raise Usage(
                        f"{_file(step)}: task {call.task}: {taxonomy!r} is of an archive that may be set aside.",
                        f"Take `withdrawn` out of step {owner.named}: what others are made from can't be done without.",
                    )
            known |= set(call.makes)
            withdrawn |= dict.fromkeys(call.makes, step) if set(call.needs) & withdrawn.keys() else {}
    return steps


def _check_relabelling(steps: Sequence[Step]) -> None:
    """What is held or compared for the sake of relabelling is relabelled, and its masks can be found."""
    relabels = [(step, call) for step in steps for call in step.calls if isinstance(call.args, Relabeling)]
    relabelled = sorted(taxonomy for _, call in relabels for taxonomy in call.needs)
    wanted = [
        (step, f"archive {archive.file}: holds", expected.taxonomy)
        for step in steps
        for archive in step.archives
        for expected in archive.holds
        if expected.column == "records"
    ]
    wanted += [
        (step, f"task {call.task}", call.args.taxonomy)
        for step in steps
        for call in step.calls
        if call.task == "agreement"
    ]
    for step, where, taxonomy in wanted:
        if taxonomy not in relabelled:
            what = f"{_file(step)}: {where}: no step relabels {taxonomy!r}."
            raise Usage(
                what, f"Use one of {', '.join(relabelled)}, or add a task that does." if relabelled else RELABELS
            )
    for step, call in relabels:
        if call.args.masks != LABEL_ITSELF and not call.args.mask and not recorded_masks(steps, call.args):
            what = f"{_file(step)}: task {call.task}: nothing says where the masks of {call.needs[0]!r} lie."
            raise Usage(what, "Add image and mask, or an archive that holds a file for each image of the records.")


def _file(step: Step) -> str:
    return f"{step.number:02}-{step.id}.toml"
