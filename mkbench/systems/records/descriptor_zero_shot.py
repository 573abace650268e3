"""Rows and metrics of classification by descriptions: class prompts, own descriptors, own and mined descriptors."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import pyarrow as pa
from torch import Tensor

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.metrics.catalogue import CATALOGUE, metrics_of
from mkbench.metrics.entry import MetricEntry
from mkbench.metrics.results import difference_result
from mkbench.runs.group_files import IMAGE_SCHEMA, GroupRecord
from mkbench.systems.records.metric_rows import (
    Layout,
    OwnedRows,
    TableRows,
    join_rows,
    layout_results,
    unreadable_images,
)

#: What an image may be compared with -> columns of the predicted class and of its correctness; the latter is the
#: name of the metric too. The first one is that of every run.
VARIANTS: Mapping[str, tuple[str, str]] = {
    "base": ("predicted_index", "top1"),
    "descriptors": ("predicted_descriptors", "top1_descriptors"),
    "mined": ("predicted_mined", "top1_mined"),
}


def image_record(
    group: ClassGroup, predicted: Mapping[str, Tensor], class_names: Sequence[str], variants: Sequence[str]
) -> GroupRecord:
    """Return the rows of a group, one for each image.

    Args:
        group: images of one class.
        predicted: variant -> (B,) int64 predicted classes; may be empty if the group is.
        class_names: names in class order.
        variants: those of the run.

    Example:
        >>> import torch
        >>> group = ClassGroup(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 1, 0, ("owl/1.png",))
        >>> record = image_record(group, {"base": torch.tensor([0])}, ["bat", "owl"], ["base"])
        >>> record.rows.to_pylist()[0]["class_name"], record.rows.to_pylist()[0]["top1"]
        ('owl', False)
    """
    label = group.class_index
    columns: dict[str, Any] = {
        "sample_id": list(group.sample_ids),
        "class_index": [label] * len(group),
        "class_name": [None if label is None else class_names[label]] * len(group),
    }
    schema = IMAGE_SCHEMA
    for variant in variants:
        index, correct = VARIANTS[variant]
        classes = predicted[variant].tolist() if len(group) else []
        columns |= {index: classes, correct: [chosen == label for chosen in classes]}
        if variant != "base":
            schema = schema.append(pa.field(index, pa.int64())).append(pa.field(correct, pa.bool_()))
    return GroupRecord(group.key, pa.table(columns, schema=schema), {}, group.unreadable)


def image_layout(variants: Sequence[str], own: Sequence[MetricEntry] = ()) -> Layout:
    """Return the metrics of a run: the accuracy of each variant, and a user's own."""
    columns = {*IMAGE_SCHEMA.names, *(column for variant in variants for column in VARIANTS[variant])}
    return {None: metrics_of(columns, own=own)}


def image_rows(rows: pa.Table) -> OwnedRows:
    """Return the columns of the model."""
    return {None: TableRows(rows)}


def summarise_images(records: Sequence[GroupRecord], own: Sequence[MetricEntry] = ()) -> dict[str, Any]:
    """Return the parts of ``results.json`` that follow from the rows.

    Args:
        records: all groups of a run, in any order.
        own: a user's metrics.

    Returns:
        ``metrics`` (``top1`` of the class prompts, ``top1_descriptors``, and ``top1_mined`` if there is such a column),
        ``differences`` (each variant less each one before it, with the paired bootstrap interval over the images),
        ``images`` and ``unreadable``; without any image there are no metrics.
    """
    table = join_rows(records)
    rows = image_rows(table)
    variants = [variant for variant, (_, name) in VARIANTS.items() if name in table.column_names]
    correct = [CATALOGUE[VARIANTS[variant][1]] for variant in variants if len(table)]
    return {
        "metrics": layout_results(image_layout(variants, own), rows),
        "differences": [
            {"metric": entry.name, "minus": minus.name, **difference_result(entry, minus, rows[None], rows[None])}
            for minus, entry in combinations(correct, 2)
        ],
        "images": len(table),
        "unreadable": unreadable_images(records),
    }
