"""The kinds of tasks, by the names that steps/*.toml uses."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources.abc import Traversable

from mseg_wizard.answers.fields import check_field
from mseg_wizard.datasets.label_paths import recorded_masks
from mseg_wizard.datasets.universal import training_sets
from mseg_wizard.labels.relabeling import LABEL_ITSELF, Relabeling
from mseg_wizard.labels.remapping import Remapping
from mseg_wizard.labels.universal import NAME
from mseg_wizard.progress import Usage
from mseg_wizard.step import Archive, Call, Step
from mseg_wizard.step_files import load
from mseg_wizard.tasks.arguments import AgreementArguments, FoldersArguments, UniversalArguments
from mseg_wizard.tasks.task import Task, task_in

RELABELS = 'Add a [[tasks]] row with task = "relabel" that does.'

TASKS: dict[str, Task] = {
    "tree": task_in("tree"),
    "configure": task_in("configure"),
    "install": task_in("install", end=True),
    "space": task_in("space"),
    "expect": task_in("expect", arguments=Archive, network=True),
    "download": task_in("download", arguments=Archive, network=True),
    "extract": task_in("extract", arguments=Archive),
    "remap": task_in("remap", arguments=Remapping),
    "agreement": task_in("agreement", arguments=AgreementArguments),
    "relabel": task_in("relabel", arguments=Relabeling),
    "verify": task_in("verify"),
    "report": task_in("report"),
    "folders": task_in("folders", arguments=FoldersArguments),
    "wipe": task_in("wipe"),
    # of `mseg-wizard universal`, which is no step
    "universal": task_in("universal", arguments=UniversalArguments),
    "compare": task_in("universal", "compare"),
    "manifest": task_in("manifest"),
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


def universal_step(steps: Sequence[Step]) -> Step:
    """The work of `mseg-wizard universal`, in the form of a step; it is none of them, and has no number."""
    calls = [
        Call(f"{NAME}/universal/{one.taxonomy}", "universal", one.title, UniversalArguments(taxonomy=one.taxonomy))
        for one in training_sets(steps)
    ]
    calls += [
        Call(f"{NAME}/compare", "compare", "Compare each with what it is made of"),
        Call(f"{NAME}/manifest", "manifest", "Write lists, classes and README"),
        Call(f"{NAME}/report", "report", "Write the report again"),
    ]
    return Step(NAME, 0, "Universal labels", "", "", "", "", (), (), (), (), tuple(calls))


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
