"""Bad raw files before remap and relabel: each is named, all others
are made, nothing claims to be complete, and mending is enough.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path

import pytest

from mseg_wizard.context import Context
from mseg_wizard.datasets.label_paths import mask_files
from mseg_wizard.engine import start
from mseg_wizard.practice.world import World
from mseg_wizard.progress import Problem
from mseg_wizard.step import Call
from mseg_wizard.tasks.registry import TASKS, load_steps
from mseg_wizard.tasks.remap import _rows
from tests.faults.counts import count
from tests.faults.spoils import ANNOTATION, MASK, MATRIX, PICTURE, Spoil
from tests.verification.finished import Finished, copy, make
from tests.wizard import tree_of

CALLS = {call.key: call for step in load_steps() for call in step.calls}
REMAPS = [key for key, call in CALLS.items() if call.task == "remap"]
RELABELS = [key for key, call in CALLS.items() if call.task == "relabel"]
KINDS = {"ids": PICTURE, "colors": PICTURE, "panoptic": PICTURE, "polygons": ANNOTATION, "mat": MATRIX}


@pytest.fixture(scope="module")
def unpacked(practice_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The open datasets downloaded and unpacked: PASCAL Context's .mat files are still there."""
    return make(practice_world.folder, tmp_path_factory, "download-open")


