"""Shares of images or heads of which something holds, with the interval that small samples need."""

from torch import Tensor

from mkbench.metrics.functional.wilson import wilson_interval
from mkbench.metrics.image_metric import ImageMetric
from mkbench.metrics.row_metric import MeanMetric, Rows


class ProportionMetric(MeanMetric):
    """Base of metrics that are the share of rows of which something holds.

    Their interval is Wilson's: percentiles of resampled shares are too narrow in small samples, and a single point
    where all rows agree. Differences of two shares of the same rows keep the paired bootstrap.
    """

    def interval(self, values: Tensor, rows: Rows) -> tuple[float, float] | None:
        """Return Wilson's 95 % interval; the bootstrap's where rows hold shares themselves, such as over shuffles."""
        if ((values != 0) & (values != 1)).any():
            return super().interval(values, rows)
        return wilson_interval(int(values.sum()), len(values))


class Proportion(ProportionMetric, ImageMetric):
    """Share of images of which something holds, 0..1; its only column says of each whether it does.

    A user's own metric that is a share derives from this class in the place of ``ImageMetric``.

    Args:
        columns: the columns that it reads; None: those of its class.

    Example:
        >>> metric = Proportion(columns=["top1"])
        >>> metric.update({"top1": [True, True, False, None]})
        >>> metric.compute()
        tensor(0.6667, dtype=torch.float64)
    """
