"""Base class of metrics over the judged texts of attention heads."""

from abc import abstractmethod

import torch
from torch import Tensor

from mkbench.metrics.functional.association import Fits
from mkbench.metrics.row_metric import MeanMetric, Rows


class HeadMetric(MeanMetric):
    """Mean over attention heads of a number that follows from which of their texts fit their labels.

    A row is a head. Its judgements are T of them, or a list of such for several shuffles of the labels, over which a
    head's number is averaged. Subclasses say what the number is.

    Args:
        columns: the column of judgements; None: ``fits``.
    """

    columns = ("fits",)

    @abstractmethod
    def score(self, fits: Fits) -> Tensor:
        """Return the number of each head, (S,), from its (S, T) judgements."""

    def image_values(self, rows: Rows) -> Tensor:
        """Return the number of each head, (S,) float64."""
        fits = torch.tensor(rows[self.columns[0]], dtype=torch.bool)  # (heads, texts) or (heads, shuffles, texts)
        if not len(fits):
            return torch.zeros(0, dtype=torch.float64)
        if fits.ndim == 2:
            return self.score(fits).double()
        return torch.stack([self.score(one).double() for one in fits.unbind(dim=1)]).mean(dim=0)

    def update(self, fits: Fits) -> None:
        """Add the judgements of some heads.

        Args:
            fits: (B, T) bool, whether each of a head's T texts fits its label.

        Raises:
            ValueError: if fits are not bool (heads, texts).
        """
        if len(fits):
            self.add(self.score(fits).double())
