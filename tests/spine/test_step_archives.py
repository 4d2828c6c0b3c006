"""What the step files say of archives: how to tell them, what
comes out, what must be there; held against the golden kit.
"""

from __future__ import annotations

import ast
import csv
import io
import re
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from mseg_wizard.archives.layout import check_layout
from mseg_wizard.step import Archive, Call, ExpectedFiles
from mseg_wizard.tasks.registry import load_steps

STEPS = load_steps()
ARCHIVES = [archive for step in STEPS for archive in step.archives]
CALLS = [call for step in STEPS for call in step.calls]

FULL = {
    "ade20k-151": 22_210,
    "camvid-32": 701,
    "coco-panoptic-inst-201": 123_287,
    "pascal-context-460": 10_103,
    "sunrgbd-38": 5_760,
    "cityscapes-34": 3_475,
    "idd-40": 7_974,
    "kitti-34": 200,
    "mapillary-public66": 20_000,
    "scannet-41": 24_902,
    "wilddash-34": 70,
    "ade20k-150": 22_210,
    "bdd": 8_000,
    "cityscapes-19": 3_475,
    "coco-panoptic-133": 123_287,
    "idd-39": 7_974,
    "mapillary-public65": 20_000,
    "sunrgbd-37": 5_760,
}
"""Distinct label maps in MSeg's full-size lists (train and val, CamVid with test)."""
TESTS = {"idd-40": 2_029, "kitti-34": 200, "wilddash-34": 226}
"""Images in test lists that name no labels."""

RAW = (
    "ade20k-151",
    "camvid-32",
    "coco-panoptic-inst-201",
    "sunrgbd-38",
    "voc2012",
    "bdd",
    "cityscapes-34",
    "kitti-34",
    "mapillary-public66",
    "scannet-41",
    "wilddash-34",
    "idd-40",
    "pascal-context-460",
)
ROOTS = {
    "ade20k": "ADE20K/ADEChallengeData2016",
    "bdd": "BDD/bdd100k",
    "camvid": "Camvid",
    "cityscapes": "Cityscapes",
    "coco": "COCOPanoptic",
    "idd": "IDD/IDD_Segmentation",
    "kitti": "KITTI",
    "mapillary": "MapillaryVistasPublic",
    "pascal": "PASCAL_Context",
    "scannet": "ScanNet/scannet_frames_25k",
    "sunrgbd": "SUNRGBD",
    "voc2012": "PASCAL_VOC_2012",
    "wilddash": "WildDash",
}
"""Folder below mseg_dataset/ from which the rows of a taxonomy's lists count, by the first part of its name."""


def test_the_whole_takes_about_200_gb_and_1_3_million_files() -> None:
    archives = sum(archive.size * (1 + archive.expands) for archive in ARCHIVES)
    made = sum(_made(call) * call.each_bytes for call in CALLS)
    assert 10e9 < made < 15e9
    assert 190e9 < archives + made < 210e9
    assert 540_000 < sum(map(_made, CALLS)) < 570_000
    assert 1_250_000 < sum(archive.files for archive in ARCHIVES) + sum(map(_made, CALLS)) < 1_350_000


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda archive: archive.file)
def test_an_archive_can_be_told_and_estimated(archive: Archive) -> None:
    assert archive.layout and archive.take and archive.holds
    assert archive.size and archive.files and archive.rows
    for published, digits in ((archive.sha256, 64), (archive.sha1, 40), (archive.md5, 32)):
        assert re.fullmatch(rf"([0-9a-f]{{{digits}}})?", published)
    assert archive.urls or archive.login or archive.link_field
    full = sum(9_385 if held.column == "records" else _full(held, archive) for held in archive.holds)
    assert archive.rows == full


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda archive: archive.file)
def test_the_right_archive_passes_and_is_none_of_the_wrong_ones(archive: Archive, golden: Path) -> None:
    assert check_layout(golden / "mirror" / archive.file, archive.layout, archive.wrong) is None


