"""Tables of the Hugging Face library `datasets`: loading them, and reading their images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mkbench.datamodules.huggingface_stream import row_id
from mkbench.datamodules.image_content import bytes_digest
from mkbench.datamodules.image_files import AS_STORED, Decoding, decode_image
from mkbench.errors import DataError, UsageError


def import_library() -> Any:
    """Return the library `datasets`, which is imported only here: it takes a second.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import datasets  # noqa: PLC0415

        _ = datasets.load_dataset  # a folder called `datasets` can be imported too
    except (ImportError, AttributeError) as error:
        raise UsageError(
            "Expected the library `datasets` for Hugging Face data sets, found none; install it with "
            "pip install 'mkbench[data]'."
        ) from error
    return datasets


def load_table(path: str, *, name: str | None, split: str, revision: str | None, streaming: bool) -> Any:
    """Return one split, as a `Dataset` or, streaming, as an `IterableDataset`.

    Args:
        path: name on the hub, a folder made by ``save_to_disk``, or a folder of data files.
        name: configuration of the data set.
        split: the split.
        revision: branch, tag or commit on the hub.
        streaming: fetch rows as they are asked for; a folder made by ``save_to_disk`` is there already.

    Raises:
        UsageError: the library is missing, or a folder made by ``save_to_disk`` has no such split, name or revision.
        DataError: the data set cannot be found or read.
    """
    library = import_library()
    folder = Path(path)
    saved = any((folder / file).is_file() for file in ("dataset_dict.json", "state.json"))
    try:
        if saved:
            loaded = library.load_from_disk(path)
        else:
            loaded = library.load_dataset(path, name, split=split, revision=revision, streaming=streaming)
    except Exception as error:  # of the connection, the hub, or any of the file formats; none of them is our fault
        options = {"name": name, "split": split, "revision": revision}
        given = ", ".join(f"{option} {value!r}" for option, value in options.items() if value is not None)
        raise DataError(
            f"Expected the data set {path!r} ({given}) in a folder or on the Hugging Face hub, found neither: "
            f"{first_line(error)}; check --data.path and the options named, or give a folder made by save_to_disk as "
            "path."
        ) from error
    return _saved_split(loaded, path, name=name, split=split, revision=revision) if saved else loaded


def first_line(error: Exception) -> str:
    r"""Return the first line of what went wrong; the library hides the reason behind "an error occurred".

    >>> first_line(OSError("no connection.\nMore about it"))
    'no connection'
    """
    told = error.__cause__ if type(error).__name__ == "DatasetGenerationError" and error.__cause__ else error
    return (str(told).strip().splitlines() or [type(told).__name__])[0].rstrip(".")


def _saved_split(loaded: Any, path: str, *, name: str | None, split: str, revision: str | None) -> Any:
    """Return a split of what ``save_to_disk`` has written: several splits, or one that may know its name."""
    if name is not None or revision is not None:
        raise UsageError(
            f"Expected neither --data.name nor --data.revision for {path}, found one; leave it away: a folder made by "
            "save_to_disk has a single configuration."
        )
    splits = loaded if isinstance(loaded, Mapping) else {str(loaded.split or split): loaded}
    if split not in splits:
        raise UsageError(
            f"Expected the split {split!r} in {path}, found {', '.join(map(repr, splits))}; name one with --data.split."
        )
    return splits[split]


def leave_encoded(table: Any, column: str) -> Any:
    """Return the table such that the images of a column come as files, not decoded.

    Raises:
        DataError: there are no images in the column.
    """
    try:
        return table.cast_column(column, import_library().Image(decode=False))
    except Exception as error:  # Arrow has one for every kind of mismatch
        raise DataError(
            f"Expected images in the column {column!r}, found {table.features[column]}; name theirs with "
            "--data.image_column."
        ) from error


def encoded_image(cell: Any) -> bytes:
    """Return the content of an image file from a cell that was not decoded; nothing if there is none in it.

    Args:
        cell: mapping with ``bytes``, and with the ``path`` of a file for when these are None; or None.

    Raises:
        OSError: the file cannot be read.

    >>> encoded_image({"bytes": b"...", "path": None}), encoded_image(None)
    (b'...', b'')
    """
    if cell is None or (cell["bytes"] is None and cell["path"] is None):
        return b""
    if cell["bytes"] is not None:
        return bytes(cell["bytes"])
    import fsspec  # noqa: PLC0415 - reads from archives and from the hub too; the library brings it

    with fsspec.open(cell["path"], "rb") as file:
        content: bytes = file.read()
    return content


def group_rows(classes: Sequence[int], count: int) -> tuple[NDArray[np.int64], ...]:
    """Return the rows of each of `count` classes, ascending.

    >>> [rows.tolist() for rows in group_rows([2, 0, 2], 3)]
    [[1], [], [0, 2]]
    """
    labels = np.asarray(classes, dtype=np.int64)
    ends = np.bincount(labels, minlength=count).cumsum()
    return tuple(np.split(labels.argsort(kind="stable"), ends[:-1]))


@dataclass(frozen=True, eq=False)
class TableSource:
    """Images in a table that can be read row by row; sample ids are ``<split>/<row, 8 digits>``.

    Attributes:
        table: a `Dataset` whose images are not decoded.
        column: column of the images.
        split: the split.
        class_names: name of each class, in class order.
        rows: for each class, rows of its images, ascending.
        decoding: how the images are decoded.
    """

    table: Any
    column: str
    split: str
    class_names: tuple[str, ...]
    rows: tuple[NDArray[np.int64], ...]
    decoding: Decoding = AS_STORED

    def sample_ids(self, class_index: int) -> Sequence[str]:
        """Return the ids of a class's images; there may be none."""
        return [row_id(self.split, row) for row in self.rows[class_index].tolist()]

    def read(self, class_index: int, sample_id: str) -> Tensor:
        """Return an image as uint8 (3, H, W); DataError if it cannot be read."""
        return decode_image(self._encoded(sample_id), sample_id, self.decoding)

    def digest(self, class_index: int, sample_id: str) -> str:
        """Return the digest of an image's file."""
        return bytes_digest(self._encoded(sample_id))

    def _encoded(self, sample_id: str) -> bytes:
        try:
            return encoded_image(self.table[int(sample_id.rpartition("/")[2])][self.column])
        except OSError as error:
            raise DataError(f"Expected the image {sample_id}, found none ({error}); restore the data set.") from error
