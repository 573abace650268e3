"""Association of a set of attention heads."""

from collections.abc import Sequence

from torch import Tensor

from mkbench.metrics.functional.association import Fits, associated
from mkbench.metrics.head_rows import HeadMetric
from mkbench.metrics.proportion import ProportionMetric


class Association(ProportionMetric, HeadMetric):
    """Share of heads with enough texts that fit their label; 0..1, higher is better.

    Definition: :func:`mkbench.metrics.functional.association`.

    Source: Madasu, Gandelsman, Lal & Howard 2024, arXiv 2409.06579.

    Args:
        threshold: how many texts are enough.
        columns: the column of judgements.

    Example:
        >>> metric = Association()
        >>> metric.update([[True, True, True, False, False], [True, True, False, False, False]])
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    higher_is_better = True

    def __init__(self, threshold: int = 3, *, columns: Sequence[str] | None = None) -> None:
        super().__init__(columns=columns)
        self.threshold = threshold

    def score(self, fits: Fits) -> Tensor:
        """Return whether each head is associated with its label, (S,) bool."""
        return associated(fits, threshold=self.threshold)
