"""Any data set with a folder for each class."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import OnBadImage
from mkbench.datamodules.class_names import match_class_names, read_class_names
from mkbench.datamodules.pictures import PICTURE_SUFFIXES, Resize, is_picture_name, read_picture
from mkbench.errors import DataError


@dataclass(frozen=True)
class FolderSource:
    """Pictures in class folders.

    Attributes:
        root: the folder that holds the class folders.
        folders: folder name of each class, in class order.
        class_names: name of each class, in class order.
    """

    root: Path
    folders: tuple[str, ...]
    class_names: tuple[str, ...]

    def sample_ids(self, class_index: int) -> Sequence[str]:
        """Return ``folder/file`` of every picture of a class, sorted by name.

        Hidden files and pictures in folders further down are left out; links count as what they point to.

        Raises:
            DataError: the folder has no picture.
        """
        folder = self.root / self.folders[class_index]
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if is_picture_name(entry.name) and not entry.is_dir())
        if not names:
            raise DataError(
                f"Expected pictures ({', '.join(sorted(PICTURE_SUFFIXES))}) directly in the class folder {folder}, "
                "found none; add some, remove the folder, or check --data.root (the folder above the class folders)."
            )
        return [f"{folder.name}/{name}" for name in names]

    def read(self, class_index: int, sample_id: str) -> Tensor:
        """Return a picture as uint8 (3, H, W); DataError if it cannot be read."""
        return read_picture(self.root / sample_id)


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
        DataError: when the pictures are first asked for: folders or class names that are not as described.

    >>> ImageFolder(Path("pictures/owls")).name
    'owls'
    """

    def __init__(
        self,
        root: Path,
        *,
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
        self.root, self.class_names_file = root, class_names

    def make_source(self) -> FolderSource:
        """List the class folders and match them with the class names."""
        folders = list_class_folders(self.root)
        named = dict(zip(folders, folders, strict=True))
        if self.class_names_file is not None:
            named = match_class_names(folders, read_class_names(self.class_names_file), self.class_names_file)
        return FolderSource(self.root, tuple(named), tuple(named.values()))
