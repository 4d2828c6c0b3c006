"""The practice world's datasets behind a licence: BDD, Cityscapes, IDD, KITTI, Mapillary Vistas, ScanNet, WildDash."""

from __future__ import annotations

import json
from random import Random

import numpy as np

from mseg_wizard.practice.parts import DatasetContent, DatasetMaker, Segment
from mseg_wizard.practice.pixels import Pixels, Scene, colour, jpeg, palette, photo, png, render

_NOTE = b"Invented for practice with mseg-wizard; every use is allowed.\n"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_CITIES = ("anderswo", "irgendheim", "nirgendstadt")


def bdd(make: DatasetMaker) -> DatasetContent:
    """Label maps that are in MSeg's form already; some hold 255."""
    part = DatasetContent()
    members = part.archives["bdd100k_seg.zip"]
    for split in ("train", "val", "test"):
        for number in make.numbers(split):
            random = make.random("bdd", split, number)
            stem = f"{random.randbytes(4).hex()}-{random.randbytes(4).hex()}"
            scene = make.scene("bdd", split, number)
            members[f"bdd100k/seg/images/{split}/{stem}.jpg"] = jpeg(photo(random, scene))
            if split == "test":
                continue
            label = render(scene, make.ids("bdd", scene.things)).astype(np.uint8)
            label[-4:] = 255
            members[f"bdd100k/seg/labels/{split}/{stem}_train_id.png"] = png(label)
            members[f"bdd100k/seg/color_labels/{split}/{stem}_train_color.png"] = png(_coloured(scene, alpha=True))
            part.rows["bdd", split].append(f"seg/images/{split}/{stem}.jpg seg/labels/{split}/{stem}_train_id.png")
            part.segments += make.class_segments("bdd", "bdd", split, stem, scene)
    return part


def cityscapes(make: DatasetMaker) -> DatasetContent:
    """Two archives; polygons without ids, so that their place in the file is their id."""
    part = DatasetContent()
    labels, images = part.archives["gtFine_trainvaltest.zip"], part.archives["leftImg8bit_trainvaltest.zip"]
    for members in (labels, images):
        members["README"] = members["license.txt"] = _NOTE
    for split in ("train", "val", "test"):
        for number in make.numbers(split):
            city = _CITIES[number % 2] if split == "train" else _CITIES[2]
            stem = f"{city}_{number:06}_000019"
            scene = make.scene("cityscapes-34", split, number)
            ids = make.ids("cityscapes-34", scene.things)
            objects = [
                {"label": thing.word, "polygon": [[int(x), int(y)] for x, y in thing.polygon]} for thing in scene.things
            ]
            document = {"imgHeight": scene.height, "imgWidth": scene.width, "objects": objects}
            place = f"{split}/{city}/{stem}"
            images[f"leftImg8bit/{place}_leftImg8bit.png"] = png(photo(make.random("cityscapes", stem, split), scene))
            labels[f"gtFine/{place}_gtFine_polygons.json"] = json.dumps(document, indent=4).encode()
            labels[f"gtFine/{place}_gtFine_labelIds.png"] = png(render(scene, ids).astype(np.uint8))
            labels[f"gtFine/{place}_gtFine_instanceIds.png"] = png(_instances(scene, ids, 1000))
            labels[f"gtFine/{place}_gtFine_color.png"] = png(_coloured(scene, alpha=True))
            if split != "test":
                part.rows["cityscapes-34", split].append(
                    f"leftImg8bit/{place}_leftImg8bit.png gtFine/{place}_gtFine_labelIds.png"
                )
                part.segments += [
                    Segment("cityscapes", split, f"seq{city}_{stem}_leftImg8bit_{index}.jpg", old)
                    for index, old in make.to_relabel("cityscapes-19", scene).items()
                ]
    part.rows["cityscapes-34", "fine_val"] = list(part.rows["cityscapes-34", "val"])
    return part


def idd(make: DatasetMaker) -> DatasetContent:
    """Polygons only, no label maps; frame names repeat across sequences, and vertices are not whole numbers."""
    part = DatasetContent()
    members = part.archives["idd-segmentation.tar.gz"]
    for split, first in (("train", 11), ("val", 71), ("test", 91)):
        for number in make.numbers(split):
            sequence, frame = str(first + number), f"{(number + 1) // 2 * 111:06}"
            scene = make.scene("idd-40", split, number)
            image = f"IDD_Segmentation/leftImg8bit/{split}/{sequence}/{frame}_leftImg8bit.png"
            members[image] = png(photo(make.random("idd", sequence, frame), scene))
            listed = image.removeprefix("IDD_Segmentation/")
            if split == "test":
                part.rows["idd-40", split].append(listed)
                continue
            label = f"gtFine/{split}/{sequence}/{frame}_gtFine"
            members[f"IDD_Segmentation/{label}_polygons.json"] = json.dumps(
                _idd_polygons(make, scene), indent=1
            ).encode()
            part.rows["idd-40", split].append(f"{listed} {label}_labelids.png")
            part.segments += [
                Segment("idd", split, f"seq{sequence}_{frame}_leftImg8bit_{_idd_id(index)}.jpg", old)
                for index, old in make.to_relabel("idd-39", scene).items()
            ]
    return part


