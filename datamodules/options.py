"""Shared options of the DataModules, written once."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from mkbench.datamodules.class_groups import OnBadImage
from mkbench.datamodules.resizing import Resize

if TYPE_CHECKING:
    from typing_extensions import Unpack
else:

    class Unpack:
        """What ``Unpack`` is to type checkers; to jsonargparse nothing.

        So it reads the options where they are passed on to, which knows their defaults: a saved configuration then
        lists every value that ran. It would take a ``TypedDict`` for them otherwise, which has no defaults.

        >>> Unpack[ReadingOptions]
        typing.Any
        """

        def __class_getitem__(cls, options: object) -> Any:
            """Return the annotation of any value."""
            return Any


class ReadingOptions(TypedDict, total=False):
    """Options of choosing, reading and resizing images; see :class:`ClassGroupDataModule`."""

    samples: str | Path | None
    resize: Resize
    on_bad_image: OnBadImage
    max_pixels: int
    num_workers: int


class GroupOptions(ReadingOptions, total=False):
    """Options of the number and grouping of images; see :class:`ClassGroupDataModule`."""

    limit_classes: int | None
    limit_images_per_class: int | None
    group_size: int | None


class BankOptions(GroupOptions, total=False):
    """Options of the file of descriptors too; see :class:`ClassGroupDataModule`."""

    bank: str | Path | None


class OwnImageOptions(BankOptions, total=False):
    """Options for images of one's own; see :class:`OwnImages`."""

    templates: str | list[str]
    exif_orientation: bool


__all__ = ["BankOptions", "GroupOptions", "OwnImageOptions", "ReadingOptions", "Unpack"]
