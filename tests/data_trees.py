"""Small trees of images in the layouts of published data sets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

#: What a synset of the development kit of ImageNet says; the fifth entry, as other readers expect, counts children.
SYNSET = ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children", "wordnet_height", "num_train_images")


def write_image(path: Path, *seed: int, side: int = 8) -> None:
    """Write a JPEG of 4 x 4 coloured blocks that the seed decides; it is not square."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(blocks.repeat(side // 4, 0).repeat(side // 2, 1)).save(path, format="JPEG")


def write_imagenet(root: Path, ground_truth: Sequence[str], *, flat: bool = False, wnids: Sequence[str] = ()) -> Path:
    """Write the validation split of ImageNet below `root`: image number i + 1 shows the class `truth[i]`.

    The flat layout comes with a development kit, whose classes are `wnids`, or those of the images.
    """
    for number, wnid in enumerate(ground_truth, start=1):
        folder = root / "val" if flat else root / "val" / wnid
        write_image(folder / f"ILSVRC2012_val_{number:08d}.JPEG", number)
    if flat:
        write_devkit(root / "ILSVRC2012_devkit_t12", wnids or sorted(set(ground_truth)), ground_truth)
    return root


def write_devkit(folder: Path, wnids: Sequence[str], ground_truth: Sequence[str]) -> Path:
    """Write the development kit of ImageNet: the numbers of its classes are not in the order of their WordNet ids."""
    (folder / "data").mkdir(parents=True)
    number_of = {wnid: number for number, wnid in enumerate(reversed(wnids), start=1)}
    synsets = [(number, wnid, f"{wnid}, alias", "", 0, [], 0, 1300) for wnid, number in number_of.items()]
    # Synsets above the classes have children, and numbers that follow those of the classes.
    synsets += [(len(wnids) + 1, "n00000001", "thing", "", 2, [1, 2], 1, 0)]
    rows = np.empty(len(synsets), dtype=[(name, object) for name in SYNSET])
    rows[:] = synsets
    savemat(folder / "data" / "meta.mat", {"synsets": rows.reshape(-1, 1)})
    lines = "".join(f"{number_of[wnid]}\n" for wnid in ground_truth)
    (folder / "data" / "ILSVRC2012_validation_ground_truth.txt").write_text(lines, encoding="utf-8")
    return folder


def write_places365(root: Path, categories: Sequence[str], labels: Sequence[int], *, size: str = "256") -> Path:
    """Write the validation split of Places365: image number i + 1 shows the category `labels[i]`."""
    names = [f"Places365_val_{number:08d}.jpg" for number in range(1, len(labels) + 1)]
    for number, name in enumerate(names, start=1):
        write_image(root / f"val_{size}" / name, number)
    numbered = "".join(f"{category} {number}\n" for number, category in enumerate(categories))
    (root / "categories_places365.txt").write_text(numbered, encoding="utf-8")
    listed = "".join(f"{name} {label}\n" for name, label in zip(names, labels, strict=True))
    (root / "places365_val.txt").write_text(listed, encoding="utf-8")
    return root


def write_food101(root: Path, classes: Sequence[str], images: int = 2) -> Path:
    """Write `food-101/` below `root`: the last of the images of each class are for training, as many as for tests."""
    base = root / "food-101"
    (base / "meta").mkdir(parents=True)
    stems = {
        name: [f"{name}/{1000 * number + 7 * i}" for i in range(2 * images)] for number, name in enumerate(classes)
    }
    for number, name in enumerate(classes):
        for index, stem in enumerate(stems[name]):
            write_image(base / "images" / f"{stem}.jpg", number, index)
    for split, part in (("test", slice(None, images)), ("train", slice(images, None))):
        listed = {name: stems[name][part] for name in classes}
        text = "".join(f"{stem}\n" for own in listed.values() for stem in own)
        (base / "meta" / f"{split}.txt").write_text(text, encoding="utf-8")
        (base / "meta" / f"{split}.json").write_text(json.dumps(listed), encoding="utf-8")
    (base / "meta" / "classes.txt").write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
    labels = "".join(f"{name.capitalize().replace('_', ' ')}\n" for name in classes)
    (base / "meta" / "labels.txt").write_text(labels, encoding="utf-8")
    return root
