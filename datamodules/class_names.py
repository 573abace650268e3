"""Files of class names, which decide the order of the classes."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mkbench.errors import DataError, UsageError

#: A mapping from folder to name in class order, or names in the order of the sorted folders.
ClassNames = dict[str, str] | list[str]


def read_class_names(path: Path) -> ClassNames:
    """Read class names: JSON {folder: name} or [name, ...], or text lines ``name`` or ``folder<TAB>name``.

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
    if not path.is_file():
        raise UsageError(f"Expected a file of class names at {path}, found none; check --data.class_names.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text, object_pairs_hook=_unique) if path.suffix.lower() == ".json" else _parse_lines(text)
    except ValueError as error:
        raise DataError(
            f"Expected class names as UTF-8 text or JSON in {path}, found a file that cannot be read so ({error}); "
            "correct the file."
        ) from error
    return _check_names(content, path)


def _parse_lines(text: str) -> ClassNames:
    rows = [[cell.strip() for cell in line.split("\t", 1)] for line in text.splitlines() if line.strip()]
    tabs = sum(len(row) == 2 for row in rows)
    if 0 < tabs < len(rows):
        raise ValueError(f"{tabs} of {len(rows)} lines hold a tab: write folder and name on all lines or on none")
    return _unique([(folder, name) for folder, name in rows]) if tabs else [name for (name,) in rows]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a dictionary; a repeated key, which JSON readers pass over in silence, is an error."""
    repeated = _first_repeated(key for key, _ in pairs)
    if repeated is not None:
        raise ValueError(f"{repeated!r} is a key twice")
    return dict(pairs)


def _first_repeated(texts: Iterable[str]) -> str | None:
    return next((text for text, count in Counter(texts).items() if count > 1), None)


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


def match_class_names(folders: Sequence[str], names: ClassNames, path: Path) -> dict[str, str]:
    """Return folder -> name in class order: that of the mapping, or of the sorted folders for a list.

    Args:
        folders: the class folders, sorted.
        names: what ``read_class_names`` read.
        path: where from, for the message.

    Raises:
        DataError: the file does not match the folders.

    >>> match_class_names(["n01", "n02"], {"n02": "owl", "n01": "bat"}, Path("names.json"))
    {'n02': 'owl', 'n01': 'bat'}
    """
    if isinstance(names, list):
        if len(names) != len(folders):
            raise DataError(
                f"Expected a name for each of the {len(folders)} class folders, found {len(names)} names in {path}; "
                "give as many names as folders, or a mapping from folder to name."
            )
        return dict(zip(folders, names, strict=True))
    missing, extra = sorted(set(folders) - set(names)), sorted(set(names) - set(folders))
    if missing or extra:
        found = "; ".join(
            f"{len(items)} {what} (such as {items[0]!r})"
            for what, items in (("folders without a name", missing), ("names without a folder", extra))
            if items
        )
        raise DataError(f"Expected {path} to name exactly the class folders, found {found}; correct the file.")
    return names
