"""The practice world's openly downloadable datasets: ADE20K,
CamVid, COCO Panoptic, PASCAL Context, PASCAL VOC, SUN RGB-D.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from mseg_wizard.practice.packing import make_archive
from mseg_wizard.practice.parts import DatasetContent, DatasetMaker, Segment
from mseg_wizard.practice.pixels import as_bytes, colour, jpeg, mat, palette, photo, png, render

_PLACES = ("b/bakery", "c/castle/outdoor", "o/orchard", "misc", "outliers/z")


def ade20k(make: DatasetMaker) -> DatasetContent:
    """Two archives of the same images: the challenge's label maps, and the full set's `_seg.png` in another size."""
    part = DatasetContent()
    full, challenge = part.archives["ADE20K_2016_07_26.zip"], part.archives["ADEChallengeData2016.zip"]
    full["ADE20K_2016_07_26/index_ade20k.mat"] = b"practice\n"
    challenge["ADEChallengeData2016/objectInfo150.txt"] = b"practice\n"
    challenge["ADEChallengeData2016/sceneCategories.txt"] = b"practice\n"
    for split, folder in (("train", "training"), ("val", "validation")):
        for number in make.numbers(split):
            stem = f"ADE_{split}_{number:08}"
            scene = make.scene("ade20k-151", split, number)
            random = make.random("ade20k", stem)
            ids = make.ids("ade20k-151", scene.things)
            challenge[f"ADEChallengeData2016/images/{folder}/{stem}.jpg"] = jpeg(
                photo(random, scene), grey=number % 4 == 2
            )
            challenge[f"ADEChallengeData2016/annotations/{folder}/{stem}.png"] = png(
                render(scene, ids).astype(np.uint8)
            )
            part.rows["ade20k-151", split].append(f"images/{folder}/{stem}.jpg annotations/{folder}/{stem}.png")

            scale = (1.5, 1.25, 2.0)[number % 3]
            inside = f"ADE20K_2016_07_26/images/{folder}/{_PLACES[number % len(_PLACES)]}/{stem}"
            instances = random.sample(range(1, 256), len(ids))
            # red and green tell the class, blue the instance
            packed = render(scene, [blue << 16 | code << 8 for code, blue in zip(ids, instances, strict=True)], scale)
            full[f"{inside}.jpg"] = jpeg(photo(random, scene, scale))
            full[f"{inside}_seg.png"] = png(as_bytes(packed))
            full[f"{inside}_parts_1.png"] = png(np.zeros((*packed.shape, 3), np.uint8))
            full[f"{inside}_atr.txt"] = b"001 # 0 # 0 # practice # practice #\n"
            part.segments += [
                Segment("ade20k", split, f"{stem}_{instances[index]}.png", old)
                for index, old in make.to_relabel("ade20k-150", scene).items()
            ]
    return part


def camvid(make: DatasetMaker) -> DatasetContent:
    """Photographs and colour-coded labels, both PNG; its test split has labels."""
    part = DatasetContent()
    stills, labels = part.archives["701_StillsRaw_full.zip"], part.archives["LabeledApproved_full.zip"]
    colours = np.array(palette(make.names["camvid-32"]), np.uint8)
    for split, drive in (("train", "0101PR"), ("val", "0102PR"), ("test", "Seq10XY_f")):
        for number in make.numbers(split):
            stem = f"{drive}_{number * 30:06}" if split != "test" else f"{drive}{number * 30:05}"
            scene = make.scene("camvid-32", split, number)
            stills[f"701_StillsRaw_full/{stem}.png"] = png(photo(make.random("camvid", stem), scene))
            labels[f"{stem}_L.png"] = png(colours[render(scene, make.ids("camvid-32", scene.things))])
            part.rows["camvid-32", split].append(f"701_StillsRaw_full/{stem}.png Labels32-RGB/{stem}_L.png")
    return part


def coco(make: DatasetMaker) -> DatasetContent:
    """Panoptic PNGs in zips inside a zip, beside the JSON that says what their ids mean."""
    part = DatasetContent()
    names = make.names["coco-panoptic-201"]
    categories = [
        {
            "id": place,
            "name": word,
            "supercategory": word.split()[-1],
            "isthing": int(place < 92),
            "color": colour(word),
        }
        for place, word in enumerate(names)
        if word != "unlabeled"
    ]
    annotations = part.archives["panoptic_annotations_trainval2017.zip"]
    for split, first in (("train", 1000), ("val", 500)):
        images, described, maps = [], [], {f"__MACOSX/._panoptic_{split}2017": b"practice\n"}
        for number in make.numbers(split):
            image_id = first + 37 * number
            stem = f"{image_id:012}"
            scene = make.scene("coco-panoptic-201", split, number)
            random = make.random("coco", stem)
            segment_ids = random.sample(range(1, 256), 2) + random.sample(
                range(1 << 16, 1 << 24), len(scene.things) - 2
            )
            packed = render(scene, segment_ids)
            part.archives[f"{split}2017.zip"][f"{split}2017/{stem}.jpg"] = jpeg(
                photo(random, scene), grey=number % 4 == 3
            )
            maps[f"panoptic_{split}2017/{stem}.png"] = png(as_bytes(packed))
            images.append(
                {"id": image_id, "file_name": f"{stem}.jpg", "width": scene.width, "height": scene.height, "license": 1}
            )
            described.append(
                {
                    "image_id": image_id,
                    "file_name": f"{stem}.png",
                    "segments_info": _segments_info(packed, segment_ids, make.ids("coco-panoptic-201", scene.things)),
                }
            )
            part.rows["coco-panoptic-inst-201", split].append(
                f"images/{split}2017/{stem}.jpg annotations/panoptic_{split}2017/{stem}.png"
            )
            part.segments += [
                Segment("cocop", split, f"{stem}_{segment_ids[index]}.png", old)
                for index, old in make.to_relabel("coco-panoptic-133", scene).items()
            ]
        document = {
            "info": {"description": "practice"},
            "images": images,
            "annotations": described,
            "categories": categories,
        }
        annotations[f"annotations/panoptic_{split}2017.json"] = json.dumps(document).encode()
        annotations[f"annotations/panoptic_{split}2017.zip"] = make_archive(".zip", maps)
    return part


def pascal_context(make: DatasetMaker) -> DatasetContent:
    """VOC 2010's photographs, and one .mat label map for each; the archives hold one image more than the lists."""
    part = DatasetContent()
    photos, labels = part.archives["VOCtrainval_03-May-2010.tar"], part.archives["trainval.tar.gz"]
    photos["VOCdevkit/VOC2010/ImageSets/Main/train.txt"] = b"\n"
    for split, year in (("train", 2008), ("val", 2009), ("test", 2010)):
        for number in make.numbers(split)[: 1 if split == "test" else None]:
            stem = f"{year}_{number * 7:06}"
            scene = make.scene("pascal-context-460", split, number)
            photos[f"VOCdevkit/VOC2010/JPEGImages/{stem}.jpg"] = jpeg(photo(make.random("pascal-context", stem), scene))
            photos[f"VOCdevkit/VOC2010/Annotations/{stem}.xml"] = b"<annotation/>\n"
            labels[f"trainval/{stem}.mat"] = mat(
                render(scene, make.ids("pascal-context-460", scene.things)).astype(np.uint16)
            )
            if split != "test":
                part.rows["pascal-context-460", split].append(
                    f"JPEGImages/{stem}.jpg Segmentation_GT_460cls/{stem}.png"
                )
    train, val = part.rows["pascal-context-460", "train"], part.rows["pascal-context-460", "val"]
    part.rows["pascal-context-460", "trainval"] = train + val
    train.append(train[0])  # MSeg's list ends with its first row again
    return part


