"""The practice world's class tables: invented words in taxonomies that bear MSeg's names and sizes.

MSeg's own tables are not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

UNLABELED = "unlabeled"

SUBCLASSES: Mapping[str, tuple[str, ...]] = {
    "cart": ("hay_cart", "milk_cart"),
    "lantern": ("paper_lantern",),
    "kite": ("box_kite",),
}
"""Nouns that relabelling tells apart: the table sends each to
`<noun>_other`, records move single segments on to these.
"""

NOUNS = (
    *SUBCLASSES,
    "meadow",
    "harbour",
    "cloud",
    "cobbles",
    "orchard",
    "barn",
    "chimney",
    "dune",
    "ferry",
    "fountain",
    "gate",
    "haystack",
    "hedge",
    "hill",
    "ladder",
    "lake",
    "lighthouse",
    "loft",
    "marble",
    "mill",
    "moss",
    "oven",
    "pebble",
    "pier",
    "pillar",
    "pond",
    "quarry",
    "quilt",
    "raft",
    "reed",
    "ribbon",
    "rope",
    "saddle",
    "sail",
    "sand",
    "scarf",
    "shed",
    "shutter",
    "silo",
    "sled",
    "spade",
    "stable",
    "stile",
    "stream",
    "tent",
    "thatch",
    "tiles",
    "tower",
    "trellis",
    "trough",
    "turf",
    "valley",
    "veranda",
    "vine",
    "wagon",
    "well",
    "willow",
    "wool",
    "yarn",
)
ADJECTIVES = ("", "amber", "broad", "copper", "damp", "early", "faded", "gilded", "hollow")

TO_RAW: Mapping[str, str] = {
    "ade20k-150": "ade20k-151",
    "camvid-11": "camvid-32",
    "cityscapes-19": "cityscapes-34",
    "coco-panoptic-133": "coco-panoptic-201",
    "idd-39": "idd-40",
    "kitti-19": "kitti-34",
    "mapillary-public65": "mapillary-public66",
    "pascal-context-60": "pascal-context-460",
    "scannet-20": "scannet-41",
    "sunrgbd-37": "sunrgbd-38",
    "wilddash-19": "wilddash-34",
}
"""Taxonomy → the raw one that it is remapped from."""

RELABELED = (
    "ade20k-150",
    "bdd",
    "cityscapes-19",
    "cityscapes-34",
    "coco-panoptic-133",
    "idd-39",
    "mapillary-public65",
    "sunrgbd-37",
)

CLASS_SEGMENTS: Mapping[str, Mapping[str, int]] = {
    "bdd": {"cart": 11, "lantern": 12},
    "sunrgbd-37": {"cart": 4, "lantern": 11, "kite": 34},
}
"""Taxonomies in which a class as a whole is a segment: its id is
the one that MSeg's rules name, so the class has to stand there.
"""
_RAW_SIZE: Mapping[str, int] = {
    "ade20k-151": 151,
    "camvid-32": 32,
    "cityscapes-34": 34,
    "idd-40": 40,
    "kitti-34": 34,
    "mapillary-public66": 66,
    "pascal-context-460": 460,
    "scannet-41": 41,
    "sunrgbd-38": 38,
    "wilddash-34": 34,
}
_RAW_UNLABELED: Mapping[str, int | None] = {"camvid-32": None, "idd-40": 35, "mapillary-public66": 65}
"""Index of `unlabeled` in a raw taxonomy, where it is not 0."""
_COCO_STUFF = 92
"""COCO's category ids have holes, most of them among the stuff
above this id; the names file calls the holes `unlabeled`.
"""


def taxonomies() -> dict[str, list[str]]:
    """Every taxonomy's class names in the order of their ids."""
    names = {name: _target(name, int(name.rsplit("-", 1)[-1].removeprefix("public"))) for name in TO_RAW}
    names["bdd"] = _target("bdd", 19)
    names["voc2012"] = ["background", *_words(20)]
    for target, raw in TO_RAW.items():
        names[raw] = _coco_raw(names[target]) if raw == "coco-panoptic-201" else _raw(raw, names[target])
    names["coco-panoptic-inst-201"] = names["coco-panoptic-201"]
    for name in RELABELED:
        made = dict.fromkeys(relabeled(word) for word in names[name])
        names[f"{name}-relabeled"] = [
            *(word for word in made if word != UNLABELED),
            *(new for group in SUBCLASSES.values() for new in group),
        ]
    return names


