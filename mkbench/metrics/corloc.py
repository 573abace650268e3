"""Correct localisation over a set of images."""

from collections.abc import Sequence

from torch import Tensor

from mkbench.metrics.functional.corloc import localised
from mkbench.metrics.proportion import ProportionMetric
from mkbench.metrics.row_metric import Rows, numbers


class CorLoc(ProportionMetric):
    """Share of images whose foreground box has IoU > 0.5 with a ground-truth box; 0..1, higher is better.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix A.1.

    Example:
        >>> import torch
        >>> metric = CorLoc()
        >>> metric.update(torch.tensor([[0, 0, 9, 9], [0, 0, -1, -1]]), torch.tensor([[0, 0, 9, 7], [2, 2, 5, 5]]))
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    higher_is_better = True
    columns = ("localised",)

    def image_values(self, rows: Rows) -> Tensor:
        """Return whether each object was found, (n,) float64."""
        return numbers(rows[self.columns[0]])

    def update(self, predicted: Tensor, ground_truth: Tensor | Sequence[Tensor]) -> None:
        """Add a batch of images.

        Args:
            predicted: (B, 4) int64 from :func:`mkbench.metrics.functional.foreground_boxes`, corner pixels included.
            ground_truth: (B, 4) one box per image, or per image a (G_i, 4) tensor; the best box counts.

        Raises:
            ValueError: if the shapes do not fit.
        """
        self.add(localised(predicted, ground_truth).double())
