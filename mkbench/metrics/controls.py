"""Does a metric tell an explanation from a control? Reversed orders, and random parts over the same images."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch

from mkbench.metrics.catalogue import COLUMN_METRICS, ColumnMetric
from mkbench.metrics.functional import paired_bootstrap_difference

#: The explainer whose parts lie anywhere.
RANDOM = "random"
_REVERSED = "_reversed"


def compare_controls(rows: pa.Table) -> list[dict[str, Any]]:
    """Compare every metric that has a direction with its controls, over the same images.

    Args:
        rows: of a run, all explainers.

    Returns:
        Entries with ``metric``, ``explainer``, ``control`` (``reversed``, the same parts in the opposite order, or
        ``random``, the explainer of random parts), ``difference`` (explainer minus control), its 95 % ``interval``,
        ``n`` and ``separates``: whether the whole interval lies on the better side of 0.

    >>> columns = {"deletion_scores": [[1.0, 0.0]], "deletion_scores_reversed": [[1.0, 1.0]]}
    >>> rows = pa.table({"explainer": ["pca"], "sample_id": ["a"], **columns})
    >>> [(entry["metric"], entry["difference"], entry["separates"]) for entry in compare_controls(rows)]
    [('deletion', -0.5, True), ('deletion_sum', -0.5, True)]
    """
    explainers = list(dict.fromkeys(rows["explainer"].to_pylist()))
    tables = {name: rows.filter(pc.equal(rows["explainer"], name)).sort_by("sample_id") for name in explainers}
    entries = []
    for column, metrics in COLUMN_METRICS.items():
        if column not in rows.column_names or column.endswith(_REVERSED):
            continue
        for metric in (one for one in metrics if one.higher_is_better is not None and not one.of_model):
            for name, table in tables.items():
                backwards = f"{column}{_REVERSED}"
                if backwards in table.column_names:
                    entries += _compare(metric, name, table[column], "reversed", table[backwards])
                if RANDOM in tables and name != RANDOM:
                    entries += _compare(metric, name, table[column], RANDOM, tables[RANDOM][column])
    return entries


def _compare(
    metric: ColumnMetric, explainer: str, own: pa.ChunkedArray, control: str, other: pa.ChunkedArray
) -> list[dict[str, Any]]:
    """Return one entry over the images that have both values; none without any."""
    pairs = [(a, b) for a, b in zip(own.to_pylist(), other.to_pylist(), strict=True) if a is not None and b is not None]
    if not pairs:
        return []
    values, controls = (metric.reduce(list(side)) for side in zip(*pairs, strict=True))
    low, high = paired_bootstrap_difference(values, controls)
    better = low > 0 if metric.higher_is_better else high < 0
    return [
        {
            "metric": metric.name,
            "explainer": explainer,
            "control": control,
            "difference": float(torch.mean(values - controls)),
            "interval": [low, high],
            "n": len(pairs),
            "separates": bool(better),
        }
    ]
