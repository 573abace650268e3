"""Trend of a metric over models: least-squares line, Pearson's r, and whether it rises or falls."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh

import numpy as np

#: Fewest models that have a line, and of which a trend is said.
FEWEST_MODELS = 5
_NORMAL, _NEARLY = 1.959964, 1 - 1e-12  # 97.5 % of a normal distribution; the transformation has no 1


@dataclass(frozen=True)
class Trend:
    """A least-squares line y = slope * x + intercept.

    Attributes:
        slope: change of y with a unit of x.
        intercept: y at x = 0.
        r: Pearson's correlation, -1 to 1; 0 where x or y does not vary.
        models: number of points, at least five.
    """

    slope: float
    intercept: float
    r: float
    models: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of r, by Fisher's transformation."""
        spread = _NORMAL / sqrt(self.models - 3)
        low, high = (tanh(atanh(max(-_NEARLY, min(_NEARLY, self.r))) + sign * spread) for sign in (-1, 1))
        return low, high

    @property
    def verdict(self) -> str | None:
        """``rises`` or ``falls``; None where the interval of r holds 0."""
        if self.interval[0] <= 0 <= self.interval[1]:
            return None
        return "rises" if self.r > 0 else "falls"


def fit_trend(x: Sequence[float], y: Sequence[float]) -> Trend | None:
    """Fit the line of a metric over accuracy.

    Args:
        x: accuracy of each model.
        y: metric of each model.

    Returns:
        The line, or None for fewer than five models, which say too little.

    Raises:
        ValueError: if x and y differ in length.

    Example:
        >>> fit_trend([1, 2, 3, 4, 5], [5, 4, 3, 2, 1])
        Trend(slope=-1.0, intercept=6.0, r=-1.0, models=5)
        >>> fit_trend([1, 2, 3, 4], [5, 4, 3, 2]) is None
        True
    """
    if len(x) != len(y):
        raise ValueError(f"x and y must have one value per model, found {len(x)} and {len(y)}")
    if len(x) < FEWEST_MODELS:
        return None
    horizontal, vertical = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    dx, dy = horizontal - horizontal.mean(), vertical - vertical.mean()
    if not dx.any() or not dy.any():
        return Trend(0.0, float(vertical.mean()), 0.0, len(x))
    slope = float(dx @ dy / (dx @ dx))
    r = float(np.clip(dx @ dy / np.sqrt((dx @ dx) * (dy @ dy)), -1, 1))
    return Trend(slope, float(vertical.mean() - slope * horizontal.mean()), r, len(x))


def describe_trends(name: str, trends: dict[str, Trend | None]) -> str:
    """Say in one sentence what the lines show.

    Args:
        name: what is on the vertical axis.
        trends: a line, or None, for each explainer as it is to be printed.

    Example:
        >>> rising = Trend(slope=1.0, intercept=0.0, r=0.9, models=8)
        >>> describe_trends("AUC", {"PCA": rising})
        'AUC rises with accuracy here (PCA: r = 0.90)'
        >>> describe_trends("AUC", {"PCA": rising, "K-means": Trend(0.1, 0.0, 0.2, 8)})
        'AUC with accuracy here: rises for PCA (r = 0.90), no clear trend for K-means (r = 0.20)'
        >>> describe_trends("AUC", {"PCA": None})
        'AUC over accuracy: fewer than 5 models, too few for a trend'
    """
    fitted = {label: trend for label, trend in trends.items() if trend is not None}
    if not fitted:
        return f"{name} over accuracy: fewer than {FEWEST_MODELS} models, too few for a trend"
    values = ", ".join(f"{label}: r = {signed(trend.r)}" for label, trend in fitted.items())
    verdicts = {trend.verdict for trend in fitted.values()}
    if verdicts == {None}:
        return f"{name} over accuracy: no clear trend, the interval of r holds 0 ({values})"
    if len(verdicts) == 1:
        return f"{name} {verdicts.pop()} with accuracy here ({values})"
    each = ", ".join(
        f"{trend.verdict or 'no clear trend'} for {label} (r = {signed(trend.r)})" for label, trend in fitted.items()
    )
    return f"{name} with accuracy here: {each}"


def signed(value: float) -> str:
    """Return two decimals with a typographic minus, and no minus at zero.

    >>> signed(-0.254), signed(-0.001)
    ('−0.25', '0.00')
    """
    return f"{value:.2f}".replace("-", "\u2212") if abs(value) >= 0.005 else "0.00"
