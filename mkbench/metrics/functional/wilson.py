"""Confidence intervals of proportions."""

from math import sqrt

from scipy.special import ndtri


def wilson_interval(successes: int, trials: int, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a proportion.

    Percentile intervals of proportions fail in small samples: of 20 images that are all right, every resample is all
    right, and the interval is the single point 1.

    Source: Wilson, Journal of the American Statistical Association 22, 1927.

    Args:
        successes: how many of the trials succeeded.
        trials: number n of independent trials, at least 1.
        level: share of such intervals that hold the true proportion, between 0 and 1.

    Returns:
        Low and high in 0..1.

    Raises:
        ValueError: without trials, more successes than trials, or a level out of range.

    Example:
        >>> low, high = wilson_interval(20, 20)
        >>> round(low, 3), high
        (0.839, 1.0)
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"expected at least one trial and 0..trials successes, found {successes} of {trials}")
    if not 0 < level < 1:
        raise ValueError(f"expected 0 < level < 1, found {level}")
    z = float(ndtri((1 + level) / 2))
    share, weight = successes / trials, z * z / trials
    centre = (share + weight / 2) / (1 + weight)
    half = z * sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    # Rounding may leave an end of 0 or n successes a little inside or outside of 0..1.
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == trials else centre + half)
