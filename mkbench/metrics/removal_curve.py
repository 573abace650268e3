"""Base class of deletion, insertion, accuracy drop and accuracy increase."""

from collections.abc import Sequence

from torch import Tensor

from mkbench.metrics.curves import pad_curves
from mkbench.metrics.functional.removal_curve import RemovalCurves, Scale, check_scale, reduce_curves
from mkbench.metrics.row_metric import MeanMetric, Rows


class RemovalMetric(MeanMetric):
    """Mean over images of each one's reduced removal curve.

    Subclasses say what the curve holds and which way is better.

    Args:
        scale: ``mean`` over the steps, both ends included, or ``sum`` (trapezoid, step 1).
        columns: the column of curves.

    Raises:
        ValueError: for an unknown scale.

    Example:
        >>> metric = RemovalMetric("sum")
        >>> metric.update([[3.0, 2.0, 1.0], [1.0, 0.0]])
        >>> metric.compute()
        tensor(2.2500, dtype=torch.float64)
    """

    def __init__(self, scale: Scale = "mean", *, columns: Sequence[str] | None = None) -> None:
        super().__init__(columns=columns)
        check_scale(scale)
        self.scale: Scale = scale

    def image_values(self, rows: Rows) -> Tensor:
        """Return the reduced curves, (n,) float64; NaN for images without one."""
        curves, lengths = pad_curves(rows[self.columns[0]])
        return reduce_curves(curves, lengths, scale=self.scale) if len(lengths) else curves.sum(dim=1)

    def update(self, curves: RemovalCurves, lengths: Tensor | None = None) -> None:
        """Add the curves of a batch of images.

        Args:
            curves: (B, S + 1), one curve (S + 1,), or a list of curves of different lengths.
            lengths: (B,) int64 entries of each curve of a batch, parts + 1; default: all.

        Raises:
            ValueError: if the lengths do not fit.
        """
        self.add(reduce_curves(curves, lengths, scale=self.scale))
