"""Rows and accuracy of runs that classify images and explain none of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from torch import Tensor

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.metrics.catalogue import metrics_of
from mkbench.metrics.entry import MetricEntry
from mkbench.runs.group_files import IMAGE_SCHEMA, GroupRecord
from mkbench.systems.records.metric_rows import (
    Layout,
    OwnedRows,
    TableRows,
    join_groups,
    layout_results,
)

#: With more classes, being among the nearest five says something.
_MOST_NEAR = 5
#: One row for each image.
RANKING_SCHEMA = IMAGE_SCHEMA.append(pa.field("top5", pa.bool_()))


def top5_column(ranking: Sequence[Sequence[int]], label: int | None, classes: int) -> list[bool | None]:
    """Return whether the class of each image is among its nearest five; None without labels or with five classes.

    Among five classes or fewer every one is among the nearest five.

    Args:
        ranking: up to five classes of each image, best first.
        label: the class of the images; None: not known.
        classes: how many classes there are.

    Example:
        >>> top5_column([[0, 1, 2, 3, 4]], 5, 6), top5_column([[0, 1]], 1, 2)
        ([False], [None])
    """
    known = label is not None and classes > _MOST_NEAR
    return [label in best if known else None for best in ranking]


class RankedColumns(NamedTuple):
    """Columns of one classifier, a value for each image.

    Attributes:
        predicted: its predicted class.
        top1: whether that is the class of the image; None without labels.
        top5: see ``top5_column``.
    """

    predicted: list[int]
    top1: list[bool | None]
    top5: list[bool | None]


def ranked_columns(ranking: Tensor | None, label: int | None, classes: int) -> RankedColumns:
    """Return what one classifier says of images of one class.

    Args:
        ranking: (B, up to 5) int64, classes of each image, best first; None: of no image.
        label: the class of the images; None: not known.
        classes: how many classes there are.

    Example:
        >>> import torch
        >>> ranked_columns(torch.tensor([[0, 1], [1, 0]]), 1, 2)
        RankedColumns(predicted=[0, 1], top1=[False, True], top5=[None, None])
    """
    ranked: list[list[int]] = [] if ranking is None else ranking.tolist()
    first = [best[0] for best in ranked]
    right = [None if label is None else predicted == label for predicted in first]
    return RankedColumns(first, right, top5_column(ranked, label, classes))


def image_columns(group: ClassGroup, class_names: Sequence[str]) -> dict[str, list[Any]]:
    """Return the columns that say which image a row is of, and of which class."""
    label = group.class_index
    return {
        "sample_id": list(group.sample_ids),
        "class_index": [label] * len(group),
        "class_name": [None if label is None else class_names[label]] * len(group),
    }


def ranked_image_columns(group: ClassGroup, ranking: Tensor | None, class_names: Sequence[str]) -> dict[str, list[Any]]:
    """Return the columns of the images of a group, and of what the model takes them for."""
    ranked = ranked_columns(ranking, group.class_index, len(class_names))
    return image_columns(group, class_names) | dict(zip(("predicted_index", "top1", "top5"), ranked, strict=True))


def ranking_record(group: ClassGroup, ranking: Tensor | None, class_names: Sequence[str]) -> GroupRecord:
    """Return the rows of a group, one for each image; without labels, what depends on them is null.

    Args:
        group: images of one class, or without labels.
        ranking: (B, up to 5) int64, predicted classes, best first; None if no image could be read.
        class_names: names in class order.

    Example:
        >>> import torch
        >>> group = ClassGroup(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 1, 0, ("owl/1.png",))
        >>> row, = ranking_record(group, torch.tensor([[0, 1]]), ["bat", "owl"]).rows.to_pylist()
        >>> row["class_name"], row["predicted_index"], row["top1"], row["top5"]
        ('owl', 0, False, None)
    """
    columns = ranked_image_columns(group, ranking, class_names)
    return GroupRecord(group.key, pa.table(columns, schema=RANKING_SCHEMA), {}, group.unreadable)


def ranking_layout(own: Sequence[MetricEntry] = ()) -> Layout:
    """Return the metrics of a run that classifies: accuracies, and a user's own."""
    return {None: metrics_of(set(RANKING_SCHEMA.names), own=own)}


def ranking_rows(rows: pa.Table) -> OwnedRows:
    """Return the columns of the model."""
    return {None: TableRows(rows)}


def summarise_rankings(records: Sequence[GroupRecord], own: Sequence[MetricEntry] = ()) -> dict[str, Any]:
    """Return the parts of ``results.json`` that follow from the rows.

    Args:
        records: all groups of a run, in any order.
        own: a user's metrics.

    Returns:
        ``metrics`` (``top1`` and ``top5``; none without labels or images), ``images`` and ``unreadable``.
    """
    joined = join_groups(records)
    rows = joined.rows
    return {
        "metrics": layout_results(ranking_layout(own), ranking_rows(rows)),
        "images": len(rows),
        "unreadable": joined.unreadable,
    }
