"""ImageNet 2012 validation split, in either of the layouts it is kept in."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mkbench.datamodules.base import ClassGroupDataModule, optional_path
from mkbench.datamodules.boxes import Box, box_ground_truth, read_boxes_of
from mkbench.datamodules.class_names import match_class_names, read_class_names
from mkbench.datamodules.ground_truth import ImageGroundTruth
from mkbench.datamodules.image_files import list_image_names
from mkbench.datamodules.imagenet_classes import load_imagenet_classes
from mkbench.datamodules.imagenet_devkit import DEVKIT, read_validation_labels
from mkbench.datamodules.listed_source import (
    ListedImage,
    ListedSource,
    make_listed_source,
    require_every_class,
)
from mkbench.datamodules.options import BankOptions, Unpack
from mkbench.errors import DataError, name_some

_FLAT_NAME = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG")


@dataclass(frozen=True)
class BoxedListedSource(ListedSource):
    """Listed images, of some of which the true boxes are known.

    Attributes:
        boxes: sample id -> boxes, in pixels of the file.
    """

    boxes: Mapping[str, tuple[Box, ...]]

    def ground_truth(self, class_index: int, sample_id: str) -> ImageGroundTruth:
        """Return the boxes of an image; there may be none."""
        return box_ground_truth(self.boxes, sample_id)


class ImageNet(ClassGroupDataModule):
    """The validation split of ImageNet 2012 (Russakovsky et al., 2015): 50,000 images of 1000 classes.

    Both layouts are found without being named, and give the same sample ids (``n01440764/ILSVRC2012_val_....JPEG``),
    the same order and so the same results: a folder for each WordNet id, or all images in one folder, as the official
    archive unpacks, together with the development kit.

    Args:
        root: the folder that holds ``val/``, or that folder itself.
        boxes: file of true boxes, as :class:`ImageFolder` reads it, for :class:`mkbench.scorers.Localisation`.
        devkit: the unpacked development kit, for the flat layout only; None: ``ILSVRC2012_devkit_t12`` in ``root``.
        class_names: file of class names as :class:`ImageFolder` reads it, which replace the packaged ones; the class
            order stays that of the WordNet ids.
        allow_missing_classes: go on if there are no images of some classes; prediction is still among all 1000.
        templates: see :class:`ClassGroupDataModule`.
        options: see :class:`ClassGroupDataModule`.

    Raises:
        UsageError: what :class:`ClassGroupDataModule` refuses.
        DataError: when the images are first asked for: another layout, classes without images, images without a
            class, or a development kit that is missing, damaged or of other images, or boxes of other images.

    >>> ImageNet(Path("data/imagenet")).name
    'imagenet-val'
    """

    def __init__(
        self,
        root: str | Path,
        *,
        boxes: str | Path | None = None,
        devkit: str | Path | None = None,
        class_names: str | Path | None = None,
        allow_missing_classes: bool = False,
        templates: str | list[str] = "imagenet",
        **options: Unpack[BankOptions],
    ) -> None:
        super().__init__(templates=templates, **options)
        self.name = "imagenet-val"
        self.root = Path(root)
        self.devkit = self.root / DEVKIT if devkit is None else Path(devkit)
        self.boxes_file = optional_path(boxes)
        self.class_names_file, self.allow_missing_classes = optional_path(class_names), allow_missing_classes

    def make_source(self) -> ListedSource:
        """List the images of whichever layout is there."""
        classes = load_imagenet_classes()
        if self.class_names_file is not None:
            given = match_class_names(list(classes), read_class_names(self.class_names_file), self.class_names_file)
            classes = {wnid: given[wnid] for wnid in classes}
        folder = self.root / "val" if (self.root / "val").is_dir() else self.root
        images = _list_images(folder, list(classes), self.devkit)
        source = make_listed_source(folder, tuple(classes.values()), images, listed_in=folder, decoding=self.decoding)
        if not self.allow_missing_classes:
            advice = "add them, or evaluate the others alone with --data.allow_missing_classes true"
            require_every_class(source, list(classes), listed_in=folder, advice=advice)
        if self.boxes_file is None:
            return source
        boxes = read_boxes_of(self.boxes_file, (name for files in source.files for name in files), folder)
        return BoxedListedSource(source.root, source.class_names, source.files, boxes, decoding=source.decoding)

    def describe(self) -> dict[str, Any]:
        """Return what identifies the data in a result, the file of boxes with it."""
        if self.boxes_file is None:
            return super().describe()
        return super().describe() | {"boxes_sha256": hashlib.sha256(self.boxes_file.read_bytes()).hexdigest()}


def _list_images(folder: Path, wnids: Sequence[str], devkit: Path) -> Iterator[ListedImage]:
    """Find out the layout of a folder and list its images."""
    if not folder.is_dir():
        raise DataError(
            f"Expected the folder of ImageNet at {folder}, found {'a file' if folder.exists() else 'nothing'}; check "
            "--data.root."
        )
    with os.scandir(folder) as entries:
        visible = sorted((entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith("."))
    folders = [name for name, is_folder in visible if is_folder]
    flat = [name for name, is_folder in visible if not is_folder and _FLAT_NAME.fullmatch(name)]
    in_folders = not set(wnids).isdisjoint(folders)
    if in_folders == bool(flat):
        found = "both" if flat else f"neither, but {name_some([name for name, _ in visible]) or 'an empty folder'}"
        raise DataError(
            f"Expected {folder} to hold either a folder for each WordNet id ({wnids[0]}, ...) or the images "
            f"ILSVRC2012_val_00000001.JPEG and so on, found {found}; check --data.root."
        )
    return _list_folders(folder, folders, wnids) if in_folders else _list_flat(folder, flat, wnids, devkit)


def _list_folders(root: Path, folders: Sequence[str], wnids: Sequence[str]) -> Iterator[ListedImage]:
    unknown = sorted(set(folders) - set(wnids))
    if unknown:
        raise DataError(
            f"Expected only folders named by the {len(wnids)} WordNet ids of ImageNet 2012 in {root}, found "
            f"{name_some(unknown)}; move them elsewhere."
        )
    for class_index, wnid in enumerate(wnids):
        for name in list_image_names(root / wnid) if wnid in folders else []:
            path = f"{wnid}/{name}"
            yield ListedImage(class_index, sample_id=path, path=path)


def _list_flat(root: Path, names: Sequence[str], wnids: Sequence[str], devkit: Path) -> Iterator[ListedImage]:
    ground_truth = read_validation_labels(devkit, wnids)
    numbers = [int(name[-13:-5]) for name in names]
    if numbers != list(range(1, len(ground_truth) + 1)):
        raise DataError(
            f"Expected the images 1 to {len(ground_truth)}, one for each line of the ground truth in {devkit}, found "
            f"{len(names)} in {root} (numbers {numbers[0]} to {numbers[-1]}); unpack the whole archive of images, or "
            "name the development kit that belongs to them with --data.devkit."
        )
    class_index = {wnid: index for index, wnid in enumerate(wnids)}
    for wnid, name in zip(ground_truth, names, strict=True):
        yield ListedImage(class_index[wnid], sample_id=f"{wnid}/{name}", path=name)
