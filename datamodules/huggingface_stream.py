"""Images of a stream, which can be read only once and in one order, kept as files so that classes can be grouped."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from mkbench.atomic_files import temporary_folder
from mkbench.datamodules.image_content import file_digest
from mkbench.datamodules.image_files import AS_STORED, Decoding, decode_image
from mkbench.errors import DataError
from mkbench.text_files import parse_json

_INDEX = "index.json"


class StreamedImage(NamedTuple):
    """One image as it comes out of a stream.

    Attributes:
        row: its number in the stream, from 0.
        class_index: position of its class in the class list.
        encoded: content of the image file.
    """

    row: int
    class_index: int
    encoded: bytes


class Wanted:
    """Selection of images of a stream, and when there are enough of them.

    Args:
        classes: keep images of the first classes only.
        per_class: keep the first images of each class only; None keeps all.
        rows: keep exactly these, whatever the limits, which count what is left of a class; None: see the limits.

    >>> wanted = Wanted(classes=2, per_class=1, rows=None)
    >>> [wanted.take(row, label) for row, label in enumerate([0, 0, 2])], wanted.enough
    ([True, False, False], False)
    >>> wanted.take(3, 1), wanted.enough
    (True, True)
    """

    def __init__(self, *, classes: int, per_class: int | None, rows: frozenset[int] | None) -> None:
        self.classes, self.per_class, self.rows = classes, per_class, rows
        self._taken: Counter[int] = Counter()
        self._left = set(rows or ())

    def take(self, row: int, class_index: int) -> bool:
        """Tell whether to keep an image, and count it if so."""
        if self.rows is not None:
            self._left.discard(row)
            return row in self.rows
        if class_index >= self.classes or self._taken[class_index] == self.per_class:
            return False
        self._taken[class_index] += 1
        return True

    @property
    def enough(self) -> bool:
        """Whether nothing later in the stream can be wanted."""
        if self.rows is not None:
            return not self._left
        return self.per_class is not None and self._taken.total() == self.classes * self.per_class


@dataclass(frozen=True)
class StoredSource:
    """Images kept from a stream; sample ids are ``<split>/<row, 8 digits>``.

    Attributes:
        folder: where they lie, a file for each, named by its row.
        split: the split.
        class_names: name of each class, in class order.
        rows: for each class, rows of its images, ascending.
        decoding: how the images are decoded.
    """

    folder: Path
    split: str
    class_names: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]
    decoding: Decoding = AS_STORED

    def sample_ids(self, class_index: int) -> Sequence[str]:
        """Return the ids of a class's images; there may be none."""
        return [row_id(self.split, row) for row in self.rows[class_index]]

    def read(self, class_index: int, sample_id: str) -> Tensor:
        """Return an image as uint8 (3, H, W); DataError if it cannot be read."""
        path = self._path(sample_id)
        try:
            encoded = path.read_bytes()
        except OSError as error:
            raise DataError(f"Expected the image {sample_id} in {self.folder}, found {error.strerror}.") from error
        return decode_image(encoded, sample_id, self.decoding)

    def digest(self, class_index: int, sample_id: str) -> str:
        """Return the digest of an image's file."""
        return file_digest(self._path(sample_id))

    def _path(self, sample_id: str) -> Path:
        return self.folder / sample_id.rpartition("/")[2]


def row_id(split: str, row: int) -> str:
    """Return the sample id of a row.

    >>> row_id("test", 17)
    'test/00000017'
    """
    return f"{split}/{row:08d}"


def parse_row(sample_id: str, split: str) -> int | None:
    """Return the row of a sample id, None if it is none of this split.

    >>> parse_row("test/00000017", "test"), parse_row("owl/1.png", "test")
    (17, None)
    """
    owner, _, row = sample_id.rpartition("/")
    return int(row) if owner == split and row.isdecimal() and sample_id == row_id(split, int(row)) else None


def store_images(images: Iterable[StreamedImage], folder: Path, class_names: Sequence[str]) -> None:
    """Write images to a new folder that appears whole or not at all.

    Args:
        images: what to write.
        folder: for the images, and a list of their classes.
        class_names: name of each class, in class order.

    Raises:
        DataError: no image.
    """
    with temporary_folder(folder) as temporary:
        rows = []
        for image in images:
            (temporary / f"{image.row:08d}").write_bytes(image.encoded)
            rows.append([image.row, image.class_index])
        if not rows:
            raise DataError(
                "Expected images in the stream, found none of those wanted; check the split and the limits."
            )
        index = {"class_names": list(class_names), "rows": rows}
        (temporary / _INDEX).write_text(json.dumps(index), encoding="utf-8")
        with suppress(OSError):  # another device, with the same images, may have been faster
            temporary.rename(folder)


def open_stored(folder: Path, split: str, decoding: Decoding = AS_STORED) -> StoredSource:
    """Return the images that ``store_images`` has written.

    Args:
        folder: where they lie.
        split: the split they are of.
        decoding: how the images are decoded.

    Raises:
        DataError: the folder is damaged.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     store_images([StreamedImage(7, 1, b"...")], Path(root) / "kept", ["bat", "owl"])
    ...     open_stored(Path(root) / "kept", "test").rows
    ((), (7,))
    """
    try:
        index = parse_json((folder / _INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"Expected kept images in {folder}, found a damaged folder; delete it.") from error
    rows: list[list[int]] = [[] for _ in index["class_names"]]
    for row, class_index in index["rows"]:
        rows[class_index].append(row)
    return StoredSource(folder, split, tuple(index["class_names"]), tuple(tuple(own) for own in rows), decoding)
