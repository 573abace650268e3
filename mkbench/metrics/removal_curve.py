"""States that deletion, insertion, accuracy drop and accuracy increase share."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from mkbench.metrics.functional.removal_curve import (
    RemovalCurves,
    Scale,
    check_scale,
    pad_removal_curves,
    reduce_curves,
)


class RemovalMetric(Metric):
    """Mean over images of each one's reduced removal curve.

    Subclasses say what the curve holds and which way is better.

    Args:
        scale: ``mean`` over the steps, both ends included, or ``sum`` (trapezoid, step 1).
        max_parts: most parts of one image; an image with more raises.

    Raises:
        ValueError: for an unknown scale or a negative ``max_parts``.

    Example:
        >>> metric = RemovalMetric(scale="sum")
        >>> metric.update([[3.0, 2.0, 1.0], [1.0, 0.0]])
        >>> metric.compute(), metric.curve().tolist()
        (tensor(2.2500, dtype=torch.float64), [2.0, 1.0, 1.0])
    """

    is_differentiable = False
    full_state_update = False

    value_sum: Tensor
    curve_sum: Tensor
    curve_images: Tensor

    def __init__(self, scale: Scale = "mean", *, max_parts: int = 32) -> None:
        super().__init__()
        check_scale(scale)
        if max_parts < 0:
            raise ValueError(f"max_parts must not be negative, found {max_parts}")
        self.scale: Scale = scale
        self.max_parts = max_parts
        steps = torch.zeros(max_parts + 1, dtype=torch.float64)
        self.add_state("value_sum", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("curve_sum", steps.clone(), dist_reduce_fx="sum")
        self.add_state("curve_images", steps.clone(), dist_reduce_fx="sum")

    def update(self, curves: RemovalCurves, lengths: Tensor | None = None) -> None:
        """Add the curves of a batch of images.

        Args:
            curves: (B, S + 1), one curve (S + 1,), or a list of curves of different lengths.
            lengths: (B,) int64 entries of each curve of a batch, parts + 1; default: all.

        Raises:
            ValueError: if the lengths do not fit or an image has more than ``max_parts`` parts.
        """
        padded, lengths = pad_removal_curves(curves, lengths)
        longest = int(lengths.max()) - 1 if lengths.numel() else 0
        if longest > self.max_parts:
            raise ValueError(
                f"expected at most {self.max_parts} parts per image, found {longest}: raise the argument max_parts"
            )
        values = padded[:, : longest + 1].to(self.device)  # (images, entries)
        own = torch.arange(values.shape[1], device=self.device) < lengths.to(self.device)[:, None]
        fill = (0, self.max_parts + 1 - values.shape[1])
        self.value_sum += reduce_curves(padded, lengths, scale=self.scale).sum().to(self.device)
        self.curve_sum += F.pad(values.sum(0), fill)
        self.curve_images += F.pad(own.double().sum(0), fill)

    def curve(self) -> Tensor:
        """Averaged curve of the images seen by this process; of all processes inside ``sync_context()``.

        Returns:
            (longest,) float64, every step averaged over the images that have it; empty without images.
        """
        seen = self.curve_images > 0
        return self.curve_sum[seen] / self.curve_images[seen]

    def compute(self) -> Tensor:
        """Mean over the images, float64; NaN without images."""
        return self.value_sum / self.curve_images[0]  # every curve has a first entry
