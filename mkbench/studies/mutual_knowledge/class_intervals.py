"""Intervals of the headline metrics over classes, beside those over images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
import torch

from mkbench.metrics.functional import cluster_bootstrap_interval
from mkbench.runs.finished_runs import Run
from mkbench.runs.results import Estimate, find_shared_metric
from mkbench.studies.mutual_knowledge.class_values import ClassValue, read_class_values

#: Metrics of ``results.json`` that have an interval over classes -> attribute of ``ClassValue`` that it is computed of.
METRICS = {"top1": "top1", "mutual_information": "mutual_information", "mutual_information_auc": "auc"}


@dataclass(frozen=True)
class ClassIntervals:
    """Headline metrics of a run and an explainer, with both kinds of intervals.

    Attributes:
        model: label of the run.
        explainer: name of the explainer.
        classes: number of classes with images.
        over_images: metric -> its value with the 95 % interval of ``results.json``, for other images of these classes.
        over_classes: metric -> its value with the 95 % interval for other classes; no interval of a single class.
    """

    model: str
    explainer: str
    classes: int
    over_images: Mapping[str, Estimate | None]
    over_classes: Mapping[str, Estimate | None]


def class_intervals(run: Run, values: Mapping[str, Sequence[ClassValue]]) -> list[ClassIntervals]:
    """Return both kinds of intervals of a run, a row for each explainer.

    Images of a class resemble each other, so that an interval over images says what other images of the same classes
    would give, and nothing of other classes; see ``cluster_bootstrap_interval``.

    Args:
        run: the run.
        values: explainer -> its classes.

    Example:
        >>> results = {"metrics": [{"name": "mutual_information_auc", "explainer": "pca", "value": 2.0}]}
        >>> one, other = (ClassValue(name, 1.0, np.ones(2), np.full(2, auc)) for name, auc in (("a", 1.0), ("b", 3.0)))
        >>> row, = class_intervals(Run("runs/vit", "vit", results, {}), {"pca": [one, other]})
        >>> row.over_classes["mutual_information_auc"], row.over_classes["top1"]
        (Estimate(value=2.0, interval=(1.0, 3.0)), None)
    """
    return [_intervals(run, explainer, classes) for explainer, classes in values.items()]


def read_class_intervals(runs: Sequence[Run]) -> list[ClassIntervals]:
    """Return both kinds of intervals of runs; none of a run without labels or group files.

    Raises:
        DataError: a group file is damaged.
    """
    return [row for run in runs for row in class_intervals(run, read_class_values(run.folder))]


def _intervals(run: Run, explainer: str, classes: Sequence[ClassValue]) -> ClassIntervals:
    estimates = {name: find_shared_metric(run.results, name, explainer) for name in METRICS}
    over_classes = {name: _over_classes(estimate, classes, METRICS[name]) for name, estimate in estimates.items()}
    return ClassIntervals(run.label, explainer, len(classes), estimates, over_classes)


def _over_classes(estimate: Estimate | None, classes: Sequence[ClassValue], key: str) -> Estimate | None:
    if estimate is None:
        return None
    # Only the sum and the number of the images of a class count, so its mean may stand for each of them.
    means = torch.tensor([float(np.mean(getattr(one, key))) for one in classes], dtype=torch.float64)
    sizes = torch.tensor([one.images for one in classes])
    low, high = cluster_bootstrap_interval(
        means.repeat_interleave(sizes), torch.arange(len(classes)).repeat_interleave(sizes)
    )
    return Estimate(estimate.value, None if isnan(low) else (low, high))
