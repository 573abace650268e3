"""Rows of runs that segment images by their heads, and the metrics that follow from these rows alone."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import torch

from mkbench.concepts.upscale import has_pixels
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.metrics.catalogue import metrics_of
from mkbench.metrics.entry import MetricEntry
from mkbench.metrics.functional.segmentation import accuracy_of_counts
from mkbench.metrics.metric_results import control_result
from mkbench.runs.group_files import IMAGE_SCHEMA, GroupRecord
from mkbench.scorers.base import to_values
from mkbench.systems.records.metric_rows import (
    Layout,
    OwnedRows,
    join_groups,
    layout_results,
    rows_by,
)
from mkbench.systems.records.rankings import ranking_record
from mkbench.systems.records.summary import add_up_fallbacks
from mkbench.systems.segmented_group import SegmentedGroup

#: What is compared; the first is what the benchmark is about, the others are its controls.
METHODS = ("heads", "attention", "random_heads")
#: The metrics of each of them.
SCORES = ("pixel_accuracy", "mean_iou", "average_precision")
#: One row for each image and method. Numbers are null for an image of whose object not one pixel can be seen.
SEGMENTATION_SCHEMA = pa.schema(
    [
        *IMAGE_SCHEMA,
        ("top5", pa.bool_()),
        ("method", pa.string()),
        ("mapped_index", pa.int64()),
        ("pixel_accuracy", pa.float64()),
        ("background_iou", pa.float64()),
        ("object_iou", pa.float64()),
        ("average_precision", pa.float64()),
        ("pixels", pa.list_(pa.float64())),
    ]
)


def segmentation_record(group: ClassGroup, answer: SegmentedGroup | None, class_names: Sequence[str]) -> GroupRecord:
    """Return the rows of a group, one for each image and method.

    ``mapped_index`` is the class that was looked for; ``pixels`` are four counts: background taken for background and
    for object, object taken for background and for object. With several maps of an image all numbers are their means.

    Args:
        group: images of one class, or without labels.
        answer: what was found; None if no image could be read.
        class_names: names in class order.
    """
    if answer is None:
        return GroupRecord(group.key, SEGMENTATION_SCHEMA.empty_table(), {}, group.unreadable)
    images, there = answer.images, has_pixels(answer.ground_truth)
    shared = ranking_record(group, images.ranking, class_names).rows
    tables = []
    for method in METHODS:
        scores = images.scores[method]
        numbers = {
            "pixel_accuracy": accuracy_of_counts(scores.counts),
            "background_iou": scores.iou[:, 0],
            "object_iou": scores.iou[:, 1],
            "average_precision": scores.average_precision,
        }
        columns: dict[str, Any] = {name: to_values(torch.where(there, own, torch.nan)) for name, own in numbers.items()}
        pixels = zip(scores.counts.flatten(1).tolist(), there.tolist(), strict=True)
        columns |= {
            "method": [method] * len(group),
            "mapped_index": images.classes.tolist(),
            "pixels": [own if known else None for own, known in pixels],
        }
        columns |= {name: shared[name] for name in shared.column_names}
        tables.append(pa.table({name: columns[name] for name in SEGMENTATION_SCHEMA.names}, schema=SEGMENTATION_SCHEMA))
    fallbacks = {method: {"no_contrast": int(images.scores[method].flat.sum())} for method in METHODS}
    fallbacks["ground_truth"] = {"no_mask": int((~there).sum())}
    return GroupRecord(group.key, pa.concat_tables(tables), fallbacks, group.unreadable)


def segmentation_layout(own: Sequence[MetricEntry] = ()) -> Layout:
    """Return the metrics of the model, its accuracies, and those of each method."""
    of_model, of_method = (
        metrics_of(set(SEGMENTATION_SCHEMA.names), own=own, of_model=either) for either in (True, False)
    )
    return {None: of_model, **dict.fromkeys(METHODS, of_method)}


def segmentation_rows(rows: pa.Table) -> OwnedRows:
    """Return the columns of the model and of each method."""
    return rows_by(rows, "method")


def summarise_segmentation(records: Sequence[GroupRecord], own: Sequence[MetricEntry] = ()) -> dict[str, Any]:
    """Return the parts of ``results.json`` that follow from the rows.

    Pixel accuracy and mean IoU are of all pixels of all images together, as published: intersections and unions are
    summed over images before they are divided, then averaged over object and background. Average precision is the mean
    over images. Images without a pixel of the object do not count. Intervals (95 %) are over images drawn with
    replacement, the same ones for all methods.

    Args:
        records: all groups of a run, in any order.
        own: a user's metrics.

    Returns:
        ``metrics`` (those of each method as ``explainer``), ``controls`` (the heads less each control: ``difference``,
        its ``interval``, and whether it ``separates``, lying above 0 as a whole), ``fallbacks`` (maps without contrast,
        images without a pixel of the object), ``images`` and ``unreadable``.
    """
    joined = join_groups(records)
    rows, layout = segmentation_rows(joined.rows), segmentation_layout(own)
    heads, *others = METHODS
    controls = (
        control_result(entry, entry, rows[heads], rows[control], explainer=heads, name=control)
        for entry in layout[heads]
        for control in others
        if rows and entry.display.higher_is_better is not None
    )
    return {
        "metrics": layout_results(layout, rows),
        "images": len(rows[None]["sample_id"]) if rows else 0,
        "unreadable": joined.unreadable,
        "controls": [control for control in controls if control is not None],
        "fallbacks": add_up_fallbacks(joined.fallbacks),
    }
