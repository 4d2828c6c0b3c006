"""How long verification will take, on the real counts: played through with what an image of each dataset costs."""

from __future__ import annotations

import pytest

from mseg_wizard.datasets.dataset import datasets_in
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.verification.pace import VerificationPace
from tests.benchmarks.simulation import FULL, Machine, simulate

WORDS = {
    "ADE20K": "ADE20K", "Camvid": "CamVid", "COCOPanoptic": "COCO", "PASCAL_Context": "PASCAL Context",
    "SUNRGBD": "SUN", "Cityscapes": "Cityscapes", "IDD": "IDD", "KITTI": "KITTI", "BDD": "BDD",
    "MapillaryVistasPublic": "Mapillary", "ScanNet": "ScanNet", "WildDash": "WildDash",
}  # fmt: skip
"""Title of a dataset → how the simulation calls it."""


@pytest.mark.parametrize("cores", [2, 16])
@pytest.mark.parametrize("unchanged", [0.0, 0.9])
def test_after_a_minute_what_is_left_is_told_within_a_factor_of_two(cores: int, unchanged: float) -> None:
    now = 0.0
    datasets = datasets_in(load_steps())
    rows = {title: [row for row in FULL if row.dataset.startswith(word)] for title, word in WORDS.items()}
    took = {
        dataset.title: sum(simulate(row, Machine(cores)).wall for row in rows.get(dataset.title, ())) * (1 - unchanged)
        + 0.1
        for dataset in datasets
    }
    assert set(WORDS) <= set(took), "the names of datasets"
    pace, total, off = VerificationPace(datasets, lambda: now), sum(took.values()), []
    for dataset in datasets:
        pace.begin(dataset, 1000, round(1000 * unchanged))
        begun, checked = now, round(1000 * (1 - unchanged))
        for image in range(checked):
            now = begun + took[dataset.title] * image / checked
            left = pace.left(image)
            if now > 60 and total - now > 20 and not (left and 0.5 <= left / (total - now) <= 2):
                off.append(f"{dataset.title}, {now:.0f} s: {total - now:.0f} s, told {left}")
        now = begun + took[dataset.title]
        pace.end()
    assert not off, off[:: max(1, len(off) // 20)]


def test_where_nothing_needs_to_be_checked_again_nothing_is_told_to_be_left() -> None:
    now = 0.0
    datasets = datasets_in(load_steps())
    pace = VerificationPace(datasets, lambda: now)
    for number, dataset in enumerate(datasets[:3]):
        pace.begin(dataset, 1000, 999)
        now += 3
        left = pace.left(1)
        assert left is None or left < 100 * 3 / (number + 1)
        pace.end()
