"""Image folder: any data set with a folder for each class."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from mkbench.datamodules.base import optional_path
from mkbench.datamodules.boxes import Box, box_ground_truth, read_boxes_of
from mkbench.datamodules.class_names import match_class_names, read_class_names
from mkbench.datamodules.ground_truth import ImageGroundTruth
from mkbench.datamodules.image_content import file_digest
from mkbench.datamodules.image_files import (
    AS_STORED,
    IMAGE_SUFFIXES,
    Decoding,
    list_image_names,
    list_other_names,
    read_image,
    require_utf8_names,
)
from mkbench.datamodules.options import OwnImageOptions, Unpack
from mkbench.datamodules.own_images import OwnImages
from mkbench.errors import DataError
from mkbench.text_files import printable


@dataclass(frozen=True)
class FolderSource:
    """Images in class folders.

    Attributes:
        root: the folder that holds the class folders.
        folders: folder name of each class, in class order.
        class_names: name of each class, in class order.
        decoding: how the files are decoded.
    """

    root: Path
    folders: tuple[str, ...]
    class_names: tuple[str, ...]
    decoding: Decoding = field(default=AS_STORED, kw_only=True)

    def sample_ids(self, class_index: int) -> Sequence[str]:
        """Return ``folder/file`` of every image of a class, sorted by name.

        Hidden files and images in folders further down are left out; links count as what they point to.

        Raises:
            DataError: the folder has no image, or one whose name is not UTF-8.
        """
        folder = self.root / self.folders[class_index]
        names = list_image_names(folder)
        if not names:
            raise DataError(
                f"Expected images ({', '.join(sorted(IMAGE_SUFFIXES))}) directly in the class folder {folder}, "
                "found none; add some, remove the folder, or check --data.root (the folder above the class folders)."
            )
        return [f"{folder.name}/{name}" for name in names]

    def other_files(self, class_index: int) -> Sequence[str]:
        """Return ``folder/file`` of every visible file of a class that does not count as an image."""
        folder = self.folders[class_index]
        return [f"{folder}/{name}" for name in list_other_names(self.root / folder)]

    def read(self, class_index: int, sample_id: str) -> Tensor:
        """Return an image as uint8 (3, H, W); DataError if it cannot be read."""
        return read_image(self.root / sample_id, self.decoding)

    def digest(self, class_index: int, sample_id: str) -> str:
        """Return the digest of an image's file."""
        return file_digest(self.root / sample_id)


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
        DataError: no such folder, nothing in it, or a name that is not UTF-8.

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
    visible = (path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    folders = require_utf8_names(visible, root)
    if not folders:
        raise DataError(
            f"Expected one folder for each class in {root}, found no folder; check --data.root (it is the folder above "
            "the class folders)."
        )
    return folders


class ImageFolder(OwnImages):
    """Any data set with a folder for each class.

    Args:
        root: the folder that holds the class folders.
        boxes: file of true boxes, for :class:`mkbench.scorers.Localisation`: CSV with the header
            ``class,file,x_min,y_min,x_max,y_max`` (folder, file, and corner pixels, which belong to the box), or the
            ``val_annotations.txt`` of Tiny ImageNet. Images that it does not name have no box.
        class_names: file of class names: JSON {folder: name} or lines ``folder<TAB>name`` (their order is the class
            order), or a JSON list or one name a line in the order of the sorted folders; None takes the folders' names.
        options: see :class:`OwnImages`.

    Raises:
        UsageError: what :class:`OwnImages` refuses.
        DataError: when the images are first asked for: folders, class names or boxes that are not as described.

    >>> ImageFolder(Path("images/owls")).name
    'owls'
    """

    def __init__(
        self,
        root: str | Path,
        *,
        boxes: str | Path | None = None,
        class_names: str | Path | None = None,
        **options: Unpack[OwnImageOptions],
    ) -> None:
        super().__init__(**options)
        self.root, self.class_names_file = Path(root), optional_path(class_names)
        self.boxes_file = optional_path(boxes)
        self.name = printable(self.root.resolve().name)

    def make_source(self) -> FolderSource:
        """List the class folders and match them with the class names, and the boxes with the images."""
        folders = list_class_folders(self.root)
        named = dict(zip(folders, folders, strict=True))
        if self.class_names_file is not None:
            named = match_class_names(folders, read_class_names(self.class_names_file), self.class_names_file)
        source = FolderSource(self.root, tuple(named), tuple(named.values()), decoding=self.decoding)
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
    return BoxedFolderSource(source.root, source.folders, source.class_names, boxes, decoding=source.decoding)
