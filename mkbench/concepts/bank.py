"""Concept banks: the descriptors that vision and language are compared by."""

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mkbench.errors import DataError, UsageError
from mkbench.text_files import parse_json, split_lines

#: How the cells of a table are separated, by the suffix of its file, and the column of the descriptors.
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_COLUMN = "descriptor"


@dataclass(frozen=True)
class ConceptBank:
    """Unique descriptors in a fixed order; a descriptor's id is its place.

    Attributes:
        descriptors: D unique descriptors, in order of first appearance.
        by_class: descriptor ids of every class name, or None for a bank without classes. The order of its keys
            is the file's and says nothing about the order of classes in a data set.
        source: the file's name as given.
        sha256: hex digest of the file's bytes.
        groups: for each descriptor the number of what it states, where that is known: equal numbers are paraphrases.
    """

    descriptors: tuple[str, ...]
    by_class: dict[str, tuple[int, ...]] | None
    source: str
    sha256: str
    groups: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self.descriptors)


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _clean(entries: Any, *, where: str) -> tuple[str, ...]:
    """The stripped, non-blank strings of a list, without repeats."""
    if not isinstance(entries, list):
        raise DataError(f"{where} must be a list of strings, found {type(entries).__name__}; fix the concept bank.")
    for entry in entries:
        if not isinstance(entry, str):
            raise DataError(f"{where} must hold only strings, found {entry!r}; remove or quote that entry.")
    return _unique(text for text in map(str.strip, entries) if text)


def _parse_json(text: str, path: Path) -> tuple[tuple[str, ...], dict[str, tuple[int, ...]] | None]:
    try:
        content = parse_json(text)
    except ValueError as error:
        raise DataError(
            f"Concept bank {path} is not valid JSON ({error}); "
            "repair it, or give one descriptor per line in a .txt file."
        ) from error
    if isinstance(content, list):
        return _clean(content, where=f"Concept bank {path}"), None
    if not isinstance(content, dict):
        raise DataError(
            f"Concept bank {path} must be a JSON list of descriptors or an object {{class: [descriptors]}}, "
            f"found {type(content).__name__}; convert it to one of these."
        )
    cleaned = {name: _clean(entries, where=f"Class {name!r} of {path}") for name, entries in content.items()}
    descriptors = _unique(text for texts in cleaned.values() for text in texts)
    ids = {text: place for place, text in enumerate(descriptors)}
    return descriptors, {name: tuple(ids[text] for text in texts) for name, texts in cleaned.items()}


def _plain_entries(text: str, path: Path) -> list[str]:
    """The entries of a text or CSV file, repeats and blank ones included."""
    suffix = path.suffix.lower()
    if suffix not in _DELIMITERS:
        return [line for line in split_lines(text) if not line.lstrip().startswith("#")]
    try:
        rows = [
            row for row in csv.reader(io.StringIO(text, newline=""), delimiter=_DELIMITERS[suffix], strict=True) if row
        ]
    except csv.Error as error:
        raise DataError(f"Concept bank {path} is not valid CSV ({error}); repair it, or give a .txt file.") from error
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    if len({len(row) for row in rows}) > 1:
        raise DataError(
            f"Concept bank {path} must have as many cells in every row, found {min(map(len, rows))} to "
            f"{max(map(len, rows))}; put descriptors with a comma into quotes, or give one per line in a .txt file."
        )
    if _COLUMN not in header:
        return [row[0] for row in rows]
    column = header.index(_COLUMN)
    return [row[column] for row in rows[1:]]


def _read(file: Path) -> bytes:
    """The bytes of a file, which are UTF-8."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"Expected a concept bank (.json, .txt, .csv or .tsv) at {file}, found no readable file "
            f"({error.strerror}); check the path."
        ) from error
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"Concept bank {file} is not UTF-8 (byte {error.start}); save it as UTF-8.") from error
    return content


def bank_entries(path: Path) -> list[str]:
    """Return all descriptors of a bank file that :func:`load_bank` accepts, stripped, with their repeats.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "bank.json"
    ...     _ = path.write_text('{"owl": ["large eyes", "wings"], "bat": ["wings", " "]}')
    ...     bank_entries(path)
    ['large eyes', 'wings', 'wings']
    """
    text = _read(path).decode("utf-8-sig")
    content = parse_json(text) if path.suffix.lower() == ".json" else _plain_entries(text, path)
    lists = content.values() if isinstance(content, dict) else [content]
    return [entry.strip() for listed in lists for entry in listed if entry.strip()]


def load_bank(path: str | Path) -> ConceptBank:
    """Read a concept bank; repeats keep their first place, surrounding white space and blank entries are dropped.

    A `.json` file holds {class: [descriptors]} (Menon & Vondrick, ICLR 2023; CuPL sentences have the same form) or a
    list of descriptors. A `.csv` or `.tsv` file has them in the column that its first row calls `descriptor`, or else
    in its first column, from the first row on. Any other file holds one descriptor per line; lines that begin with `#`
    are comments.

    Args:
        path: the file, UTF-8.

    Returns:
        `ConceptBank` of at least two descriptors.

    Raises:
        UsageError: if the file is missing or cannot be read.
        DataError: if the file is not UTF-8, not JSON or CSV, has a key twice or another shape, or holds fewer than two
            descriptors.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "bank.json"
        ...     _ = path.write_text('{"owl": ["large eyes", "wings"], "bat": ["wings"]}')
        ...     bank = load_bank(path)
        >>> bank.descriptors, bank.by_class
        (('large eyes', 'wings'), {'owl': (0, 1), 'bat': (1,)})
    """
    file = Path(path)
    content = _read(file)
    text = content.decode("utf-8-sig")
    if file.suffix.lower() == ".json":
        descriptors, by_class = _parse_json(text, file)
    else:
        descriptors, by_class = _clean(_plain_entries(text, file), where=f"Concept bank {file}"), None
    if len(descriptors) < 2:
        raise DataError(
            f"Concept bank {file} must hold at least 2 different descriptors, found {len(descriptors)}; "
            "add descriptors or choose another file."
        )
    return ConceptBank(descriptors, by_class, str(path), hashlib.sha256(content).hexdigest())
