"""Base class of the DataModules of a user's own images."""

from dataclasses import replace
from typing import Any

from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.options import BankOptions, Unpack


class OwnImages(ClassGroupDataModule):
    """Base class of DataModules of a user's own images, turned by their EXIF data; published data sets are not.

    Args:
        templates: see :class:`ClassGroupDataModule`.
        exif_orientation: turn images upright by what the camera noted in their EXIF data. Boxes are those of the turned
            images. False reads them as they are stored, as the loaders of published numbers do.
        options: see :class:`ClassGroupDataModule`.

    Raises:
        UsageError: what :class:`ClassGroupDataModule` refuses.
    """

    def __init__(
        self,
        *,
        templates: str | list[str] = "imagenet",
        exif_orientation: bool = True,
        **options: Unpack[BankOptions],
    ) -> None:
        super().__init__(templates=templates, **options)
        self.decoding = replace(self.decoding, exif_orientation=exif_orientation)

    def describe(self) -> dict[str, Any]:
        """Return what identifies the data in a result, whether images are turned with it."""
        return super().describe() | {"exif_orientation": self.decoding.exif_orientation}
