"""Concept banks: the descriptors that vision and language are compared by."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mkbench.errors import DataError, UsageError


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
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"Concept bank {path} is not valid JSON ({error.msg}, line {error.lineno}); "
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


def load_bank(path: str | Path) -> ConceptBank:
    """Read a concept bank; repeats keep their first place, surrounding white space and blank entries are dropped.

    A `.json` file holds {class: [descriptors]} (Menon & Vondrick, ICLR 2023; CuPL sentences have the same form) or a
    list of descriptors; any other file holds one descriptor per line.

    Args:
        path: the file, UTF-8.

    Returns:
        `ConceptBank` of at least two descriptors.

    Raises:
        UsageError: if the file is missing or cannot be read.
        DataError: if the file is not UTF-8 or not JSON, has another shape, or holds fewer than two descriptors.

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
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"Expected a concept bank (.json or .txt) at {file}, found no readable file "
            f"({error.strerror}); check the path."
        ) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"Concept bank {file} is not UTF-8 (byte {error.start}); save it as UTF-8.") from error
    if file.suffix.lower() == ".json":
        descriptors, by_class = _parse_json(text, file)
    else:
        descriptors, by_class = _clean(text.splitlines(), where=f"Concept bank {file}"), None
    if len(descriptors) < 2:
        raise DataError(
            f"Concept bank {file} must hold at least 2 different descriptors, found {len(descriptors)}; "
            "add descriptors or choose another file."
        )
    return ConceptBank(descriptors, by_class, str(path), hashlib.sha256(content).hexdigest())
