"""Rows and metrics of trained classifiers: the class that each of them gives an image, beside the zero-shot one."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from torch import Tensor

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.metrics.catalogue import CATALOGUE, metrics_of
from mkbench.metrics.entry import MetricEntry
from mkbench.metrics.metric_results import difference_result
from mkbench.runs.group_files import IMAGE_SCHEMA, GroupRecord
from mkbench.systems.records.metric_rows import (
    Layout,
    OwnedRows,
    TableRows,
    join_groups,
    layout_results,
)
from mkbench.systems.records.rankings import image_columns, ranked_columns

#: Metrics of every classifier.
_METRICS = ("top1", "top5")
#: Columns that every classifier has under a name of its own, and those that all share.
_RENAMED, _SHARED = ("predicted_index", *_METRICS), ("sample_id", "class_index", "class_name")


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
        >>> import torch
        >>> group = ClassGroup(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 1, 0, ("owl/1.png",))
        >>> ranking = {None: torch.tensor([[0, 1]]), "linear-probe": torch.tensor([[1, 0]])}
        >>> row, = classified_record(group, ranking, ["bat", "owl"], ["linear-probe"]).rows.to_pylist()
        >>> row["top1"], row["top5"], row["top1_linear-probe"]
        (False, None, True)
    """
    columns = image_columns(group, class_names)
    for head in (None, *heads):
        ranked = ranked_columns(ranking.get(head), group.class_index, len(class_names))
        columns |= zip((_column(name, head) for name in _RENAMED), ranked, strict=True)
    return GroupRecord(group.key, pa.table(columns, schema=_schema(heads)), {}, group.unreadable)


def classified_layout(heads: Sequence[str], own: Sequence[MetricEntry] = ()) -> Layout:
    """Return the metrics of the zero-shot classifier and of each head."""
    entries = metrics_of(set(_RENAMED) | set(_SHARED), own=own)
    return dict.fromkeys((None, *heads), entries)


def classified_rows(rows: pa.Table, heads: Sequence[str]) -> OwnedRows:
    """Return the columns of the zero-shot classifier and of each head, under the same names."""
    shared = {name: name for name in _SHARED}
    return {head: TableRows(rows, shared | {name: _column(name, head) for name in _RENAMED}) for head in (None, *heads)}


def summarise_classified(
    records: Sequence[GroupRecord], heads: Sequence[str], own: Sequence[MetricEntry] = ()
) -> dict[str, Any]:
    """Return the parts of ``results.json`` that follow from the rows.

    Args:
        records: all groups of a run, in any order.
        heads: names of the heads, the first of which the others are compared with.
        own: a user's metrics.

    Returns:
        ``metrics`` (``top1`` and ``top5`` of the zero-shot classifier, and of each head as their ``explainer``),
        ``differences`` (top-1 of each other head less that of the first, with the paired bootstrap interval over the
        images), ``images`` and ``unreadable``; without any image there are no metrics.
    """
    joined = join_groups(records)
    table = joined.rows
    rows, top1 = classified_rows(table, heads), CATALOGUE["top1"]
    first, *others = heads
    return {
        "metrics": layout_results(classified_layout(heads, own), rows),
        "differences": [
            {"metric": top1.name, "explainer": head, "minus": first}
            | difference_result(top1, top1, rows[head], rows[first])
            for head in others
            if len(table)
        ],
        "images": len(table),
        "unreadable": joined.unreadable,
    }
