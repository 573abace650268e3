"""Rows and metrics of trained classifiers: the class that each of them gives an image, beside the zero-shot one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.metrics.functional import paired_bootstrap_difference
from mkbench.runs.group_files import IMAGE_SCHEMA, GroupRecord
from mkbench.systems.records.summary import mean_metric

#: Metrics of every classifier.
_METRICS = ("top1", "top5")


def _column(metric: str, head: str | None) -> str:
    """The column of a metric; that of the zero-shot classifier has no head in its name."""
    return metric if head is None else f"{metric}_{head}"


def _schema(heads: Sequence[str]) -> pa.Schema:
    own = [pa.field("top5", pa.bool_())]
    for head in heads:
        own.append(pa.field(_column("predicted_index", head), pa.int64()))
        own += [pa.field(_column(metric, head), pa.bool_()) for metric in _METRICS]
    return pa.schema([*IMAGE_SCHEMA, *own])


def classified_record(
    group: ClassGroup, ranking: Mapping[str | None, Tensor], class_names: Sequence[str], heads: Sequence[str]
) -> GroupRecord:
    """Return the rows of a group, one for each image.

    Args:
        group: images of one class.
        ranking: name of a head, None for zero-shot -> (B, up to 5) int64 classes, best first; may be empty if the group
            is.
        class_names: names in class order.
        heads: names of the heads.

    Example:
        >>> group = ClassGroup(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 1, 0, ("owl/1.png",))
        >>> ranking = {None: torch.tensor([[0, 1]]), "linear-probe": torch.tensor([[1, 0]])}
        >>> row, = classified_record(group, ranking, ["bat", "owl"], ["linear-probe"]).rows.to_pylist()
        >>> row["top1"], row["top5"], row["top1_linear-probe"]
        (False, True, True)
    """
    label = group.class_index
    columns: dict[str, Any] = {
        "sample_id": list(group.sample_ids),
        "class_index": [label] * len(group),
        "class_name": [None if label is None else class_names[label]] * len(group),
    }
    for head in (None, *heads):
        classes = ranking[head].tolist() if len(group) else []
        columns[_column("predicted_index", head)] = [best[0] for best in classes]
        columns[_column("top1", head)] = [best[0] == label for best in classes]
        columns[_column("top5", head)] = [label in best for best in classes]
    return GroupRecord(group.key, pa.table(columns, schema=_schema(heads)), {}, group.unreadable)


def summarise_classified(records: Sequence[GroupRecord], heads: Sequence[str]) -> dict[str, Any]:
    """Return the parts of ``results.json`` that follow from the rows.

    Args:
        records: all groups of a run, in any order.
        heads: names of the heads, the first of which the others are compared with.

    Returns:
        ``metrics`` (``top1`` and ``top5`` of the zero-shot classifier, and of each head as their ``explainer``),
        ``differences`` (top-1 of each other head less that of the first, with the paired bootstrap interval over the
        images), ``images`` and ``unreadable``; without any image there are no metrics.
    """
    rows = pa.concat_tables([record.rows for record in sorted(records, key=lambda record: record.key)])
    rows = rows.sort_by([("class_index", "ascending"), ("sample_id", "ascending")])
    present = (None, *heads) if len(rows) else ()
    correct = {(metric, head): _read(rows, _column(metric, head)) for head in present for metric in _METRICS}
    first, *others = heads
    return {
        "metrics": [mean_metric(metric, head, values, True) for (metric, head), values in correct.items()],
        "differences": [
            _difference(correct["top1", head], correct["top1", first], head, first) for head in others if len(rows)
        ],
        "images": len(rows),
        "unreadable": [message for record in records for message in record.unreadable],
    }


def _read(rows: pa.Table, column: str) -> Tensor:
    return torch.from_numpy(np.array(rows[column].to_numpy(zero_copy_only=False), dtype=np.float64))


def _difference(own: Tensor, minus: Tensor, head: str, other: str) -> dict[str, Any]:
    low, high = paired_bootstrap_difference(own, minus)
    return {
        "metric": "top1",
        "explainer": head,
        "minus": other,
        "value": float((own - minus).mean()),
        "n": len(own),
        "interval": [low, high],
    }
