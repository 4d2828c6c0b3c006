"""Single pixels of relabelled maps whose class is known beforehand: facts, independent of all our code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mseg_wizard.labels.records import ImageKey


class TargetedPixel(NamedTuple):
    """One pixel, and the class that it must show."""

    place: ImageKey
    segment: int
    """The relabelled segment that it lies in."""
    row: int
    column: int
    name: str
    """Of the class, in the relabelled taxonomy."""


def _table(*rows: tuple[str, str, str, int, int, int, str]) -> tuple[TargetedPixel, ...]:
    return tuple(TargetedPixel(ImageKey(split, folder, stem), *rest) for split, folder, stem, *rest in rows)  # type: ignore[arg-type]


# Source: the tests that MSeg's authors keep with their relabelling
# in the mseg-api repository. They looked at each of these by eye.
TARGETED: Mapping[str, tuple[TargetedPixel, ...]] = {
    "cityscapes-19": _table(
        ("train", "tubingen", "tubingen_000060_000019_leftImg8bit", 57, 474, 760, "bicycle"),
        ("train", "hamburg", "hamburg_000000_068916_leftImg8bit", 223, 353, 1181, "bicyclist"),
        ("train", "bremen", "bremen_000052_000019_leftImg8bit", 102, 403, 1048, "motorcyclist"),
        ("train", "aachen", "aachen_000014_000019_leftImg8bit", 84, 542, 531, "rider_other"),
        ("val", "frankfurt", "frankfurt_000001_038844_leftImg8bit", 82, 341, 649, "person"),
    ),
    "ade20k-150": _table(
        ("train", "training", "ADE_train_00016125", 113, 504, 200, "zebra"),
        ("train", "training", "ADE_train_00004036", 119, 195, 37, "nightstand"),
        ("val", "validation", "ADE_val_00001949", 134, 300, 478, "wine_glass"),
        ("train", "training", "ADE_train_00017384", 120, 398, 55, "bicyclist"),
        ("train", "training", "ADE_train_00017404", 215, 268, 373, "bicyclist"),
        ("val", "validation", "ADE_val_00001477", 157, 160, 234, "counter_other"),
        ("train", "training", "ADE_train_00001951", 185, 328, 508, "teddy_bear"),
    ),
    "bdd": _table(
        ("val", "val", "a91b7555-00000590", 12, 470, 888, "motorcyclist"),
        ("train", "train", "3516379e-43f6a6ba", 12, 410, 654, "bicyclist"),
        ("train", "train", "972ab49a-6a6eeaf5", 11, 396, 284, "motorcyclist"),
        ("train", "train", "8413f861-580b500d", 12, 416, 926, "person"),
        ("val", "val", "a706da19-14468d02", 11, 300, 1248, "person"),
        ("train", "train", "1ff92f74-697a077e", 11, 270, 946, "bicyclist"),
    ),
    "coco-panoptic-133": _table(
        ("train", "train2017", "000000091349", 3093585, 245, 396, "slow_wheeled_object"),
        ("train", "train2017", "000000016509", 9079654, 46, 133, "seat"),
        ("val", "val2017", "000000376310", 2631210, 418, 558, "bathroom_counter"),
        ("train", "train2017", "000000067208", 4211027, 83, 404, "bicyclist"),
        ("val", "val2017", "000000459634", 6904408, 299, 99, "motorcyclist"),
        ("val", "val2017", "000000438774", 5403260, 199, 341, "kitchen_island"),
    ),
    "idd-39": _table(
        ("train", "173", "318463_leftImg8bit", 50, 912, 1191, "backpack"),
        ("train", "158", "867833_leftImg8bit", 54, 510, 453, "bicyclist"),
        ("train", "173", "316862_leftImg8bit", 34, 752, 761, "box"),
        ("train", "98", "776293_leftImg8bit", 110, 502, 1101, "motorcyclist"),
        ("train", "1", "148425_leftImg8bit", 110, 458, 822, "person"),
        ("val", "181", "016419_leftImg8bit", 41, 365, 889, "bicyclist"),
        ("val", "148", "000690_leftImg8bit", 67, 591, 1013, "rider_other"),
    ),
    "sunrgbd-37": _table(
        ("train", "train", "img-000253", 4, 303, 463, "swivel_chair"),
        ("train", "train", "img-004239", 4, 190, 30, "door"),
        ("train", "train", "img-004930", 11, 429, 143, "desk"),
        ("train", "train", "img-002347", 11, 254, 34, "bathroom_counter"),
        ("val", "test", "img-002164", 11, 350, 483, "bathroom_counter"),
        ("train", "train", "img-004159", 34, 204, 284, "sconce"),
        ("train", "train", "img-001692", 34, 3, 459, "chandelier"),
        ("val", "test", "img-003192", 4, 300, 467, "armchair"),
    ),
    "mapillary-public65": _table(
        ("val", "labels", "EZJTbIpLNOfHnw3DvA1NEA", 7936, 1921, 3000, "sea"),
        ("train", "labels", "1fhI-qv6dVR-1Kc8Oafb3Q", 7936, 1059, 2663, "fountain"),
        ("train", "labels", "CH1TcYj0ki_kw3Yc3oOiZA", 258, 1724, 180, "horse"),
        ("val", "labels", "OkOJlU8l98KqPEE05dv1tA", 256, 1773, 886, "dog"),
    ),
}
"""Taxonomy, before relabelling → its pixels."""
