"""Association of a set of attention heads."""

import torch
from torch import Tensor
from torchmetrics import Metric

from mkbench.metrics.functional.association import Fits, associated


class Association(Metric):
    """Share of heads with enough texts that fit their label; 0..1, higher is better.

    Definition: :func:`mkbench.metrics.functional.association`.

    Source: Madasu, Gandelsman, Lal & Howard 2024, arXiv 2409.06579.

    Args:
        threshold: how many texts are enough.

    Example:
        >>> metric = Association()
        >>> metric.update([[True, True, True, False, False], [True, True, False, False, False]])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    hits: Tensor
    heads: Tensor

    def __init__(self, threshold: int = 3) -> None:
        super().__init__()
        self.threshold = threshold
        self.add_state("hits", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("heads", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, fits: Fits) -> None:
        """Add the judgements of some heads.

        Args:
            fits: (B, T) bool, whether each of a head's T texts fits its label.

        Raises:
            ValueError: if fits are not bool (heads, texts), or the threshold exceeds the number of texts.
        """
        if len(fits):
            self.hits += associated(fits, threshold=self.threshold).sum().to(self.device)
            self.heads += len(fits)

    def compute(self) -> Tensor:
        """The share, float64; NaN without heads."""
        return self.hits / self.heads
