"""Manifest of a run: what it consists of, so that groups of two different runs are never mixed."""

from pathlib import Path
from typing import Any, TypedDict, cast

from mkbench.errors import DataError
from mkbench.runs.run_folder import MANIFEST
from mkbench.runs.schema import find_fault
from mkbench.text_files import parse_json


class _Groups(TypedDict):
    groups: dict[str, list[str]]


class _Manifest(_Groups, total=False):
    schema_version: int
    system: str
    model: dict[str, Any]
    data: dict[str, Any]
    settings: dict[str, Any]


def read_manifest(run: Path) -> dict[str, Any] | None:
    """Return the manifest of an earlier run, None if there is none.

    Args:
        run: folder of the run.

    Raises:
        DataError: the file is damaged.
    """
    path = run / MANIFEST
    if not path.is_file():
        return None
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"Expected a manifest in {path}, found a damaged file; run with --results.overwrite true."
        ) from error
    fault = find_fault(content, _Manifest)
    if fault is not None:
        raise DataError(f"Expected in {path} {fault.lstrip()}; run with --results.overwrite true.")
    return cast(dict[str, Any], content)


def differences(earlier: dict[str, Any], later: dict[str, Any], prefix: str = "") -> list[str]:
    """Return dotted names of the entries that differ, with both values where they are short.

    >>> differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}})
    ['a.b (1, now 3)']
    """
    found = []
    for key in sorted(set(earlier) | set(later)):
        old, new = earlier.get(key), later.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict) and key != "groups":
            found += differences(old, new, f"{prefix}{key}.")
        else:
            values = f"{old}, now {new}"
            found.append(f"{prefix}{key} ({values})" if len(values) < 120 else f"{prefix}{key}")
    return found
