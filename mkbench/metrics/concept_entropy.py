"""Concept entropy over a set of images."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mkbench.metrics.functional.concept_entropy import concept_entropy
from mkbench.metrics.row_metric import MeanMetric, Rows, numbers


class ConceptEntropy(MeanMetric):
    """Mean entropy in nats of the descriptor distribution over an image's parts; higher means parts are told apart.

    Definition and range: :func:`mkbench.metrics.functional.concept_entropy`. Optimal transport, which
    shares descriptors out among the parts, raises it in the paper's ablation; whether that is better depends on the
    image, so it has no direction.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix A.2.

    Example:
        >>> metric = ConceptEntropy()
        >>> metric.update([[3, 3, 5, 5], [1, 1, 1, -1]])  # ln 2 and 0
        >>> metric.compute()
        tensor(0.3466, dtype=torch.float64)
    """

    columns = ("concept_entropy",)

    def image_values(self, rows: Rows) -> Tensor:
        """Return the entropies, (n,) float64 in nats."""
        return numbers(rows[self.columns[0]])

    def update(self, descriptor_ids: Tensor | Sequence[int] | Sequence[Sequence[int]]) -> None:
        """Add one image or a batch.

        Args:
            descriptor_ids: (S,) or (B, S) int64 descriptors of all parts of an image, with repeats, padded with -1.

        Raises:
            ValueError: if the ids are not integers.
        """
        self.add(concept_entropy(torch.as_tensor(descriptor_ids)).reshape(-1))
