"""From the columns that scorers fill to metrics; it needs the rows alone, so results can be built again from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mkbench.metrics.functional.removal_curve import (
    average_removal_curve,
    curve_mean,
    curve_sum,
    pad_removal_curves,
)

#: The values of a column, one for each image -> (n,) float64.
Reduction = Callable[[list[Any]], Tensor]


@dataclass(frozen=True)
class ColumnMetric:
    """A metric that is the mean over images of one number read from a column.

    Attributes:
        name: the metric.
        reduce: the column's values -> (n,) float64.
        higher_is_better: None where neither is.
        of_model: it is the same for every explainer, and reported once, of the model.
    """

    name: str
    reduce: Reduction
    higher_is_better: bool | None
    of_model: bool = False


def _plain(values: list[Any]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _mean(values: list[Any]) -> Tensor:
    return curve_mean(values)


def _sum(values: list[Any]) -> Tensor:
    return curve_sum(values)


def _removal(column: str, metric: str, higher_is_better: bool) -> dict[str, tuple[ColumnMetric, ...]]:
    """Both scales of a removal curve, and of its reversed control, whose direction is nobody's aim."""
    return {
        f"{column}{suffix}": (
            ColumnMetric(f"{metric}{suffix}", _mean, direction),
            ColumnMetric(f"{metric}_sum{suffix}", _sum, direction),
        )
        for suffix, direction in (("", higher_is_better), ("_reversed", None))
    }


def _number(
    column: str, higher_is_better: bool | None, *, metric: str | None = None, of_model: bool = False
) -> dict[str, tuple[ColumnMetric, ...]]:
    """One number for each image, or whether something holds; the metric is called as the column unless it is named."""
    return {column: (ColumnMetric(metric or column, _plain, higher_is_better, of_model),)}


#: Column -> metrics; a column that is missing here is kept in the rows and has no metric.
COLUMN_METRICS: Mapping[str, tuple[ColumnMetric, ...]] = {
    **_removal("deletion_scores", "deletion", higher_is_better=False),
    **_removal("insertion_scores", "insertion", higher_is_better=True),
    **_removal("deletion_correct", "accuracy_drop", higher_is_better=False),
    **_removal("insertion_correct", "accuracy_increase", higher_is_better=True),
    **_number("importance_effect", True, metric="importance_calibration"),
    **_number("descriptor_precision", True),
    **_number("descriptor_precision_chance", None, of_model=True),
    **_number("descriptor_recall", True),
    **_number("descriptor_recall_bound", None),
    **_number("part_iou", True),
    **_number("mutual_precision", True),
    **_number("mutual_precision_permuted", None),
    **_number("language_precision", True, of_model=True),
    **_number("language_recall", True, of_model=True),
    **_number("language_precision_permuted", None, of_model=True),
    **_number("language_recall_permuted", None, of_model=True),
    **_number("noise_jaccard", True),
    **_number("reseed_jaccard", True),
    **_number("localised", True, metric="corloc", of_model=True),
    **_number("localised_by_whole", None, metric="corloc_whole_image", of_model=True),
    **_number("kept_region_correct", True, metric="kept_region_top1", of_model=True),
}

#: Column -> averaged curve of ``results.json``.
COLUMN_CURVES: Mapping[str, str] = {
    "deletion_scores": "deletion",
    "insertion_scores": "insertion",
    "deletion_correct": "accuracy_drop",
    "insertion_correct": "accuracy_increase",
}


def average_column_curve(values: list[Any]) -> list[float]:
    """Average a column of curves, every step over the images that have it.

    >>> average_column_curve([[1.0, 0.5], [0.0]])
    [0.5, 0.5]
    """
    return average_removal_curve(*pad_removal_curves(values)).tolist()
