"""Data sets of the Hugging Face library `datasets`: saved folders, folders of data files, and the hub."""

import atexit
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mkbench.datamodules.base import optional_path
from mkbench.datamodules.class_groups import ImageSource
from mkbench.datamodules.class_names import (
    label_positions,
    match_class_names,
    name_list,
    read_class_names,
    require_class_names,
)
from mkbench.datamodules.huggingface_stream import (
    StreamedImage,
    Wanted,
    open_stored,
    parse_row,
    store_images,
)
from mkbench.datamodules.huggingface_table import (
    TableSource,
    encoded_image,
    first_line,
    group_rows,
    import_library,
    leave_encoded,
    load_table,
)
from mkbench.datamodules.options import OwnImageOptions, Unpack
from mkbench.datamodules.own_images import OwnImages
from mkbench.datamodules.sample_subset import read_sample_ids
from mkbench.errors import DataError


class HuggingFace(OwnImages):
    """Any data set of images and labels that the library `datasets` can read, by name or from a folder.

    Listing reads the labels alone; an image is decoded when its class is explained. Code in a data set is never run.

    With ``streaming``, the data set is read once, from its first row on and no further than the limits or the samples
    need; the images wanted are kept, as they are encoded, in a folder, and results are those of the whole data set
    with the same limits. Without a limit this keeps all of it: then leave streaming away.

    Args:
        path: name on the hub, or a folder: one made by ``save_to_disk``, or one of data files (Parquet, a folder for
            each class, ...).
        name: configuration of the data set, for those that have several.
        split: the split.
        image_column: column of the images.
        label_column: column of the labels.
        class_names: file of class names. Where the column names its classes: JSON {label: name} or lines
            ``label<TAB>name`` (their order is the class order), or a JSON list or one name a line in the order of the
            column; None takes the names and the order of the column. Else required: labels are then the keys of a
            mapping, the names of a list, or numbers from 0 in class order.
        streaming: fetch what is needed instead of the whole data set.
        revision: branch, tag or commit on the hub.
        cache: folder in which streamed images stay for later runs, which then need no connection; name a ``revision``
            with it, since a later change on the hub goes unnoticed. None: a temporary folder, deleted at the end; every
            device of a run has its own.
        options: see :class:`OwnImages`.

    Raises:
        UsageError: what :class:`OwnImages` refuses; when the images are first asked for: the library is
            missing, or no class names.
        DataError: when the images are first asked for: a data set that cannot be found or is not as described.

    >>> HuggingFace("ethz/food101").name
    'food101-validation'
    """

    def __init__(
        self,
        path: str | Path,
        *,
        name: str | None = None,
        split: str = "validation",
        image_column: str = "image",
        label_column: str = "label",
        class_names: str | Path | None = None,
        streaming: bool = False,
        revision: str | None = None,
        cache: str | Path | None = None,
        **options: Unpack[OwnImageOptions],
    ) -> None:
        super().__init__(**options)
        self.name = f"{Path(path).name}-{split}"
        self.path, self.config, self.split, self.revision = str(path), name, split, revision
        self.image_column, self.label_column = image_column, label_column
        self.class_names_file, self.streaming = optional_path(class_names), streaming
        self.cache = optional_path(cache)

    def make_source(self) -> ImageSource:
        """Group the rows by class; of a stream, what is wanted is kept first, unless an earlier run has done so."""
        if self.streaming:
            folder = (self.cache or _temporary_folder()) / self._cache_key()
            if not folder.is_dir():
                table, names, positions = self._open()
                store_images(self._wanted_images(table, len(names), positions), folder, names)
            return open_stored(folder, self.split, self.decoding)
        table, names, positions = self._open()
        labels = table.select_columns([self.label_column])[:][self.label_column]
        classes = [self._class_of(label, row, positions) for row, label in enumerate(labels)]
        if not classes:
            raise DataError(f"Expected images in the split {self.split!r} of {self.path!r}, found none; name another.")
        images = table.select_columns([self.image_column])
        return TableSource(images, self.image_column, self.split, names, group_rows(classes, len(names)), self.decoding)

    def _open(self) -> tuple[Any, tuple[str, ...], dict[str, int]]:
        """Return the table, its images not decoded, class names, and the class index of every label as text."""
        table = load_table(
            self.path, name=self.config, split=self.split, revision=self.revision, streaming=self.streaming
        )
        columns = [self.image_column, self.label_column]
        features = table.features or {}
        found = list(features or next(iter(table), {}))
        if not set(columns) <= set(found):
            raise DataError(
                f"Expected the columns {' and '.join(map(repr, columns))} in the data set {self.path!r}, found "
                f"{', '.join(map(repr, found)) or 'no row'}; name its own with --data.image_column and "
                "--data.label_column."
            )
        names, positions = self._classes(features.get(self.label_column))
        table = table.with_format(None).select_columns(columns)
        return leave_encoded(table, self.image_column) if features else table, names, positions

    def _classes(self, feature: Any) -> tuple[tuple[str, ...], dict[str, int]]:
        path = self.class_names_file
        if not isinstance(feature, import_library().ClassLabel):
            names = require_class_names(path)
            return name_list(names), label_positions(names)
        named = dict(zip(feature.names, feature.names, strict=True))
        if path is not None:
            named = match_class_names(feature.names, read_class_names(path), path, kind="label")
        order = list(named)
        return tuple(named.values()), {str(label): order.index(name) for label, name in enumerate(feature.names)}

    def _class_of(self, label: Any, row: int, positions: Mapping[str, int]) -> int:
        index = positions.get(str(label))
        if index is None or label is None:
            raise DataError(
                f"Expected labels of the classes in the column {self.label_column!r} of {self.path!r}, found {label!r} "
                f"in row {row}; give --data.class_names a file that names it, or choose a split with labels."
            )
        return index

    def _wanted_rows(self) -> frozenset[int] | None:
        """Return the rows that a file of samples names; None without one."""
        if self.samples_file is None:
            return None
        rows = (parse_row(sample_id, self.split) for sample_id in read_sample_ids(self.samples_file))
        return frozenset(row for row in rows if row is not None)

    def _cache_key(self) -> str:
        """Return a folder name that changes with everything that changes what is kept."""
        rows, names = self._wanted_rows(), self.class_names_file
        key = {
            "place": [self.path, self.config, self.split, self.revision, self.image_column, self.label_column],
            "limits": [self.limit_classes, self.limit_images_per_class],
            "rows": None if rows is None else sorted(rows),
            "names": None if names is None else json.dumps(read_class_names(names)),
        }
        return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:24]

    def _wanted_images(self, table: Any, classes: int, positions: Mapping[str, int]) -> Iterator[StreamedImage]:
        wanted = Wanted(
            classes=min(self.limit_classes or classes, classes),
            per_class=self.limit_images_per_class,
            rows=self._wanted_rows(),
        )
        row = 0
        try:
            for row, cells in enumerate(table):
                index = self._class_of(cells[self.label_column], row, positions)
                if wanted.take(row, index):
                    yield StreamedImage(row, index, encoded_image(cells[self.image_column]))
                if wanted.enough:
                    return
        except DataError:
            raise
        except Exception as error:  # of the connection or of any of the file formats
            raise DataError(
                f"Expected to read the data set {self.path!r} as a stream, found that it broke off at row {row} "
                f"({first_line(error)}); run again."
            ) from error

    def describe(self) -> dict[str, Any]:
        """Return what identifies the data, with where it came from; streamed or not makes no difference."""
        origin = {"configuration": self.config, "split": self.split, "revision": self.revision}
        return super().describe() | origin | {"image_column": self.image_column}


def _temporary_folder() -> Path:
    """Return a folder that is deleted when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="mkbench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