def relabeled(word: str) -> str:
    """The class that the table X → X-relabeled gives to X's class `word`."""
    noun = word.split()[-1]
    return f"{noun}_other" if noun in SUBCLASSES else noun


def tables(names: Mapping[str, list[str]]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(from, to) → rows of the remapping file, as (class in from, class in to)."""
    rows = {}
    for target, raw in TO_RAW.items():
        other = "background" if target == "pascal-context-60" else UNLABELED
        kept = set(names[target])
        rows[raw, target] = [
            (word, word if word in kept else other) for word in dict.fromkeys([*names[raw], UNLABELED])
        ]
    for name in RELABELED:
        rows[name, f"{name}-relabeled"] = [(word, relabeled(word)) for word in dict.fromkeys([*names[name], UNLABELED])]
    return rows


def master(names: Mapping[str, list[str]]) -> list[list[str]]:
    """MSeg_master.tsv: header, one row per universal class, a last one for what has none.

    Several classes in a cell stand in braces.
    """
    raw = {*TO_RAW.values(), "coco-panoptic-inst-201"} - set(RELABELED)
    columns = [name for name in names if name not in raw]
    universal = [
        *(relabeled(noun) for noun in NOUNS),
        *(new for group in SUBCLASSES.values() for new in group),
        UNLABELED,
    ]
    rows = [["Parent Category", *columns, "universal", "Definition"]]
    for word in universal:
        row = [word.split("_")[-1]]
        for name in columns:
            cell = [had for had in names[name] if (had if name.endswith("-relabeled") else _universal(had)) == word]
            row.append("{" + ", ".join(cell) + "}" if len(cell) > 1 else "".join(cell))
        rows.append([*row, word, f"an invented class: {word}"])
    return rows


def _universal(word: str) -> str:
    return UNLABELED if word == "background" else relabeled(word)


def _words(count: int, turn: int = 0) -> list[str]:
    """`count` class names; the nouns that relabelling splits come
    first, the others turned so that taxonomies differ.
    """

    def endless() -> Iterator[str]:
        split = len(SUBCLASSES)
        others = NOUNS[split:]
        turned = others[turn % len(others) :] + others[: turn % len(others)]
        for adjective in ADJECTIVES:
            for noun in (*NOUNS[:split], *turned):
                yield f"{adjective} {noun}".strip()

    words = endless()
    return [next(words) for _ in range(count)]


def _target(name: str, size: int) -> list[str]:
    background = ["background"] if name == "pascal-context-60" else []
    words = background + _words(size - len(background), turn=7 * len(name))
    for word, place in CLASS_SEGMENTS.get(name, {}).items():
        at = words.index(word)
        words[at], words[place] = words[place], words[at]
    return words


def _raw(raw: str, target: list[str]) -> list[str]:
    """The target's classes and more, alphabetically, so that ids
    differ between the two; `unlabeled` at its own place.
    """
    place = _RAW_UNLABELED.get(raw, 0)
    kept = [word for word in target if word != "background"]
    count = _RAW_SIZE[raw] - (place is not None)
    more = (word for word in _words(len(NOUNS) * len(ADJECTIVES)) if word not in set(kept))
    words = sorted([*kept, *(next(more) for _ in range(count - len(kept)))])
    if place is not None:
        words.insert(place, "Unlabeled" if raw == "mapillary-public66" else UNLABELED)
    return words


def _coco_raw(target: list[str]) -> list[str]:
    """201 ids of which 133 are named: 80 things with few holes, then stuff with many."""
    named = sorted(set(range(1, _COCO_STUFF)) - set(range(12, _COCO_STUFF, 8)) - {_COCO_STUFF - 1})
    named += range(200 - (len(target) - len(named)) + 1, 201)
    words = [UNLABELED] * 201
    for place, word in zip(named, target, strict=True):
        words[place] = word
    return words
