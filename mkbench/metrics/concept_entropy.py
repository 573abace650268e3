"""Concept entropy over a set of images."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from mkbench.metrics.functional.concept_entropy import concept_entropy


class ConceptEntropy(Metric):
    """Mean entropy in nats of the descriptor distribution over an image's parts; higher means parts are told apart.

    Definition and range: :func:`mkbench.metrics.functional.concept_entropy`. Optimal transport, which
    shares descriptors out among the parts, raises it in the paper's ablation, hence ``higher_is_better``.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix A.2.

    Example:
        >>> metric = ConceptEntropy()
        >>> metric.update([[3, 3, 5, 5], [1, 1, 1, -1]])  # ln 2 and 0
        >>> metric.compute()
        tensor(0.3466, dtype=torch.float64)
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    entropy_sum: Tensor
    images: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("entropy_sum", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("images", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, descriptor_ids: Tensor | Sequence[int] | Sequence[Sequence[int]]) -> None:
        """Add one image or a batch.

        Args:
            descriptor_ids: (S,) or (B, S) int64 descriptors of all parts of an image, with repeats, padded with -1.

        Raises:
            ValueError: if the ids are not integers.
        """
        entropy = concept_entropy(torch.as_tensor(descriptor_ids, device=self.device))
        self.entropy_sum += entropy.sum()
        self.images += entropy.numel()

    def compute(self) -> Tensor:
        """Mean entropy in nats, float64; NaN without images."""
        return self.entropy_sum / self.images
