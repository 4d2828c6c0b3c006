"""MSeg at its real size with tiny pixels: archives that hold what the lists of a full mseg-api tree name."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.io import savemat

from mseg_wizard.labels.taxonomy import SPLITS, MsegApiTree
from mseg_wizard.practice.world import World
from tests.benchmarks.full_lists import INVENTED, SIDE, Box, Dataset, Drawing, copy_tree, png

COCO_IMAGE = (
    '{"license": 3, "file_name": "%s.jpg", "coco_url": "http://images.cocodataset.org/train2017/%s.jpg", "height": %d, '
    '"width": %d, "date_captured": "2013-11-14 11:18:45", "flickr_url": '
    '"http://farm9.staticflickr.com/8186/8119368305_4e622c8349_z.jpg", "id": %d}'
)
COCO_SEGMENT = '{"id": %d, "category_id": %d, "iscrowd": 0, "bbox": [%d, %d, %d, %d], "area": %d}'


def make_full_world(folder: Path, full: Path, *, share: int = 1) -> World:
    """Write archives and tree below `folder`, by the tree `full`; of a `share` n only every n-th row of each list."""
    mirror = folder / "mirror"
    tree = mirror / "mseg-api"
    copy_tree(full, tree, share)
    with ProcessPoolExecutor(2, get_context("forkserver")) as pool:
        made = [pool.submit(_pack, tree, mirror, raw) for raw in DATASETS]
        archives = [name for done in made for name in done.result()]
    script = folder / "download-scannet.py"
    script.write_text("")
    return World(folder, mirror, tree, tuple(sorted(archives)), script, ())


class Packer:
    """Archives of one dataset, open at once."""

    def __init__(self, mirror: Path, ends: ExitStack) -> None:
        self.mirror, self._ends = mirror, ends
        self._open: dict[str, zipfile.ZipFile | tarfile.TarFile] = {}

    @property
    def names(self) -> list[str]:
        return [name for name in self._open if not name.startswith(".")]

    def add(self, archive: str, name: str, content: bytes) -> None:
        to = self.archive(archive)
        if isinstance(to, zipfile.ZipFile):
            to.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content)
        else:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), 1577836800
            to.addfile(entry, BytesIO(content))

    def archive(self, name: str) -> zipfile.ZipFile | tarfile.TarFile:
        if name not in self._open:
            path = self.mirror / name
            if name.endswith(".zip"):
                self._open[name] = self._ends.enter_context(zipfile.ZipFile(path, "w"))
            else:
                mode = "w" if name.endswith(".tar") else "w:gz"
                self._open[name] = self._ends.enter_context(tarfile.open(path, mode))  # type: ignore[call-overload]  # noqa: SIM115
        return self._open[name]


def _pack(tree: Path, mirror: Path, raw: str) -> list[str]:
    with ExitStack() as ends:
        packer = Packer(mirror, ends)
        DATASETS[raw](packer, Dataset(MsegApiTree(tree), raw))
    return packer.names


def _ade20k(to: Packer, dataset: Dataset) -> None:
    for image in dataset.images:
        to.add("ADEChallengeData2016.zip", f"ADEChallengeData2016/{image.image}", image.photo)
        to.add("ADEChallengeData2016.zip", f"ADEChallengeData2016/{image.label}", image.ids)
        inside = f"ADE20K_2016_07_26/{image.image.rpartition('/')[0]}/a/somewhere/{image.stem}"
        full = "ADE20K_2016_07_26.zip"
        blue = image.drawn((segment for segment, _ in image.segments), 0)
        to.add(full, f"{inside}.jpg", image.photo)
        to.add(full, f"{inside}_seg.png", png(np.dstack([blue * 0, blue * 0, blue])))
        to.add(full, f"{inside}_parts_1.png", image.photo)
        to.add(full, f"{inside}_atr.txt", b"\n")


def _camvid(to: Packer, dataset: Dataset) -> None:
    colour = dataset.tree.colors(dataset.raw)[0]
    for image in dataset.images:
        to.add("701_StillsRaw_full.zip", image.image, image.photo)
        pixels = np.full((image.height, image.width, 3), colour, np.uint8)
        to.add("LabeledApproved_full.zip", Path(str(image.label)).name, png(pixels))


def _coco(to: Packer, dataset: Dataset) -> None:
    annotations = "panoptic_annotations_trainval2017.zip"
    categories = ", ".join(
        f'{{"id": {id_}, "name": "{name}", "isthing": 1, "color": [1, 2, 3]}}' for id_, name in enumerate(dataset.names)
    )
    for split in SPLITS:
        inner, images, described = f".panoptic_{split}2017.zip", [], []
        plain: tuple[str, bytes] | None = None
        for image in dataset.images:
            if image.split != split:
                continue
            to.add(f"{split}2017.zip", image.image.removeprefix("images/"), image.photo)
            invented = image.segments[0][0] == INVENTED
            if not invented or not plain:
                rows, content = _segments_info(image), _panoptic(image)
                plain = plain or ((rows, content) if invented else None)
            else:
                rows, content = plain
            to.add(inner, str(image.label).removeprefix("annotations/"), content)
            images.append(COCO_IMAGE % (image.stem, image.stem, image.height, image.width, int(image.stem)))
            described.append(
                f'{{"segments_info": [{rows}], "file_name": "{image.stem}.png", "image_id": {int(image.stem)}}}'
            )
        to.add(
            annotations,
            f"annotations/panoptic_{split}2017.json",
            f'{{"info": {{}}, "images": [{", ".join(images)}], "annotations": [{", ".join(described)}], '
            f'"categories": [{categories}]}}'.encode(),
        )
        to.archive(inner).close()
        whole = to.archive(annotations)
        assert isinstance(whole, zipfile.ZipFile)
        whole.write(to.mirror / inner, f"annotations/panoptic_{split}2017.zip")
        (to.mirror / inner).unlink()


def _segments_info(image: Drawing) -> str:
    rows = zip(image.segments, image.boxes, strict=True)
    return ", ".join(
        COCO_SEGMENT % (segment, raw, left, top, right - left, bottom - top, 2 * SIDE)
        for (segment, raw), (left, top, right, bottom) in rows
    )


def _panoptic(image: Drawing) -> bytes:
    packed = image.drawn((segment for segment, _ in image.segments), 0, np.uint32)
    return png(np.ascontiguousarray(packed.view(np.uint8).reshape(image.height, image.width, 4)[:, :, :3]))


def _pascal_context(to: Packer, dataset: Dataset) -> None:
    stream = BytesIO()
    savemat(stream, {"LabelMap": np.full((SIDE, 2 * SIDE), 1, np.uint16)}, do_compression=True)
    for image in dataset.images:
        to.add("VOCtrainval_03-May-2010.tar", f"VOCdevkit/VOC2010/{image.image}", image.photo)
        to.add("VOCtrainval_03-May-2010.tar", f"VOCdevkit/VOC2010/Annotations/{image.stem}.xml", b"<annotation/>\n")
        to.add("trainval.tar.gz", f"trainval/{image.stem}.mat", stream.getvalue())


def _voc2012(to: Packer, dataset: Dataset) -> None:
    for image in dataset.images:
        to.add("VOCtrainval_11-May-2012.tar", f"VOCdevkit/VOC2012/{image.image}", image.photo)
        to.add("VOCtrainval_11-May-2012.tar", f"VOCdevkit/VOC2012/Annotations/{image.stem}.xml", b"<annotation/>\n")
        to.add("SegmentationClassAug.zip", str(image.label), image.ids)


def _sun_rgbd(to: Packer, dataset: Dataset) -> None:
    for image in dataset.images:
        label = str(image.label)
        to.add("sun_rgbd.tgz", image.image, image.photo)
        to.add("sun_rgbd.tgz", label.replace("label38/", "label37/"), image.ids)
        to.add("sun_rgbd.tgz", label.replace("label38/", "depth/"), image.photo)


def _bdd(to: Packer, dataset: Dataset) -> None:
    for image in dataset.images:
        label = str(image.label)
        to.add("bdd100k_seg.zip", f"bdd100k/{image.image}", image.photo)
        to.add("bdd100k_seg.zip", f"bdd100k/{label}", image.ids)
        to.add("bdd100k_seg.zip", f"bdd100k/{label.replace('/labels/', '/color_labels/')}", image.photo)


def _polygons(image: Drawing, names: tuple[str, ...], *, numbered: bool) -> bytes:
    """An object for each segment; where objects have no number their place is it."""

    def item(id_: int, raw: int, box: Box) -> str:
        left, top, right, bottom = box[0], box[1], box[2] - 1, box[3] - 1
        number = f'"id": {id_}, "deleted": 0, ' if numbered else ""
        corners = f"[[{left}, {top}], [{right}, {top}], [{right}, {bottom}], [{left}, {bottom}]]"
        return f'{{{number}"label": "{names[raw]}", "polygon": {corners}}}'

    whole = (0, 0, image.width, image.height)
    drawn = {segment: (raw, box) for (segment, raw), box in zip(image.segments, image.boxes, strict=True)}
    if numbered:
        rows = [item(100_000, image.background, whole)]
        rows += [item(segment, raw, box) for segment, (raw, box) in drawn.items()]
    else:
        last = max(drawn, default=0)
        rows = [item(0, *drawn.get(number, (image.background, whole))) for number in range(last + 1)]
    return f'{{"imgHeight": {image.height}, "imgWidth": {image.width}, "objects": [{", ".join(rows)}]}}'.encode()


def _cityscapes(to: Packer, dataset: Dataset) -> None:
    for image in dataset.images:
        to.add("leftImg8bit_trainvaltest.zip", image.image, image.photo)
        start = str(image.label).removesuffix("labelIds.png")
        to.add("gtFine_trainvaltest.zip", str(image.label), image.ids)
        to.add("gtFine_trainvaltest.zip", f"{start}polygons.json", _polygons(image, dataset.names, numbered=False))
        to.add("gtFine_trainvaltest.zip", f"{start}instanceIds.png", image.photo)
        to.add("gtFine_trainvaltest.zip", f"{start}color.png", image.photo)


def _idd(to: Packer, dataset: Dataset) -> None:
    for image in dataset.images:
        to.add("idd-segmentation.tar.gz", f"IDD_Segmentation/{image.image}", image.photo)
        if image.label:
            name = f"IDD_Segmentation/{image.label.replace('_labelids.png', '_polygons.json')}"
            to.add("idd-segmentation.tar.gz", name, _polygons(image, dataset.names, numbered=True))


def _kitti(to: Packer, dataset: Dataset) -> None:
    for image in dataset.images:
        to.add("data_semantics.zip", image.image, image.photo)
        if image.label:
            for kind, content in (("semantic", image.ids), ("instance", image.photo), ("semantic_rgb", image.photo)):
                to.add("data_semantics.zip", image.label.replace("/semantic/", f"/{kind}/"), content)


def _mapillary(to: Packer, dataset: Dataset) -> None:
    colours = dataset.tree.colors(dataset.raw)
    name = "mapillary-vistas-dataset_public_v1.1.zip"
    for image in dataset.images:
        label = str(image.label)
        raw = image.drawn((raw for _, raw in image.segments), image.background)
        to.add(name, image.image, image.photo)
        to.add(name, label, png(colours[raw]))
        numbers = image.drawn((segment for segment, _ in image.segments), 0, np.uint16)
        to.add(name, label.replace("/labels/", "/instances/"), png(numbers))
        to.add(name, label.replace("/labels/", "/panoptic/"), image.photo)


def _scannet(to: Packer, dataset: Dataset) -> None:
    name = "scannet_frames_25k.zip"
    for image in dataset.images:
        if image.split == "test" or not image.label:
            continue
        to.add(name, f"scannet_frames_25k/{image.image}", image.photo)
        to.add(name, f"scannet_frames_25k/{image.label}", image.ids)
        for kind in ("depth", "instance"):
            to.add(name, f"scannet_frames_25k/{image.label.replace('/label/', f'/{kind}/')}", image.photo)
        pose = image.label.replace("/label/", "/pose/").replace(".png", ".txt")
        to.add(name, f"scannet_frames_25k/{pose}", b"1 0 0 0\n")


def _wilddash(to: Packer, dataset: Dataset) -> None:
    for image in dataset.images:
        if not image.label:
            to.add("wd_both_01.zip", image.image, image.photo)
            continue
        to.add("wd_val_01.zip", image.image, image.photo)
        to.add("wd_val_01.zip", image.label, image.ids)
        to.add("wd_val_01.zip", image.label.replace("labelIds", "labelColors"), image.photo)


DATASETS: Mapping[str, Callable[[Packer, Dataset], None]] = {
    "coco-panoptic-inst-201": _coco,
    "ade20k-151": _ade20k,
    "scannet-41": _scannet,
    "mapillary-public66": _mapillary,
    "pascal-context-460": _pascal_context,
    "voc2012": _voc2012,
    "sunrgbd-38": _sun_rgbd,
    "idd-40": _idd,
    "bdd": _bdd,
    "cityscapes-34": _cityscapes,
    "camvid-32": _camvid,
    "kitti-34": _kitti,
    "wilddash-34": _wilddash,
}
"""Raw taxonomy → what packs it: the longest first."""
