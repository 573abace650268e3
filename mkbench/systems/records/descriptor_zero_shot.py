"""Rows and metrics of classification by descriptions: class prompts, own descriptors, own and mined descriptors."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import pyarrow as pa
from torch import Tensor

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.metrics.catalogue import CATALOGUE, metrics_of
from mkbench.metrics.entry import MetricEntry
from mkbench.metrics.metric_results import difference_result
from mkbench.runs.group_files import IMAGE_SCHEMA, GroupRecord
from mkbench.systems.records.metric_rows import (
    Layout,
    join_groups,
    layout_results,
)
from mkbench.systems.records.rankings import image_columns, ranked_columns, ranking_rows


class VariantColumns(NamedTuple):
    """Columns of one way of describing classes; the latter two are the names of the metrics too.

    Attributes:
        predicted: of the predicted class.
        top1: whether it is the class of the image.
        top5: whether that is among the five nearest; null with five classes or fewer.
    """

    predicted: str
    top1: str
    top5: str


#: What an image may be compared with; the first one is that of every run.
VARIANTS: Mapping[str, VariantColumns] = {
    "base": VariantColumns("predicted_index", "top1", "top5"),
    **{
        variant: VariantColumns(f"predicted_{variant}", f"top1_{variant}", f"top5_{variant}")
        for variant in ("descriptors", "mined", "shuffled", "random")
    },
}
#: Pairs of variants (one, minus the other) whose difference is in the results: all from the first two.
COMPARED = tuple((variant, minus) for minus, variant in combinations(VARIANTS, 2) if minus in ("base", "descriptors"))


def image_record(
    group: ClassGroup, predicted: Mapping[str, Tensor], class_names: Sequence[str], variants: Sequence[str]
) -> GroupRecord:
    """Return the rows of a group, one for each image.

    Args:
        group: images of one class.
        predicted: variant -> (B, up to 5) int64, nearest classes first; may be empty if the group is.
        class_names: names in class order.
        variants: those of the run.

    Example:
        >>> import torch
        >>> group = ClassGroup(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 1, 0, ("owl/1.png",))
        >>> record = image_record(group, {"base": torch.tensor([[0, 1]])}, ["bat", "owl"], ["base"])
        >>> [record.rows.to_pylist()[0][name] for name in ("class_name", "top1", "top5")]
        ['owl', False, None]
    """
    columns = image_columns(group, class_names)
    schema = IMAGE_SCHEMA
    for variant in variants:
        names = VARIANTS[variant]
        ranked = ranked_columns(predicted.get(variant), group.class_index, len(class_names))
        columns |= zip(names, ranked, strict=True)
        for name in names:
            if name not in schema.names:
                schema = schema.append(pa.field(name, pa.int64() if name == names.predicted else pa.bool_()))
    return GroupRecord(group.key, pa.table(columns, schema=schema), {}, group.unreadable)


def image_layout(variants: Sequence[str], own: Sequence[MetricEntry] = ()) -> Layout:
    """Return the metrics of a run: the accuracy of each variant, and a user's own."""
    columns = {*IMAGE_SCHEMA.names, *(column for variant in variants for column in VARIANTS[variant])}
    return {None: metrics_of(columns, own=own)}


def summarise_images(records: Sequence[GroupRecord], own: Sequence[MetricEntry] = ()) -> dict[str, Any]:
    """Return the parts of ``results.json`` that follow from the rows.

    Args:
        records: all groups of a run, in any order.
        own: a user's metrics.

    Returns:
        ``metrics`` (``top1`` and ``top5`` of the class prompts, and of each other variant that has columns),
        ``differences`` of top-1 (each variant less the prompts and less the own descriptors, with the paired bootstrap
        interval over the images),
        ``images`` and ``unreadable``; without any image there are no metrics.
    """
    joined = join_groups(records)
    table = joined.rows
    rows = ranking_rows(table)
    variants = [variant for variant, names in VARIANTS.items() if names.top1 in table.column_names]
    pairs = [[VARIANTS[one].top1 for one in pair] for pair in COMPARED if len(table) and set(pair) <= set(variants)]
    return {
        "metrics": layout_results(image_layout(variants, own), rows),
        "differences": [
            {
                "metric": name,
                "minus": minus,
                **difference_result(CATALOGUE[name], CATALOGUE[minus], rows[None], rows[None]),
            }
            for name, minus in pairs
        ],
        "images": len(table),
        "unreadable": joined.unreadable,
    }
