"""Any data set with a folder for each class."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.boxes import Box, box_ground_truth, read_boxes_of
from mkbench.datamodules.class_groups import OnBadImage
from mkbench.datamodules.class_names import match_class_names, read_class_names
from mkbench.datamodules.ground_truth import ImageGroundTruth
from mkbench.datamodules.images import IMAGE_SUFFIXES, Resize, list_image_names, read_image
from mkbench.errors import DataError


@dataclass(frozen=True)
class FolderSource:
    """Images in class folders.

    Attributes:
        root: the folder that holds the class folders.
        folders: folder name of each class, in class order.
        class_names: name of each class, in class order.
    """

    root: Path
    folders: tuple[str, ...]
    class_names: tuple[str, ...]

    def sample_ids(self, class_index: int) -> Sequence[str]:
        """Return ``folder/file`` of every image of a class, sorted by name.

        Hidden files and images in folders further down are left out; links count as what they point to.

        Raises:
            DataError: the folder has no image.
        """
        folder = self.root / self.folders[class_index]
        names = list_image_names(folder)
        if not names:
            raise DataError(
                f"Expected images ({', '.join(sorted(IMAGE_SUFFIXES))}) directly in the class folder {folder}, "
                "found none; add some, remove the folder, or check --data.root (the folder above the class folders)."
            )
        return [f"{folder.name}/{name}" for name in names]

    def read(self, class_index: int, sample_id: str) -> Tensor:
        """Return an image as uint8 (3, H, W); DataError if it cannot be read."""
        return read_image(self.root / sample_id)


@dataclass(frozen=True)
class BoxedFolderSource(FolderSource):
    """Images in class folders, of some of which the true boxes are known.

    Attributes:
        boxes: sample id -> boxes, in pixels of the file.
    """

    boxes: Mapping[str, tuple[Box, ...]]

    def ground_truth(self, class_index: int, sample_id: str) -> ImageGroundTruth:
        """Return the boxes of an image; there may be none."""
        return box_ground_truth(self.boxes, sample_id)


def list_class_folders(root: Path) -> list[str]:
    """Return the names of the class folders of a data set, sorted; hidden ones are left out.

    Raises:
        DataError: no such folder, or nothing in it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("owl", "bat", ".cache"):
    ...         (Path(folder) / name).mkdir()
    ...     list_class_folders(Path(folder))
    ['bat', 'owl']
    """
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise DataError(f"Expected a folder of class folders at {root}, found {found}; check --data.root.")
    folders = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise DataError(
            f"Expected one folder for each class in {root}, found no folder; check --data.root (it is the folder above "
            "the class folders)."
        )
    return folders


class ImageFolder(ClassGroupDataModule):
    """Any data set with a folder for each class.

    Args:
        root: the folder that holds the class folders.
        boxes: file of true boxes, for :class:`mkbench.scorers.Localisation`: CSV with the header
            ``class,file,x_min,y_min,x_max,y_max`` (folder, file, and corner pixels, which belong to the box), or the
            ``val_annotations.txt`` of Tiny ImageNet. Images that it does not name have no box.
        class_names: file of class names: JSON {folder: name} or lines ``folder<TAB>name`` (their order is the class
            order), or a JSON list or one name a line in the order of the sorted folders; None takes the folders' names.
        bank: see :class:`ClassGroupDataModule`, as all that follow.
        templates: as there.
        limit_classes: as there.
        limit_images_per_class: as there.
        samples: as there.
        group_size: as there.
        resize: as there.
        on_bad_image: as there.
        num_workers: as there.

    Raises:
        UsageError: what :class:`ClassGroupDataModule` refuses.
        DataError: when the images are first asked for: folders, class names or boxes that are not as described.

    >>> ImageFolder(Path("images/owls")).name
    'owls'
    """

    def __init__(
        self,
        root: Path,
        *,
        boxes: Path | None = None,
        class_names: Path | None = None,
        bank: Path | None = None,
        templates: str | list[str] = "imagenet",
        limit_classes: int | None = None,
        limit_images_per_class: int | None = None,
        samples: Path | None = None,
        group_size: int | None = None,
        resize: Resize = "squash",
        on_bad_image: OnBadImage = "skip",
        num_workers: int = 2,
    ) -> None:
        super().__init__(
            bank=bank,
            templates=templates,
            limit_classes=limit_classes,
            limit_images_per_class=limit_images_per_class,
            samples=samples,
            group_size=group_size,
            resize=resize,
            on_bad_image=on_bad_image,
            num_workers=num_workers,
        )
        self.name = root.resolve().name
        self.root, self.class_names_file, self.boxes_file = root, class_names, boxes

    def make_source(self) -> FolderSource:
        """List the class folders and match them with the class names, and the boxes with the images."""
        folders = list_class_folders(self.root)
        named = dict(zip(folders, folders, strict=True))
        if self.class_names_file is not None:
            named = match_class_names(folders, read_class_names(self.class_names_file), self.class_names_file)
        source = FolderSource(self.root, tuple(named), tuple(named.values()))
        return source if self.boxes_file is None else _add_boxes(source, self.boxes_file)

    def describe(self) -> dict[str, Any]:
        """Return what identifies the data in a result, the file of boxes with it."""
        if self.boxes_file is None:
            return super().describe()
        return super().describe() | {"boxes_sha256": hashlib.sha256(self.boxes_file.read_bytes()).hexdigest()}


def _add_boxes(source: FolderSource, path: Path) -> BoxedFolderSource:
    """Give the images their boxes; every box must be that of an image."""
    sample_ids = (sample_id for index in range(len(source.folders)) for sample_id in source.sample_ids(index))
    boxes = read_boxes_of(path, sample_ids, source.root)
    return BoxedFolderSource(source.root, source.folders, source.class_names, boxes)
