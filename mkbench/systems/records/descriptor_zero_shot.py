"""Rows and metrics of classification by descriptions: class prompts, own descriptors, own and mined descriptors."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.metrics.functional import paired_bootstrap_difference
from mkbench.runs.group_files import IMAGE_SCHEMA, GroupRecord
from mkbench.systems.records.summary import mean_metric

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


def summarise_images(records: Sequence[GroupRecord]) -> dict[str, Any]:
    """Return the parts of ``results.json`` that follow from the rows.

    Args:
        records: all groups of a run, in any order.

    Returns:
        ``metrics`` (``top1`` of the class prompts, ``top1_descriptors``, and ``top1_mined`` if there is such a column),
        ``differences`` (each variant less each one before it, with the paired bootstrap interval over the images),
        ``images`` and ``unreadable``; without any image there are no metrics.
    """
    records = sorted(records, key=lambda record: record.key)
    rows = pa.concat_tables([record.rows for record in records]).sort_by(
        [("class_index", "ascending"), ("sample_id", "ascending")]
    )
    names = [name for _, name in VARIANTS.values() if name in rows.column_names]
    correct = {
        name: torch.from_numpy(np.array(rows[name].to_numpy(zero_copy_only=False), dtype=np.float64)) for name in names
    }
    present = correct if len(rows) else {}
    return {
        "metrics": [mean_metric(name, None, values, True) for name, values in present.items()],
        "differences": [_difference(correct, name, minus) for minus, name in combinations(present, 2)],
        "images": len(rows),
        "unreadable": [message for record in records for message in record.unreadable],
    }


def _difference(correct: Mapping[str, Tensor], name: str, minus: str) -> dict[str, Any]:
    low, high = paired_bootstrap_difference(correct[name], correct[minus])
    return {
        "metric": name,
        "minus": minus,
        "value": float((correct[name] - correct[minus]).mean()),
        "n": len(correct[name]),
        "interval": [low, high],
    }
