"""Files of class names, and the class order they decide."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mkbench.datamodules.class_order import match_name_list
from mkbench.datamodules.imagenet_classes import load_imagenet_classes
from mkbench.errors import DataError, UsageError
from mkbench.text_files import parse_json, split_lines, unique_pairs

#: A mapping from folder to name in class order, or names in the order of the sorted folders.
ClassNames = dict[str, str] | list[str]
#: Packaged class names, as `--data.class_names` calls them.
PACKAGED: Mapping[str, Callable[[], Mapping[str, str]]] = {"imagenet": load_imagenet_classes}


def read_class_names(path: str | Path) -> ClassNames:
    """Read a file of class names: JSON {folder: name} or [name, ...], or text lines ``name`` or ``folder<TAB>name``.

    Args:
        path: the file, or the name of a packaged one, ``imagenet``, where there is no such file.

    Returns:
        A mapping from folder to name in class order, or a list of names in the order of the sorted folders; names are
        stripped of surrounding white space.

    Raises:
        DataError: the file is something else, or names a folder twice. A class name may repeat, as in published lists.
        UsageError: the file does not exist.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "names.json"
    ...     _ = path.write_text('{"n02": "owl", "n01": "bat"}')
    ...     read_class_names(path)
    {'n02': 'owl', 'n01': 'bat'}
    """
    path = Path(path)
    if not path.is_file():  # a folder of images may well be called as a packaged file is
        return _read_packaged(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = parse_json(text) if path.suffix.lower() == ".json" else _parse_lines(text)
    except ValueError as error:
        raise DataError(
            f"Expected class names as UTF-8 text or JSON in {path}, found a file that cannot be read so ({error}); "
            "correct the file."
        ) from error
    return _check_names(content, path)


def _read_packaged(name: Path) -> ClassNames:
    if str(name) not in PACKAGED:
        raise UsageError(
            f"Expected a file of class names at {name}, found none; check the path (packaged names: "
            f"{', '.join(sorted(PACKAGED))})."
        )
    return dict(PACKAGED[str(name)]())


def _parse_lines(text: str) -> ClassNames:
    rows = [[cell.strip() for cell in line.split("\t", 1)] for line in split_lines(text) if line.strip()]
    tabs = sum(len(row) == 2 for row in rows)
    if 0 < tabs < len(rows):
        raise ValueError(f"{tabs} of {len(rows)} lines hold a tab: write folder and name on all lines or on none")
    return unique_pairs([(folder, name) for folder, name in rows]) if tabs else [name for (name,) in rows]


def _check_names(content: Any, path: Path) -> ClassNames:
    """Return the names stripped, if they are texts and different."""
    values = list(content.values()) if isinstance(content, dict) else content
    if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
        raise DataError(
            f"Expected {path} to hold a list of names or a mapping from folder to name, none of them empty, found a "
            f"{type(content).__name__} with something else; correct the file."
        )
    names = [value.strip() for value in values]
    return dict(zip(content, names, strict=True)) if isinstance(content, dict) else names


def require_class_names(path: Path | None) -> ClassNames:
    """Read the class names of a data set that brings none.

    Raises:
        DataError: the file is not as ``read_class_names`` describes it, or empty.
        UsageError: no file was given, or it does not exist.
    """
    if path is None:
        raise UsageError(
            "Expected a file of class names, found none; give JSON or one name a line with --data.class_names FILE: "
            "prediction is among these names, and their order is the class order."
        )
    names = read_class_names(path)
    if not names:
        raise DataError(f"Expected at least one class name in {path}, found none; correct the file.")
    return names


def name_list(names: ClassNames) -> tuple[str, ...]:
    """Return the names in class order.

    >>> name_list({"n02": "owl", "n01": "bat"}), name_list(["owl", "bat"])
    (('owl', 'bat'), ('owl', 'bat'))
    """
    return tuple(names.values() if isinstance(names, dict) else names)


def label_positions(names: ClassNames) -> dict[str, int]:
    """Return the class index of every label, as text, that images may carry.

    Labels are the keys of a mapping, or the different names of a list; unless keys are numbers themselves, the numbers
    of the classes, from 0, are labels too.

    Raises:
        DataError: a name of a list is the number of another class, so that a label would mean either.

    >>> label_positions({"n02": "owl", "n01": "bat"})
    {'0': 0, '1': 1, 'n02': 0, 'n01': 1}
    >>> label_positions({"7": "owl", "3": "bat"})
    {'7': 0, '3': 1}
    """
    labels = list(names)
    counts = Counter(labels)
    of_text = {label: index for index, label in enumerate(labels) if counts[label] == 1}
    if isinstance(names, dict) and any(label.isdecimal() for label in labels):
        return of_text
    for index, label in enumerate(labels):
        if label.isdecimal() and label != str(index):
            raise DataError(
                f"Expected class names that are no numbers beside labels that may be, found {label!r} as the name of "
                f"class {index}; give --data.class_names a mapping: JSON {{label: name}} or lines label<TAB>name."
            )
    return {str(index): index for index in range(len(labels))} | of_text


def match_class_names(folders: Sequence[str], names: ClassNames, path: Path, *, kind: str = "folder") -> dict[str, str]:
    """Return folder -> name in class order: that of the mapping, or as :func:`match_name_list` finds it for a list.

    Args:
        folders: the class folders, sorted.
        names: what ``read_class_names`` read.
        path: where from, for the message.
        kind: what to call a folder in the message.

    Raises:
        DataError: the file does not match the folders.

    >>> match_class_names(["n01", "n02"], {"n02": "owl", "n01": "bat"}, Path("names.json"))
    {'n02': 'owl', 'n01': 'bat'}
    """
    if isinstance(names, list):
        return match_name_list(folders, names, path, kind=kind)
    missing, extra = sorted(set(folders) - set(names)), sorted(set(names) - set(folders))
    if missing or extra:
        found = "; ".join(
            f"{len(items)} {what} (such as {items[0]!r})"
            for what, items in ((f"{kind}s without a name", missing), (f"names without a {kind}", extra))
            if items
        )
        raise DataError(f"Expected {path} to name exactly the class {kind}s, found {found}; correct the file.")
    return names
