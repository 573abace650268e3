"""Confidence intervals of means over images."""

import torch
from torch import Tensor

_DRAWS_PER_CHUNK = 2**21  # 16 MB of indices and 16 MB of weights


def bootstrap_intervals(values: Tensor, *, level: float = 0.95, resamples: int = 1000, seed: int = 0) -> Tensor:
    """Percentile bootstrap intervals of the means of several columns, from the same resampled images.

    Images are drawn with replacement; the interval holds the middle ``level`` of the resampled means. The result is
    determined by the seed and the order of the rows: callers sort rows by sample id, so that it does not depend on the
    order in which images were processed.

    Args:
        values: (n, m) one row per image, one column per quantity.
        level: share of the resampled means inside the interval, between 0 and 1.
        resamples: number of bootstrap samples.
        seed: seed of the draws.

    Returns:
        (m, 2) float64, low and high; both equal the value for a single image.

    Raises:
        ValueError: without images, or for a level or number of resamples out of range.

    Example:
        >>> bootstrap_intervals(torch.tensor([[1.0, 5.0], [1.0, 5.0]])).tolist()
        [[1.0, 1.0], [5.0, 5.0]]
    """
    if values.ndim != 2 or not len(values):
        raise ValueError(f"values must be (images, quantities) with at least one image, found {tuple(values.shape)}")
    check_resampling(level, resamples)
    means = bootstrap_means(values, resamples=resamples, seed=seed)
    return _quantiles(means, level).T


def check_resampling(level: float, resamples: int) -> None:
    """Refuse a level outside 0..1, or no resamples.

    >>> check_resampling(0.95, 1000)
    """
    if not 0 < level < 1 or resamples < 1:
        raise ValueError(f"expected 0 < level < 1 and resamples >= 1, found {level} and {resamples}")


def _quantiles(drawn: Tensor, level: float) -> Tensor:
    """Return the ends of the intervals, (2, ...), of resampled values (resamples, ...)."""
    tail = (1 - level) / 2
    return torch.quantile(drawn, torch.tensor([tail, 1 - tail], dtype=torch.float64), dim=0)


def quantile_interval(drawn: Tensor, *, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of resampled values.

    Args:
        drawn: (resamples,) float64.
        level: share of them inside the interval, between 0 and 1.

    Example:
        >>> quantile_interval(torch.tensor([2.5, 2.5], dtype=torch.float64))
        (2.5, 2.5)
    """
    low, high = _quantiles(drawn, level).tolist()
    return low, high


def bootstrap_means(values: Tensor, *, resamples: int = 1000, seed: int = 0) -> Tensor:
    """Return the means of several columns over images drawn with replacement, for what follows from the means.

    Args:
        values: (n, m) one row per image, at least one, one column per quantity.
        resamples: number of bootstrap samples.
        seed: seed of the draws.

    Returns:
        (resamples, m) float64, in every row the means over the same images.

    Example:
        >>> bootstrap_means(torch.tensor([[1.0, 5.0], [1.0, 5.0]]), resamples=1).tolist()
        [[1.0, 5.0]]
    """
    rows = values.detach().double().cpu()
    images = len(rows)
    generator = torch.Generator().manual_seed(seed)
    chunk = min(resamples, max(1, _DRAWS_PER_CHUNK // images))
    # Filled again for every chunk: as many new ones would leave a heap ten times as large behind.
    drawn = torch.empty(chunk, images, dtype=torch.int64)
    counts = torch.empty(chunk, images, dtype=torch.float64)
    sizes = [min(chunk, resamples - start) for start in range(0, resamples, chunk)]
    return torch.cat([_count_draws(drawn[:size], counts[:size], generator) @ rows / images for size in sizes])


def draw_counts(resamples: int, images: int, generator: torch.Generator) -> Tensor:
    """Draw images with replacement and count how often each was drawn.

    Args:
        resamples: number of bootstrap samples.
        images: number of images, which is also the size of a sample.
        generator: source of the draws.

    Returns:
        (resamples, images) float64; every row adds up to ``images``.

    Example:
        >>> draw_counts(2, 3, torch.Generator().manual_seed(0)).sum(1).tolist()
        [3.0, 3.0]
    """
    shape = resamples, images
    return _count_draws(torch.empty(shape, dtype=torch.int64), torch.empty(shape, dtype=torch.float64), generator)


def _count_draws(drawn: Tensor, counts: Tensor, generator: torch.Generator) -> Tensor:
    """Fill both, (resamples, images), with draws and with how often each image was drawn; return the second."""
    images = counts.shape[1]
    torch.randint(images, drawn.shape, generator=generator, out=drawn)
    return counts.zero_().scatter_add_(1, drawn, torch.ones(1, 1, dtype=torch.float64).expand(drawn.shape))


def bootstrap_interval(
    values: Tensor, *, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over images, see :func:`bootstrap_intervals`.

    Args:
        values: (n,) one value per image, sorted by sample id.
        level: share of the resampled means inside the interval, between 0 and 1.
        resamples: number of bootstrap samples.
        seed: seed of the draws.

    Returns:
        Low and high, in the unit of the values.

    Raises:
        ValueError: without images, or for a level or number of resamples out of range.

    Example:
        >>> low, high = bootstrap_interval(torch.arange(100.0))
        >>> 40 < low < 49.5 < high < 59
        True
    """
    if values.ndim != 1:
        raise ValueError(f"values must be (images,), found {tuple(values.shape)}")
    low, high = bootstrap_intervals(values[:, None], level=level, resamples=resamples, seed=seed)[0].tolist()
    return low, high


def paired_bootstrap_difference(
    first: Tensor, second: Tensor, *, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of mean(first) - mean(second) over the same images; 0 outside means a clear difference.

    Args:
        first: (n,) values of one model or explainer, sorted by sample id.
        second: (n,) values of the other, row by row for the same images.
        level: share of the resampled differences inside the interval, between 0 and 1.
        resamples: number of bootstrap samples.
        seed: seed of the draws.

    Returns:
        Low and high of the difference.

    Raises:
        ValueError: if the two do not have the same shape, or as :func:`bootstrap_interval`.

    Example:
        >>> paired_bootstrap_difference(torch.tensor([3.0, 9.0]), torch.tensor([2.0, 8.0]))
        (1.0, 1.0)
    """
    if first.shape != second.shape:
        raise ValueError(f"expected values of the same images, found {tuple(first.shape)} and {tuple(second.shape)}")
    return bootstrap_interval(first.double() - second.double(), level=level, resamples=resamples, seed=seed)
