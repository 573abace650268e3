"""Correct localisation over a set of images."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from mkbench.metrics.functional.corloc import localised


class CorLoc(Metric):
    """Share of images whose foreground box has IoU > 0.5 with a ground-truth box; 0..1, higher is better.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix A.1.

    Example:
        >>> metric = CorLoc()
        >>> metric.update(torch.tensor([[0, 0, 9, 9], [0, 0, -1, -1]]), torch.tensor([[0, 0, 9, 7], [2, 2, 5, 5]]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    hits: Tensor
    images: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("hits", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("images", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, ground_truth: Tensor | Sequence[Tensor]) -> None:
        """Add a batch of images.

        Args:
            predicted: (B, 4) int64 from :func:`mkbench.metrics.functional.foreground_boxes`, corner pixels included.
            ground_truth: (B, 4) one box per image, or per image a (G_i, 4) tensor; the best box counts.

        Raises:
            ValueError: if the shapes do not fit.
        """
        self.hits += localised(predicted, ground_truth).sum()
        self.images += len(predicted)

    def compute(self) -> Tensor:
        """The share, float64; NaN without images."""
        return self.hits / self.images