def kitti(make: DatasetMaker) -> DatasetContent:
    """Train and val share their folders; test has images only."""
    part = DatasetContent()
    members = part.archives["data_semantics.zip"]
    for split, first in (("train", 0), ("val", 100), ("test", 0)):
        for number in make.numbers(split):
            stem = f"{first + number:06}_10"
            scene = make.scene("kitti-34", split, number)
            folder = "testing" if split == "test" else "training"
            image = f"{folder}/image_2/{stem}.png"
            members[image] = png(photo(make.random("kitti", folder, stem), scene))
            if split == "test":
                part.rows["kitti-34", split].append(image)
                continue
            ids = make.ids("kitti-34", scene.things)
            members[f"training/instance/{stem}.png"] = png(_instances(scene, ids, 256))
            members[f"training/semantic/{stem}.png"] = png(render(scene, ids).astype(np.uint8))
            members[f"training/semantic_rgb/{stem}.png"] = png(_coloured(scene))
            part.rows["kitti-34", split].append(f"{image} training/semantic/{stem}.png")
    return part


def mapillary(make: DatasetMaker) -> DatasetContent:
    """Colour labels, as RGB or with a palette that is in no
    particular order, and 16-bit instances (class · 256 + n).
    """
    part = DatasetContent()
    members = part.archives["mapillary-vistas-dataset_public_v1.1.zip"]
    words = make.names["mapillary-public66"]
    colours = palette(words)
    members["README"] = members["LICENSE"] = _NOTE
    members["demo.py"] = b"# practice\n"
    members["config.json"] = json.dumps(
        {
            "labels": [
                {"name": f"practice--{word}", "readable": word, "color": triple}
                for word, triple in zip(words, colours, strict=True)
            ],
        }
    ).encode()
    for split, folder in (("train", "training"), ("val", "validation"), ("test", "testing")):
        described = []
        for number in make.numbers(split):
            random = make.random("mapillary", split, number)
            stem = _mapillary_key(random)
            scene = make.scene("mapillary-public66", split, number)
            members[f"{folder}/images/{stem}.jpg"] = jpeg(photo(random, scene))
            if split == "test":
                continue
            ids = make.ids("mapillary-public66", scene.things)
            order = random.sample(range(len(colours)), len(colours))
            shuffled = render(scene, [order.index(class_id) for class_id in ids]).astype(np.uint8)
            as_rgb = np.array(colours, np.uint8)[render(scene, ids)]
            members[f"{folder}/labels/{stem}.png"] = (
                png(as_rgb) if number % 3 == 0 else png(shuffled, [colours[index] for index in order])
            )
            members[f"{folder}/instances/{stem}.png"] = png(_instances(scene, ids, 256))
            members[f"{folder}/panoptic/{stem}.png"] = png(_coloured(scene))
            described.append({"image_id": stem, "file_name": f"{stem}.png", "segments_info": []})
            part.rows["mapillary-public66", split].append(f"{folder}/images/{stem}.jpg {folder}/labels/{stem}.png")
            values = _instance_values(ids, 256)
            part.segments += [
                Segment("mapillary", split, f"mapillary_{stem}_{values[index]}.jpg", old)
                for index, old in make.to_relabel("mapillary-public65", scene).items()
            ]
        if split != "test":
            members[f"{folder}/panoptic/panoptic_2018.json"] = json.dumps({"annotations": described}).encode()
    return part


