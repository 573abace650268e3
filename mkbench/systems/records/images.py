"""Rows and accuracy of runs that classify images and explain none of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.runs.group_files import IMAGE_SCHEMA, GroupRecord
from mkbench.systems.records.summary import mean_metric

_SCHEMA = IMAGE_SCHEMA.append(pa.field("top5", pa.bool_()))


def ranking_record(group: ClassGroup, ranking: Tensor | None, class_names: Sequence[str]) -> GroupRecord:
    """Return the rows of a group, one for each image; without labels, what depends on them is null.

    Args:
        group: images of one class, or without labels.
        ranking: (B, up to 5) int64, predicted classes, best first; None if no image could be read.
        class_names: names in class order.

    Example:
        >>> group = ClassGroup(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 1, 0, ("owl/1.png",))
        >>> row, = ranking_record(group, torch.tensor([[0, 1]]), ["bat", "owl"]).rows.to_pylist()
        >>> row["class_name"], row["predicted_index"], row["top1"], row["top5"]
        ('owl', 0, False, True)
    """
    ranked: list[list[int]] = [] if ranking is None else ranking.tolist()
    label = group.class_index
    known = label is not None
    columns: dict[str, Any] = {
        "sample_id": list(group.sample_ids),
        "class_index": [label] * len(group),
        "class_name": [None if label is None else class_names[label]] * len(group),
        "predicted_index": [classes[0] for classes in ranked],
        "top1": [classes[0] == label if known else None for classes in ranked],
        "top5": [label in classes if known else None for classes in ranked],
    }
    return GroupRecord(group.key, pa.table(columns, schema=_SCHEMA), {}, group.unreadable)


def summarise_rankings(records: Sequence[GroupRecord]) -> dict[str, Any]:
    """Return the parts of ``results.json`` that follow from the rows.

    Args:
        records: all groups of a run, in any order.

    Returns:
        ``metrics`` (``top1`` and ``top5``; none without labels or images), ``images`` and ``unreadable``.
    """
    records = sorted(records, key=lambda record: record.key)
    rows = pa.concat_tables([record.rows for record in records])
    correct = {name: rows[name] for name in ("top1", "top5") if len(rows) and not rows[name].null_count}
    return {
        "metrics": [
            mean_metric(name, None, torch.from_numpy(np.array(values.to_pylist(), dtype=np.float64)), True)
            for name, values in correct.items()
        ],
        "images": len(rows),
        "unreadable": [message for record in records for message in record.unreadable],
    }
