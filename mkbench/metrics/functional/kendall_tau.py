"""Rank agreement of models between two ways of measuring them."""

import torch
from torch import Tensor

from mkbench.metrics.functional.bootstrap import bootstrap_means, check_resampling

#: Relative difference of float64 means up to which they are the same.
_ROUNDING = 1e-12


def kendall_tau(first: Tensor, second: Tensor) -> Tensor:
    """Kendall's tau-b of two rankings of the same models: do they put them in the same order?

    Pairs of models that both rank alike, minus those ranked the other way round, over the geometric mean of the numbers
    of pairs that each of them does not tie.

    Source: Kendall, Biometrika 33(3), 1945.

    Args:
        first: (..., m) scores of m models.
        second: (..., m) other scores of the same models.

    Returns:
        (...) float64 in -1..1; NaN where one of them ties all models.

    Raises:
        ValueError: if the shapes differ or have no dimension.

    Example:
        >>> kendall_tau(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([10.0, 30.0, 20.0]))
        tensor(0.3333, dtype=torch.float64)
    """
    if not first.ndim or first.shape != second.shape:
        raise ValueError(f"expected scores of the same models, found {tuple(first.shape)} and {tuple(second.shape)}")
    signs = [_order(scores[..., :, None], scores[..., None, :]) for scores in (first.double(), second.double())]
    same = (signs[0] * signs[1]).sum((-2, -1))
    told_apart = (signs[0].abs().sum((-2, -1)) * signs[1].abs().sum((-2, -1))).sqrt()
    return same / told_apart  # every pair is counted twice, above and below; 0 / 0 where all are tied


def _order(one: Tensor, other: Tensor) -> Tensor:
    """Sign of the difference; 0 for what only rounding tells apart, such as equal shares summed in another order."""
    difference = one - other
    return torch.where(difference.abs() > _ROUNDING * torch.maximum(one.abs(), other.abs()), difference.sign(), 0.0)


def kendall_tau_interval(
    first: Tensor, second: Tensor, *, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of Kendall's tau between two mean scores of the same models, over images.

    The models are as given; what is uncertain is their means. Images are drawn with replacement, the same ones for all
    models and both scores.

    Args:
        first: (n, m) one score of every image by every model.
        second: (n, m) another score of the same images.
        level: share of the resampled values inside the interval, between 0 and 1.
        resamples: number of bootstrap samples.
        seed: seed of the draws.

    Returns:
        Low and high in -1..1; resamples in which a score ties all models do not count, NaN if none counts.

    Raises:
        ValueError: without images, if the shapes differ, or for a level or number of resamples out of range.

    Example:
        >>> scores = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 4.0]])
        >>> kendall_tau_interval(scores, -scores)
        (-1.0, -1.0)
    """
    if first.ndim != 2 or first.shape != second.shape or not len(first):
        raise ValueError(
            "expected two scores (images, models) with at least one image, found "
            f"{tuple(first.shape)} and {tuple(second.shape)}"
        )
    check_resampling(level, resamples)
    means = bootstrap_means(torch.cat([first, second], dim=1), resamples=resamples, seed=seed)
    taus = kendall_tau(*means.chunk(2, dim=1))  # (resamples,)
    tail = (1 - level) / 2
    low, high = torch.nanquantile(taus, torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return low, high
