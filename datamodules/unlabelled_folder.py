"""Image folder without labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mkbench.datamodules.base import optional_path, require_at_least
from mkbench.datamodules.class_names import name_list, require_class_names
from mkbench.datamodules.image_content import file_digest
from mkbench.datamodules.image_files import (
    AS_STORED,
    IMAGE_SUFFIXES,
    Decoding,
    list_image_names,
    list_other_names,
    read_image,
)
from mkbench.datamodules.options import ReadingOptions, Unpack
from mkbench.datamodules.own_images import OwnImages
from mkbench.errors import DataError
from mkbench.text_files import printable


@dataclass(frozen=True)
class FlatSource:
    """Images directly in a folder, without labels; sample ids are the names of the files.

    Attributes:
        root: the folder.
        class_names: the names among which is predicted.
        files: names of the images, sorted.
        decoding: how the files are decoded.
    """

    root: Path
    class_names: tuple[str, ...]
    files: tuple[str, ...]
    decoding: Decoding = AS_STORED

    def sample_ids(self, class_index: int) -> Sequence[str]:
        """Return all images for class 0, under which images without labels are listed, and none for others."""
        return () if class_index else self.files

    def other_files(self, class_index: int) -> Sequence[str]:
        """Return the names of the visible files that do not count as images, all of them for class 0."""
        return () if class_index else list_other_names(self.root)

    def read(self, class_index: int, sample_id: str) -> Tensor:
        """Return an image as uint8 (3, H, W); DataError if it cannot be read."""
        return read_image(self.root / sample_id, self.decoding)

    def digest(self, class_index: int, sample_id: str) -> str:
        """Return the digest of an image's file."""
        return file_digest(self.root / sample_id)


class UnlabelledFolder(OwnImages):
    """Images directly in a folder, without labels: they are explained for the classes that the model predicts.

    Results have no accuracies. The system must run with ``scope: image`` and ``condition_on: predicted``.

    The sorted images are explained in runs of ``group_size``. PCA and K-means parts are fitted over the images of a
    run, as elsewhere over those of a class, so that part numbers mean the same in all images of a run; unrelated
    images have little in common, and a ``group_size`` of 1 fits the parts of every image on its own.

    Args:
        root: the folder of images; folders in it are left out.
        class_names: file of the class names among which is predicted, required: a JSON list or one name a line, in
            class order; of a mapping, as :class:`ImageFolder` takes it, the names are used.
        limit_images: explain the first images only.
        group_size: images whose parts are fitted together.
        bank: see :class:`ClassGroupDataModule`.
        templates: as there.
        exif_orientation: see :class:`OwnImages`.
        options: see :class:`ClassGroupDataModule`.

    Raises:
        UsageError: no file of class names, a limit below 1, or what :class:`OwnImages` refuses.
        DataError: when the images are first asked for: no such folder, no image in it, or no class name.

    >>> UnlabelledFolder(Path("images/holiday"), class_names=Path("names.txt")).name
    'holiday'
    """

    labelled = False

    def __init__(
        self,
        root: str | Path,
        *,
        class_names: str | Path | None = None,
        limit_images: int | None = None,
        group_size: int = 64,
        bank: str | Path | None = None,
        templates: str | list[str] = "imagenet",
        exif_orientation: bool = True,
        **options: Unpack[ReadingOptions],
    ) -> None:
        require_at_least(1, "limit_images", limit_images)
        super().__init__(
            bank=bank,
            templates=templates,
            exif_orientation=exif_orientation,
            limit_classes=None,
            limit_images_per_class=limit_images,
            group_size=group_size,
            **options,
        )
        self.root, self.class_names_file = Path(root), optional_path(class_names)
        self.name = printable(self.root.resolve().name)

    def make_source(self) -> FlatSource:
        """List the images."""
        names = name_list(require_class_names(self.class_names_file))
        if not self.root.is_dir():
            found = "a file" if self.root.exists() else "nothing"
            raise DataError(f"Expected a folder of images at {self.root}, found {found}; check --data.root.")
        files = list_image_names(self.root)
        if not files:
            raise DataError(
                f"Expected images ({', '.join(sorted(IMAGE_SUFFIXES))}) directly in {self.root}, found none; check "
                "--data.root, or take mkbench.datamodules.ImageFolder for a folder of class folders."
            )
        return FlatSource(self.root, names, tuple(files), self.decoding)

    def describe(self) -> dict[str, Any]:
        """Return what identifies the data, and that no class of an image is known."""
        return super().describe() | {"labelled": False}
