"""MM-ProtoSim: MM-CBM with every patch given to one concept."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.baselines.mm_cbm import MMCBM


class MMProtoSim(MMCBM):
    """Multimodal prototypes: every patch belongs to exactly one concept.

    As `MMCBM`, with softmax_N(Q K^T) replaced by a hard assignment: in training a sample of the Gumbel-softmax over the
    D concepts (temperature 1, straight-through gradient), in evaluation the concept with the largest score, without
    noise, ties to the lowest id. A concept sums over its patches; one without patches has U = sigmoid(0).

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016, appendix D; van Noord, arXiv 2305.14969.

    Args:
        inputs: what the head is built from.
        width: q.

    Raises:
        UsageError: a width that is not positive.

    >>> from mkbench.baselines.base import HeadInputs
    >>> inputs = HeadInputs.blank({"concepts": 7, "embed_dim": 4, "classes": 3, "feature_dim": 6, "grid": [2, 2]})
    >>> MMProtoSim(inputs, width=8).eval().attend(torch.rand(1, 4, 6)).weights.sum(dim=1)
    tensor([[1., 1., 1., 1.]])
    """

    name = "mm-protosim"

    def weights(self, scores: Tensor) -> Tensor:
        """Return the assignment (B, D, N); the weights of a patch sum to 1 over the concepts, one of them is 1."""
        if self.training:
            return F.gumbel_softmax(scores, hard=True, dim=1)
        return torch.zeros_like(scores).scatter_(1, scores.argmax(dim=1, keepdim=True), 1.0)