def scannet(make: DatasetMaker) -> DatasetContent:
    """Frames of indoor scenes; the lists name test frames that the archive does not hold."""
    part = DatasetContent()
    members = part.archives["scannet_frames_25k.zip"]
    for split, first in (("train", 1), ("val", 301), ("test", 901)):
        for number in make.numbers(split):
            room, frame = f"scene{first + number // 2:04}_{number % 2:02}", f"{number * 100:06}"
            part.rows["scannet-41", split].append(f"{room}/color/{frame}.jpg {room}/label/{frame}.png")
            if split == "test":
                continue
            scene = make.scene("scannet-41", split, number)
            ids = make.ids("scannet-41", scene.things)
            inside = f"scannet_frames_25k/{room}"
            members[f"{inside}/color/{frame}.jpg"] = jpeg(photo(make.random("scannet", room), scene))
            members[f"{inside}/label/{frame}.png"] = png(render(scene, ids).astype(np.uint8))
            members[f"{inside}/depth/{frame}.png"] = png(render(scene, range(2000, 2000 + len(ids))).astype(np.uint16))
            members[f"{inside}/instance/{frame}.png"] = png(_instances(scene, ids, 1000))
            members[f"{inside}/pose/{frame}.txt"] = b"1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n"
            members[f"{inside}/intrinsics_color.txt"] = members[f"{inside}/intrinsics_depth.txt"] = b"1 0 0 0\n"
    part.rows["scannet-41", "val_small"] = part.rows["scannet-41", "val"][:1]
    return part


def wilddash(make: DatasetMaker) -> DatasetContent:
    """Two archives that bring some files twice; the train list is
    the val list sixteen times over, the test list images alone.
    """
    part = DatasetContent()
    both, labelled = part.archives["wd_both_01.zip"], part.archives["wd_val_01.zip"]
    for members in (both, labelled):
        members["authors.txt"] = members["license.txt"] = members["readme.txt"] = _NOTE
    for split, country in (("val", "aa"), ("test", "zz")):
        for number in make.numbers(split):
            stem = f"{country}{number:04}_100000"
            scene = make.scene("wilddash-34", split, number)
            image = png(photo(make.random("wilddash", stem), scene))
            both[f"wd_both_01/{stem}.png"] = image
            small = both[f"anonymized/{stem}.png"] = png(np.full((10, 15, 3), colour(stem), np.uint8))
            part.rows["wilddash-34", "test"].append(f"wd_both_01/{stem}.png")
            if split == "test":
                continue
            ids = make.ids("wilddash-34", scene.things)
            labelled[f"anonymized/{stem}.png"] = small
            labelled[f"wd_val_01/{stem}.png"] = image
            labelled[f"wd_val_01/{stem}_labelIds.png"] = png(render(scene, ids).astype(np.uint8))
            labelled[f"wd_val_01/{stem}_instanceIds.png"] = png(_instances(scene, ids, 1000))
            labelled[f"wd_val_01/{stem}_labelColors.png"] = png(_coloured(scene))
            part.rows["wilddash-34", "val"].append(f"wd_val_01/{stem}.png wd_val_01/{stem}_labelIds.png")
    part.rows["wilddash-34", "train"] = part.rows["wilddash-34", "val"] * 16
    return part


def _coloured(scene: Scene, alpha: bool = False) -> Pixels:
    table = np.array([(*colour(thing.word), 255) for thing in scene.things], np.uint8)
    return table[render(scene, range(len(scene.things)))][..., : 4 if alpha else 3]


def _instance_values(ids: list[int], step: int) -> list[int]:
    """class · step + n, n counting a class's things."""
    return [class_id * step + ids[:index].count(class_id) for index, class_id in enumerate(ids)]


def _instances(scene: Scene, ids: list[int], step: int) -> Pixels:
    return render(scene, _instance_values(ids, step)).astype(np.uint16)


def _idd_id(index: int) -> int:
    """Ids in IDD's files are neither places nor in order."""
    return 90 - 7 * index


def _idd_polygons(make: DatasetMaker, scene: Scene) -> dict[str, object]:
    def thing(object_id: int, label: str, polygon: object, deleted: int = 0) -> dict[str, object]:
        return {
            "id": object_id,
            "label": label,
            "polygon": polygon,
            "deleted": deleted,
            "draw": True,
            "user": "practice",
            "verified": 0,
        }

    objects = [
        thing(_idd_id(index), item.word, [[round(x, 1), round(y, 1)] for x, y in item.polygon])
        for index, item in enumerate(scene.things)
    ]
    word = make.names["idd-39"][-1]
    corner = [[0.5, 0.5], [6.5, 0.5], [6.5, 5.5], [0.5, 5.5]]
    objects += [
        thing(200, f"{word}group", corner),  # not a class, but its name without "group" is
        thing(201, word, [[1, 1], [8, 8]]),  # too few points to fill
        thing(202, word, corner, deleted=1),
    ]
    return {"imgHeight": scene.height, "imgWidth": scene.width, "objects": objects}


def _mapillary_key(random: Random) -> str:
    """22 characters that may hold `_` and `-`: here each holds both."""
    key = random.choices(_LETTERS, k=22)
    key[random.randrange(2, 10)], key[random.randrange(11, 20)] = "_", "-"
    return "".join(key)
