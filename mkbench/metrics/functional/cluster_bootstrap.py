"""Confidence intervals of means over classes, for claims about images of classes that were not measured."""

from math import nan, sqrt

import torch
from scipy.special import ndtr, stdtrit
from torch import Tensor

from mkbench.metrics.functional.bootstrap import bootstrap_means, check_resampling


def cluster_bootstrap_interval(
    values: Tensor, clusters: Tensor, *, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of a mean over images that are drawn class by class.

    Images of a class resemble each other, so that an interval over images (:func:`bootstrap_interval`) is too narrow
    for what the mean would be on other classes. Here whole classes are drawn with replacement, and the mean is taken
    over the images of the drawn classes. The percentiles are widened to those of Student's t distribution with as many
    degrees of freedom as there are classes but one, without which intervals of few classes are too narrow.

    Source: the expanded percentile interval of Hesterberg, The American Statistician 69(4), 2015.

    Args:
        values: (n,) one value per image.
        clusters: (n,) int64, the class of every image.
        level: share of such intervals that hold the mean over all classes there could be, between 0 and 1.
        resamples: number of bootstrap samples.
        seed: seed of the draws.

    Returns:
        Low and high, in the unit of the values; NaN for fewer than two classes.

    Raises:
        ValueError: without images, if the shapes differ, or for a level or number of resamples out of range.

    Example:
        >>> values, classes = torch.tensor([1.0, 1.0, 3.0, 3.0, 2.0, 2.0]), torch.tensor([0, 0, 1, 1, 2, 2])
        >>> low, high = cluster_bootstrap_interval(values, classes)
        >>> 1 <= low < 2 < high <= 3
        True
    """
    if values.ndim != 1 or values.shape != clusters.shape or not len(values):
        raise ValueError(
            "expected values and clusters of the same images, at least one, found "
            f"{tuple(values.shape)} and {tuple(clusters.shape)}"
        )
    check_resampling(level, resamples)
    names, members = torch.unique(clusters, return_inverse=True)  # sorted: the order of the images does not matter
    if len(names) < 2:
        return nan, nan
    sums = torch.zeros(len(names), dtype=torch.float64, device=values.device).index_add_(0, members, values.double())
    sizes = torch.bincount(members, minlength=len(names)).double()
    drawn = bootstrap_means(torch.stack([sums, sizes], dim=1), resamples=resamples, seed=seed)  # (resamples, 2)
    tail = expanded_tail(len(names), level)
    ends = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    low, high = torch.quantile(drawn[:, 0] / drawn[:, 1], ends).tolist()
    return low, high


def expanded_tail(size: int, level: float) -> float:
    """Return the share of resampled means to leave out on either side, fewer than (1 - level) / 2 in small samples.

    Resampled means scatter by sqrt((n - 1) / n) less than means of new samples do, and their own scatter is known from
    n values only.

    Args:
        size: n, at least 2.
        level: of the interval, between 0 and 1.

    Example:
        >>> round(expanded_tail(10, 0.95), 4), round(expanded_tail(10**6, 0.95), 4)
        (0.0086, 0.025)
    """
    quantile = stdtrit(size - 1, (1 + level) / 2)
    return float(ndtr(-sqrt(size / (size - 1)) * quantile))
