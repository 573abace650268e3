"""Form of a file of a published table, and the check of a document against it."""

from collections.abc import Mapping
from typing import Any, TypedDict

from mkbench.runs.schema import find_fault


class _DataEntry(TypedDict):
    names: list[str]
    classes: int
    images: int


class _LineEntry(TypedDict):
    family: str
    slope: float
    intercept: float


class _ColumnNeeds(TypedDict):
    label: str
    quantity: str
    metric: str
    explainer: str | None
    scale: float
    tolerance: float
    decimals: int


class _ColumnEntry(_ColumnNeeds, total=False):
    not_comparable: str
    requires: dict[str, Any]


class _TableNeeds(TypedDict):
    title: str
    source: str
    note: str
    data: _DataEntry
    requires: dict[str, Any]
    requires_of_explainers: dict[str, Any]
    columns: dict[str, _ColumnEntry]
    rows: dict[str, dict[str, float]]


class _TableEntry(_TableNeeds, total=False):
    line: _LineEntry
    variants: list[str]


def find_table_fault(content: object) -> str | None:
    """Say where a parsed document departs from the form of a table; None if it does not.

    >>> find_table_fault({"title": "mine"})
    'columns, found none'
    >>> find_table_fault([])
    'an object, found a list'
    """
    if not isinstance(content, dict):
        return f"an object, found a {type(content).__name__}"
    return find_fault(content, _TableEntry) or _find_loose_end(content)


def _find_loose_end(content: Mapping[str, Any]) -> str | None:
    """Say what nothing can be made of in a document whose entries are there and of the right kinds."""
    places = [("the table", content, _names(_TableEntry))]
    places += [(f"the column {key}", column, _names(_ColumnEntry)) for key, column in content["columns"].items()]
    places += [(f"the row {model}", row, set(content["columns"])) for model, row in content["rows"].items()]
    for place, entries, known in places:
        unknown = sorted(set(entries) - known)
        if unknown:
            return f"{place} to have no other entries than {', '.join(sorted(known))}, found {unknown[0]}"
    if not content["rows"] or not content["columns"]:
        return "at least one row and one column, found none"
    return None


def _names(form: Any) -> set[str]:
    return set(form.__required_keys__ | form.__optional_keys__)