@pytest.mark.parametrize(
    ("file", "names", "word"),
    [
        (
            "ADE20K_2016_07_26.zip",
            ["ADEChallengeData2016/annotations/training/ADE_train_00000001.png"],
            "Challenge",
        ),
        ("trainval.tar.gz", ["Annotations_Part/2008_000002.mat"], "PASCAL-Part"),
        ("panoptic_annotations_trainval2017.zip", ["annotations/instances_train2017.json"], "instance"),
        ("bdd100k_seg.zip", ["bdd100k/images/10k/train/0004a4c0-d4dff0ad.jpg"], "10K Images"),
        ("bdd100k_seg.zip", ["bdd100k/labels/sem_seg/masks/train/0004a4c0-d4dff0ad.png"], "Semantic Segmentation"),
        ("bdd100k_seg.zip", ["bdd100k/seg/images/train/0004a4c0-d4dff0ad.jpg"], "no labels"),
        ("gtFine_trainvaltest.zip", ["gtCoarse/train/aachen/aachen_000000_000019_gtCoarse_labelIds.png"], "coarse"),
        (
            "leftImg8bit_trainvaltest.zip",
            ["leftImg8bit/train_extra/erlangen/erlangen_000000_000000_leftImg8bit.png"],
            "coarse",
        ),
        ("idd-segmentation.tar.gz", ["idd20kII/leftImg8bit/train/0/frame0029_leftImg8bit.jpg"], "part II"),
        ("data_semantics.zip", ["training/disp_occ_0/000000_10.png"], "stereo"),
        ("mapillary-vistas-dataset_public_v1.1.zip", ["training/v2.0/labels/--NSVcUgfVhFd6uzkqHOOg.png"], "2.0"),
        ("scannet_frames_25k.zip", ["scannet_frames_test/scene0707_00/color/000000.jpg"], "test"),
        ("wd_both_01.zip", ["wd_bench_01/wd0048_100000.png"], "wd_bench_01"),
        ("wd_val_01.zip", ["panoptic.json", "images/aa_000000.jpg"], "WildDash 2"),
    ],
)
def test_a_file_that_people_take_for_the_right_one_is_refused_with_the_reason(
    file: str, names: list[str], word: str, tmp_path: Path
) -> None:
    archive = next(archive for archive in ARCHIVES if archive.file == file)
    with zipfile.ZipFile(tmp_path / file, "w") as zipped:
        for name in names:
            zipped.writestr(name, name)
    problem = check_layout(tmp_path / file, archive.layout, archive.wrong)
    assert problem and word in problem.what
    assert any(wrong.reason in problem.what for wrong in archive.wrong), "refused, but for no reason that helps"


@pytest.mark.parametrize(
    ("file", "md5", "word"),
    [
        ("trainval.tar.gz", "2fa0a19ee9b5e43b2bee520166111120", "PASCAL-Part"),
        ("bdd100k_seg.zip", "08f26aecceda982568063d3d5873378e", "10K Images"),
        ("bdd100k_seg.zip", "9a2968dde3345eeb689cffb1e26f9c78", "Semantic Segmentation"),
    ],
)
def test_a_wrong_file_whose_hash_is_known_is_refused_whatever_is_in_it(
    file: str, md5: str, word: str, golden: Path
) -> None:
    archive = next(archive for archive in ARCHIVES if archive.file == file)
    problem = check_layout(golden / "mirror" / file, archive.layout, archive.wrong, md5=md5)
    assert problem and word in problem.what


def test_reasons_end_the_sentence_that_they_are_put_into() -> None:
    for reason in [wrong.reason for archive in ARCHIVES for wrong in archive.wrong]:
        assert re.fullmatch(r"[a-z][ -~]+[^ .]", reason), reason


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda archive: archive.file)
def test_everything_that_an_archive_should_bring_is_in_it(archive: Archive, golden: Path) -> None:
    came = _came_out(archive, golden)
    held = {path for holding in archive.holds for path in _held(holding, archive, golden, came)}
    assert held
    assert held <= came
    assert {f"{archive.dataset}/{path}" for path in archive.also} <= came
    for prefix in [*archive.take, *archive.skip, *archive.shared]:
        here = any(name.startswith(prefix) for name in _members(golden / "mirror" / archive.file))
        assert here or prefix in ("__MACOSX/", "bdd100k_seg_2018/", "CHANGELOG"), prefix


@pytest.mark.parametrize("taxonomy", RAW)
def test_no_listed_file_is_left_unlooked_for(taxonomy: str, golden: Path) -> None:
    held = {
        path
        for archive in ARCHIVES
        for holding in archive.holds
        if holding.taxonomy == taxonomy
        for path in _held(holding, archive, golden, frozenset())
    }
    replaced = {"idd-40": ("_labelids.png", "_polygons.json"), "pascal-context-460": (".png", ".mat")}.get(taxonomy)
    for column in ("image", "label"):
        tested = taxonomy == "camvid-32" or (taxonomy in TESTS and column == "image")
        for path in _listed(golden, taxonomy, column, ("train", "val", *(["test"] if tested else []))):
            wanted = f"{_root(taxonomy)}/{path}"
            if column == "label" and replaced:
                wanted = wanted.replace(*replaced).replace("Segmentation_GT_460cls/", "trainval/")
            assert wanted in held


