"""A folder of images without labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mkbench.datamodules.base import ClassGroupDataModule, require_at_least
from mkbench.datamodules.class_groups import OnBadImage
from mkbench.datamodules.class_names import name_list, require_class_names
from mkbench.datamodules.images import IMAGE_SUFFIXES, Resize, list_image_names, read_image
from mkbench.errors import DataError


@dataclass(frozen=True)
class FlatSource:
    """Images directly in a folder, without labels; sample ids are the names of the files.

    Attributes:
        root: the folder.
        class_names: the names among which is predicted.
        files: names of the images, sorted.
    """

    root: Path
    class_names: tuple[str, ...]
    files: tuple[str, ...]

    def sample_ids(self, class_index: int) -> Sequence[str]:
        """Return all images for class 0, under which images without labels are listed, and none for others."""
        return () if class_index else self.files

    def read(self, class_index: int, sample_id: str) -> Tensor:
        """Return an image as uint8 (3, H, W); DataError if it cannot be read."""
        return read_image(self.root / sample_id)


class UnlabelledFolder(ClassGroupDataModule):
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
        bank: see :class:`ClassGroupDataModule`, as all that follow.
        templates: as there.
        samples: as there.
        resize: as there.
        on_bad_image: as there.
        num_workers: as there.

    Raises:
        UsageError: no file of class names, a limit below 1, or what :class:`ClassGroupDataModule` refuses.
        DataError: when the images are first asked for: no such folder, no image in it, or no class name.

    >>> UnlabelledFolder(Path("images/holiday"), class_names=Path("names.txt")).name
    'holiday'
    """

    labelled = False

    def __init__(
        self,
        root: Path,
        *,
        class_names: Path | None = None,
        limit_images: int | None = None,
        group_size: int = 64,
        bank: Path | None = None,
        templates: str | list[str] = "imagenet",
        samples: Path | None = None,
        resize: Resize = "squash",
        on_bad_image: OnBadImage = "skip",
        num_workers: int = 2,
    ) -> None:
        require_at_least(1, "limit_images", limit_images)
        super().__init__(
            bank=bank,
            templates=templates,
            limit_images_per_class=limit_images,
            samples=samples,
            group_size=group_size,
            resize=resize,
            on_bad_image=on_bad_image,
            num_workers=num_workers,
        )
        self.name = root.resolve().name
        self.root, self.class_names_file = root, class_names

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
        return FlatSource(self.root, names, tuple(files))

    def describe(self) -> dict[str, Any]:
        """Return what identifies the data, and that no class of an image is known."""
        return super().describe() | {"labelled": False}
