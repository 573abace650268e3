"""Rows of runs that segment images by their heads, and the metrics that follow from these rows alone."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from mkbench.datamodules.class_groups import ClassGroup
from mkbench.metrics.functional.bootstrap import bootstrap_means
from mkbench.metrics.functional.segmentation import accuracy_of_counts, mean_iou_of_counts
from mkbench.runs.group_files import IMAGE_SCHEMA, GroupRecord
from mkbench.scorers.base import to_values
from mkbench.systems.records.images import ranking_record, summarise_rankings
from mkbench.systems.records.summary import Metric, add_up_fallbacks
from mkbench.systems.segmented_group import SegmentedGroup

#: What is compared; the first is what the benchmark is about, the others are its controls.
METHODS = ("heads", "attention", "random_heads")
#: The metrics, all of them shares and higher better.
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
_LEVEL = (0.025, 0.975)


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
    images, there = answer.images, answer.ground_truth.flatten(1).any(dim=1)
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


def summarise_segmentation(records: Sequence[GroupRecord]) -> dict[str, Any]:
    """Return the parts of ``results.json`` that follow from the rows.

    Pixel accuracy and mean IoU are of all pixels of all images together, as published: intersections and unions are
    summed over images before they are divided, then averaged over object and background. Average precision is the mean
    over images. Images without a pixel of the object do not count. Intervals (95 %) are over images drawn with
    replacement, the same ones for all methods.

    Args:
        records: all groups of a run, in any order.

    Returns:
        ``metrics`` (those of each method as ``explainer``), ``controls`` (the heads less each control: ``difference``,
        its ``interval``, and whether it ``separates``, lying above 0 as a whole), ``fallbacks`` (maps without contrast,
        images without a pixel of the object), ``images`` and ``unreadable``.
    """
    records = sorted(records, key=lambda record: record.key)
    rows = pa.concat_tables([record.rows for record in records])
    tables = [
        rows.filter(pc.equal(rows["method"], method)).sort_by(
            [("class_index", "ascending"), ("sample_id", "ascending")]
        )
        for method in METHODS
    ]
    firsts = [GroupRecord(record.key, _only_first(record.rows), {}, record.unreadable) for record in records]
    summary = summarise_rankings(firsts)
    values = torch.stack([_sums(table) for table in tables])  # (methods, images, 5)
    metrics, controls = _compare(values) if values.shape[1] else ([], [])
    return summary | {
        "metrics": summary["metrics"] + metrics,
        "controls": controls,
        "fallbacks": add_up_fallbacks([record.fallbacks for record in records]),
    }


def _only_first(rows: pa.Table) -> pa.Table:
    """The rows of one method: one for each image."""
    return rows.filter(pc.equal(rows["method"], METHODS[0]))


def _sums(rows: pa.Table) -> Tensor:
    """Return what metrics are made of, (n, 5) float64: four counts of pixels, and the average precision."""
    known = rows.filter(pc.is_valid(rows["pixels"]))
    counts = torch.tensor(known["pixels"].to_pylist(), dtype=torch.float64).view(-1, 4)
    precision = torch.tensor(known["average_precision"].to_pylist(), dtype=torch.float64)
    return torch.cat([counts, precision[:, None]], dim=1)


def _scores(means: Tensor) -> Tensor:
    """Bring means over images (..., 5) to the metrics in the order of ``SCORES``, (..., 3)."""
    counts = means[..., :4].reshape(*means.shape[:-1], 2, 2)
    return torch.stack([accuracy_of_counts(counts), mean_iou_of_counts(counts), means[..., 4]], dim=-1)


def _compare(values: Tensor) -> tuple[list[Metric], list[dict[str, Any]]]:
    """Return the metrics of each method, and the differences of the first from the others."""
    methods, images, columns = values.shape
    found = _scores(values.mean(dim=1))  # (methods, metrics)
    # One call for all methods: the same images are drawn for each of them.
    means = bootstrap_means(values.transpose(0, 1).reshape(images, methods * columns))
    drawn = _scores(means.view(-1, methods, columns))  # (resamples, methods, metrics)
    bounds = _bounds(drawn)
    metrics: list[Metric] = [
        {
            "name": name,
            "explainer": method,
            "value": float(found[m, s]),
            "higher_is_better": True,
            "n": images,
            "interval": bounds[:, m, s].tolist(),
        }
        for m, method in enumerate(METHODS)
        for s, name in enumerate(SCORES)
    ]
    differences, apart = found[:1] - found[1:], _bounds(drawn[:, :1] - drawn[:, 1:])
    controls = [
        {
            "metric": name,
            "explainer": METHODS[0],
            "control": control,
            "difference": float(differences[c, s]),
            "interval": apart[:, c, s].tolist(),
            "n": images,
            "separates": bool(apart[0, c, s] > 0),
        }
        for s, name in enumerate(SCORES)
        for c, control in enumerate(METHODS[1:])
    ]
    return metrics, controls


def _bounds(drawn: Tensor) -> Tensor:
    """Return the ends of 95 % intervals, (2, ...), of resampled values (resamples, ...)."""
    return torch.quantile(drawn, torch.tensor(_LEVEL, dtype=drawn.dtype), dim=0)
