"""From the rows of a run to its metrics, in an order that does not depend on who computed which group."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from mkbench.metrics.catalogue import COLUMN_CURVES, COLUMN_METRICS, average_column_curve
from mkbench.metrics.controls import compare_controls
from mkbench.metrics.functional import bootstrap_interval
from mkbench.runs.run_folder import GroupRecord

Metric = dict[str, Any]


def mean_metric(name: str, explainer: str | None, values: Tensor, higher_is_better: bool | None) -> Metric:
    """Return an entry of ``results.json`` for a metric that is the mean of one value for each image."""
    low, high = bootstrap_interval(values)
    return {
        "name": name,
        "explainer": explainer,
        "value": float(values.mean()),
        "higher_is_better": higher_is_better,
        "n": len(values),
        "interval": [low, high],
    }


def _padded(curves: pa.ChunkedArray) -> tuple[Tensor, Tensor]:
    """Return ragged curves as (images, longest) padded with 0, and their lengths."""
    rows = curves.to_pylist()
    lengths = torch.tensor([len(row) for row in rows])
    padded = torch.zeros(len(rows), int(lengths.max()), dtype=torch.float64)
    for row, values in zip(padded, rows, strict=True):
        row[: len(values)] = torch.tensor(values, dtype=torch.float64)
    return padded, lengths


def _numpy(column: pa.ChunkedArray) -> NDArray[Any]:
    return np.asarray(column.to_numpy(zero_copy_only=False))


def summarise_explainer(rows: pa.Table, explainer: str) -> tuple[list[Metric], dict[str, list[float]]]:
    """Return the metrics of one explainer, and its averaged curves ``mutual_information`` and ``..._chance``."""
    curves, lengths = _padded(rows["curve"])
    chance, _ = _padded(rows["chance_curve"])
    set_auc, set_chance = (
        curves.mean(1),
        chance.mean(1),
    )  # zero-padded to the longest: the mean over images is the set's AUC
    metrics = [
        mean_metric("mutual_information", explainer, curves[:, 0], True),
        mean_metric("mutual_information_auc", explainer, set_auc, True),
        mean_metric("mutual_information_auc_chance", explainer, set_chance, None),
        mean_metric("mutual_information_auc_excess", explainer, set_auc - set_chance, True),
        mean_metric("mutual_information_image_auc", explainer, curves.sum(1) / lengths, True),
    ]
    entropy = torch.tensor(rows["concept_entropy"].drop_null().to_pylist(), dtype=torch.float64)
    if len(entropy):
        metrics.append(mean_metric("concept_entropy", explainer, entropy, None))
    averaged = {
        "mutual_information": curves.mean(0).tolist(),
        "mutual_information_chance": chance.mean(0).tolist(),
    }
    return metrics, averaged


def _summarise_scorers(rows: pa.Table, explainer: str | None) -> tuple[list[Metric], dict[str, list[float]]]:
    """Return the metrics and averaged curves of the scorers' columns; images without a value do not count.

    Args:
        rows: of one explainer.
        explainer: its name; None for the metrics that are the same for all of them.
    """
    metrics, averaged = [], {}
    for column in (name for name in rows.column_names if name in COLUMN_METRICS):
        values = rows[column].drop_null().to_pylist()
        if not values:
            continue
        metrics += [
            mean_metric(metric.name, explainer, metric.reduce(values), metric.higher_is_better)
            for metric in COLUMN_METRICS[column]
            if metric.of_model == (explainer is None)
        ]
        if column in COLUMN_CURVES and explainer is not None:
            averaged[COLUMN_CURVES[column]] = average_column_curve(values)
    return metrics, averaged


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


def summarise(records: Sequence[GroupRecord]) -> dict[str, Any]:
    """Return the parts of ``results.json`` that follow from the rows.

    Args:
        records: all groups of a run, in any order.

    Returns:
        ``metrics``, ``curves``, ``controls``, ``fallbacks``, and ``images`` and ``unreadable`` for the ``data`` entry;
        without any image there are no metrics and no curves, and without labels no ``top1`` and ``top5``.
    """
    records = sorted(records, key=lambda record: record.key)
    # A group without a readable image has none of the scorers' columns.
    rows = pa.concat_tables([record.rows for record in records], promote_options="default")
    explainers = list(dict.fromkeys(rows["explainer"].to_pylist()))
    metrics: list[Metric] = []
    curves: dict[str, dict[str, list[float]]] = {}
    images = 0
    for explainer in explainers:
        own = rows.filter(pc.equal(rows["explainer"], explainer)).sort_by(
            [("class_index", "ascending"), ("sample_id", "ascending")]
        )
        if not metrics:  # neither the prediction nor the foreground depends on the explainer
            images = len(own)
            metrics += [
                mean_metric(name, None, torch.tensor(_numpy(own[name])).double(), True)
                for name in ("top1", "top5")
                if not own[name].null_count
            ]
            metrics += _summarise_scorers(own, None)[0]
        of_explainer, averaged = summarise_explainer(own, explainer)
        of_scorers, more = _summarise_scorers(own, explainer)
        metrics += of_explainer + of_scorers
        for name, curve in (averaged | more).items():
            curves.setdefault(name, {})[explainer] = curve
    return {
        "metrics": metrics,
        "curves": curves,
        "controls": compare_controls(rows),
        "fallbacks": add_up_fallbacks([record.fallbacks for record in records]),
        "images": images,
        "unreadable": [message for record in records for message in record.unreadable],
    }