def voc2012(make: DatasetMaker) -> DatasetContent:
    """VOC 2012's photographs, and label maps that are final already: grey or palette PNG, with 255 along borders."""
    part = DatasetContent()
    photos, labels = part.archives["VOCtrainval_11-May-2012.tar"], part.archives["SegmentationClassAug.zip"]
    photos["VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt"] = b"\n"
    colours = [(0, 0, 0), *palette(make.names["voc2012"])[1:]]
    colours += [(224, 224, 192)] * (256 - len(colours))
    for split, year in (("train", 2007), ("val", 2011)):
        for number in make.numbers(split):
            stem = f"{year}_{number * 9:06}"
            scene = make.scene("voc2012", split, number)
            label = render(scene, make.ids("voc2012", scene.things)).astype(np.uint8)
            label[scene.height // 2, :] = 255
            photos[f"VOCdevkit/VOC2012/JPEGImages/{stem}.jpg"] = jpeg(photo(make.random("voc", stem), scene))
            photos[f"VOCdevkit/VOC2012/Annotations/{stem}.xml"] = b"<annotation/>\n"
            photos[f"VOCdevkit/VOC2012/SegmentationClass/{stem}.png"] = png(label, colours)
            labels[f"SegmentationClassAug/{stem}.png"] = png(label, colours if number % 2 else ())
            part.rows["voc2012", split].append(f"JPEGImages/{stem}.jpg SegmentationClassAug/{stem}.png")
    labels["__MACOSX/._SegmentationClassAug"] = b"practice\n"
    part.rows["voc2012", "train_small"] = part.rows["voc2012", "train"][:1]
    return part


def sun_rgbd(make: DatasetMaker) -> DatasetContent:
    """Label maps of 38 classes in a folder called label37; numbers
    repeat between train and test; the list `val` is `test` on disk.
    """
    part = DatasetContent()
    members = part.archives["sun_rgbd.tgz"]
    for split, folder in (("train", "train"), ("val", "test")):
        for number in make.numbers(split):
            scene = make.scene("sunrgbd-38", split, number)
            random = make.random("sunrgbd", folder, number)
            members[f"image/{folder}/img-{number:06}.jpg"] = jpeg(photo(random, scene), grey=number % 5 == 4)
            members[f"label37/{folder}/{number:08}.png"] = png(
                render(scene, make.ids("sunrgbd-38", scene.things)).astype(np.uint8)
            )
            members[f"depth/{folder}/{number:08}.png"] = png(
                render(scene, range(1000, 1000 + len(scene.things))).astype(np.uint16)
            )
            part.rows["sunrgbd-38", split].append(
                f"image/{folder}/img-{number:06}.jpg label38/{folder}/{number:08}.png"
            )
            part.segments += make.class_segments("sunrgbd", "sunrgbd-37", split, f"img-{number:06}", scene)
    return part


def _segments_info(packed: NDArray[np.int32], ids: list[int], classes: list[int]) -> list[dict[str, object]]:
    info: list[dict[str, object]] = []
    for order, (segment, category) in enumerate(zip(ids, classes, strict=True)):
        rows, columns = np.nonzero(packed == segment)
        if rows.size:
            left, top = int(columns.min()), int(rows.min())
            box = [left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1]
            info.append(
                {
                    "id": segment,
                    "category_id": category,
                    "iscrowd": int(order == 5),
                    "area": int(rows.size),
                    "bbox": box,
                }
            )
    return info
