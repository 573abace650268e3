"""WebDataset tar shards as a data set."""

import re
from pathlib import Path

from mkbench.datamodules.base import optional_path
from mkbench.datamodules.class_names import label_positions, name_list, require_class_names
from mkbench.datamodules.options import OwnImageOptions, Unpack
from mkbench.datamodules.own_images import OwnImages
from mkbench.datamodules.webdataset_index import TarSource, find_shards, group_samples, index_shards
from mkbench.errors import DataError
from mkbench.text_files import printable


class WebDataset(OwnImages):
    """Tar shards in which the files of a sample share a key: ``000017.jpg`` and its label ``000017.cls``.

    The headers are read once; images are then read where they lie, nothing is unpacked, and files of other kinds
    (pickles among them) are never read.

    Args:
        shards: a folder of ``*.tar``, or a pattern such as ``val-{000000..000049}.tar``.
        image_keys: extensions of images; of several images of a sample the first of these is taken.
        label_key: extension of the labels: a number from 0, or a name.
        class_names: file of class names, required: a JSON list or one name a line in the order of the numbers, or, for
            other labels, JSON {label: name} or lines ``label<TAB>name`` in class order.
        options: see :class:`OwnImages`.

    Raises:
        UsageError: what :class:`OwnImages` refuses; when the images are first asked for: no class names.
        DataError: when the images are first asked for: shards, keys or labels that are not as described.

    >>> WebDataset("shards/imagenet-val-{000000..000049}.tar").name
    'imagenet-val'
    """

    def __init__(
        self,
        shards: str | Path,
        *,
        image_keys: tuple[str, ...] = ("jpg", "jpeg", "png", "webp"),
        label_key: str = "cls",
        class_names: str | Path | None = None,
        **options: Unpack[OwnImageOptions],
    ) -> None:
        super().__init__(**options)
        stem = re.split(r"[{*?\[]", Path(shards).name.removesuffix(".tar"))[0].strip("-_.")
        self.name = printable(stem or Path(shards).resolve().parent.name)
        self.shards, self.class_names_file = str(shards), optional_path(class_names)
        self.image_keys, self.label_key = tuple(key.lower() for key in image_keys), label_key.lower()

    def make_source(self) -> TarSource:
        """Read the headers of the shards."""
        names = require_class_names(self.class_names_file)
        shards = find_shards(self.shards)
        samples = index_shards(shards, image_keys=self.image_keys, label_key=self.label_key)
        if not samples:
            raise DataError(
                f"Expected images ({', '.join(self.image_keys)}) in the shards {self.shards}, found none; check "
                "--data.shards and --data.image_keys."
            )
        members = group_samples(samples, label_positions(names), len(names), image_keys=self.image_keys)
        return TarSource(tuple(shards), name_list(names), members, self.decoding)
