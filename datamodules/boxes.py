"""True boxes of images in class folders, read from a file."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch

from mkbench.datamodules.ground_truth import ImageGroundTruth
from mkbench.datamodules.listed_source import leads_outside
from mkbench.errors import DataError, UsageError
from mkbench.text_files import split_lines

#: x0, y0, x1, y1 in pixels of the image as it is read, the corner pixels included.
Box = tuple[int, int, int, int]

#: Header of the one format, in any order and among others; and the order of the other, which has none.
_CSV_COLUMNS = ("class", "file", "x_min", "y_min", "x_max", "y_max")
_TAB_COLUMNS = ("file", "class", "x_min", "y_min", "x_max", "y_max")


def read_boxes(path: Path) -> Mapping[str, tuple[Box, ...]]:
    r"""Read the boxes of images; one with several has several lines.

    Two formats are read: CSV with the header ``class,file,x_min,y_min,x_max,y_max``, and the ``val_annotations.txt`` of
    Tiny ImageNet, which has no header: ``file<TAB>class<TAB>x_min<TAB>y_min<TAB>x_max<TAB>y_max``.

    Args:
        path: the file.

    Returns:
        ``class/file`` -> its boxes, in the order of the file.

    Raises:
        UsageError: no such file.
        DataError: it is of neither format, or a line holds no box.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "boxes.csv"
    ...     _ = path.write_text("class,file,x_min,y_min,x_max,y_max\nowl,1.png,0,0,9,7\n")
    ...     read_boxes(path)
    {'owl/1.png': ((0, 0, 9, 7),)}
    """
    if not path.is_file():
        raise UsageError(f"Expected a file of boxes at {path}, found none; check --data.boxes.")
    try:
        lines = split_lines(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"Expected boxes as UTF-8 text in {path}, found something else; save it so.") from error
    boxes: dict[str, tuple[Box, ...]] = {}
    for number, row in _rows(lines, path):
        sample_id, box = _parse(row, f"{path}, line {number}")
        boxes[sample_id] = (*boxes.get(sample_id, ()), box)
    if not boxes:
        raise DataError(f"Expected boxes in {path}, found none; check --data.boxes.")
    return boxes


def read_boxes_of(path: Path, sample_ids: Iterable[str], root: Path) -> Mapping[str, tuple[Box, ...]]:
    """Read the boxes of a data set; every box must be that of an image, not every image must have one.

    Args:
        path: the file, see ``read_boxes``.
        sample_ids: of all images, ``class/file``.
        root: where the images lie, for the message.

    Raises:
        UsageError: no such file.
        DataError: it is of neither format, a line holds no box, or a box is of no image.
    """
    boxes, known = read_boxes(path), set(sample_ids)
    unknown = sorted(boxes.keys() - known)
    if unknown:
        raise DataError(
            f"Expected {path} to name images below {root}, found {len(unknown)} of {len(boxes)} that are not "
            f"there (such as {unknown[0]!r}; there are {min(known)!r} and others); check --data.root, or remove these "
            "lines."
        )
    return boxes


def box_ground_truth(boxes: Mapping[str, tuple[Box, ...]], sample_id: str) -> ImageGroundTruth:
    """Return what is known of an image; there may be no box.

    >>> box_ground_truth({"owl/1.png": ((0, 0, 9, 7),)}, "owl/1.png").boxes
    tensor([[0, 0, 9, 7]])
    """
    return ImageGroundTruth(boxes=torch.tensor(boxes.get(sample_id, ()), dtype=torch.int64).reshape(-1, 4))


def _rows(lines: list[str], path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield (number of the line, column -> value) of every line that holds a box."""
    header = [name.strip() for name in lines[0].split(",")] if lines else []
    has_header = set(_CSV_COLUMNS) <= set(header)
    if not has_header and not any(line.count("\t") == len(_TAB_COLUMNS) - 1 for line in lines[:1]):
        raise DataError(
            f"Expected boxes in {path}, as CSV with the header {','.join(_CSV_COLUMNS)} or as lines of six values with "
            f"tabs between them (file, class, corners), found {''.join(lines[:1])[:80]!r}; correct the file."
        )
    columns = header if has_header else list(_TAB_COLUMNS)
    values = csv.reader(lines, delimiter="," if has_header else "\t")
    for number, row in enumerate(values, start=1):
        if row and not (has_header and number == 1):
            yield number, dict(zip(columns, map(str.strip, row), strict=False))


def _parse(row: Mapping[str, str], where: str) -> tuple[str, Box]:
    try:
        sample_id = f"{row['class']}/{row['file']}"
        x0, y0, x1, y1 = (int(row[name]) for name in _CSV_COLUMNS[2:])
    except (KeyError, ValueError) as error:
        raise DataError(
            f"Expected class, file and four whole numbers at {where}, found {', '.join(row.values())!r}; correct the "
            "file."
        ) from error
    if leads_outside(sample_id) or not (0 <= x0 <= x1 and 0 <= y0 <= y1):
        raise DataError(
            f"Expected an image below --data.root and corners 0 <= x_min <= x_max and 0 <= y_min <= y_max at {where}, "
            f"found {sample_id} {x0} {y0} {x1} {y1}; correct the file."
        )
    return sample_id, (x0, y0, x1, y1)