def test_what_comes_out_is_the_tree_that_msegs_own_scripts_leave(golden: Path) -> None:
    roles = dict(line.split("\t") for line in (golden / "expected_tree.txt").read_text().splitlines())
    with (golden / "expected.tsv").open(newline="") as table:
        made = {row["path"] for row in csv.DictReader(table, delimiter="\t") if row["origin"] == "made"}
    expected = {path for path, role in roles.items() if role != "leftover" and path not in made}
    came = frozenset[str]().union(*(_came_out(archive, golden) for archive in ARCHIVES))
    read_and_removed = {path for path in came if path.startswith("PASCAL_Context/trainval/")}
    assert expected - came == set()
    assert came - expected - read_and_removed == set()


def _made(call: Call) -> int:
    """Label maps that a call writes on the full data."""
    if call.task == "remap":
        return FULL[call.args.source] * len(call.makes)
    return sum(FULL[taxonomy] for taxonomy in call.needs) if call.task == "relabel" else 0


def _full(held: ExpectedFiles, archive: Archive) -> int:
    if held.taxonomy == "voc2012":
        return 12_031
    if held.splits == ("test",):
        return TESTS[held.taxonomy]
    if held.match:
        return 118_287 if "train2017" in held.match else 5_000
    return FULL[held.taxonomy] + (TESTS.get(held.taxonomy, 0) if "test" in held.splits else 0)


def _members(path: Path) -> dict[str, bytes]:
    """Regular files in an archive, with their content."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as zipped:
            return {item.filename: zipped.read(item) for item in zipped.infolist() if not item.is_dir()}
    with tarfile.open(path) as tarred:
        return {item.name: stream.read() for item in tarred if item.isfile() and (stream := tarred.extractfile(item))}


def _came_out(archive: Archive, golden: Path) -> frozenset[str]:
    """Paths below mseg_dataset/ of everything that extraction leaves of a golden archive."""
    nested = {item.file: item.into for item in archive.nested}
    paths = set()
    for name, content in _members(golden / "mirror" / archive.file).items():
        prefix = next((prefix for prefix in archive.take if name.startswith(prefix)), None)
        if prefix is None or name.startswith(archive.skip):
            continue
        if name in nested:
            inner = [item.filename for item in zipfile.ZipFile(io.BytesIO(content)).infolist() if not item.is_dir()]
            paths |= {nested[name] + item for item in inner if not item.startswith(archive.skip)}
        else:
            paths.add(archive.take[prefix] + name.removeprefix(prefix))
    return frozenset(f"{archive.dataset}/{path}" for path in paths)


def _root(taxonomy: str) -> str:
    return next(root for start, root in ROOTS.items() if taxonomy.startswith(start))


def _listed(golden: Path, taxonomy: str, column: str, splits: tuple[str, ...]) -> set[str]:
    folder = golden / "mirror/mseg-api/mseg/dataset_lists" / taxonomy / "list"
    rows = [line.split() for split in splits for line in (folder / f"{split}.txt").read_text().splitlines()]
    place = ("image", "label").index(column)
    return {row[place] for row in rows if len(row) > place}


def _held(holding: ExpectedFiles, archive: Archive, golden: Path, came: frozenset[str]) -> set[str]:
    """Paths below mseg_dataset/ that a holding asks for; for records, the path at which the file came out."""
    if holding.column == "records":
        by_name = {
            PurePosixPath(path).name: path for path in came if path.startswith(f"{archive.dataset}/{holding.folder}/")
        }
        return {
            by_name.get(stem + holding.suffix, f"nowhere: {stem}")
            for stem in _recorded(golden, "ade20k_update_records")
        }
    paths = {
        path for path in _listed(golden, holding.taxonomy, holding.column, holding.splits) if holding.match in path
    }
    for old, new in holding.replace.items():
        paths = {path.replace(old, new) for path in paths}
    return {f"{_root(holding.taxonomy)}/{path}" for path in paths}


def _recorded(golden: Path, table: str) -> set[str]:
    """Stems of the images that the records of one table name: line `<stem>_<segment>.<suffix>`."""
    api = golden / "mirror/mseg-api/mseg"
    module = ast.parse((api / "label_preparation/dataset_update_records.py").read_text())
    rows = next(
        node.value for node in module.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == table
    )
    files = re.findall(r"'([^']+\.txt)'", ast.unparse(rows))
    lines = [line.strip() for file in files for line in (api / "relabeled_data" / file).read_text().splitlines()]
    return {PurePosixPath(line).stem.rpartition("_")[0] for line in lines if line}