@pytest.fixture(scope="module")
def remapped(practice_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything but the relabelling."""
    return make(practice_world.folder, tmp_path_factory, "wilddash")


@pytest.fixture
def ctx(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Context]:
    """A copy of the stage that the test names, opened."""
    finished: Finished = copy(request.getfixturevalue(request.param), tmp_path)
    ctx = finished.opened()
    yield ctx
    ctx.close()


def spoil(ctx: Context, raws: list[str], kinds: Mapping[str, Spoil], first: int) -> dict[Path, bytes]:
    """Spoil all files but the last, each in another way, beginning
    with the way numbered `first`; returns what they held.
    """
    before = {}
    ways = cycle([*kinds][first % len(kinds) :] + [*kinds][: first % len(kinds)])
    for raw in raws[:-1]:
        path = ctx.dataset_folder / raw
        before[path] = path.read_bytes()
        bad = kinds[next(ways)](before[path])
        path.unlink()
        if bad is not None:
            path.write_bytes(bad)
        count("bad inputs tried")
    return before


def fails(ctx: Context, call: Call) -> Problem:
    with pytest.raises(Problem) as caught:
        list(start(ctx, call))
    assert call.key not in ctx.store.journal.finished
    return caught.value


def mend(before: Mapping[Path, bytes]) -> None:
    for path, data in before.items():
        path.write_bytes(data)


def check(
    ctx: Context, call: Call, problem: Problem, before: Mapping[Path, bytes], outputs: Mapping[Path, list[Path]]
) -> None:
    """Exactly the spoiled ones are named and not made; once they are mended, the rest is."""
    said = "\n".join(problem.items)
    assert [str(path) for path in outputs if str(path) in said] == [str(path) for path in outputs if path in before], (
        said
    )
    for path, made in outputs.items():
        assert [place.exists() for place in made] == [path not in before] * len(made), path
    assert not list(ctx.dataset_folder.rglob(".*.tmp"))
    mend(before)
    list(start(ctx, call))
    assert call.key in ctx.store.journal.finished


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 5, 10])
@pytest.mark.parametrize(
    ("ctx", "key"), [("unpacked" if "pascal" in key else "remapped", key) for key in REMAPS], indirect=["ctx"]
)
def test_a_bad_label_is_named_and_the_others_are_remapped(ctx: Context, key: str, first: int) -> None:
    call = CALLS[key]
    plan = dict(_rows(ctx, call.args))
    outputs = {
        ctx.dataset_folder / raw: [ctx.dataset_folder / output for output in row if output] for raw, row in plan.items()
    }
    expected = tree_of(ctx.dataset_folder)
    for path in (path for row in outputs.values() for path in row):
        path.unlink(missing_ok=True)
    before = spoil(ctx, list(plan), KINDS[call.args.reader], first)
    check(ctx, call, fails(ctx, call), before, outputs)
    if not call.args.consumes:
        assert tree_of(ctx.dataset_folder) == expected


@pytest.mark.parametrize("first", [0, 6])
@pytest.mark.parametrize(("ctx", "key"), [("remapped", key) for key in RELABELS], indirect=["ctx"])
def test_a_bad_mask_is_named_and_the_others_are_relabelled(ctx: Context, key: str, first: int) -> None:
    call = CALLS[key]
    taxonomy = call.needs[0]
    root, mask_of = ctx.tree.root(taxonomy), mask_files(ctx, call.args)
    rows, labels = {}, {}
    for split in ("train", "val"):
        for row, after in zip(
            ctx.tree.rows(taxonomy, split), ctx.tree.rows(f"{taxonomy}-relabeled", split), strict=True
        ):
            raw = f"{root}/{mask_of(row.image) or row.label}"
            rows[raw], labels[raw] = f"{root}/{after.label}", f"{ctx.dataset_folder}/{root}/{row.label}"
    list(start(ctx, call))
    expected = tree_of(ctx.dataset_folder)
    # Only images that records name are looked at by their masks: which ones, the first failure tells.
    for output in rows.values():
        (ctx.dataset_folder / output).unlink()
    before = {path: path.read_bytes() for path in (ctx.dataset_folder / raw for raw in rows)}
    for path in before:
        path.write_bytes(b"")
    said = "\n".join(fails(ctx, call).items)
    named = [raw for raw in rows if labels[raw] in said]
    assert named
    mend(before)
    for output in rows.values():
        (ctx.dataset_folder / output).unlink(missing_ok=True)
    raws = [*named, *(raw for raw in rows if raw not in named)][: len(named) + 1]
    kinds = ANNOTATION if raws[0].endswith(".json") else MASK if mask_of(row.image) else PICTURE
    before = spoil(
        ctx, raws, {way: how for way, how in kinds.items() if taxonomy != "ade20k-150" or way != "another size"}, first
    )
    said = "\n".join(fails(ctx, call).items)
    for raw, output in rows.items():
        bad = ctx.dataset_folder / raw in before
        assert (ctx.dataset_folder / output).exists() is not bad, f"{raw}: {said}"
        assert (labels[raw] in said) is bad, f"{raw}: {said}"
    mend(before)
    list(start(ctx, call))
    assert tree_of(ctx.dataset_folder) == expected


@pytest.mark.parametrize("ctx", ["remapped"], indirect=True)
def test_an_image_that_cocos_json_does_not_describe_is_named_and_the_others_are_made(ctx: Context) -> None:
    call = next(call for call in CALLS.values() if call.task == "remap" and call.args.reader == "panoptic")
    path = ctx.dataset_folder / "COCOPanoptic/annotations/panoptic_train2017.json"
    expected, right = tree_of(ctx.dataset_folder), path.read_bytes()
    table = json.loads(right)
    gone = Path(table["annotations"].pop(1)["file_name"])
    path.write_text(json.dumps(table))
    made = [*ctx.dataset_folder.glob("COCOPanoptic/semantic_annotations*/*/*.png")]
    for output in made:
        output.unlink()
    problem = fails(ctx, call)
    assert [item for item in problem.items if gone.name in item] == list(problem.items)
    assert problem.items
    assert [output.name for output in made if not output.exists()] == [gone.name] * 2
    count("bad inputs tried")
    mend({path: right})
    list(start(ctx, call))
    assert tree_of(ctx.dataset_folder) == expected


@pytest.mark.parametrize("bad", [b"", b"{}", b"[" * 200_000, b'{"annotations": [{"file_name": 3}]}', b"\xff\xfe"])
@pytest.mark.parametrize("ctx", ["remapped"], indirect=True)
def test_annotations_that_cannot_be_read_are_named_by_their_file(ctx: Context, bad: bytes) -> None:
    call = next(call for call in CALLS.values() if call.task == "remap" and call.args.reader == "panoptic")
    path = ctx.dataset_folder / "COCOPanoptic/annotations/panoptic_val2017.json"
    path.write_bytes(bad)
    next(ctx.dataset_folder.glob("COCOPanoptic/semantic_annotations133/val2017/*.png")).unlink()
    assert path.name in str(fails(ctx, call))
    assert TASKS[call.task].missing(ctx, *call.given)
    count("bad inputs tried")
