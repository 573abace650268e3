"""Reasons why a number of a run does not compare with a published one."""

import json
from typing import Any

from mkbench.runs.results import Estimate
from mkbench.runs.schema import RunResults
from mkbench.studies.reproduction.published import Column, PublishedTable

#: What is not in a ``results.json``.
MISSING = object()


def reasons_not_comparable(
    table: PublishedTable, column: Column, results: RunResults, model: str, measured: Estimate | None
) -> list[str]:
    """Say why a cell does not compare; empty where it does.

    Args:
        table: the published table.
        column: one of its columns.
        results: of the run.
        model: what the table calls the run's model.
        measured: the run's number, None where it has none.
    """
    reasons = []
    if model not in table.rows:
        reasons.append("model not in the table")
    if results["model"]["random_weights"]:
        reasons.append("random weights")
    reasons += _data_reasons(table, results)
    reasons += [
        _setting_reason(path, column, found, wanted)
        for path, wanted in table.requirements(column).items()
        if (found := look_up(results, path)) != wanted
    ]
    if column.not_comparable:
        reasons.append(column.not_comparable)
    if measured is None:
        of = f" of {column.explainer}" if column.explainer else ""
        reasons.append(f"no {column.metric}{of} in the results")
    return reasons


def _data_reasons(table: PublishedTable, results: RunResults) -> list[str]:
    """In what the images of a run differ from those of the table."""
    data = results["data"]
    if data["name"] not in table.data_names:
        return [f"data set {data['name']}, published of {' or '.join(table.data_names)}"]
    counts = {"classes": (data["classes"], table.classes), "images": (data["images"], table.images)}
    return [
        f"{found:,} of {wanted:,} {thing}" if found < wanted else f"{found:,} {thing}, not {wanted:,}"
        for thing, (found, wanted) in counts.items()
        if found != wanted
    ]


def look_up(results: RunResults, path: str) -> Any:
    """Return the entry at a dotted path, ``MISSING`` where there is none.

    >>> look_up({"settings": {"refine": "crf"}}, "settings.refine")
    'crf'
    """
    found: Any = results
    for name in path.split("."):
        if not isinstance(found, dict) or name not in found:
            return MISSING
        found = found[name]
    return found


def _setting_reason(path: str, column: Column, found: Any, wanted: Any) -> str:
    """Say which setting is another one; an explainer's name is left out, so that alike explainers give one reason."""
    name = path.partition(".")[2].removeprefix(f"explainers.{column.explainer}.")
    if isinstance(found, list) and isinstance(wanted, list):
        return f"other {name} than published"
    return f"{name} {_show(found)}, published with {_show(wanted)}"


def _show(value: Any) -> str:
    if value is MISSING:
        return "unknown"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False).replace("null", "none")
