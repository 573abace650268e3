"""From the tensors of a class group to rows of Parquet."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from torch import Tensor

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.results.bundle import ROW_SCHEMA, GroupRecord
from mkbench.systems.mutual_knowledge import ExplainedGroup, GroupResult


def _trim(values: Tensor, counts: Tensor) -> list[list[Any]]:
    """Return padded (B, K) values as lists of each row's own length."""
    return [row[:count] for row, count in zip(values.tolist(), counts.tolist(), strict=True)]


def _explainer_rows(explained: ExplainedGroup, shared: dict[str, list[Any]]) -> pa.Table:
    explanation = explained.explanation
    counts = explanation.vision.counts
    ids = explanation.descriptor_ids.flatten(1)
    columns = {
        **shared,
        "explainer": [explanation.explainer] * len(explanation),
        "num_parts": explanation.present.sum(1).tolist(),
        "descriptor_ids": _trim(explanation.vision.ids, counts),
        "importance": _trim(explanation.vision.importance.double(), counts),
        "part_descriptor_ids": [[i for i in row if i >= 0] for row in ids.tolist()],
        "hits": _trim(explained.hits, counts),
        "curve": _trim(explained.curves, counts + 1),
        "chance_curve": _trim(explained.chance, counts + 1),
        "concept_entropy": explained.entropy.tolist(),
    }
    return pa.table({name: columns[name] for name in ROW_SCHEMA.names}, schema=ROW_SCHEMA)


def empty_record(group: ClassGroup) -> GroupRecord:
    """Return the record of a group of which no picture could be read."""
    return GroupRecord(group.key, ROW_SCHEMA.empty_table(), {}, group.unreadable)


def group_record(result: GroupResult, class_names: Sequence[str]) -> GroupRecord:
    """Return the rows of a group, one for each image and explainer."""
    group = result.group
    right = (result.ranking == group.class_index).cpu()
    shared: dict[str, list[Any]] = {
        "sample_id": list(group.sample_ids),
        "class_index": [group.class_index] * len(group),
        "class_name": [class_names[group.class_index]] * len(group),
        "predicted_index": result.ranking[:, 0].tolist(),
        "top1": right[:, 0].tolist(),
        "top5": right.any(1).tolist(),
    }
    tables = [_explainer_rows(explained, shared) for explained in result.explained.values()]
    fallbacks = {"foreground": result.foreground.fallbacks} | {
        name: explained.explanation.fallbacks for name, explained in result.explained.items()
    }
    return GroupRecord(group.key, pa.concat_tables(tables), fallbacks, group.unreadable)
