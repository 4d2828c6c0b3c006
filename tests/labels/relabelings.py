"""How each taxonomy is relabelled, as the step files have it."""

from __future__ import annotations

from collections.abc import Mapping

from mseg_wizard.labels.relabeling import Relabeling
from mseg_wizard.tasks.registry import load_steps

RELABELINGS: Mapping[str, Relabeling] = {
    taxonomy: call.args
    for step in load_steps()
    for call in step.calls
    if call.task == "relabel"
    for taxonomy in call.needs
}
"""By its name before relabelling."""
