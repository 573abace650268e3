"""Results of a run that explains images, from its rows: metrics, curves and controls."""

from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mkbench.metrics.catalogue import CATALOGUE, metrics_of
from mkbench.metrics.curves import pad_known_curves
from mkbench.metrics.entry import MetricEntry
from mkbench.metrics.functional.removal_curve import average_removal_curve
from mkbench.metrics.metric_results import control_results
from mkbench.metrics.row_metric import Rows
from mkbench.runs.group_files import ROW_SCHEMA, GroupRecord
from mkbench.systems.records.metric_rows import (
    Layout,
    OwnedRows,
    join_groups,
    layout_results,
    rows_by,
)

#: Column -> averaged curve of ``results.json`` that ends at 0.
_CURVES = {"curve": "mutual_information", "chance_curve": "mutual_information_chance"}
#: Column of a scorer -> averaged curve, every step over the images that have it.
_REMOVAL_CURVES = {
    "deletion_scores": "deletion",
    "insertion_scores": "insertion",
    "deletion_correct": "accuracy_drop",
    "insertion_correct": "accuracy_increase",
}


def explained_layout(
    columns: Sequence[str], explainers: Collection[str], own: Sequence[MetricEntry] = ()
) -> dict[str | None, list[MetricEntry]]:
    """Return which metrics are computed of the model and of each explainer; those of scorers in the order of these.

    Args:
        columns: of the rows, in their order.
        explainers: their names.
        own: a user's metrics.

    >>> layout = explained_layout(["top1", "curve", "localised"], ["pca"])
    >>> {owner: [entry.name for entry in entries][:2] for owner, entries in layout.items()}
    {None: ['top1', 'corloc'], 'pca': ['mutual_information', 'mutual_information_auc']}
    """
    scored = {name: place for place, name in enumerate(columns) if name not in ROW_SCHEMA.names}

    def place(entry: MetricEntry) -> int:
        return max(scored.get(name, -1) for name in entry.columns)

    of_model, of_explainer = (
        sorted(metrics_of(set(columns), own=own, of_model=either), key=place) for either in (True, False)
    )
    return {None: of_model, **dict.fromkeys(explainers, of_explainer)}


def explained_rows(rows: pa.Table) -> dict[str | None, Rows]:
    """Return the columns of the model and of each explainer."""
    return rows_by(rows, "explainer")


def add_up_fallbacks(fallbacks: Sequence[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    """Sum how often each rule of each explainer applied, over class groups.

    >>> add_up_fallbacks([{"pca": {"no_foreground": 1}}, {"pca": {"no_foreground": 2}}])
    {'pca': {'no_foreground': 3}}
    """
    total: dict[str, dict[str, int]] = {}
    for group in fallbacks:
        for explainer, rules in group.items():
            counts = total.setdefault(explainer, {})
            for rule, count in rules.items():
                counts[rule] = counts.get(rule, 0) + count
    return total


def average_curves(rows: Rows) -> dict[str, list[float]]:
    """Return the averaged curves of an explainer, by the name of what falls or rises.

    >>> average_curves({"curve": [[2.0, 0.0], [0.0]], "deletion_scores": [[1.0, 0.5], [0.0]]})
    {'mutual_information': [1.0, 0.0], 'deletion': [0.5, 0.5]}
    """
    averaged = {}
    for column in (column for column in rows if column in _CURVES or column in _REMOVAL_CURVES):
        known, lengths = pad_known_curves(rows[column])
        if len(known) and column in _CURVES:
            averaged[_CURVES[column]] = known.mean(dim=0).tolist()
        elif len(known):
            averaged[_REMOVAL_CURVES[column]] = average_removal_curve(known, lengths).tolist()
    return averaged


def summarise(records: Sequence[GroupRecord], own: Sequence[MetricEntry] = ()) -> dict[str, Any]:
    """Return the parts of ``results.json`` that follow from the rows.

    Args:
        records: all groups of a run, in any order.
        own: a user's metrics.

    Returns:
        ``metrics``, ``curves``, ``controls``, ``fallbacks``, and ``images`` and ``unreadable`` for the ``data`` entry;
        without any image there are no metrics and no curves, and without labels no ``top1`` and ``top5``.
    """
    joined = join_groups(records, _columns_read(own))
    table = joined.rows
    rows = explained_rows(table)
    layout: Layout = explained_layout(table.column_names, [name for name in rows if name is not None], own)
    return {
        "metrics": layout_results(layout, rows),
        "curves": curves_of(rows),
        "controls": compare_controls(table, own),
        "fallbacks": add_up_fallbacks(joined.fallbacks),
        "images": len(rows[None]["sample_id"]) if rows else 0,
        "unreadable": joined.unreadable,
    }


def _columns_read(own: Sequence[MetricEntry]) -> set[str]:
    """Return the columns that anything here reads; the others, such as the descriptors, are half of a row."""
    keys = {"class_index", "sample_id", "explainer"}
    return keys.union(_CURVES, _REMOVAL_CURVES, *(entry.columns for entry in (*CATALOGUE.values(), *own)))


def curves_of(rows: OwnedRows) -> dict[str, dict[str, list[float]]]:
    """Return the averaged curves of each explainer, by name and explainer.

    Args:
        rows: of each explainer, and of the model under None.
    """
    curves: dict[str, dict[str, list[float]]] = {}
    for explainer in rows:
        if explainer is not None:
            for name, curve in average_curves(rows[explainer]).items():
                curves.setdefault(name, {})[explainer] = curve
    return curves


def compare_controls(table: pa.Table, own: Sequence[MetricEntry] = ()) -> list[dict[str, Any]]:
    """Compare the explainers with their controls, over the images in the order of their names alone.

    Args:
        table: the rows of all groups of a run.
        own: a user's metrics.

    Returns:
        The entries of ``controls`` in ``results.json``.
    """
    order = pc.sort_indices(table, sort_keys=[("sample_id", "ascending")])
    of_explainers = {name: rows for name, rows in rows_by(table, "explainer", order).items() if name is not None}
    return control_results(metrics_of(set(table.column_names), own=own, of_model=False), of_explainers)
