"""Does the AUC of single images stay when they are explained again, over a set of images?"""

import torch
from torch import Tensor

from mkbench.metrics.curves import pad_curves
from mkbench.metrics.functional.bootstrap import bootstrap_means, quantile_interval
from mkbench.metrics.proportion import ProportionMetric
from mkbench.metrics.row_metric import MeanMetric, Rows, numbers


def read_aucs(rows: Rows, columns: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """Return the AUC of every image's own curve, and that of its second explanation, (n,) float64 each.

    >>> read_aucs({"curve": [[4.0, 0.0]], "noise_auc": [1.5]}, ("curve", "noise_auc"))
    (tensor([2.], dtype=torch.float64), tensor([1.5000], dtype=torch.float64))
    """
    curves, lengths = pad_curves(rows[columns[0]])
    return curves.sum(dim=1) / lengths, numbers(rows[columns[1]])


class AucCorrelation(MeanMetric):
    """Pearson's correlation over images of their AUC and that of a second explanation, -1..1; higher is better.

    Example:
        >>> metric = AucCorrelation()
        >>> rows = {"curve": [[2.0, 0.0], [4.0, 0.0], [6.0, 0.0]], "noise_auc": [1.0, 3.0, 2.0]}
        >>> _ = metric.update_rows(rows)
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    higher_is_better = True
    columns = ("curve", "noise_auc")
    width = 5

    def image_values(self, rows: Rows) -> Tensor:
        """Return what sums over images make a correlation of, (n, 5) float64: both AUCs, squares, and product."""
        first, second = read_aucs(rows, self.columns)
        return torch.stack([first, second, first.square(), second.square(), first * second], dim=1)

    def reduce(self, means: Tensor) -> Tensor:
        """Return the correlation; NaN where one of them is the same for all images."""
        first, second, squares, other_squares, products = means.unbind(dim=-1)
        spread = (squares - first.square()).clamp(min=0) * (other_squares - second.square()).clamp(min=0)
        # Rounding leaves a little of what is 0.
        spread = torch.where(spread > 1e-24, spread, 0)
        return ((products - first * second) / spread.sqrt()).clamp(-1, 1).masked_fill(spread == 0, torch.nan)

    def interval(self, values: Tensor, rows: Rows) -> tuple[float, float] | None:
        """Return the bootstrap interval over the resamples that have a correlation; None if none has."""
        drawn = self.reduce(bootstrap_means(values))
        drawn = drawn[~drawn.isnan()]
        return quantile_interval(drawn) if len(drawn) else None

    def update(self, first: Tensor, second: Tensor) -> None:
        """Add images by both AUCs, (B,) each."""
        rows = {self.columns[0]: [[value] for value in first.tolist()], self.columns[1]: second.tolist()}
        self.add(self.image_values(rows))


class AucFlips(ProportionMetric):
    """Share of images whose AUC changes between 0 and above in a second explanation, 0..1; lower is better.

    Example:
        >>> metric = AucFlips()
        >>> _ = metric.update_rows({"curve": [[2.0, 0.0], [0.0]], "noise_auc": [0.0, 0.0]})
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    higher_is_better = False
    columns = ("curve", "noise_auc")

    def image_values(self, rows: Rows) -> Tensor:
        """Return whether each image flips, (n,) float64."""
        first, second = read_aucs(rows, self.columns)
        flips = ((first > 0) != (second > 0)).double()
        return torch.where(first.isnan() | second.isnan(), torch.nan, flips)

    def update(self, first: Tensor, second: Tensor) -> None:
        """Add images by both AUCs, (B,) each."""
        rows = {self.columns[0]: [[value] for value in first.tolist()], self.columns[1]: second.tolist()}
        self.add(self.image_values(rows))
