"""Rows of explained images: the tensors of a class group as Parquet."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import pyarrow as pa

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.runs.group_files import ROW_SCHEMA, GroupRecord
from mkbench.scorers.base import trim_rows
from mkbench.scorers.explained_group import ExplainedGroup, GroupResult
from mkbench.systems.records.rankings import ranked_image_columns


def _explainer_rows(
    explained: ExplainedGroup, shared: dict[str, list[Any]], measured: Mapping[str, pa.DataType]
) -> pa.Table:
    explanation = explained.explanation
    counts = explanation.vision.counts
    ids = explanation.descriptor_ids.flatten(1)
    columns = {
        **shared,
        "explainer": [explanation.explainer] * len(explanation),
        "num_parts": explanation.present.sum(1).tolist(),
        "descriptor_ids": trim_rows(explanation.vision.ids, counts),
        "importance": trim_rows(explanation.vision.importance.double(), counts),
        "part_descriptor_ids": [[i for i in row if i >= 0] for row in ids.tolist()],
        "hits": trim_rows(explained.hits, counts),
        "curve": trim_rows(explained.curves, counts + 1),
        "chance_curve": [None if isnan(curve[0]) else curve for curve in trim_rows(explained.chance, counts + 1)],
        # An explainer without parts has nothing that could differ between them.
        "concept_entropy": explained.entropy.tolist() if explanation.present.shape[1] else [None] * len(explanation),
    }
    schema = pa.schema([*ROW_SCHEMA, *measured.items()])
    return pa.table({name: (columns | explained.measured)[name] for name in schema.names}, schema=schema)


def empty_record(group: ClassGroup) -> GroupRecord:
    """Return the record of a group of which no image could be read."""
    return GroupRecord(group.key, ROW_SCHEMA.empty_table(), {}, group.unreadable)


def group_record(
    result: GroupResult, class_names: Sequence[str], measured: Mapping[str, pa.DataType] | None = None
) -> GroupRecord:
    """Return the rows of a group, one for each image and explainer; without labels, what depends on them is null.

    Args:
        result: the group.
        class_names: names in class order.
        measured: columns that the run's scorers fill, with their types.
    """
    group = result.group
    shared = ranked_image_columns(group, result.ranking, class_names)
    tables = [_explainer_rows(explained, shared, measured or {}) for explained in result.explained.values()]
    fallbacks = {"foreground": result.foreground.fallbacks} | {
        name: explained.explanation.fallbacks for name, explained in result.explained.items()
    }
    return GroupRecord(group.key, pa.concat_tables(tables), fallbacks, group.unreadable)
