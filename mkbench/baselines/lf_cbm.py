"""LF-CBM: label-free concept bottleneck on the concept scores of a CLIP model."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mkbench.baselines.base import Head, HeadInputs, Standardise, require_positive
from mkbench.concepts.linalg import unit_rows


class LFCBM(Head):
    """A sparse linear classifier on the cosines of image and descriptors; an accuracy to compare with.

    Simplified against the source. There, a projection of another backbone is first fitted to CLIP's cosines, and
    descriptors that it cannot follow are dropped; here the backbone is the CLIP model itself, whose cosines need no
    projection. There, the sparse layer is the solution of an elastic net with 25 to 35 weights a class; here a class
    uses its `kept` largest weights at every step, while all of them learn (a straight-through gradient).

    Source: Oikarinen et al., ICLR 2023, arXiv 2304.06129.

    Args:
        inputs: what the head is built from.
        kept: weights of a class that are not 0; more than descriptors means all of them.

    Raises:
        UsageError: a number that is not positive.

    >>> inputs = HeadInputs.blank({"concepts": 7, "embed_dim": 4, "classes": 3, "feature_dim": 6, "grid": [2, 2]})
    >>> LFCBM(inputs, kept=2).sparse_weights.count_nonzero(dim=1)
    tensor([2, 2, 2])
    """

    name = "lf-cbm"
    concepts: Tensor

    def __init__(self, inputs: HeadInputs, *, kept: int = 30) -> None:
        super().__init__(inputs)
        require_positive(self.name, "kept", kept)
        self.kept = kept
        concepts = inputs.concepts.float()
        self.register_buffer("concepts", concepts.clone())
        # A cosine is linear in the embedding, so its mean and variance follow from those of the embedding.
        variance = torch.einsum("ki,ij,kj->k", concepts, inputs.embedding_covariance.float(), concepts)
        self.standardise = Standardise(concepts @ inputs.embedding_mean.float(), variance.clamp(min=0).sqrt())
        self.classifier = torch.nn.Linear(len(concepts), len(inputs.class_concepts))

    def options(self) -> dict[str, Any]:
        """The keyword arguments that it was built with."""
        return {"kept": self.kept}

    @property
    def sparse_weights(self) -> Tensor:
        """(Y, D) weights of the classes on the standardised cosines, 0 but for the largest of each class."""
        weight = self.classifier.weight
        largest = weight.abs().sort(dim=1, descending=True, stable=True).indices[:, : self.kept]
        return torch.zeros_like(weight).scatter(1, largest, weight.gather(1, largest))

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """Return the logits (B, Y); the patch features are not looked at."""
        weight = self.classifier.weight
        used = weight + (self.sparse_weights - weight).detach()  # the values of one, the gradient of the other
        cosines = unit_rows(embedding) @ self.concepts.T  # (images, bank)
        return F.linear(self.standardise(cosines), used, self.classifier.bias)
