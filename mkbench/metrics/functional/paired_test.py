"""Tests of paired differences, and their correction for many comparisons."""

from collections.abc import Sequence
from math import nan, sqrt

import torch
from scipy.special import stdtr
from torch import Tensor


def paired_p_value(first: Tensor, second: Tensor) -> float:
    """Two-sided p-value of mean(first) = mean(second) over the same images, by Student's paired t test.

    Args:
        first: (n,) values of one model or explainer.
        second: (n,) values of the other, row by row for the same images.

    Returns:
        A probability; 1 if no image differs, 0 if all differ by the same; NaN for fewer than two images.

    Raises:
        ValueError: if the two do not have the same shape (images,).

    Example:
        >>> round(paired_p_value(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.0, 2.0, 1.0])), 4)
        0.2254
    """
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"expected values of the same images, found {tuple(first.shape)} and {tuple(second.shape)}")
    differences = first.double() - second.double()
    images = len(differences)
    if images < 2:
        return nan
    mean, spread = float(differences.mean()), float(differences.std())
    if spread == 0:
        return 0.0 if mean else 1.0
    return float(2 * stdtr(images - 1, -abs(mean) / spread * sqrt(images)))


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values of many comparisons, so that the chance of any false finding stays below the level.

    The k-th smallest of m is multiplied by m - k + 1; none falls below a smaller one, none exceeds 1. A comparison
    whose adjusted value is below 0.05 stands at that level among all of them.

    Source: Holm, Scandinavian Journal of Statistics 6(2), 1979.

    Args:
        p_values: m p-values; NaN, where there is none, stays and does not count.

    Returns:
        m adjusted p-values, in the same order.

    Raises:
        ValueError: a p-value outside 0..1.

    Example:
        >>> [round(p, 3) for p in holm_adjusted([0.04, 0.01, 0.03])]
        [0.06, 0.03, 0.06]
    """
    values = torch.tensor(p_values, dtype=torch.float64)
    known = (~values.isnan()).nonzero().flatten()
    if bool(((values[known] < 0) | (values[known] > 1)).any()):
        raise ValueError(f"expected p-values in 0..1, found {list(p_values)}")
    if not len(known):
        return values.tolist()
    ranked, order = values[known].sort(stable=True)
    factors = torch.arange(len(known), 0, -1, dtype=torch.float64)
    values[known[order]] = (ranked * factors).clamp(max=1).cummax(dim=0).values
    return values.tolist()
