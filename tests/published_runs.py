"""Invented runs that reproduce rows of published tables, and ways to change them."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from result_documents import model_entry

from mkbench.backbones import model_entries
from mkbench.studies.reproduction.published import load_published, with_columns

TABLE = "mutual-knowledge-table3"


def set_at(content: dict[str, Any], path: str, value: Any) -> None:
    """Set the entry at a dotted path, making what is missing on the way."""
    *parents, last = path.split(".")
    for name in parents:
        content = content.setdefault(name, {})
    content[last] = copy.deepcopy(value)


def reproduction(
    model: str, table: str = TABLE, *, columns: Sequence[str] | None = None, **changes: Any
) -> dict[str, Any]:
    """A ``results.json`` with the published numbers of a model; ``changes`` are by path, a dot written as ``__``.

    Of a table with variants, ``columns`` names those of one variant.
    """
    published = load_published(table)
    published = published if columns is None else with_columns(published, columns)
    entry = next(entry for entry in model_entries() if entry.label == model)
    results: dict[str, Any] = {
        "schema_version": 1,
        "system": "mutual_knowledge",
        "model": model_entry(model, name=entry.name, family=entry.family),
        "data": {
            "name": published.data_names[0],
            "classes": published.classes,
            "images": published.images,
            "unreadable": [],
            "bank": {"source": "bank.json", "sha256": "0" * 64, "size": 1},
        },
        "settings": {},
        "metrics": [],
        "curves": {},
        "fallbacks": {},
    }
    for key, column in published.columns.items():
        for path, value in published.requirements(column).items():
            set_at(results, path, value)
        value = published.rows[model][key] / column.scale
        metric = {"name": column.metric, "explainer": column.explainer, "value": value}
        results["metrics"].append(metric | {"interval": [value - 0.01, value + 0.01], "n": published.images})
    for path, value in changes.items():
        set_at(results, path.replace("__", "."), value)
    return results


def shift(results: dict[str, Any], metric: str, explainer: str | None, by: float) -> dict[str, Any]:
    """Add to a metric."""
    for entry in results["metrics"]:
        if (entry["name"], entry["explainer"]) == (metric, explainer):
            entry["value"] += by
    return results


def without(results: dict[str, Any], metric: str) -> dict[str, Any]:
    """Leave a metric out."""
    results["metrics"] = [entry for entry in results["metrics"] if entry["name"] != metric]
    return results


def write_run(folder: Path, results: dict[str, Any]) -> Path:
    """Write the folder of a finished run."""
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    return folder
